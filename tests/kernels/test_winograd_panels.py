"""Winograd with packed filters, and what may follow a convolution while it is in the cache, against separate passes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")
from minidil.kernels import reference
from minidil.kernels.cpu import direct, winograd_panels
from minidil.kernels.cpu.finish import PLAIN, Finish
from minidil.kernels.cpu.layout import tap_places
from minidil.kernels.cpu.phases import three
from minidil.kernels.cpu.pool import largest_into
from minidil.kernels.cpu.winograd_plan import forward_plan
from minidil.kernels.geometry import Window
from minidil.kernels.threads import num_threads, set_num_threads

FOLLOWING = [PLAIN, Finish(0.0), Finish(0.0, 6.0), Finish(high=-1.0)]


def last(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def case(groups: int, each: int, dilation: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(groups * 100 + each * 10 + dilation)
    x = rng.normal(size=(3, 6 * groups, 11, 13)).astype(np.float32)
    weight = rng.normal(size=(each * groups, 6, 3, 3)).astype(np.float32)
    bias = rng.normal(size=each * groups).astype(np.float32)
    return x, weight, bias, Window.of((11, 13), 3, 1, ((2, 1), (0, 3)), dilation)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("ending", FOLLOWING)
@pytest.mark.parametrize(("groups", "each", "dilation"), [(1, 20, 1), (2, 8, 2), (3, 5, 3)])
def test_packed_filters(groups: int, each: int, dilation: int, ending: Finish, residual: bool) -> None:
    x, weight, bias, window = case(groups, each, dilation)
    wanted = last(
        reference.conv.conv_forward(x.astype(float), weight.astype(float), window, groups, bias.astype(float))
    )
    added = np.random.default_rng(1).normal(size=wanted.shape).astype(np.float32) if residual else None
    wanted = np.clip(wanted + (0 if added is None else added), ending.low, ending.high)
    panels = winograd_panels.prepare(weight, groups)
    assert panels is not None
    y = np.full(wanted.shape, np.nan, np.float32)
    assert len(winograd_panels.convolve(last(x), panels, forward_plan(window), bias, y, ending, added)) == 0
    np.testing.assert_allclose(y, wanted, atol=1e-4)
    z = np.full((3, math.prod(window.out), len(bias)), np.nan, np.float32)
    source = last(x).reshape(3, *three(window.size), x.shape[1])
    prepared = direct.prepare_forward(weight, window, groups, bias)
    direct.convolve(source, prepared, z, ending, None if added is None else added.reshape(z.shape))
    np.testing.assert_allclose(z.reshape(y.shape), wanted, atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("groups", "each"), [(1, 40), (2, 8)])
def test_few_tiles_whose_filters_are_shared(groups: int, each: int, threads: int) -> None:
    x, weight, bias, window = case(groups, each, 1)
    panels = winograd_panels.prepare(weight, groups)
    assert panels is not None
    wanted = np.maximum(last(reference.conv.conv_forward(x[:1], weight, window, groups, bias)), 0)
    y, before = np.full(wanted.shape, np.nan, np.float32), num_threads()
    try:
        set_num_threads(threads)
        winograd_panels.convolve(last(x[:1]), panels, forward_plan(window), bias, y, Finish(0.0))
    finally:
        set_num_threads(before)
    np.testing.assert_allclose(y, wanted, atol=1e-4)


def test_filters_and_images_that_cannot_be_mixed_are_told() -> None:
    x, weight, bias, window = case(1, 8, 1)
    panels = winograd_panels.prepare(weight, 1)
    assert panels is not None
    x[1, 0, 5, 5] = np.inf
    y = np.empty((3, *window.out, 8), np.float32)
    assert winograd_panels.convolve(last(x), panels, forward_plan(window), bias, y).tolist() == [1]
    weight[0, 0, 1, 1] = np.nan
    assert winograd_panels.prepare(weight, 1) is None


def test_a_nan_stays_one_in_any_range() -> None:
    x, weight, bias, window = case(1, 8, 1)
    x[0, 0, 5, 5] = np.nan
    y = np.empty((3, math.prod(window.out), 8), np.float32)
    prepared = direct.prepare_forward(weight, window, 1, bias)
    direct.convolve(last(x).reshape(3, 1, 11, 13, 6), prepared, y, Finish(0.0, 6.0))
    assert np.isnan(y).sum() == 9 * 8
    assert np.nanmin(y) >= 0


@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_pooling_without_winners(kernel: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 9, 8)).astype(np.float32)
    x[0, 1, 2, 3] = np.nan
    window = Window.of((9, 8), kernel, 2, kernel // 2, 1)
    wanted, _ = reference.pool.max_pool(x, window)
    y = np.empty((2, math.prod(window.out), 5), np.float32)
    largest_into(last(x).reshape(2, -1, 5), tap_places(window), y)
    np.testing.assert_array_equal(y.reshape(2, *window.out, 5), last(wanted))
