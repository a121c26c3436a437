"""How far Winograd's convolution is from float64: the bound and the comparison that its docstring states, measured."""

import numpy as np
import pytest

from minidil.kernels import cpu, reference
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.cpu import winograd
from minidil.kernels.geometry import Window

MANY = [pytest.param(channels, marks=pytest.mark.slow) for channels in (64, 256)]


def arguments(channels, dilation, dtype, positive=False, seed=0):
    """What the three kernels take, on normal numbers; positive: the images are what a ReLU leaves of them."""
    rng, window = np.random.default_rng(seed), Window.of((15, 14), 3, 1, dilation, dilation)
    x = rng.standard_normal((2 if channels < 100 else 1, channels, *window.size)).astype(dtype)
    weight = rng.standard_normal((channels, channels, 3, 3)).astype(dtype)
    grad = rng.standard_normal((len(x), channels, *window.out)).astype(dtype)
    x = np.maximum(x, 0) if positive else x
    return {"conv_forward": (x, weight), "conv_grad_input": (grad, weight), "conv_grad_weight": (x, grad)}, window


def deviation(name, algorithm, a, b, window):
    with conv_algorithm(algorithm):
        found = getattr(cpu, name)(a, b, window)
    assert found.dtype == a.dtype
    return np.abs(found - getattr(reference, name)(a.astype(np.float64), b.astype(np.float64), window))


# The matrices of Lavin & Gray 2016, section 4.1.
BT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
AT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])


def test_the_constants_of_the_bound():
    bt, g, at = np.abs(BT).sum(axis=1), np.abs(winograd.FILTER), np.abs(AT)
    assert (at @ (g.sum(axis=1) * bt)).max() == pytest.approx(48)
    assert (g.T @ (at.sum(axis=0) * bt)).max() == pytest.approx(160 / 3)


def tiled(x, padding):
    """The largest |x| of every tile: (N, C, rows of tiles, columns of tiles)."""
    grid = [-(-n // 4) for n in x.shape[2:]]
    spread = [(padding, 4 * tiles + 5 - n) for n, tiles in zip(x.shape[2:], grid, strict=True)]
    wide = np.abs(np.pad(x, ((0, 0), (0, 0), *spread)))
    size = 4 + 2 * padding
    rows = [wide[:, :, 4 * r : 4 * r + size].max(axis=2) for r in range(grid[0])]
    return np.stack(
        [np.stack([row[:, :, 4 * c : 4 * c + size].max(axis=2) for c in range(grid[1])], -1) for row in rows], 2
    )


def phases(dilation):
    return [(..., slice(p, None, dilation), slice(q, None, dilation)) for p in range(dilation) for q in range(dilation)]


def check_the_bound(given, window, dtype):
    dilation, half = window.dilation[0], np.finfo(dtype).eps / 2
    for name in ("conv_forward", "conv_grad_input"):
        a, b = (factor.astype(np.float64) for factor in given[name])
        error = deviation(name, "winograd", *given[name], window)
        weights = np.abs(b).max(axis=(2, 3))
        weights = weights.T if name == "conv_grad_input" else weights
        for phase in phases(dilation):
            part = error[phase]
            sums = np.einsum("nchw,fc->nfhw", tiled(a[phase], 1), weights)
            sums = sums.repeat(4, axis=2).repeat(4, axis=3)[:, :, : part.shape[2], : part.shape[3]]
            assert np.all(part <= (a.shape[1] + 26) * half * 48**2 * sums), name
    a, b = (factor.astype(np.float64) for factor in given["conv_grad_weight"])
    pairs = [(tiled(a[phase], 1), tiled(b[phase], 0)) for phase in phases(dilation)]
    tiles = sum(x[:, 0].size for x, _ in pairs)
    sums = sum(np.einsum("nchw,nfhw->fc", x, grad) for x, grad in pairs)[:, :, None, None]
    error = deviation("conv_grad_weight", "winograd", *given["conv_grad_weight"], window)
    assert np.all(error <= (tiles + 26) * half * (160 / 3) ** 2 * sums)


@pytest.mark.parametrize("channels", [1, 3, 16, *MANY])
@pytest.mark.parametrize("dilation", [1, 2, 4])
@pytest.mark.parametrize(("dtype", "positive"), [(np.float32, False), (np.float32, True), (np.float64, False)])
def test_the_error_is_bounded_by_the_largest_factors_of_the_tile(channels, dilation, dtype, positive):
    given, window = arguments(channels, dilation, dtype, positive)
    check_the_bound(given, window, dtype)


@pytest.mark.parametrize("draw", ["sparse", "one-hot", "two taps", "badly scaled"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_bound_holds_for_unusual_factors(channels, draw):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        given, window = arguments(channels, 1 + seed % 2, np.float32, seed=seed)
        for a, b in given.values():
            for factor in (a, b):
                if draw == "sparse":
                    factor *= rng.random(factor.shape) < 0.15
                elif draw == "badly scaled":
                    factor *= np.exp2(rng.uniform(-12, 12, factor.shape)).astype(np.float32)
                elif draw == "one-hot" or factor.shape[2:] == (3, 3):
                    kept = rng.choice(factor.size, 1 if draw == "one-hot" else 2, replace=False)
                    values = factor.flat[kept]
                    factor[...] = 0
                    factor.flat[kept] = values
        check_the_bound(given, window, np.float32)


@pytest.mark.parametrize("channels", [16, *MANY])
@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_the_error_is_about_ten_times_that_of_im2col(channels, dilation):
    # As a root mean square over all results. Measured: 3 to 13 times.
    given, window = arguments(channels, dilation, np.float32, seed=1)
    for name, (a, b) in given.items():
        typical = {way: np.sqrt(np.mean(deviation(name, way, a, b, window) ** 2)) for way in ("im2col", "winograd")}
        assert typical["winograd"] <= 25 * typical["im2col"], name
