"""Dilated 3x3 convolution with stride 1 by Winograd's minimal filtering F(4x4, 3x3): a quarter of the multiplications.

For one output row of four and a filter of three, with the matrices below,

    y = A^T ((G w) * (B^T x)),      x of 6 inputs, w of 3 weights, y of 4 outputs,

needs 6 multiplications (the elementwise *) where the definition needs 12. Applied along both axes to a 6x6 tile it is

    V = B^T x B,   U = G w G^T,   M = U * V summed over the channels,   y = A^T M A:

36 multiplications for 16 outputs instead of 144, and since * acts on each of the 36 places by itself, the sums over channels
are 36 independent matrix products (tiles, C) @ (C, F), or as many for each group of channels.

Dilation costs nothing: a convolution with dilation d is d x d ordinary ones on the phases x[p::d, q::d], so the rows and columns
of a tile are taken d apart (the "a trous" identity).

The gradients are the chain rule through the same linear maps, with G = dL/dy:

    dL/dM = A G A^T,   dL/dU = V^T dL/dM (summed over the tiles),   dL/dw = G^T dL/dU G,

and dL/dx is a convolution of dL/dy with the filters turned by 180 degrees.

The price is rounding, since the entries of B and A are up to 8 and cancel. A rounding is at most eps / 2 of what is rounded;
going through the maps with absolute values everywhere, and counting the roundings on the way (10 in U, 8 in V, C in M, 8 in y),

    |found - exact| <= (C + 26) eps / 2 * 48^2 * sum over c of max |x_c| max |w_c|      (to first order in eps, before the bias)

with the maxima over the tile and over the 9 weights; 48 is the largest sum of |A^T| (|G| 1 * |B^T| 1). For dL/dw, 48 becomes
160/3, and the sum and the roundings run over the tiles. This is a bound for all finite numbers that neither overflow nor
underflow; ordinary errors are far below it, and about ten times those of im2col.

So an error is in proportion to the largest number of the tile, not to those that the result's own window sees. Where that would
do harm, as with numbers that are not finite, or out of all proportion in a forward pass, an image is convolved by im2col instead,
even if this algorithm is forced; scale.py says which these are.
Source: Lavin & Gray 2016, arXiv:1509.09308, sections 4.1 and 5.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from minidil.array import Array
from minidil.kernels.cpu import im2col, memory, scale
from minidil.kernels.cpu.filters import gradient, transformed
from minidil.kernels.cpu.layout import as_channels, as_rows, writable
from minidil.kernels.cpu.winograd_panels import convolve, prepare
from minidil.kernels.cpu.winograd_plan import Plan, backward_plan, forward_plan
from minidil.kernels.cpu.winograd_tiles import FILTER, MIXED, input_tiles, output_tiles, slope_tiles
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

T = TypeVar("T")


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """x (N, C, *S), weight (F, C/groups, *K) -> (N, F, *O)."""
    offset = np.zeros(weight.shape[0], x.dtype) if bias is None else writable(bias)
    return _correlate(
        x,
        weight,
        forward_plan(window),
        groups,
        offset,
        scale.OUTLYING,
        lambda images: im2col.conv_forward(images, weight, window, groups, bias),
    )


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1, forward: bool = False) -> Array:
    """dL/dx: a convolution of dL/dy with the taps reversed along all axes, and filters and channels exchanged in each group.

    forward: as the forward pass of a transposed convolution, whose numbers must be in proportion.
    """
    by_group = weight.reshape(groups, -1, *weight.shape[1:])
    turned = np.flip(by_group, tuple(range(3, by_group.ndim))).swapaxes(1, 2)
    turned = turned.reshape(-1, weight.shape[0] // groups, *window.kernel)
    return _correlate(
        grad,
        turned,
        backward_plan(window),
        groups,
        np.zeros(len(turned), grad.dtype),
        scale.OUTLYING if forward else scale.ENDLESS,
        lambda images: im2col.conv_grad_input(images, weight, window, groups),
    )


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dL/dw = G^T (sum of V^T dL/dM over the tiles) G; for tap k along the depth, those of the slices that it meets."""
    plan = forward_plan(window)
    source, upstream = _slices(x), _slices(grad)
    channels, filters, tiles = x.shape[1], grad.shape[1], plan.tiles
    pieces, taps = len(x) * plan.pieces, math.prod(window.kernel[:-2])
    noted, noted_slopes = scale.notes(pieces * plan.rows, x.dtype), scale.notes(pieces * plan.out_rows, x.dtype)

    def work(start: int, stop: int) -> Array:
        step = plan.at_once(channels, filters, 2, x.itemsize, stop - start)
        inputs = memory.empty((36, step * plan.rows * tiles.per_row, channels), x.dtype)
        slopes = memory.empty((36, step * plan.out_rows * tiles.per_row, filters), x.dtype)
        total = memory.zeros((taps, 36, channels // groups, filters), x.dtype)
        product = memory.empty((36, channels // groups, filters), x.dtype)
        for first in range(start, stop, step):
            last = min(first + step, stop)
            input_tiles(source, inputs, noted, first * plan.rows, last * plan.rows, *tiles)
            out = first * plan.out_rows, last * plan.out_rows
            slope_tiles(upstream, slopes, noted_slopes, *out, tiles.dilation, tiles.grid)
            for k, met, used in plan.meetings(last - first):
                left, right = (
                    _by_group(inputs[:, met], groups).transpose(0, 1, 3, 2),
                    _by_group(slopes[:, used], groups),
                )
                _multiply(left, right, _by_group(product, groups), pieces)
                total[k] += product
        return total

    totals = _share(work, pieces)
    faults = scale.faults(noted, len(x), scale.INPUT_GAIN) + scale.faults(noted_slopes, len(x), scale.SLOPE_GAIN)
    if np.any(faults >= 2 * scale.OUTLYING):  # in both, or one is endless
        return im2col.conv_grad_weight(x, grad, window, groups)
    by_tap = [gradient([total[k] for total in totals], FILTER) for k in range(taps)]
    return np.stack(by_tap, axis=2) if x.ndim == 5 else by_tap[0]


def _correlate(
    x: Array, weight: Array, plan: Plan, groups: int, bias: Array, least: int, otherwise: Callable[[Array], Array]
) -> Array:
    """The convolution by this plan; `otherwise` does the images with a fault of at least that kind."""
    if plan.volume:
        return _correlate_volumes(x, weight, plan, groups, bias, least, otherwise)
    prepared = prepare(weight, groups)
    if prepared is None:
        return otherwise(x)
    y = memory.empty((len(x), *plan.out, len(weight)), x.dtype)
    unfit = convolve(_slices(x), prepared, plan, bias, y, least=least)
    return _mended(y, x, plan, unfit, otherwise)


def _correlate_volumes(
    x: Array, weight: Array, plan: Plan, groups: int, bias: Array, least: int, otherwise: Callable[[Array], Array]
) -> Array:
    """The same slice by slice: the products of all taps along the depth are added up before they are transformed back."""
    filters, channels, tiles = weight.shape[0], x.shape[1], plan.tiles
    by_tap = [transformed(weight[:, :, k], FILTER) for k in range(weight.shape[2])]
    if not scale.finite(*(matrix[MIXED] for matrix in by_tap)):
        return otherwise(x)
    matrices = [_by_group(matrix, groups) for matrix in by_tap]
    source, pieces = _slices(x), len(x) * plan.pieces
    noted = scale.notes(pieces * plan.rows, x.dtype)
    y = memory.empty((len(x) * plan.out[0], *plan.out[1:], filters), x.dtype)

    def work(start: int, stop: int) -> None:
        inputs = memory.empty((36, plan.rows * tiles.per_row, channels), x.dtype)
        products, product = (memory.empty((36, plan.out_rows * tiles.per_row, filters), x.dtype) for _ in range(2))
        for image in range(start, stop):
            input_tiles(source, inputs, noted, image * plan.rows, (image + 1) * plan.rows, *tiles)
            products.fill(0)
            for k, met, used in plan.meetings(1):
                into = product[:, : used.stop - used.start]
                _multiply(_by_group(inputs[:, met], groups), matrices[k], _by_group(into, groups), pieces)
                products[:, used] += into
            out = image * plan.out_rows, (image + 1) * plan.out_rows
            output_tiles(products, y, bias, *out, tiles.dilation, tiles.grid)

    _share(work, pieces)
    return _mended(y, x, plan, scale.unfit(noted, len(x), scale.INPUT_GAIN, least), otherwise)


def _mended(y: Array, x: Array, plan: Plan, unfit: Array, otherwise: Callable[[Array], Array]) -> Array:
    """y as (N, F, *S), with what `otherwise` makes of the images that are unfit."""
    result = as_channels(y.reshape(-1, y.shape[-1]), len(x), plan.out)
    if len(unfit):
        result[unfit] = otherwise(x[unfit])
    return result


def _share(work: Callable[[int, int], T], pieces: int) -> list[T]:
    """What work(start, stop) gives for all pieces; of one piece the calling thread does all but the products."""
    return run_sliced(work, pieces) if pieces > 1 else [work(0, pieces)]


def _multiply(left: Array, right: Array, out: Array, pieces: int) -> None:
    """The products of the 36 matrices of each group, on one thread of several; on all of them for the only piece.

    Left to BLAS, its own threads would wait for each other in each of the 36.
    """

    def work(start: int, stop: int) -> None:
        np.matmul(left[start:stop], right[start:stop], out=out[start:stop])

    run_sliced(work, 36) if pieces == 1 else work(0, 36)


def _by_group(matrices: Array, groups: int) -> Array:
    """(36, rows, columns) -> a view (36, groups, rows, columns / groups): a matrix for each group's share of the columns."""
    return matrices.reshape(*matrices.shape[:2], groups, matrices.shape[2] // groups).transpose(0, 2, 1, 3)


def _slices(x: Array) -> Array:
    """(N, C, H, W) or (N, C, D, H, W) -> (N D, H, W, C), contiguous."""
    return as_rows(x).reshape(len(x) * math.prod(x.shape[2:-2]), *x.shape[-2:], x.shape[1])
