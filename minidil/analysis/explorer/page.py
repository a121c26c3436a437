"""The explorer's page: one file of HTML that needs nothing else, filled with a state that is right without JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files

from minidil.analysis import picture, reach
from minidil.analysis.explorer.look import Look, each_of, facts, signed
from minidil.analysis.explorer.network import SLIDING, Network, Row
from minidil.analysis.explorer.padding import padding_of
from minidil.analysis.explorer.window import Axis, axis_of, drawn, usual_size
from minidil.analysis.taps import Slide, Spread


def page(network: Network, seen: Look) -> str:
    """The same text for the same network."""
    layer = shown_layer(network)
    shape = seen.counted.shape
    drawing, step = picture.coverage_map(seen.counted, seen.box)
    parts = {
        "title": escape(network.name),
        "style": _file("page.css"),
        "script": "\n".join(map(_file, ("arithmetic.js", "drawing.js", "page.js"))),
        "network": json.dumps(network.as_data() | {"layer": layer}, separators=(",", ":")).replace("<", "\\u003c"),
        "count": str(len(network.rows)),
        "depth": str(network.depth + 1),
        "depth-now": f"{escape(network.rows[network.depth].name)} ({network.depth + 1} of {len(network.rows)})",
        "dilations": _dilations(network),
        "options": _options(network),
        "column-word": "Column" if len(shape) == 2 else "Position",
        "map-box": f"0 0 {shape[-1]} {shape[0] if len(shape) == 2 else 1}",
        "ratio": "xMidYMid" if len(shape) == 2 else "none",
        "map": drawing,
        "map-note": _map_note(step),
        "map-legend": _legend(seen),
        "strips": "".join(_strip(seen, axis) for axis in range(len(shape))),
        "layers": _layers(network),
        "layer-name": "",
        "no-window": " hidden",
    }
    parts |= facts(network, network.depth, seen)
    parts |= dict.fromkeys(("equation", "moved", "over", "made"), "")
    parts |= dict.fromkeys(("over-box", "made-box"), "0 0 1 1")
    parts |= dict.fromkeys(("over-cells", "made-cells", "most-cells"), "1")
    if layer is not None:
        axes = axes_of(network, layer)
        frame = 0
        for axis in axes:
            frame = frame * axis.out + axis.out // 2
        parts |= drawn(axes, frame)
        parts |= {f"{name}-cells": parts[f"{name}-box"].split()[2] for name in ("over", "made")}
        parts["most-cells"] = max(parts["over-cells"], parts["made-cells"], key=int)
        parts |= {"layer-name": escape(network.rows[layer].name), "no-window": ""}
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda found: parts[found[1]], _file("page.html"))


def framed(html: str, height: int = 760) -> str:
    """For a notebook: a frame of its own, so that several do not meet, and nothing of the page reaches the notebook."""
    text = html.replace("&", "&amp;").replace('"', "&quot;")
    return (
        f'<iframe title="What one output sees" sandbox="allow-scripts" width="100%" height="{height}" '
        f'style="border: 1px solid #ccc; border-radius: 6px" srcdoc="{text}"></iframe>'
    )


def shown_layer(network: Network) -> int | None:
    """The row whose window is shown: that looked back from, else the nearest before it, else the first that there is."""
    rows = [number for number, row in enumerate(network.rows) if row.step is not None]
    before = [number for number in rows if number <= network.depth]
    return before[-1] if before else rows[0] if rows else None


def axes_of(network: Network, number: int) -> list[Axis]:
    """The window of that row over as many inputs as show it well."""
    step = network.run.steps[(network.rows[number].step or 0) - 1]
    taps = _windows(network, network.rows[number])
    transposed = step.op not in SLIDING
    made = [
        axis_of(5, t.kernel, t.stride, t.dilation, p, transposed)
        for t, p in zip(taps, padding_of(step.op, taps), strict=True)
    ]
    size = usual_size(made)
    return [Axis(size, *(getattr(axis, name) for name in _SETTINGS)) for axis in made]


_SETTINGS = ("kernel", "stride", "dilation", "before", "after", "transposed")


def _windows(network: Network, row: Row) -> list[Slide | Spread]:
    if row.step is None:
        return []
    ((_, maps),) = network.run.steps[row.step - 1].reads
    return [taps for taps in maps if isinstance(taps, Slide | Spread)]


def _dilations(network: Network) -> str:
    rows = network.rows[: network.depth + 1]
    return (
        " ".join(each_of([taps.dilation for taps in _windows(network, row)]) for row in rows)
        if network.schedule
        else ""
    )


def _options(network: Network) -> str:
    return "".join(
        f'<option value="{number}">{escape(row.name)}: {row.kind}</option>'
        for number, row in enumerate(network.rows)
        if row.step is not None
    )


def _map_note(step: int) -> str:
    more = f" Each square stands for {step} × {step} positions and shows the fewest paths in it." if step > 1 else ""
    return f"Paths to each position of the input. Frame: from the first position seen to the last.{more}"


def _legend(seen: Look) -> str:
    words = picture.legend(list(map(int, seen.counted.ravel().tolist())))
    items = "".join(f'<span><i class="c{number}"></i>{word}</span>' for number, word in enumerate(words, 1))
    return f'{items}<span><i class="c7"></i>hole</span>'


def _strip(seen: Look, axis: int) -> str:
    n, first, paths = seen.counted.shape[axis], seen.first[axis], seen.paths[axis]
    name = ("Rows", "Columns")[axis] if seen.counted.ndim == 2 else "Positions"
    drawing, box = picture.bars(paths, first, n)
    low, high, most = min(first, 0), max(first + len(paths), n) - 1, max(paths, default=0)
    return (
        f'<figure><svg class="strip" role="img" aria-label="Paths along the {name.lower()}" viewBox="{box}" '
        f'preserveAspectRatio="none">{drawing}</svg><p class="ends"><span>{signed(low)}</span><span>{signed(high)}</span></p>'
        f"<figcaption>{name} {signed(first)} to {signed(first + len(paths) - 1)}: up to "
        f"{picture.short(most)} path{'s' * (most != 1)}; grey, the real input; orange, holes"
        f"</figcaption></figure>"
    )


def _layers(network: Network) -> str:
    run, jumps, lines = network.run, reach.jumps(network.run), []
    for number, row in enumerate(network.rows):
        size, start = reach.extent(run, row.value)
        taps = _windows(network, row)
        settings: list[Sequence[object]] = [
            [getattr(t, name) for t in taps] for name in ("kernel", "stride", "dilation")
        ]
        values = [*settings, run.layout(row.value).sizes, size, jumps[row.value], start]
        mark = (
            ' class="beyond"' if number > network.depth else ' aria-current="true"' if number == network.depth else ""
        )
        cells = "".join(f"<td>{each_of(each) if each else '–'}</td>" for each in values)
        lines.append(f'<tr{mark}><th scope="row">{escape(row.name)}</th><td>{row.kind}</td>{cells}</tr>')
    return "".join(lines)


@cache
def _file(name: str) -> str:
    return (files("minidil.analysis.explorer") / name).read_text(encoding="utf-8").rstrip("\n")
