"""Smoothed dilated convolution: it starts as the layer it smooths, mixes as its formula says, and closes the holes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidil as md
from minidil import nn
from minidil.analysis import impulse_response, receptive_field
from minidil.errors import OptionError, ShapeError

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("smoothing", ["shared", "interaction"])
@pytest.mark.parametrize(
    ("dilation", "size"), [(2, (9,)), (3, (7, 8)), ((2, 1), (5, 6)), (4, (3, 3)), ((1, 2, 2), (3, 4, 5))]
)
def test_it_starts_as_the_dilated_layer(smoothing: str, dilation, size: tuple[int, ...], backend: str) -> None:
    layer = nn.SmoothedDilation(2, 3, 3, dilation, smoothing=smoothing, ndim=len(size), rng=np.random.default_rng(1))
    plain = CONVS[len(size) - 1](2, 3, 3, padding="same", dilation=dilation, rng=np.random.default_rng(1))
    bias = normal(3).astype(np.float32)
    plain.bias.data = bias
    (layer.conv if smoothing == "shared" else layer.smooth).bias.data = bias
    x = md.tensor(normal(2, 2, *size).astype(np.float32))
    assert layer(x).shape == (2, 3, *size)
    assert np.allclose(layer(x).numpy(), plain(x).numpy(), rtol=1e-5, atol=1e-6)
    assert next(p.shape for p in layer.parameters()) == (3, 2, *(3,) * len(size))


def test_how_many_weights_it_adds() -> None:
    plain = sum(p.size for p in nn.Conv2d(8, 8, 3).parameters())
    sizes = [
        sum(p.size for p in nn.SmoothedDilation(8, 8, dilation=d, smoothing=kind).parameters()) - plain
        for kind in ("shared", "interaction")
        for d in (2, 4)
    ]
    assert sizes == [9, 49, 16, 256]
    assert nn.SmoothedDilation(2, 2, bias=False, smoothing="interaction").smooth.bias is None
    assert nn.SmoothedDilation(2, 2, bias=False).conv.bias is None


def test_the_shared_filter_is_the_same_for_every_channel() -> None:
    layer = nn.SharedConv(2, ndim=1).astype(np.float64)
    layer.weight.data = np.array([[[1.0, 2, 4]]])
    x = normal(2, 3, 7)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
    assert np.allclose(layer(md.tensor(x)).numpy(), padded[..., :-2] + 2 * padded[..., 1:-1] + 4 * padded[..., 2:])


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**16))
def test_phases_mix_as_the_formula_says(d: int, e: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer = nn.PhaseMixing(2, (d, e)).astype(np.float64)
    layer.weight.data, layer.bias.data = rng.standard_normal((d * e, d * e)), rng.standard_normal(2)
    x = rng.standard_normal((1, 2, height, width))
    expected = np.empty(x.shape)
    for i, j in np.ndindex(height, width):
        top, left = i - i % d, j - j % e
        total = layer.bias.data.copy()
        for q, (a, b) in enumerate(np.ndindex(d, e)):
            if top + a < height and left + b < width:
                total += layer.weight.data[q, i % d * e + j % e] * x[0, :, top + a, left + b]
        expected[0, :, i, j] = total
    with md.use("numpy"):
        assert np.allclose(layer(md.tensor(x)).numpy(), expected)


@pytest.mark.parametrize("smoothing", ["shared", "interaction"])
@pytest.mark.parametrize("ndim", [1, 2])
def test_gradients(smoothing: str, ndim: int, check_layer) -> None:
    layer = nn.SmoothedDilation(2, 3, 3, 2, smoothing=smoothing, ndim=ndim, rng=np.random.default_rng(0))
    layer.smooth.weight.data = normal(*layer.smooth.weight.shape).astype(np.float32)
    check_layer(layer, 2, 2, *(7, 6)[:ndim])


def of_ones(model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        parameter.data = np.ones(parameter.shape, np.float32)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", ["shared", "interaction"])
def test_its_field_has_no_holes_and_is_where_an_impulse_goes(smoothing: str) -> None:
    def two(kind) -> nn.Sequential:
        return of_ones(nn.Sequential(kind(), kind()))

    with md.use("numpy"):
        gridded = receptive_field(two(lambda: nn.Conv2d(1, 1, 3, padding=2, dilation=2)), (1, 15, 14))
        smoothed = two(lambda: nn.SmoothedDilation(1, 1, smoothing=smoothing))
        field = receptive_field(smoothed, (1, 15, 14), at=(7, 7))
        assert [len(holes) for holes in gridded.holes] == [4, 4]
        assert field.holes == ((), ())
        reached = {
            (i, j) for i, j in np.ndindex(15, 14) if impulse_response(smoothed, (1, 15, 14), (i, j))[0, 7, 7] != 0
        }
    assert reached == set(zip(*np.nonzero(field.reached), strict=True))


def test_summary_counts_its_parts() -> None:
    for kind, work, seen in (("shared", 9, "7"), ("interaction", 4, "6")):
        summary = nn.Sequential(nn.SmoothedDilation(3, 4, smoothing=kind)).summary((3, 8, 8))
        assert [row.kind for row in summary.rows] == (
            ["SharedConv", "Conv2d"] if kind == "shared" else ["Conv2d", "PhaseMixing"]
        )
        assert summary.multiply_adds == 64 * 4 * 27 + 64 * (3 if kind == "shared" else 4) * work
        assert str(summary.field) == seen
        assert math.prod(summary.rows[-1].output_shape) == 256


def test_mistakes() -> None:
    with pytest.raises(OptionError, match='smoothing is "shared", before the convolution, or "interaction"'):
        nn.SmoothedDilation(2, 2, smoothing="gaussian")
    with pytest.raises(OptionError, match="not 4"):
        nn.SmoothedDilation(2, 2, ndim=4)
    with pytest.raises(OptionError, match="SharedConv: dilation must be made of ints >= 1, not 0"):
        nn.SharedConv(0)
    with pytest.raises(OptionError, match="PhaseMixing: dilation must be an int or 2 ints"):
        nn.PhaseMixing(2, (2, 2, 2))
    with pytest.raises(OptionError, match="PhaseMixing: channels must be an int >= 1"):
        nn.PhaseMixing(0, 2)
    with pytest.raises(ShapeError, match=r"SharedConv: x must be \(N, C, H, W\)"):
        nn.SharedConv(2)(md.tensor(np.zeros((1, 2, 5), np.float32)))
    with pytest.raises(ShapeError, match=r"PhaseMixing: x \(1, 3, 4, 4\) must have 2 channels"):
        nn.PhaseMixing(2, 2)(md.tensor(np.zeros((1, 3, 4, 4), np.float32)))
