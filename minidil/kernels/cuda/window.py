"""The geometry of a window, for kernels: one tuple, and where a tap falls. It is stated here and nowhere else.

There are always 3 spatial axes, the missing ones in front with size 1. On each, the tap k of the output o stands at the position
    p = (o up - before + k dilation) / down    with up = stride and down = 1,
if that lies in 0..size-1. Read backwards, the tap k at the position p belongs to the output
    o = (p + before - k dilation) / stride,    if that is a whole number in 0..out-1.
This is the same formula with `size` and `out`, and `up` and `down`, exchanged, and the other signs: the geometry `turned`. Hence
a kernel that gathers what a window sees also gathers, with the turned geometry, what the outputs hand back to an input: the
convolution and the gradient of its input are one kernel, and so are a sum over windows and its adjoint.
"""

from __future__ import annotations

from minidil.kernels.cuda.device import Array, Sizes, inline, left_filled
from minidil.kernels.cuda.seam import float32, int32, uint32
from minidil.kernels.geometry import Window

SIZE, KERNEL, UP, DOWN, BEFORE, DILATION, OUT = range(
    7
)  # what the geometry holds for each of its three axes, in this order


def geometry(window: Window) -> Sizes:
    """The 21 numbers of a window, the seven of an axis next to each other."""
    before = [pair[0] for pair in window.padding]
    given = (window.size, window.kernel, window.stride, (), before, window.dilation, window.out)
    columns = (left_filled(values, 3, 0 if number == BEFORE else 1) for number, values in enumerate(given))
    return tuple(number for axis in zip(*columns, strict=True) for number in axis)


def turned(geometry: Sizes) -> Sizes:
    """The geometry read backwards: from the positions of the input to the outputs."""
    found: Sizes = ()
    for size, kernel, up, down, before, dilation, out in zip(*[iter(geometry)] * 7, strict=True):
        found += out, kernel, down, up, -before, -dilation, size
    return found


def along(geometry: Sizes, which: int) -> Sizes:
    """One of the seven, such as OUT, for the three axes."""
    return geometry[which::7]


# --- in kernels, where an axis is its seven numbers


@inline
def axes(g: Sizes) -> tuple[Sizes, Sizes, Sizes]:
    """The geometry, axis by axis."""
    return g[0:7], g[7:14], g[14:21]


@inline
def coordinates(i: int, depth: int, height: int, width: int) -> tuple[int, int, int, int]:
    """(plane, z, h, w) of element number i of an array (planes, depth, height, width)."""
    w, rest = uint32(i % uint32(width)), uint32(i // uint32(width))
    h, rest2 = uint32(rest % uint32(height)), uint32(rest // uint32(height))
    return uint32(rest2 // uint32(depth)), uint32(rest2 % uint32(depth)), h, w


@inline
def output(i: int, g: Sizes) -> tuple[int, int, int, int]:
    """(plane, z, h, w) of number i of the outputs."""
    deep, high, wide = axes(g)
    return coordinates(i, deep[OUT], high[OUT], wide[OUT])


@inline
def counts(g: Sizes) -> tuple[int, int, int]:
    """How many taps, outputs and positions a plane has."""
    deep, high, wide = axes(g)
    taps = uint32(uint32(deep[KERNEL]) * uint32(high[KERNEL]) * uint32(wide[KERNEL]))
    outputs = uint32(uint32(deep[OUT]) * uint32(high[OUT]) * uint32(wide[OUT]))
    return taps, outputs, uint32(uint32(deep[SIZE]) * uint32(high[SIZE]) * uint32(wide[SIZE]))


@inline
def position(o: int, tap: int, axis: Sizes) -> int:
    """Where a tap falls on an axis; on the padding, or between two positions, it is negative or too large."""
    reach = int32(int32(o) * axis[UP] - axis[BEFORE] + int32(tap) * axis[DILATION])
    if axis[DOWN] != 1:
        # As an unsigned number a negative reach is so large that its quotient is larger than any size.
        quotient = int32(uint32(reach) // uint32(axis[DOWN]))
        reach = quotient if int32(quotient * axis[DOWN]) == reach else int32(-1)
    return reach


@inline
def inside(position: int, axis: Sizes) -> bool:
    """0 <= position < size. As an unsigned number, a negative one is larger than any size."""
    return uint32(position) < uint32(axis[SIZE])


@inline
def place(plane: int, z: int, h: int, w: int, deep: Sizes, high: Sizes, wide: Sizes) -> int:
    """Where a position of a plane stands in the array."""
    return uint32(((plane * deep[SIZE] + z) * high[SIZE] + h) * wide[SIZE] + w)


@inline
def patch(x: Array, plane: int, o: Sizes, tap: Sizes, g: Sizes) -> float:
    """What the tap of the window at the output o sees in a plane of x; 0 on the padding."""
    deep, high, wide = axes(g)
    z, h, w = position(o[0], tap[0], deep), position(o[1], tap[1], high), position(o[2], tap[2], wide)
    value = float32(0)
    if inside(z, deep) and inside(h, high) and inside(w, wide):
        value = x[place(plane, z, h, w, deep, high, wide)]
    return value
