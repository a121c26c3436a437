"""Checks of constructor arguments and input ranks, which all layers share."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

from minidil.errors import OptionError, ShapeError

AXES = {1: "L", 2: "H, W", 3: "D, H, W"}


def check_counts(layer: str, **counts: object) -> None:
    """Raise an OptionError unless every named argument is an int >= 1."""
    for name, count in counts.items():
        if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
            raise OptionError(f"{layer}: {name} must be an int >= 1, not {count!r}")


def check_range(layer: str, name: str, value: object, low: float, high: float) -> None:
    """Raise an OptionError unless low <= value <= high."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise OptionError(f"{layer}: {name} must be a number from {low} to {high}, not {value!r}")


def check_rank(layer: str, shape: Sequence[int], ndim: int) -> None:
    """Raise a ShapeError unless the shape is (N, C, *S) with `ndim` spatial axes."""
    if len(shape) != ndim + 2:
        hint = f"; add the batch axis with x.reshape{(1, *shape)}" if len(shape) == ndim + 1 else ""
        raise ShapeError(
            f"{layer}: x must be (N, C, {AXES[ndim]}), with {ndim + 2} axes, but has shape {tuple(shape)}{hint}"
        )


def brief(values: object) -> str:
    """(3, 3) as "3", (3, 5) as "(3, 5)": how a layer shows a setting that may differ per axis."""
    if isinstance(values, tuple) and len(set(values)) == 1:
        return repr(values[0])
    return repr(values)
