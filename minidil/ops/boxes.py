"""What is asked of boxes: (x1, y1, x2, y2) each, numbers, and no corner on the wrong side.

Coordinates are continuous: pixel i covers i..i + 1, so a picture of width W covers 0..W, and x2 - x1 is a width. There is no
"+ 1" anywhere, which older tools add.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from minidil.errors import DtypeError, OptionError, ShapeError

Boxes: TypeAlias = NDArray[np.float64]


def as_boxes(op: str, boxes: Any, name: str = "boxes", *, with_area: bool = False) -> Boxes:
    """Boxes (N, 4) in float64, as which all that is computed on the host is computed. An empty list is no boxes.

    Raises: ShapeError or DtypeError unless they are (N, 4) numbers; OptionError that names the first box that holds NaN or an
        infinity, is inverted, or, with_area, has none.
    """
    found = as_table(op, boxes, name)
    width, height = found[:, 2] - found[:, 0], found[:, 3] - found[:, 1]
    _refuse(op, found, name, (width < 0) | (height < 0), "is inverted: boxes are (x1, y1, x2, y2), x1 <= x2, y1 <= y2")
    if with_area:
        _refuse(op, found, name, (width == 0) | (height == 0), "has no area, and no ratio of sizes; leave it out")
    return found


def as_table(op: str, rows: Any, name: str) -> Boxes:
    """Rows of four finite numbers: boxes, or what says how boxes differ."""
    found = np.asarray(rows)
    if found.size == 0 and found.ndim < 2:
        found = np.zeros((0, 4))
    if found.ndim != 2 or found.shape[1] != 4:
        raise ShapeError(f"{op}: {name} must be (N, 4), not {found.shape}")
    if found.dtype.kind not in "fiu":
        raise DtypeError(f"{op}: {name} must hold numbers, not {found.dtype}")
    found = found.astype(np.float64)
    _refuse(op, found, name, ~np.isfinite(found).all(axis=1), "is not finite")
    return found


def as_column(op: str, values: Any, length: int, name: str, dtype: type[np.generic]) -> NDArray[Any]:
    """One number of this type for each of `length` boxes. Raises: ShapeError, DtypeError or OptionError for anything else."""
    found = np.asarray(values)
    if found.shape != (length,):
        raise ShapeError(f"{op}: {name} must be ({length},), one for each box, not {found.shape}")
    if found.dtype.kind not in "fiub":
        raise DtypeError(f"{op}: {name} must hold numbers, not {found.dtype}")
    converted = found.astype(dtype)
    if not np.array_equal(converted, found, equal_nan=found.dtype.kind == "f"):
        raise OptionError(
            f"{op}: {name} must be {np.dtype(dtype)}, not {found.dtype} such as {found[converted != found][0]}"
        )
    return converted


def has_area(boxes: Boxes) -> NDArray[np.bool_]:
    """Which of the boxes have some, (N,)."""
    return np.all(boxes[:, 2:] > boxes[:, :2], axis=1)


def _refuse(op: str, boxes: Boxes, name: str, wrong: NDArray[np.bool_], why: str) -> None:
    if wrong.any():
        first = int(np.argmax(wrong))
        listed = ", ".join(f"{number:g}" for number in boxes[first])
        raise OptionError(f"{op}: {name}[{first}] = ({listed}) {why}")
