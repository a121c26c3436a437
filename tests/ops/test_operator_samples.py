"""One table of shapes and options, as a user of PyTorch would try them, each against float64 written out with other tools.

The oracle of a case computes in float64 with SciPy, `np.einsum` or loops; the op computes in both number types, and its gradients
are held against central differences along a random direction.
"""

import normalised
import numpy as np
import oracles
import pytest
from numpy.testing import assert_allclose
from scipy import special

import minidil as md
import minidil.functional as F
from minidil.testing import check_gradients


def real(*shape, seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def spread(*shape):
    """Numbers far enough apart for a maximum to stay where it is, and none at a kink."""
    size = int(np.prod(shape))
    return (np.random.default_rng(0).permutation(size).reshape(shape) - size / 2 + 0.3) / 5


def spelled(ndim, stride=1, padding=0, dilation=1):
    """One entry per axis, and padding as pairs."""
    stride, dilation, padding = ((v,) * ndim if isinstance(v, int) else v for v in (stride, dilation, padding))
    return stride, tuple((p, p) for p in padding), dilation


def conv_sample(x, w, bias=None, groups=1, **options):
    arrays = [real(*x), real(*w, seed=1)] + ([real(w[0], seed=2)] if bias else [])

    def oracle(x, w, b=None):
        return oracles.conv_scipy(x, w, b, *spelled(len(w.shape) - 2, **options), groups)

    return (lambda *t: F.conv(*t, groups=groups, **options)), arrays, oracle


def transposed_sample(x, w, groups=1, output_padding=0, behind=0, **options):
    """behind: how many of the last positions are zeros that no tap reaches."""

    def oracle(x, w):
        stride, padding, dilation = spelled(x.ndim - 2, **options)
        size = [
            (o - 1) * t - 2 * p[0] + d * (k - 1) + 1 + output_padding - behind
            for o, k, t, p, d in zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)
        ]
        reached = oracles.conv_transpose_loops(x, w, size, stride, padding, dilation, groups)
        return np.pad(reached, ((0, 0), (0, 0), *((0, behind),) * len(size)))

    settings = {"groups": groups, "output_padding": output_padding, **options}
    return (lambda *t: F.conv_transpose(*t, **settings)), [real(*x), real(*w, seed=1)], oracle


def pool_sample(name, shape, kernel, stride=None, padding=0, dilation=1, **options):
    def oracle(x):
        kernels = (kernel,) * (x.ndim - 2)
        settings = spelled(x.ndim - 2, kernel if stride is None else stride, padding, dilation)
        if name == "max_pool":
            return oracles.max_pool_loops(x, kernels, *settings)[0]
        return oracles.avg_pool_loops(x, kernels, *settings, **options)

    given = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation, **options}
    return (lambda x: getattr(F, name)(x, **given)), [spread(*shape)], oracle


def normed(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def batch_norm(x, w, b):
    column = (-1, *(1,) * (x.ndim - 2))
    return normed(x, (0, *range(2, x.ndim))) * w.reshape(column) + b.reshape(column)


def cubic(n, out):
    """The weights of bicubic resizing, by sampling Keys' kernel around every centre."""
    rows = np.zeros((out, n))
    for o in range(out):
        centre = (o + 0.5) * n / out - 0.5
        for i in range(-2, n + 2):
            d = abs(centre - i)
            weight = 1.25 * d**3 - 2.25 * d**2 + 1 if d <= 1 else -0.75 * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0
            rows[o, min(max(i, 0), n - 1)] += weight
    return rows


def linear(n, out, align):
    centres = np.linspace(0, n - 1, out) if align else np.clip((np.arange(out) + 0.5) * n / out - 0.5, 0, n - 1)
    return np.stack([np.interp(centres, np.arange(n), row) for row in np.eye(n)], axis=1)


def resized(mode, align=False):
    def oracle(x):
        rows = [cubic(n, n + 2) if mode == "bicubic" else linear(n, n + 2, align) for n in x.shape[2:]]
        subscripts = {1: "NCx,ax->NCa", 2: "NCxy,ax,by->NCab", 3: "NCxyz,ax,by,cz->NCabc"}[x.ndim - 2]
        return np.einsum(subscripts, x, *rows)

    def function(x):
        return F.interpolate(x, size=tuple(n + 2 for n in x.shape[2:]), mode=mode, align_corners=align)

    return function, oracle


def interpolate_sample(mode, *size, align=False):
    function, oracle = resized(mode, align)
    return function, [real(2, 2, *size)], oracle


LABELS = np.array([[0, 2, 1], [1, -100, 2]])
KEPT = LABELS >= 0


def cross_entropy(z, smoothing=0.0, weight=None):
    weight = np.ones(z.shape[1]) if weight is None else weight
    minus = -special.log_softmax(z, axis=1)
    hot = np.eye(z.shape[1])[np.where(KEPT, LABELS, 0)].transpose(0, 2, 1) * KEPT[:, None]
    wanted = (1 - smoothing) * hot + smoothing / z.shape[1] * KEPT[:, None]
    return np.einsum("ncs,ncs,c->", wanted, minus, weight) / np.einsum("ncs,c->", hot, weight)


def huber(x, t):
    return np.mean(special.huber(1.0, x - t))


def bce(x, t=0.25, w=3.0):
    return np.mean(-w * t * special.log_expit(x) - (1 - t) * special.log_expit(-x))


SAMPLES = {
    "conv1d": conv_sample((2, 3, 9), (4, 3, 3), bias=True, stride=2, padding=1),
    "conv1d dilated": conv_sample((2, 2, 10), (3, 2, 3), dilation=3),
    "conv1d just fits": conv_sample((1, 1, 5), (2, 1, 3), dilation=2),
    "conv2d": conv_sample((2, 3, 6, 5), (4, 3, 3, 2), bias=True, padding=(1, 0)),
    "conv2d of one pixel": conv_sample((2, 3, 4, 4), (5, 3, 1, 1), bias=True),
    "conv2d strided": conv_sample((1, 4, 7, 6), (2, 4, 3, 3), stride=(2, 3), padding=2, dilation=(1, 2)),
    "conv2d groups": conv_sample((2, 4, 5, 5), (6, 2, 3, 3), bias=True, groups=2, padding=1),
    "conv2d depthwise": conv_sample((2, 4, 5, 5), (4, 1, 3, 3), groups=4, padding=2, dilation=2),
    "conv2d padded beyond the kernel": conv_sample((1, 1, 2, 2), (1, 1, 2, 2), padding=3),
    "conv2d no images": conv_sample((0, 3, 4, 4), (2, 3, 3, 3)),
    "conv3d": conv_sample((1, 2, 4, 5, 3), (2, 2, 2, 3, 1), bias=True, stride=(1, 2, 1), padding=(0, 1, 0)),
    "transposed 1d": transposed_sample((2, 3, 4), (3, 2, 3), stride=2, padding=1, output_padding=1),
    "transposed 2d": transposed_sample((1, 2, 3, 4), (2, 3, 3, 2), stride=(2, 1), padding=(1, 0)),
    "transposed 2d groups": transposed_sample((2, 4, 3, 3), (4, 1, 2, 2), groups=2, stride=3, dilation=2),
    "transposed 2d, padded by less than the dilation": transposed_sample(
        (1, 1, 3, 3), (1, 2, 2, 2), stride=1, dilation=3, output_padding=2, behind=2
    ),
    "transposed 3d": transposed_sample((1, 2, 2, 2, 3), (2, 1, 2, 2, 2), stride=2),
    "max_pool 1d": pool_sample("max_pool", (2, 3, 8), 3, 2, 1),
    "max_pool 2d": pool_sample("max_pool", (2, 3, 6, 7), 2),
    "max_pool 2d dilated": pool_sample("max_pool", (1, 2, 7, 7), 3, 1, 1, 2),
    "max_pool 3d": pool_sample("max_pool", (1, 1, 4, 4, 4), 2),
    "avg_pool 1d": pool_sample("avg_pool", (2, 3, 8), 3, 2, 1),
    "avg_pool 2d": pool_sample("avg_pool", (2, 3, 6, 7), 2),
    "avg_pool 2d of the input alone": pool_sample("avg_pool", (1, 2, 5, 5), 3, 2, 1, count_include_pad=False),
    "avg_pool 3d": pool_sample("avg_pool", (1, 1, 4, 4, 4), 2),
    "adaptive_avg_pool": (
        lambda x: F.adaptive_avg_pool(x, output_size=(3, 2)),
        [real(2, 3, 7, 5)],
        lambda x: oracles.adaptive_avg_pool_loops(x, (3, 2)),
    ),
    "batch_norm 1d": (normalised.batch_norm, [real(6, 3), real(3, seed=1), real(3, seed=2)], batch_norm),
    "batch_norm 2d": (normalised.batch_norm, [real(2, 3, 4, 2), real(3, seed=1), real(3, seed=2)], batch_norm),
    "layer_norm": (lambda x: F.layer_norm(x, normalized_shape=5), [real(3, 5)], lambda x: normed(x, (1,))),
    "layer_norm of two axes": (
        lambda *t: normalised.layer_norm(*t, normalized_shape=(3, 4)),
        [real(2, 3, 4), real(3, 4, seed=1), real(3, 4, seed=2)],
        lambda x, w, b: normed(x, (1, 2)) * w + b,
    ),
    "relu": (F.relu, [spread(3, 5)], lambda x: np.clip(x, 0, None)),
    "leaky_relu": (lambda x: F.leaky_relu(x, slope=0.2), [spread(3, 5)], lambda x: np.maximum(x, 0.2 * x)),
    "sigmoid": (F.sigmoid, [3 * real(3, 5)], special.expit),
    "tanh": (F.tanh, [real(3, 5)], lambda x: 2 * special.expit(2 * x) - 1),
    "silu": (F.silu, [3 * real(3, 5)], lambda x: x * special.expit(x)),
    "gelu": (F.gelu, [3 * real(3, 5)], lambda x: x * special.ndtr(x)),
    "softplus": (lambda x: F.softplus(x, beta=2.0), [3 * real(3, 5)], lambda x: np.logaddexp(0, 2 * x) / 2),
    "softmax": (lambda x: F.softmax(x, axis=1), [real(2, 3, 4)], lambda x: special.softmax(x, axis=1)),
    "softmax of a number": (F.softmax, [real()], np.ones_like),
    "softmax of one class": (F.softmax, [real(3, 1)], np.ones_like),
    "log_softmax": (F.log_softmax, [5 * real(2, 3)], lambda x: special.log_softmax(x, axis=-1)),
    "logsumexp": (lambda x: F.logsumexp(x, axis=1), [real(3, 4)], lambda x: special.logsumexp(x, axis=1)),
    "cross_entropy": (lambda z: F.cross_entropy(z, LABELS), [real(2, 3, 3)], cross_entropy),
    "cross_entropy smoothed": (
        lambda z: F.cross_entropy(z, LABELS, label_smoothing=0.2),
        [real(2, 3, 3)],
        lambda z: cross_entropy(z, 0.2),
    ),
    "cross_entropy weighted": (
        lambda z: F.cross_entropy(z, LABELS, weight=np.array([1, 2, 4], z.dtype)),
        [real(2, 3, 3)],
        lambda z: cross_entropy(z, 0, np.array([1, 2, 4])),
    ),
    "binary_cross_entropy": (
        lambda x: F.binary_cross_entropy_with_logits(
            x, np.full(x.shape, 0.25, x.dtype), pos_weight=np.full(4, 3, x.dtype)
        ),
        [4 * real(3, 4)],
        bce,
    ),
    "mse_loss": (F.mse_loss, [real(3, 4), real(3, 4, seed=1)], lambda x, t: np.mean(np.square(x - t))),
    "l1_loss": (F.l1_loss, [real(3, 4), real(3, 4, seed=1)], lambda x, t: np.mean(np.abs(x - t))),
    "huber_loss": (F.huber_loss, [2 * real(3, 4), real(3, 4, seed=1)], huber),
    "linear 1d resizing": interpolate_sample("linear", 5),
    "linear 1d resizing, corners": interpolate_sample("linear", 5, align=True),
    "bilinear": interpolate_sample("bilinear", 3, 4),
    "bilinear, corners": interpolate_sample("bilinear", 3, 1, align=True),
    "trilinear": interpolate_sample("trilinear", 2, 3, 2),
    "bicubic": interpolate_sample("bicubic", 4, 3),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_values(backend, name):
    function, arrays, oracle = SAMPLES[name]
    expected = np.asarray(oracle(*arrays))
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 2e-5)):
        y = function(*(md.tensor(array.astype(dtype)) for array in arrays))
        assert (y.shape, y.dtype) == (expected.shape, dtype)
        assert_allclose(y.numpy(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", SAMPLES)
def test_gradients(backend, name):
    function, arrays, _ = SAMPLES[name]
    check_gradients(function, *arrays, directions=1)
