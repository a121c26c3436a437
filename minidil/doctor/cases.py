"""Every public function on odd shapes: sizes that no tile divides, the smallest that fits, all options at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil import functional as F
from minidil.tensor import Tensor

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One call: function(*tensors, **constants), with gradients for the tensors. Floating constants follow their number type."""

    name: str
    function: Callable[..., Tensor]
    arrays: tuple[Floats, ...]
    constants: dict[str, NDArray[Any]]

    @property
    def shapes(self) -> str:
        """The shapes of the tensors, to print."""
        return ", ".join("x".join(map(str, array.shape)) or "scalar" for array in self.arrays)


def cases() -> list[Case]:
    """All cases, from the plain to the composed. A test holds their names against `minidil.functional`."""
    x, grid = _real(3, 5, 17, 13), _real(7, 33, 3)
    signs = [_case(name, getattr(F, name), grid) for name in ("absolute", "exp", "negative", "relu", "leaky_relu")]
    curves = [_case(name, getattr(F, name), 2 * grid) for name in ("gelu", "sigmoid", "silu", "softplus", "tanh")]
    roots = [_case(name, getattr(F, name), _positive(1, 257)) for name in ("log", "sqrt")]
    pairs = [
        _case(name, getattr(F, name), _real(7, 1, 31), _positive(65, 1))
        for name in ("add", "subtract", "multiply", "divide")
    ]
    apart = [_case(name, getattr(F, name), _distinct(19, 31), _distinct(31) + 0.5) for name in ("maximum", "minimum")]
    return [
        *signs,
        *curves,
        *roots,
        *pairs,
        *apart,
        *_elementwise(grid),
        *_shapes(x),
        *_reductions(),
        *_products(),
        *_convolutions(x),
        *_pools(x),
        *_norms(x),
        *_losses(),
    ]


def _elementwise(grid: Floats) -> list[Case]:
    return [
        _case("power", F.power, _positive(33, 5), _real(5)),
        _case("clip", lambda x: F.clip(x, low=-0.5, high=0.7), grid),
        _case("astype", lambda x: F.astype(x, dtype=x.dtype), grid),
        _case("dropout", lambda x: F.dropout(x, p=0.3), grid),
        _case(
            "where", lambda a, b, condition: F.where(condition, a, b), _real(9, 1), _real(13), condition=_mask(9, 13)
        ),
    ]


def _shapes(x: Floats) -> list[Case]:
    return [
        _case("reshape", lambda x: F.reshape(x, shape=(13, -1)), x),
        _case("transpose", lambda x: F.transpose(x, axes=(2, 0, 3, 1)), x),
        _case("flatten", F.flatten, x),
        _case("getitem", lambda x: F.getitem(x, index=(slice(None, None, -2), 1)), x),
        _case("getitem", lambda x: F.getitem(x, index=([0, 6, 6, 2],)), _real(7, 5)),
        _case("pad", lambda x: F.pad(x, width=((0, 0), (1, 0), (2, 3), (0, 1)), value=1.5), x),
        _case("insert_zeros", lambda x: F.insert_zeros(x, factor=(2, 3)), x),
        _case("concatenate", lambda a, b: F.concatenate([a, b, a], 1), _real(3, 5, 7), _real(3, 1, 7)),
        _case("squeeze", F.squeeze, _real(3, 1, 5)),
        _case("unsqueeze", lambda x: F.unsqueeze(x, 1), _real(3, 5)),
        _case("expand", lambda x: F.expand(x, (2, -1, 5)), _real(3, 1)),
        _case("repeat", lambda x: F.repeat(x, (2, 3)), _real(3, 5)),
        _case("flip", lambda x: F.flip(x, 1), _real(3, 5)),
        _case("split", lambda x: F.split(x, [1, 4], 1)[1], _real(3, 5)),
        _case("chunk", lambda x: F.chunk(x, 2, 1)[0], _real(3, 5)),
        _case("sort", lambda x: F.sort(x, 1)[0], _distinct(3, 67)),
        _case("topk", lambda x: F.topk(x, 5)[0], _distinct(3, 67)),
        _case("unfold", lambda x: F.unfold(x, kernel_size=3, dilation=2), _real(2, 3, 9, 8)),
        _case("fold", lambda x: F.fold(x, output_size=(6, 5), kernel_size=2), _real(2, 12, 20)),
        _case("interpolate", lambda x: F.interpolate(x, (7, 5)), x),
        _case("interpolate", lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"), x),
        _case("stack", lambda a, b: F.stack([a, b], -1), _real(3, 5), _real(3, 5)),
    ]


def _reductions() -> list[Case]:
    return [
        _case("sum", F.sum, _real(5003)),
        _case("sum", lambda x: F.sum(x, axis=(0, 2)), _real(5, 33, 129)),
        _case("mean", lambda x: F.mean(x, axis=-1, keepdims=True), _real(33, 1025)),
        _case("var", lambda x: F.var(x, axis=0, ddof=1), _real(129, 7)),
        _case("amax", lambda x: F.amax(x, axis=1), _distinct(3, 67, 5)),
        _case("amin", F.amin, _distinct(1031)),
        _case("max", lambda x: F.max(x, 1).values, _distinct(3, 67, 5)),
        _case("min", F.min, _distinct(1031)),
        _case("std", lambda x: F.std(x, axis=0, ddof=1), _real(129, 7)),
        _case("norm", lambda x: F.norm(x, axis=1), _real(33, 65)),
        _case("prod", lambda x: F.prod(x, axis=1), _positive(9, 13)),
        _case("cumsum", lambda x: F.cumsum(x, 1), _real(9, 33)),
        _case("logsumexp", lambda x: F.logsumexp(x, axis=1), _real(9, 257)),
        _case("softmax", lambda x: F.softmax(x, axis=1), _real(9, 257)),
        _case("log_softmax", lambda x: F.log_softmax(x, axis=0), _real(33, 5)),
    ]


def _products() -> list[Case]:
    return [
        _case("matmul", F.matmul, _real(1, 1), _real(1, 1)),
        _case("matmul", F.matmul, _real(67, 129), _real(129, 31)),
        _case("matmul", F.matmul, _real(3, 1, 17, 33), _real(5, 33, 9)),
        _case("einsum", lambda a, b: F.einsum("nij,njk->ki", a, b), _real(3, 5, 7), _real(3, 7, 4)),
        _case("linear", F.linear, _real(65, 33), _real(10, 33), _real(10)),
        _case(
            "scaled_dot_product_attention",
            partial(F.scaled_dot_product_attention, is_causal=True),
            _real(2, 3, 17, 9),
            _real(2, 3, 19, 9),
            _real(2, 3, 19, 5),
        ),
    ]


def _convolutions(x: Floats) -> list[Case]:
    odd: dict[str, Any] = {"stride": (2, 1), "padding": ((1, 0), (0, 3)), "dilation": (1, 2), "groups": 3}
    fits: dict[str, Any] = {"padding": ((2, 0), (0, 0)), "dilation": (3, 2)}
    return [
        _case("conv", partial(F.conv, padding="causal", dilation=4), _real(3, 5, 37), _real(7, 5, 3), _real(7)),
        _case("conv", partial(F.conv, padding="same", dilation=2), x, _real(9, 5, 3, 3), _real(9)),
        _case("conv", partial(F.conv, **odd), _real(2, 6, 17, 13), _real(9, 2, 3, 2), _real(9)),
        _case("conv", partial(F.conv, **fits), _real(1, 1, 5, 5), _real(1, 1, 3, 3)),
        _case("conv", partial(F.conv, padding=1, groups=5), x, _real(5, 1, 3, 3)),
        _case("conv", partial(F.conv, padding=4, dilation=4), _real(1, 33, 9, 11), _real(65, 33, 3, 3)),
        _case("conv", partial(F.conv, padding=1, dilation=(2, 1, 1)), _real(2, 3, 7, 6, 5), _real(5, 3, 3, 2, 3)),
        _case("conv_transpose", partial(F.conv_transpose, **odd), _real(2, 6, 5, 7), _real(6, 2, 3, 2), _real(6)),
    ]


def _pools(x: Floats) -> list[Case]:
    window: dict[str, Any] = {"kernel_size": 2, "stride": (2, 1), "padding": ((1, 0), (0, 1)), "dilation": (1, 2)}
    return [
        _case("max_pool", lambda x: F.max_pool(x, **window), _distinct(*x.shape)),
        _case("avg_pool", lambda x: F.avg_pool(x, count_include_pad=False, **window), x),
        _case("adaptive_avg_pool", lambda x: F.adaptive_avg_pool(x, output_size=(4, 2)), x),
        _case("global_avg_pool", F.global_avg_pool, x),
        _case("place_taps", lambda w, p: F.place_taps(w, p, size=(5, 7)), _real(8, 3, 4), _real(2, 8, 3, 4)),
        _case("roi_align", lambda x: F.roi_align(x, boxes=_boxes(3), output_size=(5, 3)), x),
    ]


def _norms(x: Floats) -> list[Case]:
    return [
        _case("batch_norm", _batch_norm, x, _positive(5), _real(5)),
        _case("batch_norm", partial(_batch_norm, activation="relu"), x, _positive(5), _real(5)),
        _case("batch_norm", partial(_batch_norm, activation="gelu"), x, _positive(5), _real(5)),
        _case("layer_norm", lambda x, w, b: F.layer_norm(x, (13,), w, b), x, _positive(13), _real(13)),
    ]


def _batch_norm(x: Tensor, weight: Tensor, bias: Tensor, activation: str | None = None) -> Tensor:
    return F.batch_norm(x, weight=weight, bias=bias, activation=activation)


def _losses() -> list[Case]:
    classes = np.random.default_rng(3).integers(0, 11, (33,))
    return [
        _case("cross_entropy", F.cross_entropy, _real(33, 11), target=classes),
        _case(
            "cross_entropy",
            lambda x, target, weight: F.cross_entropy(x, target, weight=weight, label_smoothing=0.1),
            _real(11, 11, 3),
            target=classes.reshape(11, 3),
            weight=_positive(11),
        ),
        _case(
            "binary_cross_entropy_with_logits",
            F.binary_cross_entropy_with_logits,
            3 * _real(33, 5),
            target=_positive(33, 5) / 2,
        ),
        _case("focal_loss", F.focal_loss, 3 * _real(33, 5), target=_positive(33, 5) / 2),
        _case("dice_loss", F.dice_loss, _real(3, 3, 11), target=classes.reshape(3, 11) % 3),
        _case("nll_loss", F.nll_loss, _real(33, 11), target=classes),
        _case("mse_loss", F.mse_loss, _real(257), _positive(257)),
        _case("l1_loss", F.l1_loss, _distinct(33, 7), _distinct(33, 7)[::-1] + np.float32(0.3)),
        _case("huber_loss", lambda x, t: F.huber_loss(x, t, delta=0.7), 2 * _real(33, 7), _positive(33, 7)),
    ]


def _case(name: str, function: Callable[..., Tensor], *arrays: Floats, **constants: NDArray[Any]) -> Case:
    return Case(name, function, arrays, constants)


def _real(*shape: int) -> Floats:
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


def _positive(*shape: int) -> Floats:
    return np.random.default_rng(sum(shape)).uniform(0.5, 2, shape).astype(np.float32)


def _distinct(*shape: int) -> Floats:
    """Numbers that are far enough apart for rounding not to change which of them is the largest."""
    numbers = np.random.default_rng(0).permutation(math.prod(shape)).reshape(shape)
    return ((numbers - numbers.size // 2) / np.float32(8)).astype(np.float32)


def _boxes(images: int) -> list[Floats]:
    """Five boxes an image, some of them beyond the map."""
    corners = np.random.default_rng(2).uniform(-3, 19, (images, 5, 2, 2)).astype(np.float32)
    return list(np.sort(corners, axis=2).reshape(images, 5, 4))


def _mask(*shape: int) -> NDArray[np.bool_]:
    return np.random.default_rng(1).random(shape) < 0.5
