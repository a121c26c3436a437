"""One layer's window on its way over a small input, as Dumoulin & Visin 2016 (arXiv:1603.07285) draw it.

A convolution slides over the padded input. A transposed one is drawn as the convolution that it equals: stride - 1 zeros between
the inputs, dilation (kernel - 1) - padding around them, and a window that moves by 1 (their section 4). The page has the same in
JavaScript.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from minidil.analysis import picture
from minidil.analysis.explorer.padding import RULES, Padding

_LEAST, _MOST = 5, 24
_INPUT, _ZERO, _PAD, _TAP, _EMPTY_TAP = range(1, 6)
_COMING, _DONE, _NOW = range(6, 9)


@dataclass(frozen=True)
class Axis:
    """A window along one axis of `size` inputs."""

    size: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    transposed: bool

    @property
    def span(self) -> int:
        return self.dilation * (self.kernel - 1) + 1

    @property
    def out(self) -> int:
        """How many outputs there are."""
        if self.transposed:
            return (self.size - 1) * self.stride + self.span - self.before - self.after
        return (self.size + self.before + self.after - self.span) // self.stride + 1

    @property
    def step(self) -> int:
        """How far the drawn window moves."""
        return 1 if self.transposed else self.stride

    @property
    def cells(self) -> list[int]:
        """What the window slides over."""
        apart = self.stride if self.transposed else 1
        before = self.span - 1 - self.before if self.transposed else self.before
        count = self.span + (self.out - 1) * self.step if self.transposed else self.size + self.before + self.after
        last = (self.size - 1) * apart
        return [
            _PAD if not 0 <= i - before <= last else _ZERO if (i - before) % apart else _INPUT for i in range(count)
        ]

    def taps(self, output: int) -> list[int]:
        """The cells that an output reads."""
        return [output * self.step + i * self.dilation for i in range(self.kernel)]


def axis_of(size: int, kernel: int, stride: int, dilation: int, padding: Padding, transposed: bool) -> Axis:
    """padding: the name of a rule, or (before, after)."""
    reach = dilation * (kernel - 1)
    before, after = RULES[padding](reach) if isinstance(padding, str) else padding
    return Axis(size, kernel, stride, dilation, int(before), int(after), transposed)


def usual_size(axes: Sequence[Axis]) -> int:
    """As many inputs as a window spans, up to twelve, and as show three outputs, or one where that would be too many."""
    wanted = [
        3
        if axis.transposed
        else max(_LEAST, min(axis.span, _MOST // 2), axis.span - axis.before - axis.after + 2 * axis.stride)
        for axis in axes
    ]
    return max(min(max(wanted), _MOST), *map(least_size, axes))


def least_size(axis: Axis) -> int:
    """As many inputs as have an output."""
    if axis.transposed:
        return max(1 - (axis.span - axis.before - axis.after - 1) // axis.stride, 1)
    return max(axis.span - axis.before - axis.after, 1)


def drawn(axes: Sequence[Axis], frame: int) -> dict[str, str]:
    """Input and output with the window at that output, counted row by row, and what is to be said about it."""
    rows, columns = axes if len(axes) == 2 else (Axis(1, 1, 1, 1, 0, 0, False), *axes)
    at = divmod(frame, columns.out)
    taps = [axis.taps(position) for axis, position in zip((rows, columns), at, strict=True)]
    classes, hits = [], 0
    for y, row in enumerate(rows.cells):
        line = []
        for x, column in enumerate(columns.cells):
            kind = max(row, column)
            if y in taps[0] and x in taps[1]:
                hits += kind == _INPUT
                kind = _TAP if kind == _INPUT else _EMPTY_TAP
            line.append(kind)
        classes.append(line)
    outputs = [
        [_NOW if (y, x) == at else _DONE if y * columns.out + x < frame else _COMING for x in range(columns.out)]
        for y in range(rows.out)
    ]
    frame_at = f'<rect class="frame" x="{taps[1][0]}" y="{taps[0][0]}" width="{columns.span}" height="{rows.span}"/>'
    return {
        "over": _cells(classes) + frame_at,
        "over-box": f"0 0 {len(classes[0])} {len(classes)}",
        "made": _cells(outputs),
        "made-box": f"0 0 {columns.out} {rows.out}",
        "equation": equation(columns),
        "moved": (
            f"Output {_place(at, len(axes))} of {_place((rows.out, columns.out), len(axes), ' × ')}: "
            f"{hits} of the {rows.kernel * columns.kernel} taps fall on the input."
        ),
    }


def equation(axis: Axis) -> str:
    """How many outputs there are, with the numbers put in."""
    n, k, s, d = axis.size, axis.kernel, axis.stride, axis.dilation
    pads = "".join(f" {'+' if (n < 0) == axis.transposed else '−'} {abs(n)}" for n in (axis.before, axis.after))
    if axis.transposed:
        return f"({n} − 1) · {s} + {d} · ({k} − 1) + 1{pads} = {axis.out}"
    return f"⌊({n}{pads} − {d} · ({k} − 1) − 1) / {s}⌋ + 1 = {axis.out}"


def _place(numbers: Sequence[int], ndim: int, between: str = ", ") -> str:
    shown = between.join(map(str, numbers[2 - ndim :]))
    return f"({shown})" if between == ", " else shown


def _cells(classes: Sequence[Sequence[int]]) -> str:
    height, width = len(classes), len(classes[0])
    lines = picture.grid(height, width) if max(height, width) <= 2 * picture.GRID else ""
    return picture.drawn(picture.rectangles(classes)).replace('class="c', 'class="w') + lines
