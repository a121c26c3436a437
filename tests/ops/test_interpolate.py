"""Resizing against the kernels written out as functions of the distance, one output at a time, and against known numbers."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_adjoint

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def hat(distance):
    return max(0.0, 1 - abs(distance))


def keys(distance, a=-0.75):
    """Keys' cubic convolution kernel, in powers of the distance."""
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def matrix(mode, n, out, align, scale=None):
    """Row o holds the weights of all n inputs in output o."""
    rows = np.zeros((out, n))
    ratio = Fraction(n, out) if scale is None else 1 / Fraction(scale)
    for o in range(out):
        if mode == "nearest":
            rows[o, min(math.floor(o * ratio), n - 1)] = 1
            continue
        centre = float((o + Fraction(1, 2)) * ratio - Fraction(1, 2))
        if align:
            centre = o * (n - 1) / (out - 1) if out > 1 else 0.0
        kernel = keys if mode == "bicubic" else hat
        for position in range(-3 * n - 5, 4 * n + 5):  # the border's value goes on
            rows[o, min(max(position, 0), n - 1)] += kernel(centre - position)
    return rows


def resized(x, mode, sizes, align, scales=None):
    for axis, out in enumerate(sizes):
        rows = matrix(mode, x.shape[2 + axis], out, align, scales and scales[axis])
        x = np.moveaxis(np.tensordot(rows, x, axes=(1, 2 + axis)), 0, 2 + axis)
    return x


@st.composite
def cases(draw):
    ndim = draw(st.integers(1, 3))
    modes = ["nearest", LINEAR[ndim]] + ["bicubic"] * 2 * (ndim == 2)
    mode = draw(st.sampled_from(modes))
    side = st.integers(1, 6 if ndim < 3 else 4)
    sizes = st.lists(side, min_size=ndim, max_size=ndim).map(tuple)
    return mode, draw(sizes), draw(sizes), mode != "nearest" and draw(st.booleans())


@examples(60)
@given(cases())
def test_sizes(backend, case):
    mode, before, after, align = case
    x = drawn(2, 2, *before)
    y = F.interpolate(x, size=after, mode=mode, align_corners=align)
    assert_allclose(y.numpy(), resized(x, mode, after, align), atol=1e-12)
    check_adjoint(lambda x: F.interpolate(x, size=after, mode=mode, align_corners=align), x)


@examples(40)
@given(cases(), st.lists(st.sampled_from([0.5, 0.75, 1.0, 1.3, 2.0, 2.5, 3.0]), min_size=3, max_size=3))
def test_scale_factors(backend, case, scales):
    mode, before, _, align = case
    scales = tuple(scales[: len(before)])
    after = tuple(math.floor(n * scale) for n, scale in zip(before, scales, strict=True))
    if 0 in after:
        with pytest.raises(ShapeError, match=r"interpolate: scale_factor .* leaves"):
            F.interpolate(drawn(1, 1, *before), scale_factor=scales, mode=mode)
        return
    x = drawn(2, 2, *before)
    y = F.interpolate(x, scale_factor=scales, mode=mode, align_corners=align)
    assert_allclose(y.numpy(), resized(x, mode, after, align, scales), atol=1e-12)
    check_adjoint(lambda x: F.interpolate(x, scale_factor=scales, mode=mode, align_corners=align), x)


@pytest.mark.parametrize(("n", "out"), [*product([1, 2, 3, 7, 49, 224], [1, 5, 49, 147, 1000])])
def test_nearest_is_the_floor_of_the_exact_quotient(backend, n, out):
    x = np.arange(n).reshape(1, 1, n)
    assert_array_equal(F.interpolate(x, size=out).numpy()[0, 0], [o * n // out for o in range(out)])


def test_nearest_by_a_whole_factor_repeats(backend):
    x = drawn(1, 2, 4, 49)
    assert_array_equal(F.interpolate(x, scale_factor=(2, 49)).numpy(), x.repeat(2, axis=2).repeat(49, axis=3))


def test_known_numbers(backend):
    """PyTorch's documented answers for nn.Upsample(scale_factor=2) of [[1, 2], [3, 4]]."""
    x = np.array([[[[1.0, 2], [3, 4]]]])
    row = np.array([1, 1.25, 1.75, 2])
    assert_array_equal(F.interpolate(x, scale_factor=2, mode="bilinear").numpy()[0, 0], row + 2 * (row[:, None] - 1))
    row = np.array([1, 4 / 3, 5 / 3, 2])
    aligned = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True).numpy()[0, 0]
    assert_allclose(aligned, row + 2 * (row[:, None] - 1))


@pytest.mark.parametrize("size", [12, 17, 25])
def test_there_and_back_by_a_factor_that_is_no_integer_moves_nothing(backend, size):
    """A ramp is the same again but at its ends, which are repeated; half a pixel off, it would be higher or lower."""
    x = np.arange(10.0).reshape(1, 1, 1, 10)
    back = F.interpolate(F.interpolate(x, size=(1, size), mode="bilinear"), size=(1, 10), mode="bilinear")
    assert_allclose(back.numpy()[..., 1:-1], x[..., 1:-1], atol=1e-12)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("align", [False, True])
def test_the_same_size_changes_nothing_and_a_constant_stays(backend, mode, align):
    if align and mode == "nearest":
        return
    x = drawn(2, 3, 4, 5)
    assert_allclose(F.interpolate(x, size=(4, 5), mode=mode, align_corners=align).numpy(), x, atol=1e-14)
    ones = F.interpolate(np.ones((1, 1, 3, 5)), size=(7, 2), mode=mode, align_corners=align)
    assert_allclose(ones.numpy(), 1, atol=1e-14)


def test_an_infinite_pixel_stays_where_it_is(backend):
    x = np.zeros((1, 1, 1, 8))
    x[..., 0] = np.inf
    assert_array_equal(F.interpolate(x, scale_factor=(1, 2)).numpy()[0, 0, 0], [np.inf] * 2 + [0] * 14)


def test_float32_and_empty_batches(backend):
    x = md.tensor(np.zeros((0, 3, 4, 4), np.float32), requires_grad=True)
    y = F.interpolate(x, size=7, mode="bicubic")
    y.sum().backward()
    assert y.shape == (0, 3, 7, 7)
    assert y.dtype == x.grad.dtype == np.float32


@pytest.mark.parametrize(
    ("shape", "options", "error", "message"),
    [
        ((1, 1, 4), {}, OptionError, "give either size or scale_factor, not None and None"),
        ((1, 1, 4), {"size": 2, "scale_factor": 2}, OptionError, "give either size or scale_factor, not 2 and 2"),
        ((1, 1, 4), {"size": 2, "mode": "area"}, OptionError, "mode must be one of 'nearest', .* not 'area'"),
        (
            (1, 1, 4),
            {"size": 2, "mode": "bilinear"},
            ShapeError,
            "2 spatial axes, not .*; for 1 use 'nearest' or 'linear'",
        ),
        ((4, 4), {"size": 2}, ShapeError, r"'nearest' resizes x \(N, C, \*S\) with 1 to 3 spatial axes, not \(4, 4\)"),
        ((1, 1, 0), {"size": 2}, ShapeError, r"x \(1, 1, 0\) has an empty spatial axis"),
        ((1, 1, 4), {"size": 2, "align_corners": True}, OptionError, "align_corners has no meaning for mode 'nearest'"),
        ((1, 1, 4), {"size": 0}, OptionError, "size must be made of ints >= 1, not 0"),
        ((1, 1, 4), {"scale_factor": 0.2}, ShapeError, r"scale_factor 0.2 leaves \(0,\) of the spatial axes \(4,\)"),
        ((1, 1, 4), {"scale_factor": -1}, OptionError, "scale_factor must be positive and finite, not -1"),
        ((1, 1, 4), {"scale_factor": (2, 2)}, OptionError, r"scale_factor must be a number or 1 numbers, not \(2, 2\)"),
    ],
)
def test_refused(backend, shape, options, error, message):
    with pytest.raises(error, match="^interpolate: .*" + message):
        F.interpolate(drawn(*shape), **options)


def test_integers(backend):
    x = np.arange(4).reshape(1, 1, 4)
    assert_array_equal(F.interpolate(x, size=2).numpy(), [[[0, 2]]])
    with pytest.raises(DtypeError, match="interpolate: x must be floating for mode 'linear', not int64"):
        F.interpolate(x, size=2, mode="linear")
