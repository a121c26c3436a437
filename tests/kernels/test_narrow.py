"""Convolutions with few numbers at each place: against the reference, and where they are chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import using_threads
from numpy.testing import assert_allclose, assert_array_equal
from strategies import LAYOUTS, examples, laid_out, tolerance, windows

from minidil.kernels import cpu, reference
from minidil.kernels.cpu import narrow
from minidil.kernels.cpu.registers import lanes
from minidil.kernels.geometry import Window

FLOATS = st.sampled_from([np.float32, np.float64])


@examples(20)
@given(data=st.data(), window=windows(), dtype=FLOATS, threads=st.sampled_from([1, 3]))
def test_both_directions_equal_the_reference(data, window, dtype, threads):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    numbers, depth = data.draw(st.integers(1, 4)), lanes(np.dtype(dtype).itemsize) * data.draw(st.integers(1, 3))
    batch = data.draw(st.integers(1, 3))

    def array(*shape):
        return laid_out(rng.standard_normal(shape).astype(dtype), data.draw(st.sampled_from(LAYOUTS)))

    bias = array(numbers) if data.draw(st.booleans()) else None
    calls = [
        ("conv_forward", (array(batch, depth, *window.size), array(numbers, depth, *window.kernel), window, 1, bias)),
        ("conv_grad_input", (array(batch, depth, *window.out), array(depth, numbers, *window.kernel), window)),
    ]
    for name, arguments in calls:
        precise = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arguments]
        expected = getattr(reference, name)(*precise)
        with using_threads(threads):
            found = getattr(narrow, name)(*arguments)
        assert (found.shape, found.dtype) == (expected.shape, dtype)
        assert_allclose(found, expected, **tolerance(found.dtype, window.taps * depth))


def test_it_is_chosen_where_results_are_few_and_terms_fill_registers():
    window, each = Window.of((32, 32), 3, 1, 1, 1), lanes(4)
    strided = Window.of((32, 32), 3, 2, 1, 1)
    assert narrow.pays(1024, 1, 2 * each, window, 1, 4)
    assert narrow.pays(4096, 1, each, strided, 1, 4)
    assert not narrow.pays(4095, 1, each, strided, 1, 4)  # four phases
    assert not narrow.pays(1024, 1, each + 1, window, 1, 4)
    assert not narrow.pays(1024, 3, each, window, 1, 4)  # colours
    assert not narrow.pays(1024, 5, each, window, 1, 4)
    assert not narrow.pays(1024, 1, each, window, 2, 4)
    assert not narrow.pays(1024, lanes(8), lanes(8), window, 1, 8)  # the results of one place fill a register


def test_a_layer_from_one_channel_and_one_to_a_single_class(monkeypatch):
    window, depth, rng = Window.of((32, 32), 3, 1, 1, 1), lanes(4), np.random.default_rng(0)
    calls = []
    for name in ("conv_forward", "conv_grad_input"):
        own = getattr(narrow, name)
        monkeypatch.setattr(narrow, name, lambda *given, name=name, own=own: (calls.append(name), own(*given))[1])
    images = rng.standard_normal((1, depth, 32, 32)).astype(np.float32)
    few, many = rng.standard_normal((2, 1, depth, 3, 3)).astype(np.float32)
    y = cpu.conv_forward(images, few, window)
    dx = cpu.conv_grad_input(images, many.swapaxes(0, 1), window)
    assert calls == ["conv_forward", "conv_grad_input"]
    assert_allclose(y, reference.conv_forward(images, few, window), atol=1e-4)
    assert_allclose(dx, reference.conv_grad_input(images, many.swapaxes(0, 1), window), atol=1e-4)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_infinite_weight_meets_no_padding():
    window, depth = Window.of((9,), 3, 1, 1, 1), lanes(4)
    weight = np.ones((depth, 1, 3), np.float32)
    weight[0, 0, 0] = np.inf
    grad = np.ones((2, depth, 9), np.float32)
    assert_array_equal(narrow.conv_grad_input(grad, weight, window), reference.conv_grad_input(grad, weight, window))


def test_a_place_that_no_tap_reaches_gets_nothing():
    window = Window.of((8,), 1, 2)
    dx = narrow.conv_grad_input(np.ones((1, 8, 4)), np.ones((8, 1, 1)), window)
    assert_array_equal(dx, np.tile([8.0, 0.0], 4)[None, None])
