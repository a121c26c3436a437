"""What the kernels of `minidil.kernels.contract` compute, in functions of tensors: step by step where they are fused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.kernels.backend import active
from minidil.kernels.geometry import Window
from minidil.kernels.reference.elementwise import SIGMOID_ENDS
from minidil.twice import ops

Pair = tuple[Any, Any]


def _by_channel(vector: Any, x: Any) -> Any:
    return F.reshape(vector, (1, -1, *(1,) * (x.ndim - 2)))


def _channel_sum(x: Any) -> Any:
    return F.sum(x, axis=(0, *range(2, x.ndim)))


def _relu_grad(grad: Any, y: Any) -> Any:
    return F.where(np.asarray(y.numpy() != 0), grad, 0.0)


def _gelu_slope(x: Any) -> Any:
    """P(Z <= x) + x p(x) for a standard normal Z with the density p."""
    below = (ops.erf(x * 0.5**0.5) + 1) * 0.5
    return below + x * F.exp(x * x * -0.5) * (2 * np.pi) ** -0.5


_SLOPES: dict[str, Callable[[Any, Any], Any]] = {
    "relu": lambda grad, u: F.where(u.numpy() > 0, grad, 0.0),
    "gelu": lambda grad, u: grad * _gelu_slope(u),
}


def _silu_grad(grad: Any, x: Any) -> Any:
    s = F.sigmoid(x)
    return grad * (s + F.clip(x, low=-SIGMOID_ENDS, high=SIGMOID_ENDS) * s * (1 - s))


def _affine(x: Any, scale: Any, shift: Any, activation: str | None = None) -> Any:
    u = x * _by_channel(scale, x) + _by_channel(shift, x)
    return {None: lambda u: u, "relu": F.relu, "gelu": F.gelu}[activation](u)


def _dots(grad: Any, x: Any, mean: Any) -> tuple[Any, Any]:
    return _channel_sum(grad), _channel_sum(grad * (x - _by_channel(mean, x)))


def _slope_dots(grad: Any, x: Any, scale: Any, shift: Any, mean: Any, activation: str) -> tuple[Any, Any, Any]:
    slope = _SLOPES[activation](grad, _affine(x, scale, shift))
    return slope, *_dots(slope, x, mean)


def _moments(x: Any) -> tuple[Any, Any]:
    axes = (0, *range(2, x.ndim))
    return F.mean(x, axis=axes), F.var(x, axis=axes, ddof=0)


def _row_normalise(x: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    mean = F.mean(x, axis=1)
    centred = x - F.unsqueeze(mean, 1)
    inverse = 1 / F.sqrt(F.mean(centred * centred, axis=1) + eps)
    y = centred * F.unsqueeze(inverse, 1)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias, mean, inverse


def _row_normalise_grad(grad: Any, x: Any, weight: Any, mean: Any, inverse: Any) -> tuple[Any, Any, Any]:
    inner = grad if weight is None else grad * weight
    h = (x - F.unsqueeze(mean, 1)) * F.unsqueeze(inverse, 1)
    centred = inner - F.mean(inner, axis=1, keepdims=True)
    dx = F.unsqueeze(inverse, 1) * (centred - h * F.mean(inner * h, axis=1, keepdims=True))
    return dx, F.sum(grad * h, axis=0), F.sum(grad, axis=0)


def _conv_forward(x: Any, weight: Any, window: Window, groups: int = 1, bias: Any = None) -> Any:
    y = ops.conv_forward(x, weight, window=window, groups=groups)
    return y if bias is None else y + _by_channel(bias, y)


def _max_pool(x: Any, window: Window) -> tuple[Any, Any]:
    _, winner = active().max_pool(x._array, window)
    return _at(x, ops.places_of(winner, window)), winner


def _at(x: Any, places: Array) -> Any:
    n, c = np.ogrid[: x.shape[0], : x.shape[1]]
    extra = (1,) * (places.ndim - 2)
    return F.reshape(x, (*x.shape[:2], -1))[n.reshape(-1, 1, *extra), c.reshape(1, -1, *extra), places]


def _max_pool_grad(grad: Any, winner: Any, window: Window) -> Any:
    places = ops.places_of(winner.numpy(), window)
    n, c = np.ogrid[: grad.shape[0], : grad.shape[1]]
    extra = (1,) * (places.ndim - 2)
    shape = (*grad.shape[:2], int(np.prod(window.size)))
    flat = ops.scatter_add(grad, index=(n.reshape(-1, 1, *extra), c.reshape(1, -1, *extra), places), shape=shape)
    return F.reshape(flat, (*grad.shape[:2], *window.size))


def _shares(x: Any, count: int) -> list[Any]:
    """The gates, which stand side by side on the second axis."""
    return F.chunk(x, count, 1)


def _lstm_cell(sums: Any, cell: Any) -> tuple[Any, Any, Any]:
    i, f, g, o = _shares(sums, 4)
    i, f, g, o = F.sigmoid(i), F.sigmoid(f), F.tanh(g), F.sigmoid(o)
    after = f * cell + i * g
    return F.concatenate([i, f, g, o], 1), after, o * F.tanh(after)


def _lstm_cell_grad(grad_hidden: Any, grad_cell: Any, gates: Any, before: Any, after: Any) -> Pair:
    i, f, g, o = _shares(gates, 4)
    bent = F.tanh(after)
    slope = grad_cell + grad_hidden * o * (1 - bent * bent)
    sums = (
        slope * g * i * (1 - i),
        slope * before * f * (1 - f),
        slope * i * (1 - g * g),
        grad_hidden * bent * o * (1 - o),
    )
    return F.concatenate(sums, 1), slope * f


def _gru_cell(from_x: Any, from_hidden: Any, hidden: Any) -> Pair:
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _shares(from_x, 3), _shares(from_hidden, 3)
    r, z = F.sigmoid(x_r + h_r), F.sigmoid(x_z + h_z)
    n = F.tanh(x_n + r * h_n)
    return F.concatenate([r, z, n], 1), n + z * (hidden - n)


def _gru_cell_grad(grad: Any, gates: Any, from_hidden: Any, hidden: Any) -> tuple[Any, Any, Any]:
    r, z, n = _shares(gates, 3)
    slope = grad * (1 - z) * (1 - n * n)
    slope_r, slope_z = slope * _shares(from_hidden, 3)[2] * r * (1 - r), grad * (hidden - n) * z * (1 - z)
    return F.concatenate([slope_r, slope_z, slope], 1), F.concatenate([slope_r, slope_z, slope * r], 1), grad * z


def _log_matmul(a: Any, b: Any) -> Any:
    return F.logsumexp(F.unsqueeze(a, -1) + b, axis=1)


def _path_pairs(before: Any, between: Any, behind: Any, weight: Any) -> Any:
    chances = F.exp(F.unsqueeze(before, 2) + between + F.unsqueeze(behind, 1))
    return F.sum(chances * F.reshape(weight, shape=(-1, 1, 1)), axis=0)


def _wanted(logits: Any, target: Any, weight: Any, label_smoothing: float) -> Any:
    classes = logits.shape[1]
    exact = active().one_hot(np.asarray(target), classes, logits.dtype)
    wanted = np.asarray(exact) * (1 - label_smoothing) + label_smoothing / classes
    wanted = wanted.astype(logits.dtype)
    return wanted if weight is None else _by_channel(weight, logits) * wanted


def _cross_entropy(logits: Any, target: Any, weight: Any, label_smoothing: float) -> Any:
    wanted = _wanted(logits, target, weight, label_smoothing)
    counted = F.where(np.asarray(wanted) == 0, 0.0, F.log_softmax(logits, 1))
    return -F.sum(counted * wanted, axis=1)


def _cross_entropy_grad(grad: Any, logits: Any, target: Any, weight: Any, label_smoothing: float) -> Any:
    wanted = _wanted(logits, target, weight, label_smoothing)
    return F.unsqueeze(grad, 1) * (F.softmax(logits, 1) * wanted.sum(1, keepdims=True) - wanted)


def _along(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction, as kernels call it."""
    return lambda x, axis=None, *, keepdims=False: function(x, axis=axis, keepdims=keepdims)


KERNELS_OF_TENSORS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(F, name)
        for name in (
            *("add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "negative", "absolute"),
            *("exp", "log", "sqrt", "tanh", "relu", "sigmoid", "gelu", "matmul"),
        )
    },
    "log1p": ops.log1p,
    "erf": ops.erf,
    "clip": lambda x, low, high: F.clip(x, low=low, high=high),
    "where": lambda condition, a, b: F.where(condition, a, b),
    "relu_grad": _relu_grad,
    "sigmoid_grad": lambda grad, y: grad * (y * (1 - y)),
    "silu": F.silu,
    "silu_grad": _silu_grad,
    "softmax_grad": lambda grad, y, axis: y * (grad - F.sum(grad * y, axis=axis, keepdims=True)),
    "log_softmax_grad": lambda grad, y, axis: grad - F.exp(y) * F.sum(grad, axis=axis, keepdims=True),
    "row_normalise": _row_normalise,
    "row_normalise_grad": _row_normalise_grad,
    "resample": lambda x, mixings: ops.resample(x, mixings=mixings),
    "gelu_grad": lambda grad, x: grad * _gelu_slope(x),
    "sum": _along(F.sum),
    "mean": _along(F.mean),
    "max": _along(F.amax),
    "min": _along(F.amin),
    "astype": lambda x, dtype: F.astype(x, dtype=dtype),
    "broadcast_to": lambda x, shape: F.broadcast_to(x, shape),
    "reshape": lambda x, shape: F.reshape(x, shape=shape),
    "transpose": lambda x, axes=None: F.transpose(x, axes=axes),
    "concatenate": lambda arrays, axis=0: F.concatenate(arrays, axis),
    "stack": lambda arrays, axis=0: F.stack(arrays, axis),
    "pad": lambda x, width, *, constant_values=0: F.pad(x, width=width, value=constant_values),
    "log_matmul": _log_matmul,
    "path_pairs": _path_pairs,
    "conv_forward": _conv_forward,
    "conv_grad_input": lambda grad, weight, window, groups=1, forward=False: ops.conv_grad_input(
        grad, weight, window=window, groups=groups, forward=forward
    ),
    "conv_grad_weight": lambda x, grad, window, groups=1: ops.conv_grad_weight(x, grad, window=window, groups=groups),
    "max_pool": _max_pool,
    "max_pool_grad": _max_pool_grad,
    "window_sum": lambda x, window: ops.window_sum(x, window=window),
    "window_spread": lambda grad, window: ops.window_spread(grad, window=window),
    "channel_moments": _moments,
    "channel_affine": _affine,
    "channel_dots": _dots,
    "channel_slope_dots": _slope_dots,
    "channel_combine": lambda grad, x, a, b, c: grad * _by_channel(a, x) + x * _by_channel(b, x) + _by_channel(c, x),
    "lstm_cell": _lstm_cell,
    "lstm_cell_grad": _lstm_cell_grad,
    "gru_cell": _gru_cell,
    "gru_cell_grad": _gru_cell_grad,
    "softmax": lambda x, axis: F.softmax(x, axis),
    "log_softmax": lambda x, axis: F.log_softmax(x, axis),
    "cross_entropy": _cross_entropy,
    "cross_entropy_grad": _cross_entropy_grad,
    "take": lambda x, index: x[index],
    "scatter_add": lambda grad, index, shape: ops.scatter_add(grad, index=index, shape=shape),
}
