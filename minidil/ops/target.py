"""What the losses of classes ask of a target: its shape, its number type, and class numbers that exist."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.contract import Kernels


def check_logits(op: str, logits: Array, target: Any, weight: Array | None) -> None:
    """Raise unless target (N, *S) of integers, or of the logits' shape, goes with logits (N, K, *S) and weight (K,)."""
    if not hasattr(target, "shape"):
        raise DtypeError(f"{op}: target must be an array or a tensor of integers, not {type(target).__name__}")
    if target.ndim >= 2 and target.dtype.kind == "f" and logits.shape == (target.shape[0], *target.shape[2:]):
        raise ShapeError(
            f"{op}: logits {logits.shape} look like class numbers and target {target.shape} like logits (N, K, *S): swapped? "
            f"The call is {op}(logits, target)"
        )
    probabilities = (
        op == "cross_entropy" and logits.ndim >= 2 and target.shape == logits.shape and target.dtype.kind == "f"
    )
    if logits.ndim < 2 or (not probabilities and target.shape != (logits.shape[0], *logits.shape[2:])):
        raise ShapeError(
            f"{op}: logits {logits.shape} are (N, K, *S), so target must be "
            f"{(*logits.shape[:1], *logits.shape[2:])}, not {target.shape}"
        )
    if not logits.shape[1]:
        raise ShapeError(f"{op}: logits {logits.shape} have no classes")
    if logits.dtype.kind != "f":
        raise DtypeError(f"{op}: logits must be floating, not {logits.dtype}; use astype('float32')")
    if not probabilities and target.dtype.kind not in "iu":
        raise DtypeError(f"{op}: target must hold class numbers (integers), not {target.dtype}")
    if weight is not None and weight.shape != (logits.shape[1],):
        raise ShapeError(f"{op}: weight must be ({logits.shape[1]},), one factor per class, not {weight.shape}")
    if weight is not None and weight.dtype != logits.dtype:
        raise DtypeError(f"{op}: logits is {logits.dtype} but weight is {weight.dtype}; convert one with astype")


def class_numbers(op: str, logits: Array, target: Array, ignore_index: int) -> tuple[Array, NDArray[np.bool_] | None]:
    """The target with class 0 in the place of what is ignored, and where it is not ignored: None if nothing is.

    Raises: OptionError if a number that is not ignored is no class of the logits.
    """
    if not target.size:
        return target, None
    kept, least, most = None, int(target.min()), int(target.max())
    if least <= ignore_index <= most:
        found = np.asarray(target)
        kept = found != ignore_index
        target = np.where(kept, found, found.dtype.type(0))
        if not kept.any():
            return target, kept
        least, most = int(found[kept].min()), int(found[kept].max())
    if not 0 <= least <= most < logits.shape[1]:
        raise OptionError(
            f"{op}: target holds {least}..{most} but logits {logits.shape} have classes 0..{logits.shape[1] - 1}"
        )
    return target, kept


def masked(k: Kernels, kept: NDArray[np.bool_] | None, values: Array) -> Array:
    """The values where they are kept, 0 elsewhere."""
    return values if kept is None else k.where(kept, values, k.constant(0, like=values))
