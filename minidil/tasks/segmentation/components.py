"""Which pixels of a mask hang together: one number for each connected part."""

import numpy as np
import numpy.typing as npt

from minidil.array import Array
from minidil.errors import ShapeError


def components(mask: Array) -> npt.NDArray[np.int64]:
    """Number the connected parts of what is not 0 in a mask (H, W), in the order in which their first pixels are read: 1, 2, ...

    Pixels are connected if they share a side. Every row falls into runs; a run joins the parts that touch it in the row above,
    for which each part remembers one that it was joined to (union-find), the root having the smallest number.
    Raises: ShapeError unless the mask has two axes.
    """
    if mask.ndim != 2:
        raise ShapeError(f"components: the mask of one image is (H, W), not {mask.shape}")
    joined = [0]  # joined[i] <= i: the part that part i belongs to; itself, if it is a root
    numbers = np.zeros(mask.shape, np.int64)
    edges = np.diff(np.pad(mask != 0, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    for row, edge in enumerate(edges):
        for start, stop in zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True):
            above = numbers[row - 1, start:stop] if row else numbers[:0, 0]
            roots = sorted({_root(joined, part) for part in np.unique(above).tolist() if part})
            if not roots:
                roots = [len(joined)]
                joined.append(len(joined))
            for part in roots[1:]:
                joined[part] = roots[0]
            numbers[row, start:stop] = roots[0]
    roots = [_root(joined, part) for part in range(len(joined))]
    _, renumbered = np.unique(roots, return_inverse=True)  # 0 stays 0
    return renumbered[numbers]


def _root(joined: list[int], part: int) -> int:
    while joined[part] != part:
        joined[part] = joined[joined[part]]
        part = joined[part]
    return part
