"""Every public function is gradient-checked: one case by name, so that a new function without a case fails here."""

from collections.abc import Callable
from inspect import isfunction

import numpy as np
import pytest
from normalised import batch_norm, layer_norm

import minidil as md
import minidil.functional as F
from minidil.testing import check_gradients


def real(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def positive(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2, shape)


def distinct(*shape):
    """Numbers that are far enough apart for a maximum to stay where it is."""
    return np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape) / 7.0


X, W = real(2, 4, 6, 5), real(6, 2, 3, 2, seed=1)
WINDOW = {"stride": (2, 1), "padding": [(1, 0), (0, 2)], "dilation": (1, 2)}

# name: (function of tensors, its inputs)
CASES: dict[str, tuple[Callable, tuple[np.ndarray, ...]]] = {
    "absolute": (F.absolute, (real(3, 4),)),
    "adaptive_avg_pool": (lambda x: F.adaptive_avg_pool(x, output_size=(4, 2)), (X,)),
    "add": (F.add, (real(3, 1), real(4, seed=1))),
    "amax": (lambda x: F.amax(x, axis=(0, 2)), (distinct(2, 3, 4),)),
    "amin": (lambda x: F.amin(x, axis=-1, keepdims=True), (distinct(2, 3, 4),)),
    "astype": (lambda x: F.astype(x, dtype=np.float64), (real(3),)),
    "avg_pool": (lambda x: F.avg_pool(x, kernel_size=2, count_include_pad=False, **WINDOW), (X,)),
    "batch_norm": (batch_norm, (X, positive(4), real(4, seed=2))),
    "binary_cross_entropy_with_logits": (
        lambda x: F.binary_cross_entropy_with_logits(x, positive(3, 4) / 2),
        (real(3, 4),),
    ),
    "chunk": (lambda x: F.multiply(*F.chunk(x, 2, 1)), (real(3, 4),)),
    "clip": (lambda x: F.clip(x, low=-0.5, high=0.8), (distinct(3, 4) - 0.9,)),
    "concatenate": (lambda a, b: F.concatenate([a, b, a], 1), (real(2, 3), real(2, 1))),
    "conv": (lambda *t: F.conv(*t, groups=2, **WINDOW), (X, W, real(6, seed=2))),
    "conv_transpose": (
        lambda *t: F.conv_transpose(*t, groups=2, output_padding=(1, 0), **WINDOW),
        (real(2, 6, 3, 4), W, real(4, seed=2)),
    ),
    "cross_entropy": (
        lambda x: F.cross_entropy(x, np.array([[0, 2], [1, 1]]), weight=positive(3), label_smoothing=0.1),
        (real(2, 3, 2),),
    ),
    "cumsum": (lambda x: F.cumsum(x, 1), (real(2, 5),)),
    "dice_loss": (
        lambda x: F.dice_loss(x, np.array([[0, 2, 1, 1], [0, 2, 2, 0]]), smooth=0.5),
        (real(2, 3, 4),),
    ),
    "divide": (F.divide, (real(3, 4), positive(3, 1))),
    "dropout": (lambda x: F.dropout(x, p=0.3, rng=np.random.default_rng(1)), (real(5, 6),)),
    "einsum": (
        lambda *t: F.einsum("...ij,kjl,m->l...i", *t),
        (real(2, 3, 4), real(2, 4, 3, seed=1), real(2, seed=2)),
    ),
    "exp": (F.exp, (real(3, 4),)),
    "expand": (lambda x: F.expand(x, (2, -1, 4)), (real(3, 1),)),
    "flatten": (lambda x: F.flatten(x, start=1, end=2), (X,)),
    "flip": (lambda x: F.flip(x, 0), (real(3, 4),)),
    "fold": (
        lambda x: F.fold(x, output_size=(6, 5), kernel_size=2, **WINDOW),
        (real(2, 8, 15),),
    ),
    "focal_loss": (lambda x: F.focal_loss(x, positive(3, 4) / 2, alpha=0.3, gamma=1.5), (real(3, 4),)),
    "gelu": (F.gelu, (real(3, 4),)),
    "getitem": (lambda x: F.getitem(x, index=([0, 1, 1], slice(None, None, -2))), (real(3, 4),)),
    "global_avg_pool": (F.global_avg_pool, (X,)),
    "huber_loss": (lambda x, t: F.huber_loss(x, t, delta=0.7), (2 * real(3, 4), real(3, 4, seed=1))),
    "insert_zeros": (lambda x: F.insert_zeros(x, factor=(2, 3)), (X,)),
    "interpolate": (lambda x: F.interpolate(x, size=(4, 7), mode="bicubic"), (X,)),
    "l1_loss": (F.l1_loss, (real(3, 4), real(3, 4, seed=1))),
    "layer_norm": (lambda *t: layer_norm(*t, normalized_shape=(6, 5)), (X, positive(6, 5), real(6, 5))),
    "leaky_relu": (lambda x: F.leaky_relu(x, slope=0.2), (real(3, 4),)),
    "linear": (F.linear, (real(2, 3, 4), real(5, 4, seed=1), real(5, seed=2))),
    "log": (F.log, (positive(3, 4),)),
    "log_softmax": (lambda x: F.log_softmax(x, axis=1), (X,)),
    "logsumexp": (lambda x: F.logsumexp(x, axis=(0, 2)), (real(2, 3, 4),)),
    "matmul": (F.matmul, (real(2, 1, 3, 4), real(3, 4, 2, seed=1))),
    "max": (lambda x: F.max(x, 1).values, (distinct(2, 3, 4),)),
    "max_pool": (lambda x: F.max_pool(x, kernel_size=2, **WINDOW), (distinct(*X.shape),)),
    "maximum": (F.maximum, (distinct(3, 4), distinct(3, 4)[::-1] + 0.03)),
    "mean": (lambda x: F.mean(x, axis=1), (real(2, 3, 4),)),
    "min": (lambda x: F.min(x, -1, True)[0], (distinct(2, 3, 4),)),
    "minimum": (F.minimum, (distinct(3, 4), distinct(3, 4)[::-1] + 0.03)),
    "mse_loss": (F.mse_loss, (real(3, 4), real(3, 4, seed=1))),
    "multiply": (F.multiply, (real(3, 1), real(4, seed=1))),
    "negative": (F.negative, (real(3, 4),)),
    "norm": (lambda x: F.norm(x, axis=1), (real(3, 4),)),
    "nll_loss": (lambda x: F.nll_loss(x, np.array([[0, 2], [-100, 1]])), (real(2, 3, 2),)),
    "one_hot": (lambda x: F.one_hot(np.array([0, 2, 1], np.int32), num_classes=3).astype(x.dtype) * x, (real(3, 3),)),
    "pad": (lambda x: F.pad(x, width=((1, 0), (0, 2)), value=3), (real(3, 4),)),
    "power": (F.power, (positive(3, 4), real(4))),
    "place_taps": (
        lambda *t: F.place_taps(*t, size=(4, 3)),
        (real(2, 2, 3), real(2, 2, 2, 3, seed=1) * 0.7),
    ),
    "prod": (lambda x: F.prod(x, axis=(0, 2)), (real(2, 3, 4),)),
    "relu": (F.relu, (real(3, 4),)),
    "repeat": (lambda x: F.repeat(x, (2, 1, 3)), (real(3, 4),)),
    "reshape": (lambda x: F.reshape(x, shape=(2, -1)), (real(3, 4),)),
    "roi_align": (
        lambda x: F.roi_align(
            x, boxes=[[[1, 1, 8, 9], [0, 3, 4, 4]], [[-2, 0, 6, 20]]], output_size=(2, 3), spatial_scale=0.5
        ),
        (X,),
    ),
    "scaled_dot_product_attention": (
        lambda *t: F.scaled_dot_product_attention(*t, is_causal=True),
        (real(2, 3, 5), real(2, 4, 5, seed=1), real(2, 4, 2, seed=2)),
    ),
    "sigmoid": (F.sigmoid, (real(3, 4),)),
    "silu": (F.silu, (real(3, 4),)),
    "softmax": (lambda x: F.softmax(x, axis=0), (real(3, 4),)),
    "sort": (lambda x: F.sort(x, 0)[0], (distinct(3, 4),)),
    "split": (lambda x: F.split(x, [1, 3], 1)[1], (real(3, 4),)),
    "softplus": (lambda x: F.softplus(x, beta=2.0, threshold=1.0), (distinct(3, 4) - 0.9,)),
    "sqrt": (F.sqrt, (positive(3, 4),)),
    "squeeze": (F.squeeze, (real(3, 1, 4),)),
    "stack": (lambda a, b: F.stack([a, b], -1), (real(2, 3), real(2, 3, seed=1))),
    "std": (lambda x: F.std(x, axis=1, ddof=1), (real(2, 3, 4),)),
    "subtract": (F.subtract, (real(3, 1), real(4, seed=1))),
    "sum": (lambda x: F.sum(x, axis=(0, -1)), (real(2, 3, 4),)),
    "tanh": (F.tanh, (real(3, 4),)),
    "topk": (lambda x: F.topk(x, 2)[0], (distinct(3, 4),)),
    "transpose": (lambda x: F.transpose(x, axes=(2, 0, 1)), (real(2, 3, 4),)),
    "unsqueeze": (lambda x: F.unsqueeze(x, 1), (real(3, 4),)),
    "unfold": (lambda x: F.unfold(x, kernel_size=2, **WINDOW), (X,)),
    "var": (lambda x: F.var(x, axis=1, ddof=1), (real(2, 3, 4),)),
    "where": (lambda a, b: F.where(real(3, 4) > 0, a, b), (real(3, 1, seed=1), real(4, seed=2))),
}

WITHOUT_GRADIENT = {"all", "any", "argmax", "argmin"}  # tests/ops/test_places.py
PUBLIC = sorted(
    name
    for name, value in vars(F).items()
    if isfunction(value)
    and not name.startswith("_")
    and name not in WITHOUT_GRADIENT
    and value.__module__.startswith(("minidil.ops.", "minidil.functional"))
)


def test_every_public_function_has_a_case_and_no_other():
    assert sorted(CASES) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_entry_of_every_gradient(backend, name):
    function, arrays = CASES[name]
    check_gradients(function, *arrays, entries=sum(array.size for array in arrays) < 100)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_function_is_documented(name):
    assert (getattr(F, name).__doc__ or "").strip().endswith((".", ")"))


@pytest.mark.parametrize("name", PUBLIC)
def test_no_function_writes_into_its_inputs(backend, name):
    function, arrays = CASES[name]
    kept = [array.copy() for array in arrays]
    tensors = [md.tensor(array, requires_grad=True) for array in arrays]
    y = function(*tensors)
    value, upstream = y.numpy().copy(), np.ones(y.shape)
    y.backward(gradient=upstream)
    for tensor, array in zip(tensors, kept, strict=True):
        np.testing.assert_array_equal(tensor.numpy(), array)
    np.testing.assert_array_equal(y.numpy(), value)
    np.testing.assert_array_equal(upstream, 1)
