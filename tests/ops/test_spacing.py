"""Taps at real positions: the kernel by its definition, both gradients, and what happens at whole positions and at the border."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_gradients


def by_definition(weight, positions, size):
    kernel = np.zeros((*weight.shape[:2], *size))
    for f, c, m in np.ndindex(*weight.shape):
        for q in np.ndindex(*size):
            share = weight[f, c, m]
            for axis, n in enumerate(size):
                middle = (n - 1) / 2
                share *= max(0, 1 - abs(q[axis] - middle - np.clip(positions[axis, f, c, m], -middle, middle)))
            kernel[(f, c, *q)] += share
    return kernel


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(1, 3), st.integers(0, 999))
def test_the_kernel_and_its_gradients(size, taps, seed) -> None:
    rng = np.random.default_rng(seed)
    weight, positions = rng.standard_normal((2, 2, taps)), rng.uniform(-2.3, 2.3, (len(size), 2, 2, taps))
    found = F.place_taps(md.tensor(weight), md.tensor(positions), size=size)
    assert_allclose(found.numpy(), by_definition(weight, positions, size), atol=1e-12)
    check_gradients(lambda w, p: F.place_taps(w, p, size=size), weight, positions)


def test_on_the_grid_it_is_the_dilated_kernel(backend) -> None:
    rng = np.random.default_rng(0)
    x, weight = (md.tensor(rng.standard_normal(shape).astype(np.float32)) for shape in ((2, 3, 9, 9), (4, 3, 3, 3)))
    grid = np.stack(np.meshgrid([-2, 0, 2], [-2, 0, 2], indexing="ij")).reshape(2, 1, 1, 9)
    positions = md.tensor(np.broadcast_to(grid, (2, 4, 3, 9)).astype(np.float32))
    kernel = F.place_taps(weight.reshape(4, 3, 9), positions, size=5)
    assert_allclose(F.conv(x, kernel).numpy(), F.conv(x, weight, dilation=2).numpy(), rtol=1e-4, atol=1e-4)


def test_at_a_whole_position_the_slope_is_the_one_to_its_right() -> None:
    positions = md.tensor(np.array([0.0, 2.0, 5.0]).reshape(1, 1, 1, 3), requires_grad=True)
    weight = np.array([1.0, 10.0, 100.0]).reshape(1, 1, 3)
    upstream = np.array([1.0, 2.0, 4.0, 8.0, 16.0]).reshape(1, 1, 5)
    F.place_taps(md.tensor(weight), positions, size=5).backward(md.tensor(upstream))
    # 0 is the middle: 8 - 4; at the border there is nothing to its right but the number below it counts less; beyond it is still
    assert_allclose(positions.grad.numpy().ravel(), [4, -160, 0])


@pytest.mark.parametrize(
    ("weight", "positions", "size", "error", "message"),
    [
        (np.ones((2, 3)), np.ones((1, 2, 3)), 3, ShapeError, r"weight must be \(F, C, M\) and positions"),
        (np.ones((2, 3, 4)), np.ones((2, 2, 3, 5)), 3, ShapeError, r"\(2, 3, 4\) and \(2, 2, 3, 5\)"),
        (np.ones((2, 3, 4)), np.ones((4, 2, 3, 4)), 3, ShapeError, "1 to 3 axes"),
        (np.ones((2, 3, 4)), np.ones((2, 2, 3, 4)), (3, 0), OptionError, "size"),
        (np.ones((2, 3, 4), int), np.ones((2, 2, 3, 4), int), 3, DtypeError, "weight must be floating"),
    ],
)
def test_refused(weight, positions, size, error, message) -> None:
    with pytest.raises(error, match=message):
        F.place_taps(md.tensor(weight), md.tensor(positions), size=size)
