"""Coverage as a picture for paper: the map of paths with its profile along both axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minidil import viz
from minidil.analysis import picture
from minidil.analysis.explorer.look import Look, facts
from minidil.analysis.explorer.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def coverage_figure(network: Network, seen: Look) -> Figure:
    """Paths to each position of the real input by colour, holes in orange, and per axis the paths to every position."""
    words = facts(network, network.depth, seen)
    title = f"{network.name}, layer {network.rows[network.depth].name}: field {words['field']}"
    note = f"{words['reached']} reached, {words['unseen']} unseen"
    with viz.style():
        if seen.counted.ndim == 1:
            figure = viz.blank(8, 2.8)
            axes = figure.subplots()
            _profile(axes, seen, 0)
            axes.set(xlabel=f"position of the input; {note}", ylabel="paths", title=title)
            return figure
        figure = viz.blank(8.6, 5.6)
        panels = figure.subplot_mosaic([["map", "row"], ["map", "column"]], width_ratios=(1.35, 1))
        _map(panels["map"], seen)
        panels["map"].set(xlabel="column", ylabel="row", title=note)
        for axis, name in enumerate(("row", "column")):
            _profile(panels[name], seen, axis)
            panels[name].set(xlabel=f"{name} of the input", ylabel="paths")
        figure.suptitle(title, fontsize="medium")
    return figure


def _map(axes: Axes, seen: Look) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Rectangle

    most = int(seen.counted.max(initial=0))
    bits = picture.bits_of(most)
    classes = np.array([[picture.class_of(int(n), bits) for n in row] for row in seen.counted.tolist()])
    (top, bottom), (left, right) = seen.box
    inside = np.zeros(classes.shape, bool)
    inside[top:bottom, left:right] = True
    classes[inside & (classes == 0)] = picture.HOLE
    colours = ListedColormap(["#ffffff", *picture.COLOURS[1:]])
    norm = BoundaryNorm(np.arange(picture.HOLE + 2) - 0.5, colours.N)
    axes.imshow(classes, cmap=colours, norm=norm, interpolation="nearest")
    edges = (left - 0.5, top - 0.5), right - left, bottom - top
    axes.add_patch(Rectangle(*edges, fill=False, edgecolor=viz.RED, linewidth=1.6))
    axes.grid(False)
    names = [*picture.legend(most)] + ["hole"] * bool((classes == picture.HOLE).any())
    shown = [*picture.COLOURS[1 : len(picture.legend(most)) + 1], picture.COLOURS[picture.HOLE]]
    handles = [
        Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="#888") for colour, _ in zip(shown, names, strict=False)
    ]
    axes.legend(
        handles, names, title="paths", loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=4, fontsize="small"
    )


def _profile(axes: Axes, seen: Look, axis: int) -> None:
    """Bars of path numbers, crosses for holes, and grey where there is no input."""
    first, paths, n = seen.first[axis], seen.paths[axis], seen.counted.shape[axis]
    where = first + np.arange(len(paths))
    numbers = np.array([float(number) for number in paths])
    low, high = min(first, 0) - 0.5, max(first + len(paths), n) - 0.5
    if low < -0.5:
        axes.axvspan(low, -0.5, color="#e6e9ee")
    if high > n - 0.5:
        axes.axvspan(n - 0.5, high, color="#e6e9ee")
    axes.bar(where, numbers, width=0.9 if len(paths) <= 64 else 1.0, color=viz.BLUE, linewidth=0)
    holes = where[numbers == 0]
    if len(holes):
        axes.plot(holes, np.zeros(len(holes)), "x", color=viz.RED, clip_on=False, zorder=3, label=f"{len(holes)} holes")
        axes.legend(fontsize="small", loc="upper right")
    axes.set_xlim(low, high)
    axes.set_ylim(bottom=0)
    axes.grid(False)
