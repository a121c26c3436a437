"""Gridding: values that follow from the definition, its spectrum by a transform of another kind, and impulses by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

import minidil as md
from minidil import nn
from minidil.analysis import gridding, impulse_response
from minidil.errors import OptionError, ShapeError


@st.composite
def measured(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...]]:
    """Maps of 1 to 3 spatial axes whose sizes are whole periods, and the period."""
    ndim = draw(st.integers(1, 3))
    period = tuple(draw(st.integers(1, 3)) for _ in range(ndim))
    period = (2, *period[1:]) if max(period) == 1 else period
    size = tuple(d * draw(st.integers(2, 4)) for d in period)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return rng.standard_normal((draw(st.integers(1, 2)), draw(st.integers(1, 2)), *size)), period


@examples(30)
@given(measured())
def test_the_share_is_that_of_the_spectrum_at_the_multiples_of_one_over_d(case) -> None:
    maps, period = case
    spectrum = np.abs(np.fft.fftn(maps, axes=range(2, maps.ndim))) ** 2
    every = spectrum.sum() - spectrum[(slice(None), slice(None), *(0,) * len(period))].sum()
    steps = [range(0, n, n // d) for n, d in zip(maps.shape[2:], period, strict=True)]
    at_d = sum(spectrum[(slice(None), slice(None), *k)].sum() for k in itertools.product(*steps) if any(k))
    assert gridding(maps, period).share == pytest.approx(at_d / every)


@examples(20)
@given(measured(), st.floats(0.1, 10), st.floats(-5, 5))
def test_it_has_no_unit_and_is_1_for_a_map_of_that_period(case, factor, offset) -> None:
    maps, period = case
    found, moved = gridding(maps, period), gridding(factor * maps + offset, period)
    assert (moved.share, moved.roughness) == (pytest.approx(found.share), pytest.approx(found.roughness))
    counts = [n // d for n, d in zip(maps.shape[2:], period, strict=True)]
    periodic = np.tile(maps[(slice(None), slice(None), *map(slice, period))], (1, 1, *counts))
    found = gridding(periodic, period)
    assert (found.share, found.roughness, found.excess) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))


def test_of_a_checkerboard_both_are_exactly_1() -> None:
    board = np.indices((6, 8)).sum(axis=0) % 2
    found = gridding(board[None, None], 2)
    assert (found.share, found.roughness, found.excess, found.noise) == (1, 1, 1, 3 / 47)
    assert (found.maps, found.size, found.dilation) == (1, (6, 8), (2, 2))


@pytest.mark.parametrize("d", [2, 3, 4])
def test_of_a_ramp(d: int) -> None:
    n = 5 * d
    found = gridding(np.arange(n)[None, None], d)
    assert found.share == pytest.approx((d * d - 1) / (n * n - 1))
    assert found.roughness == pytest.approx(1 / (1 + d * d))
    assert found.noise == (d - 1) / (n - 1)


def test_of_independent_numbers_the_mean_is_the_one_that_was_derived() -> None:
    maps = np.random.default_rng(0).standard_normal((1500, 1, 4, 6))
    alone = [gridding(each[None], (2, 3)) for each in maps]
    shares = np.array([each.share for each in alone])
    # Beta with a = 5/2 and b = 18/2: mean a/(a + b), variance a b / ((a + b)^2 (a + b + 1))
    a, b = 5 / 2, 18 / 2
    deviation = math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)) / len(maps))
    assert alone[0].noise == 5 / 23
    assert abs(shares.mean() - 5 / 23) < 4 * deviation
    together = gridding(maps, (2, 3))
    assert abs(together.excess) < 0.01
    assert abs(together.roughness - 0.5) < 0.01
    assert together.maps == 1500


def test_a_grid_that_changes_its_sign_is_rough_and_has_no_share() -> None:
    board = (-1.0) ** np.indices((8, 16)).sum(axis=0)
    board[:, 8:] *= -1  # as where the phases see other pixels
    found = gridding(board[None, None], 2)
    assert found.share == 0
    # Down the columns D_1 = 4 and D_2 = 0; along the rows 14 of 15 pairs at distance 1 differ, and 2 of 14 at distance 2.
    assert found.roughness == pytest.approx((4 + 4 * 14 / 15) / (4 + 4 * 14 / 15 + 4 * 2 / 14))


def test_each_axis_has_its_period_and_what_is_beyond_whole_periods_is_left_out() -> None:
    rows = np.tile([0.0, 1, 5], 3)[:, None] * np.ones(7)
    found = gridding(rows[None, None], (3, 1))
    assert (found.share, found.roughness, found.size) == (1, 1, (9, 7))
    assert gridding(np.append(np.tile([0.0, 1], 4), 99)[None, None], 2).share == 1
    assert gridding(md.tensor(rows[None, None]), (1, 3)) == gridding(rows[None, None], (1, 3))
    assert gridding(rows[None, None], (1, 3)).share == 0  # constant along that axis


def test_constant_maps_have_neither() -> None:
    found = gridding(np.full((1, 2, 6, 6), 0.1), 2)  # whose mean is not 0.1 to the last bit
    assert (found.share, found.roughness) == (0, 0)


def test_it_is_shown_with_what_noise_would_give() -> None:
    assert repr(gridding((np.indices((4, 4)).sum(axis=0) % 2)[None, None], 2)) == (
        "period 2x2 in 1 maps of 4x4: share 100 % (independent numbers: 20 %), roughness 1 (independent numbers: 0.5)"
    )


@pytest.mark.parametrize(
    ("maps", "dilation", "error", "message"),
    [
        (np.zeros((2, 8)), 2, ShapeError, r"\(N, C, \*S\) with a spatial axis at least, not float64 \(2, 8\)"),
        (np.zeros((1, 1, 8), complex), 2, ShapeError, "complex128"),
        (np.zeros((1, 1, 8, 8)), 1, OptionError, "all positions have the same phase"),
        (
            np.zeros((1, 1, 8, 5)),
            3,
            ShapeError,
            r"axis 3 of maps \(1, 1, 8, 5\) needs two periods, .*6 positions, and has 5",
        ),
        (np.zeros((0, 1, 8)), 2, ShapeError, r"maps \(0, 1, 8\) hold no map"),
        (np.zeros((1, 0, 8)), 2, ShapeError, "hold no map"),
        (np.full((1, 1, 8), np.nan), 2, OptionError, "not finite"),
        (np.zeros((1, 1, 8, 8)), (2, 2, 2), OptionError, "dilation must be an int or 2 ints"),
        (np.zeros((1, 1, 8, 8)), 0, OptionError, "ints >= 1"),
    ],
)
def test_mistakes(maps, dilation, error, message) -> None:
    with pytest.raises(error, match=message):
        gridding(maps, dilation)


def linear(dilations: list[int], ndim: int = 1) -> nn.Sequential:
    conv = (nn.Conv1d, nn.Conv2d)[ndim - 1]
    model = nn.Sequential(*(conv(1, 1, 3, padding="same", dilation=d) for d in dilations))
    for parameter in model.parameters():
        parameter.data = np.ones(parameter.shape, np.float32)  # the biases as well
    return model


def test_an_impulse_through_dilations_2_2_2_stays_on_its_phase() -> None:
    response = impulse_response(linear([2, 2, 2]), (1, 21), at=10)
    assert response.tolist() == [[0, 0, 0, 0, 1, 0, 3, 0, 6, 0, 7, 0, 6, 0, 3, 0, 1, 0, 0, 0, 0]]
    square = impulse_response(linear([2, 2], ndim=2), (1, 12, 14))
    assert np.flatnonzero(square[0].any(axis=1)).tolist() == [2, 4, 6, 8, 10]
    assert np.flatnonzero(square[0].any(axis=0)).tolist() == [3, 5, 7, 9, 11]


def test_of_a_linear_model_it_depends_on_neither_background_nor_amplitude() -> None:
    model = (
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Conv2d(3, 2, 3)).astype(np.float64).train()
    )
    draw = np.random.default_rng(0)
    plain = impulse_response(model, (2, 6, 7), (2, 3), channel=1)
    other = impulse_response(
        model, (2, 6, 7), (2, 3), channel=1, amplitude=-3, background=draw.standard_normal((2, 6, 7))
    )
    assert np.allclose(plain, other, rtol=0, atol=1e-12)
    assert plain.shape == (2, 4, 5)
    assert model.training
    assert model[1].running_mean.tolist() == [0, 0, 0]


def test_it_is_a_column_of_the_derivative() -> None:
    """By the gradients of every output, in a network that is not linear."""
    model = nn.Sequential(nn.Conv1d(1, 3, 3, padding=2, dilation=2), nn.Tanh(), nn.Conv1d(3, 1, 3, padding=1))
    model.astype(np.float64)
    background = np.random.default_rng(1).standard_normal((1, 9))
    found = impulse_response(model, (1, 9), 4, amplitude=1e-6, background=background)
    for place in range(9):
        x = md.tensor(background[None], requires_grad=True)
        model(x)[0, 0, place].backward()
        assert found[0, place] == pytest.approx(x.grad.numpy()[0, 0, 4], abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (9,)}, r"input_shape is \(C, \*S\)"),
        ({"input_shape": (1, 0)}, "ints >= 1"),
        ({"at": 9}, r"channel 0 and at=9 are no position of an input \(1, 9\)"),
        ({"at": (1, 1)}, "no position"),
        ({"channel": 1}, "channel 1"),
        ({"amplitude": 0}, "finite number and not 0"),
        ({"amplitude": math.nan}, "finite number"),
        ({"background": np.zeros((2, 9))}, r"background \(2, 9\) must have the shape of the input, \(1, 9\)"),
    ],
)
def test_impulses_that_do_not_fit(arguments, message) -> None:
    with pytest.raises(OptionError, match=message):
        impulse_response(linear([1]), **{"input_shape": (1, 9)} | arguments)
