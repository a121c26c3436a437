"""The explorer as users have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil.analysis import reach
from minidil.analysis.explorer.figure import coverage_figure
from minidil.analysis.explorer.look import Look, each_of, facts, look
from minidil.analysis.explorer.network import Network
from minidil.analysis.explorer.page import framed, page
from minidil.analysis.explorer.sources import of_model, of_schedule
from minidil.analysis.tables import as_text
from minidil.errors import OptionError
from minidil.kernels.geometry import Ints
from minidil.nn import Module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PLAIN = str.maketrans({"−": "-", "×": "x", "₂": "_2", "…": "..."})
HEAD = ("layer", "kind", "output shape", "size", "jump", "start", "reached", "unseen")


@dataclass(frozen=True)
class LayerSeen:
    """What the middle output of a layer sees, per axis of the input: size, jump and start as in `AxisField`.

    reached: how many positions of the real input. unseen: the share of those between the first and the last that are not.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    size: tuple[int, ...]
    jump: tuple[str, ...]
    start: tuple[int, ...]
    reached: int
    unseen: float

    def cells(self) -> tuple[str, ...]:
        facts = (
            each_of(self.size),
            each_of(self.jump),
            each_of(self.start),
            f"{self.reached:,}",
            f"{100 * self.unseen:.1f} %",
        )
        return (self.name, self.kind, str(self.output_shape), *(fact.translate(_PLAIN) for fact in facts))


@dataclass(frozen=True, repr=False, eq=False)
class Explorer:
    """What one output of a network sees: printed it is a table, in a notebook a page to play with.

    seen: the numbers of the output that the page begins with.
    """

    network: Network
    seen: Look

    def layers(self) -> list[LayerSeen]:
        """Every layer at which the field is another one than before."""
        run, jumps, found = self.network.run, reach.jumps(self.network.run), []
        rows = self.network.rows[: self.network.depth + 1] if self.network.schedule else self.network.rows
        for row in rows:
            middle = tuple(n // 2 for n in run.layout(row.value).sizes)
            size, start = reach.extent(run, row.value)
            within = 1
            for axis, at in enumerate(middle):
                where = reach.positions(run, row.value, axis, at)
                inside = where[(where >= 0) & (where < run.shape[1 + axis])]
                within *= min(int(where[-1]), run.shape[1 + axis] - 1) - max(int(where[0]), 0) + 1 if len(inside) else 0
            reached = int(np.count_nonzero(reach.inside(run, row.value, middle)))
            unseen = 1 - reached / within if within else 0.0
            jump = tuple(map(str, jumps[row.value]))
            found.append(LayerSeen(row.name, row.kind, row.shape, size, jump, start, reached, unseen))
        return found

    def facts(self) -> dict[str, str]:
        """The numbers that the page begins with, in words: field, jump, start, reached, unseen, parameters, output, verdict."""
        return facts(self.network, self.network.depth, self.seen)

    def html(self) -> str:
        """The page: one document without a link to anything, the same text for the same network."""
        return page(self.network, self.seen)

    def save(self, path: str | Path) -> None:
        """Write the page to a file.

        What stands behind # in its address sets what it begins with, as in seen.html#k=3&d=1,2,5&s=1&depth=2: kernels, dilations,
        strides, p for padding and t=1 for transposed layers, with one entry for all layers or one for each; depth and layer,
        counted from 1, at for the output, i for the inputs of the drawn window, and f for its place.
        """
        Path(path).write_text(self.html(), encoding="utf-8")

    def draw(self) -> Figure:
        """The coverage as a picture; `viz.save` writes it."""
        return coverage_figure(self.network, self.seen)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "input_shape": list(self.network.run.shape),
            "layers": [vars(row) for row in self.layers()],
            "from": self.network.rows[self.network.depth].name,
            "at": list(self.seen.at),
            "holes": [list(holes) for holes in self.seen.holes],
            **self.facts(),
        }

    def note(self) -> str:
        """What the output that the page begins with sees, in plain letters."""
        words = self.facts()
        text = (
            f"{self.network.name}: output {','.join(map(str, self.seen.at))} of layer "
            f"{self.network.rows[self.network.depth].name} sees a field of {words['field']}; {words['reached']} positions of "
            f"the input are reached, {words['unseen']} are not. {words['verdict']}"
        )
        return text.translate(_PLAIN)

    def __repr__(self) -> str:
        return as_text([HEAD, *(row.cells() for row in self.layers())], 3, [self.note()])

    def _repr_html_(self) -> str:
        return framed(self.html())


def explore(
    what: Module | Sequence[Ints],
    input_shape: Sequence[int] | None = None,
    *,
    kernel_size: Ints | Sequence[Ints] = 3,
    strides: Ints | Sequence[Ints] = 1,
    at: Sequence[int] | None = None,
    name: str | None = None,
) -> Explorer:
    """A page on which kernel, dilations, strides and depth of a network can be changed, with what one output then sees.

    what: a model, or the dilations of a stack of convolutions, one entry per layer, with kernel_size and strides as for
        `coverage`. input_shape: (C, *S) with one or two spatial axes; a model needs it, a stack has (1, S, S) by default, with an
        S that its field fits into. at: the output position looked back from, by default the middle one. name: the title.
    A model is looked back at from its last layer that does not yet see everything, as global pooling does.
    Raises: OptionError as `receptive_field` or `coverage` do, and for a model of more axes than two.
    """
    if isinstance(what, Module):
        if input_shape is None:
            raise OptionError("explore: a model needs input_shape, (C, *S), as in explore(model, (3, 32, 32))")
        network = of_model(what, input_shape)
    else:
        network = of_schedule(what, input_shape, kernel_size, strides)
    return Explorer(network if name is None else replace(network, name=name), look(network, at=at))
