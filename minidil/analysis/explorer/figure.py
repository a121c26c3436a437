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
    from matplotlib.patches import Rectangle


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
        figure = viz.blank(8.6, 5.4)
        panels = figure.subplot_mosaic([["map", "row"], ["map", "column"]], width_ratios=(1.35, 1))
        _map(panels["map"], seen)
        for axis, name in enumerate(("row", "column")):
            _profile(panels[name], seen, axis)
            panels[name].set(xlabel=f"{name} of the input", ylabel="paths")
        figure.suptitle(f"{title}\n{note}", fontsize="medium")
        figure.legend(
            *_key(seen),
            title="paths",
            loc="outside lower center",
            ncols=picture.HOLE,
            fontsize="small",
            columnspacing=1,
        )
    return figure


def _numbers(seen: Look) -> list[int]:
    return list(map(int, seen.counted.ravel().tolist()))


def _map(axes: Axes, seen: Look) -> None:
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import MaxNLocator

    numbers = _numbers(seen)
    scale = picture.scale_of(numbers)
    classes = np.array([picture.class_of(n, scale) for n in numbers]).reshape(seen.counted.shape)
    (top, bottom), (left, right) = seen.box
    inside = np.zeros(classes.shape, bool)
    inside[top:bottom, left:right] = True
    classes[inside & (classes == 0)] = picture.HOLE
    colours = ListedColormap(["#ffffff", *picture.COLOURS[1:]])
    norm = BoundaryNorm(np.arange(picture.HOLE + 2) - 0.5, colours.N)
    axes.imshow(classes, cmap=colours, norm=norm, interpolation="nearest")
    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5),
            right - left,
            bottom - top,
            fill=False,
            edgecolor=viz.RED,
            linewidth=1.6,
            clip_on=False,
        )
    )
    axes.set(xlabel="column", ylabel="row")
    axes.grid(False)
    for each in (axes.xaxis, axes.yaxis):
        each.set_major_locator(MaxNLocator(integer=True))


def _key(seen: Look) -> tuple[list[Rectangle], list[str]]:
    """A square of each colour that occurs, and what it stands for."""
    from matplotlib.patches import Rectangle

    names = picture.legend(_numbers(seen))
    colours = list(picture.COLOURS[1 : len(names) + 1])
    if seen.reached < seen.within:
        names.append("hole")
        colours.append(picture.COLOURS[picture.HOLE])
    return [Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="#888") for colour in colours], names


def _profile(axes: Axes, seen: Look, axis: int) -> None:
    """The numbers of paths as steps, crosses for holes, and grey where there is no input."""
    from matplotlib.ticker import MaxNLocator

    first, paths, n = seen.first[axis], seen.paths[axis], seen.counted.shape[axis]
    numbers = np.array([float(number) for number in paths])
    low, high = min(first, 0) - 0.5, max(first + len(paths), n) - 0.5
    if low < -0.5:
        axes.axvspan(low, -0.5, color="#e6e9ee")
    if high > n - 0.5:
        axes.axvspan(n - 0.5, high, color="#e6e9ee")
    axes.stairs(numbers, first - 0.5 + np.arange(len(paths) + 1), fill=True, color=viz.BLUE)
    holes = seen.holes[axis]
    if holes:
        axes.plot(holes, np.zeros(len(holes)), "x", color=viz.RED, clip_on=False, zorder=3, label=f"{len(holes)} holes")
        axes.legend(fontsize="small", loc="upper right")
    axes.set(xlim=(low, high), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(False)
