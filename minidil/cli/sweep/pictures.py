"""Pictures of a study: how good the trials were, one after the other; which values they had; and which setting mattered.

A trial is a mapping with its number `trial`, its `state`, its `value` and what was `drawn`, as in the JSON of the command.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from minidil import viz
from minidil.cli.sweep.space import Range, Space

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_MARKS = 8  # that can be read beside one another


def history(trials: Sequence[Mapping[str, Any]], by: str) -> "Figure":
    """The validation metric `by` of every trial in the order of their numbers, and the best one so far."""
    scale, words = _measure(by)
    trials = sorted((each for each in trials if each["value"] is not None), key=lambda each: int(each["trial"]))
    with viz.style():
        figure = viz.blank(6.4, 3.6)
        axes: Any = figure.subplots()
        for state, marker, label in (("complete", "o", "a trial"), ("pruned", "x", "a trial ended early")):
            some = [each for each in trials if each["state"] == state]
            if some:
                axes.plot(
                    [each["trial"] for each in some], [scale * each["value"] for each in some], marker, label=label
                )
        complete = [each for each in trials if each["state"] == "complete"]
        best = [max(scale * each["value"] for each in complete[: n + 1]) for n in range(len(complete))]
        axes.plot(
            [each["trial"] for each in complete], best, drawstyle="steps-post", label="the best so far", color=viz.GREEN
        )
        axes.set(xlabel="trial", ylabel=words)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.legend()
    return figure


def parallel(trials: Sequence[Mapping[str, Any]], spaces: Mapping[str, Space], by: str) -> "Figure":
    """An axis for each setting, and a line across them for each completed trial; the better, the darker."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale, words = _measure(by)
    complete = sorted((each for each in trials if each["state"] == "complete"), key=lambda each: float(each["value"]))
    values = [scale * each["value"] for each in complete]
    colours = ScalarMappable(Normalize(values[0], max(values[-1], values[0] + 1e-9)), "viridis_r")
    with viz.style():
        figure = viz.blank(1.6 * max(len(spaces), 3) + 1.2, 4)
        axes = figure.subplots()
        places = [_places(space) for space in spaces.values()]
        for each, value in zip(complete, values, strict=True):
            heights = [place(each["drawn"][name]) for name, (place, _) in zip(spaces, places, strict=True)]
            axes.plot(heights, color=colours.to_rgba(value), alpha=0.8, marker="o", markersize=4)
        for column, (_, marks) in enumerate(places):
            axes.axvline(column, color="#888888", linewidth=0.8, zorder=0)
            for height, label in marks:
                axes.annotate(
                    label,
                    (column, height),
                    (5, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize="small",
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
                )
        axes.set(xticks=range(len(spaces)), xticklabels=list(spaces), yticks=[], xlim=(-0.1, len(spaces) - 0.6))
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        figure.colorbar(colours, ax=axes, label=words)
    return figure


def importance(shares: Mapping[str, float]) -> "Figure":
    """The share of each setting in how the trials differ."""
    with viz.style():
        figure = viz.blank(6.4, 0.9 + 0.35 * len(shares))
        axes = figure.subplots()
        bars = axes.barh(list(shares), [100 * share for share in shares.values()], color=viz.BLUE)
        axes.bar_label(bars, fmt="%.0f", padding=3)
        axes.set(xlabel="share in how the trials differ, in %", xlim=(0, 108))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    return figure


def _measure(by: str) -> tuple[int, str]:
    """What a value is multiplied by, and what it then is."""
    return (100, "validation accuracy in %") if by == "accuracy" else (1, f"validation {by}")


def _places(space: Space) -> tuple[Callable[[Any], float], list[tuple[float, str]]]:
    """Where on an axis from 0 to 1 a value lies, and the (height, label) of its marks."""
    if isinstance(space, Range):
        scaled: Callable[[float], float] = math.log if space.log else float
        low, high = scaled(space.low), scaled(space.high)
        middle = math.exp((low + high) / 2) if space.log else (low + high) / 2
        marks = [(0.0, f"{space.low:.3g}"), (0.5, f"{middle:.3g}"), (1.0, f"{space.high:.3g}")]
        return lambda value: (scaled(value) - low) / (high - low), marks
    stored = list(space.stored())
    step = 1 / max(len(stored) - 1, 1)
    labels = list(zip(stored, space.described(), strict=True))[:: math.ceil(len(stored) / _MOST_MARKS)]
    return lambda value: step * stored.index(value), [(step * stored.index(value), label) for value, label in labels]
