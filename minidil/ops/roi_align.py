"""RoIAlign: the part of a map that lies in a box, resized to one size for every box. Its adjoint hands gradients back.

A box is cut into O bins along each axis, and every bin is the mean of P samples along each axis, mixed linearly from the map's
cells. Both axes are independent of one another, so all that happens to a map x of one channel is

    y = A x B^T,      dL/dx = A^T G B,

with A (O, H) and B (O, W), the rows of which say what each bin takes of each row and column. On a map of scale s a box from x1 to
x2 reaches from s x1 to s x2, and sample j of bin i lies at

    c = s x1 + (i + (j + 1/2) / P) s (x2 - x1) / O.

Cell i covers i..i + 1 and stands at i + 1/2, so what lies at c is mixed from the cells around c - 1/2. As first published
RoIAlign left out this half ("aligned=False"), and read everything half a cell too far on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.array import Array
from minidil.errors import OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.geometry import Ints, per_axis
from minidil.ops.boxes import as_boxes
from minidil.ops.common import Vjps, check_floating
from minidil.ops.interpolate import linear_taps


def roi_align(
    x: Array,
    *,
    boxes: Sequence[Any],
    output_size: Ints,
    spatial_scale: float = 1.0,
    sampling_ratio: int = 2,
    aligned: bool = True,
) -> tuple[Array, Vjps]:
    """The map under each box, output_size bins high and wide: means of samples that lie where the box says, unrounded.

    boxes: for every image of x its boxes (R_n, 4) as (x1, y1, x2, y2), in pixels of the picture; constants, without gradient.
        A sample more than one cell away from the map's cells is 0, a nearer one takes the cell at the border.
    spatial_scale: the map's size over the picture's, 1 / its stride.
    sampling_ratio: the samples P along each axis of a bin.
    aligned: False reads half a cell too far on, and makes every box at least one cell large; for weights trained that way.

    Shapes: x (N, C, H, W) -> (R, C, *output_size), R = sum R_n, the boxes of the first image first.
    Two matrix products an image, H O W C R_n multiply-adds and W O^2 C R_n: for maps of some dozens of cells a side.
    Raises: ShapeError, DtypeError or OptionError if x or the options do not fit, or a box is inverted or not finite.
    Source: He et al. 2017, arXiv:1703.06870, section 3.
    """
    k = active()
    _check(x, boxes, spatial_scale)
    check_floating("roi_align", x=x)
    high, wide = per_axis(output_size, 2, "output_size", "roi_align", least=1)
    (samples,) = per_axis(sampling_ratio, 1, "sampling_ratio", "roi_align", least=1)
    images, channels, height, width = x.shape
    found = [as_boxes("roi_align", given, f"boxes[{n}]") * spatial_scale for n, given in enumerate(boxes)]
    if not any(map(len, found)):
        return k.constant(np.zeros((0, channels, high, wide)), like=x), (lambda grad: k.zeros_like(x),)

    # Channels last: A mixes rows of W C numbers in one product; B then mixes C numbers, for each row of bins by itself.
    tables, bins = [], []
    for number, box in enumerate(found):
        a = _mixing(box[:, 1], box[:, 3], height, high, samples, aligned).reshape(-1, height)
        b = _mixing(box[:, 0], box[:, 2], width, wide, samples, aligned)[:, np.newaxis]
        tables.append((len(box), k.constant(a, like=x), k.constant(b, like=x)))
        if len(box):
            rows = k.reshape(k.transpose(k.take(x, number), (1, 2, 0)), (height, width * channels))
            mixed = k.reshape(k.matmul(tables[-1][1], rows), (len(box), high, width, channels))
            bins.append(k.matmul(tables[-1][2], mixed))

    # dL/dx = sum of A^T G B over the boxes of an image. A has the rows of all of them, so the product with A^T adds them up.
    def grad_x(grad: Array) -> Array:
        grad = k.transpose(grad, (0, 2, 3, 1))
        maps, first = [], 0
        for count, a, b in tables:
            if count:
                mixed = k.matmul(k.transpose(b, (0, 1, 3, 2)), k.take(grad, slice(first, first + count)))
                rows = k.reshape(mixed, (count * high, width * channels))
                maps.append(k.matmul(k.transpose(a, (1, 0)), rows))
            else:
                maps.append(k.constant(np.zeros((height, width * channels)), like=grad))
            first += count
        return k.transpose(k.reshape(k.stack(maps), (images, height, width, channels)), (0, 3, 1, 2))

    return k.transpose(k.concatenate(bins), (0, 3, 1, 2)), (grad_x,)


def _mixing(
    low: NDArray[np.float64], high: NDArray[np.float64], size: int, bins: int, samples: int, aligned: bool
) -> NDArray[np.float64]:
    """What every bin takes of every cell along an axis, (R, bins, size), for boxes from low to high, (R,) each."""
    start, length = (low - 0.5, high - low) if aligned else (low, np.maximum(high - low, 1))
    sample = np.arange(bins * samples)
    centre = start[:, np.newaxis] + (sample + 0.5) * (length[:, np.newaxis] / (bins * samples))
    share = ((centre >= -1) & (centre <= size)) / samples
    table = np.zeros((len(low), bins, size))
    for cell, weight in linear_taps(centre, size):
        np.add.at(table, (np.arange(len(low))[:, np.newaxis], sample // samples, cell), weight * share)
    return table


def _check(x: Array, boxes: Sequence[Any], spatial_scale: float) -> None:
    if x.ndim != 4 or 0 in x.shape[2:]:
        raise ShapeError(f"roi_align: x must be (N, C, H, W) with H, W >= 1, not {x.shape}")
    if not isinstance(boxes, list | tuple) or len(boxes) != x.shape[0]:
        given = f"{len(boxes)} entries" if isinstance(boxes, list | tuple) else type(boxes).__name__
        raise ShapeError(
            f"roi_align: boxes must be a list with an array (R, 4) for each of the {x.shape[0]} images of x {x.shape}, "
            f"not {given}"
        )
    if not 0 < spatial_scale < math.inf:
        raise OptionError(f"roi_align: spatial_scale must be a number > 0, such as 1 / stride, not {spatial_scale}")
