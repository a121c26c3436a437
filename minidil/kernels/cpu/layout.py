"""Between the logical shape (N, C, *S) and the memory the kernels work on: channels last, three spatial axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from minidil.kernels.geometry import Window

Array = NDArray[Any]
Triple = tuple[int, int, int]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on the first call for each number type, keep the result on disk, release the interpreter lock while running."""
    kernel: Callable[..., Any] = njit(function, nogil=True, cache=True, fastmath={"contract"})
    return kernel


class Volume(NamedTuple):
    """A window left-filled to three spatial axes: missing ones have one tap, one position and no padding."""

    size: Triple
    kernel: Triple
    stride: Triple
    before: Triple
    dilation: Triple
    out: Triple


def volume(window: Window) -> Volume:
    """The numbers of a window that the kernels need."""
    before = [first for first, _ in window.padding]
    return Volume(
        _three(window.size),
        _three(window.kernel),
        _three(window.stride),
        _three(before, missing=0),
        _three(window.dilation),
        _three(window.out),
    )


def channels_last(x: Array) -> Array:
    """(N, C, *S) -> (N, D, H, W, C), contiguous and writable (so that one compiled version serves); a copy only if needed."""
    moved = np.require(np.moveaxis(x, 1, -1), requirements=("C", "W"))
    return moved.reshape(x.shape[0], *_three(x.shape[2:]), x.shape[1])


def channels_second(y: Array, spatial: Sequence[int]) -> Array:
    """(N, D, H, W, C) -> a view (N, C, *S)."""
    return np.moveaxis(y.reshape(y.shape[0], *spatial, y.shape[-1]), -1, 1)


def writable(x: Array) -> Array:
    """x as it is, or a copy if it is read-only: the kernels are compiled for arrays that are not."""
    return np.require(x, requirements="W")


def _three(values: Sequence[int], missing: int = 1) -> Triple:
    first, second, third = (missing,) * (3 - len(values)) + tuple(values)
    return first, second, third
