"""Where a window's taps fall, for kernels: 1 to 3 spatial axes are always 3, the missing ones in front with size 1.

On every axis the tap k of the output o stands at the input position  o stride - before + k dilation;  it is there if that lies in
0..size-1. Read backwards: the input position p is met by the tap k of the output o if  p + before - k dilation = o stride, that
is if this number is not negative, divisible by the stride, and o < out.
"""

from __future__ import annotations

from minidil.kernels.cuda.grid import Sizes, Triple, inline, left_filled
from minidil.kernels.cuda.seam import int32, uint32
from minidil.kernels.geometry import Window

GEOMETRY = "333333"  # the types of what `geometry` returns


def geometry(window: Window) -> tuple[Sizes, ...]:
    """size, kernel, stride, before, dilation and out, each for three axes."""
    before = [pair[0] for pair in window.padding]
    ones = (left_filled(values, 3, 1) for values in (window.size, window.kernel, window.stride))
    return *ones, left_filled(before, 3, 0), left_filled(window.dilation, 3, 1), left_filled(window.out, 3, 1)


@inline
def coordinates(i: int, shape: Triple) -> tuple[int, int, int, int]:
    """(plane, z, y, x) of element number i of an array (planes, *shape)."""
    x, rest = uint32(i % uint32(shape[2])), uint32(i // uint32(shape[2]))
    y, rest2 = uint32(rest % uint32(shape[1])), uint32(rest // uint32(shape[1]))
    return uint32(rest2 // uint32(shape[0])), uint32(rest2 % uint32(shape[0])), y, x


@inline
def position(o: int, tap: int, stride: int, before: int, dilation: int) -> int:
    """Where a tap falls on one axis; on the padding it is negative or too large."""
    return int32(int32(o) * stride - before + int32(tap) * dilation)


@inline
def inside(position: int, size: int) -> bool:
    """0 <= position < size. As an unsigned number, a negative one is larger than any size."""
    return uint32(position) < uint32(size)


@inline
def output(p: int, tap: int, stride: int, before: int, dilation: int, out: int) -> int:
    """The output whose tap falls on the input position p of one axis, or -1 if there is none."""
    reach = int32(int32(p) + before - int32(tap) * dilation)
    o = int32(uint32(reach) // uint32(stride))
    return o if reach >= int32(0) and int32(o * stride) == reach and o < out else int32(-1)
