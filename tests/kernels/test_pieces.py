"""Larger kernels as sums of 3x3 ones: against the reference, with numbers that are not finite, and where they are chosen."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import using_threads
from numpy.testing import assert_allclose
from strategies import LAYOUTS, examples, laid_out, windows

from minidil.kernels import cpu, reference
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.cpu import pieces
from minidil.kernels.geometry import Window


def calls(window, groups, batch=2, per_group=2, dtype=np.float32, seed=0):
    """What each of the three is called with."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, groups * per_group, *window.size)).astype(dtype)
    weight = rng.standard_normal((groups * 3, per_group, *window.kernel)).astype(dtype)
    grad = rng.standard_normal((batch, groups * 3, *window.out)).astype(dtype)
    bias = rng.standard_normal(groups * 3).astype(dtype)
    return {
        "conv_forward": (x, weight, window, groups, bias),
        "conv_grad_input": (grad, weight, window, groups),
        "conv_grad_weight": (x, grad, window, groups),
    }


@pytest.mark.slow
@examples(25)
@given(
    data=st.data(),
    window=windows(max_axes=2, min_axes=2).map(lambda window: replace(window, stride=(1, 1))),
    kernel=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    groups=st.integers(1, 2),
    dtype=st.sampled_from([np.float32, np.float64]),
    threads=st.sampled_from([1, 3]),
)
def test_all_three_equal_the_reference(data, window, kernel, groups, dtype, threads):
    reach = [d * (k - 1) + 1 for d, k in zip(window.dilation, kernel, strict=True)]
    size = tuple(max(n, r) for n, r in zip(window.size, reach, strict=True))
    window = replace(window, size=size, kernel=kernel)
    layout = data.draw(st.sampled_from(LAYOUTS))
    for name, (first, *others) in calls(window, groups, dtype=dtype).items():
        precise = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in (first, *others)]
        expected = getattr(reference, name)(*precise)
        with using_threads(threads):
            found = getattr(pieces, name)(laid_out(first, layout), *others)
        assert (found.shape, found.dtype) == (expected.shape, dtype)
        scale = np.abs(expected).max() if expected.size else 1
        assert_allclose(found, expected, rtol=0, atol=(2e-4 if dtype == np.float32 else 1e-11) * max(scale, 1))


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38])
@pytest.mark.parametrize("place", [0, 1])
def test_a_number_that_is_not_finite_reaches_what_it_does_in_the_reference(value, place):
    window = Window.of((16, 15), (5, 4), 1, 2, 1)
    for name, arguments in calls(window, 1).items():
        arguments[place].reshape(-1)[7] = value
        with np.errstate(all="ignore"):
            expected, found = getattr(reference, name)(*arguments), getattr(pieces, name)(*arguments)
        assert (np.isnan(found) == np.isnan(expected)).all(), name
        assert (np.isfinite(found) == np.isfinite(expected)).all(), name


def test_five_by_five_is_four_pieces_with_all_taps_between_them():
    window = Window.of((20, 21), 5, 1, 4, 2)
    parts = list(pieces._parts(window))
    assert [part.padding for part, _ in parts] == [
        ((4, 0), (4, 0)),
        ((4, 0), (-2, 6)),
        ((-2, 6), (4, 0)),
        ((-2, 6), (-2, 6)),
    ]
    assert all(part.out == window.out for part, _ in parts)
    seen = np.zeros((5, 5), int)
    for _, place in parts:
        seen[place] += 1
    assert (seen == 1).all()


def test_it_is_chosen_where_it_saves_half_of_the_products_of_many_channels(monkeypatch):
    window = Window.of((32, 32), 5, 1, 4, 2)
    assert pieces.pays(window, 64, 64, 1)
    assert pieces.pays(Window.of((32, 32), 7, 1, 3), 64, 128, 1)
    assert not pieces.pays(window, 63, 64, 1)
    assert not pieces.pays(window, 64, 64, 2)
    assert not pieces.pays(Window.of((32, 32), 4, 1, 2), 64, 64, 1)  # as many pieces as of 5x5
    assert not pieces.pays(Window.of((32, 32), 3, 1, 1), 64, 64, 1)  # is a piece itself
    assert not pieces.pays(Window.of((32, 32), 5, 2, 2), 64, 64, 1)
    assert not pieces.pays(Window.of((6, 6), 5, 1, 4, 2), 64, 64, 1)  # tiles that are mostly outside
    assert not pieces.pays(Window.of((32,), 5, 1, 2), 64, 64, 1)
    assert not pieces.pays(Window.of((8, 8, 8), 5, 1, 2), 64, 64, 1)

    called = []
    for name in ("conv_forward", "conv_grad_input", "conv_grad_weight"):
        own = getattr(pieces, name)
        monkeypatch.setattr(pieces, name, lambda *given, name=name, own=own: (called.append(name), own(*given))[1])
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 1, 64, 32, 32)).astype(np.float32)
    weight = rng.standard_normal((64, 64, 5, 5)).astype(np.float32)
    found = [
        cpu.conv_forward(x, weight, window),
        cpu.conv_grad_input(grad, weight, window),
        cpu.conv_grad_weight(x, grad, window),
    ]
    assert called == ["conv_forward", "conv_grad_input", "conv_grad_weight"]
    with conv_algorithm("direct"):
        plain = [
            cpu.conv_forward(x, weight, window),
            cpu.conv_grad_input(grad, weight, window),
            cpu.conv_grad_weight(x, grad, window),
        ]
    assert len(called) == 3
    for one, other in zip(found, plain, strict=True):
        assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max())
