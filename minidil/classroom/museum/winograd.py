"""The machine of one exhibit: a convolution by Winograd's tiles that trusts its input to be finite.

F(4, 3) along the last axis: four outputs of a kernel of three taps from six inputs with six products instead of twelve.
Source: Lavin & Gray 2015, arXiv:1509.09308, section 4.3, for the three matrices.
"""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.geometry import Window
from minidil.kernels.reference.conv import patches

_OUTPUTS, _INPUTS = 4, 6
_OF_INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_OF_WEIGHT = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
_OF_OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])


def fits(window: Window, groups: int) -> bool:
    """Whether the last axis has three neighbouring taps that move by one position."""
    return groups == 1 and (window.kernel[-1], window.stride[-1], window.dilation[-1]) == (3, 1, 1)


def by_tiles(x: Array, weight: Array, window: Window) -> Array:
    """y (N, F, *O) of x (N, C, *S) and weight (F, C, *K), tile by tile along the last axis.

    Y = A^T [(G g) (B^T d)], summed over the channels and over the taps of the other axes.
    """
    tiles = -(-window.out[-1] // _OUTPUTS)
    before, after = window.padding[-1]
    missing = tiles * _OUTPUTS - window.out[-1]
    tile = Window.of(
        window.size,
        (*window.kernel[:-1], _INPUTS),
        (*window.stride[:-1], _OUTPUTS),
        (*window.padding[:-1], (before, after + missing)),
        window.dilation,
    )
    axes = len(window.kernel)
    inputs = np.moveaxis(patches(x, tile), 1 + axes, -1)  # (N, C, *K[:-1], *O[:-1], tiles, 6)
    data = inputs @ _OF_INPUT.T
    taps = weight @ _OF_WEIGHT.T  # (F, C, *K[:-1], 6)
    letters = "ijkl"[: axes - 1], "opqr"[: axes - 1]
    products = np.einsum(f"nc{letters[0]}{letters[1]}tm,fc{letters[0]}m->nf{letters[1]}tm", data, taps)
    outputs = products @ _OF_OUTPUT.T
    whole = outputs.reshape(*outputs.shape[:-2], tiles * _OUTPUTS)
    return whole[..., : window.out[-1]].astype(x.dtype)
