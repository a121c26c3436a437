"""Checks of constructor arguments and input ranks, which all layers share."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.nn.parameter import Parameter
from minidil.nn.protocol import ModuleLike

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


def check_inplace(layer: str, inplace: object) -> None:
    """Raise an OptionError if a result is to be written over its input."""
    if inplace:
        raise OptionError(
            f"{layer}: inplace={inplace!r} is not possible, results are never written in place; leave it out"
        )


def check_channels_first(layer: str, shape: Sequence[int], channels: int) -> None:
    """Raise a ShapeError if an input (N, *S, C) has its channels last."""
    if shape[1] != channels == shape[-1]:
        order = (0, len(shape) - 1, *range(1, len(shape) - 1))
        raise ShapeError(
            f"{layer}: x must be (N, {channels}, {AXES[len(shape) - 2]}), but has shape {tuple(shape)}, with the channels "
            f"last; move them with x.transpose{order}"
        )


def input_advice(module: ModuleLike, inputs: tuple[Any, ...], error: Exception) -> str:
    """What to do about an input that a layer of ours failed on; empty if its kind is not the reason."""
    layer, kind = type(module).__name__, type(inputs[0]) if inputs else None
    if kind is None or not type(module).__module__.startswith("minidil.nn.") or module.own_children():
        return ""
    if kind.__module__.partition(".")[0] == "torch":
        return f"{layer}: takes a minidil tensor, not a torch.Tensor; write minidil.tensor(x.detach().numpy())"
    if issubclass(kind, list | tuple):
        return f"{layer}: takes a tensor, not a {kind.__name__}; write minidil.tensor(x)"
    given = str(getattr(inputs[0], "dtype", ""))
    wanted = {str(value.dtype) for value in vars(module).values() if isinstance(value, Parameter)}
    if isinstance(error, DtypeError) and wanted and given not in wanted and module.casts:
        source = " (np.random.rand and other NumPy calls give float64)" if given == "float64" else ""
        return f"{error}: x.astype('{min(wanted)}') is what this layer takes{source}"
    return ""


def brief(values: object) -> str:
    """(3, 3) as "3", (3, 5) as "(3, 5)": how a layer shows a setting that may differ per axis."""
    if isinstance(values, tuple) and len(set(values)) == 1:
        return repr(values[0])
    return repr(values)
