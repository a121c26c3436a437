"""Every Numba kernel against the reference, on drawn windows and in every order of memory."""

import kernel_checks as checks
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import using_threads
from numpy.testing import assert_allclose, assert_array_equal
from strategies import LAYOUTS, conv_cases, examples, laid_out, tolerance, windows

from minidil.errors import OptionError
from minidil.kernels import cpu, reference
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.cpu import im2col, pool, winograd_plan
from minidil.kernels.geometry import Window

FLOATS = st.sampled_from([np.float32, np.float64])


def conv_results(kernels, case):
    return (
        kernels.conv_forward(case.x, case.weight, case.window, case.groups, case.bias),
        kernels.conv_grad_input(case.grad, case.weight, case.window, case.groups),
        kernels.conv_grad_weight(case.x, case.grad, case.window, case.groups),
    )


def assert_equal_to_reference(case, found):
    allowed = tolerance(case.x.dtype, case.window.taps * max(case.x.shape[:2] + case.grad.shape))
    for array, expected in zip(found, conv_results(reference, case), strict=True):
        assert array.dtype == expected.dtype
        assert array.shape == expected.shape
        assert_allclose(array, expected, **allowed)


@given(conv_cases(), st.integers(1, 3))
def test_convolution(case, count):
    with using_threads(count):
        assert_equal_to_reference(case, conv_results(cpu, case))


@pytest.mark.long
@examples(1500)
@given(conv_cases(), st.integers(1, 3))
def test_convolution_on_many_windows(case, count):
    with using_threads(count):
        assert_equal_to_reference(case, conv_results(cpu, case))
        checks.gradients_are_adjoints(cpu, case)


@given(conv_cases(), st.integers(1, 7), st.integers(1, 3))
def test_work_is_done_in_pieces_of_any_size(case, size, count):
    with pytest.MonkeyPatch.context() as patch, using_threads(count):
        for module, name in [
            (im2col, "_LEAST_ROWS"),
            (pool, "_ROWS"),
            (winograd_plan, "_LEAST_TILES"),
        ]:
            patch.setattr(module, name, size)
        for module in (im2col, winograd_plan):
            patch.setattr(module, "_CACHE_BYTES", 1)
        assert_equal_to_reference(case, conv_results(cpu, case))
        if case.window.hits.all():
            y, winner = cpu.max_pool(case.x, case.window)
            expected, first = reference.max_pool(case.x, case.window)
            assert_array_equal(y, expected)
            grad = np.ones_like(y)
            found = cpu.max_pool_grad(grad, winner, case.window)
            assert_array_equal(found, reference.max_pool_grad(grad, first, case.window))


@examples(30)
@given(conv_cases(max_axes=2, max_work=4000))
def test_convolution_equals_the_formula(case):
    checks.forward_equals_the_formula(cpu, case)
    checks.grad_input_scatters(cpu, case)
    checks.grad_weight_correlates(cpu, case)
    checks.gradients_are_adjoints(cpu, case)


@pytest.mark.parametrize("size", [(1,), (1, 1), (1, 1, 1)])
@pytest.mark.parametrize("batch", [0, 1, 3])
def test_one_pixel_images_and_empty_batches(size, batch):
    rng = np.random.default_rng(0)
    window = Window.of(size, 3, 2, 3, 2)  # padded to 7, of which a span of 5 leaves 2 positions
    x, weight = rng.standard_normal((batch, 2, *size)), rng.standard_normal((4, 2, *window.kernel))
    grad = rng.standard_normal((batch, 4, *window.out))
    for name, arguments in [
        ("conv_forward", (x, weight, window, 1, rng.standard_normal(4))),
        ("conv_grad_input", (grad, weight, window)),
        ("conv_grad_weight", (x, grad, window)),
        ("window_sum", (x, window)),
    ]:
        expected = getattr(reference, name)(*arguments)
        assert expected.size == 0 or name == "conv_grad_weight" or batch
        assert_allclose(getattr(cpu, name, getattr(reference, name))(*arguments), expected, atol=1e-12)


def test_an_input_of_nothing_but_padding():
    x, weight, bias = np.zeros((2, 1, 0, 3)), np.ones((3, 1, 2, 2)), np.array([1.0, 2, 3])
    window = Window.of((0, 3), 2, padding=1)
    assert_array_equal(cpu.conv_forward(x, weight, window, 1, bias)[0, :, 0, 0], bias)
    grad = np.ones((2, 3, *window.out))
    assert cpu.conv_grad_input(grad, weight, window).shape == x.shape
    assert_array_equal(cpu.conv_grad_weight(x, grad, window), np.zeros(weight.shape))


@pytest.mark.parametrize("algorithm", ["im2col", "direct", "winograd"])
@examples(40)
@given(
    size=st.tuples(st.integers(1, 19), st.integers(1, 19)),
    dilation=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(*[st.tuples(st.integers(0, 9), st.integers(0, 9))] * 2),
    channels=st.sampled_from([(1, 1), (3, 5), (17, 16)]),
    batch=st.integers(0, 3),
    layout=st.sampled_from(LAYOUTS),
    dtype=FLOATS,
    count=st.integers(1, 3),
)
def test_every_way_to_convolve_3x3(algorithm, size, dilation, padding, channels, batch, layout, dtype, count):
    size = [max(n, 2 * d + 1 - sum(p)) for n, d, p in zip(size, dilation, padding, strict=True)]
    window, rng = Window.of(size, (3, 3), 1, padding, dilation), np.random.default_rng(sum(size))

    def array(*shape):
        return laid_out(rng.standard_normal(shape).astype(dtype), layout)

    x, weight, bias = array(batch, channels[0], *size), array(channels[1], channels[0], 3, 3), array(channels[1])
    grad = array(batch, channels[1], *window.out)
    allowed = tolerance(dtype, 9 * max(channels) * max(*size, *window.out))
    with conv_algorithm(algorithm), using_threads(count), pytest.MonkeyPatch.context() as patch:
        if sum(size) % 2:
            patch.setattr(winograd_plan, "_LEAST_TILES", 3)
            patch.setattr(winograd_plan, "_CACHE_BYTES", 1)
        for name, arguments in [
            ("conv_forward", (x, weight, window, 1, bias)),
            ("conv_grad_input", (grad, weight, window)),
            ("conv_grad_weight", (x, grad, window)),
        ]:
            found, expected = getattr(cpu, name)(*arguments), getattr(reference, name)(*arguments)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            assert_allclose(found, expected, **allowed, err_msg=name)


def test_winograd_refuses_what_it_cannot_do():
    window = Window.of((5, 5), 3, stride=2)
    x, weight = np.zeros((1, 2, 5, 5)), np.zeros((2, 2, 3, 3))
    with conv_algorithm("winograd"), pytest.raises(OptionError, match=r"not kernel \(3, 3\), stride \(2, 2\)"):
        cpu.conv_forward(x, weight, window)
    with pytest.raises(OptionError, match="conv_algorithm: 'fft' is none of 'auto', 'im2col', 'direct', 'winograd'"):
        conv_algorithm("fft")


def pool_arrays(window, layout, dtype, values, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, *window.size)) if values is None else rng.choice(values, (2, 3, *window.size))
    return laid_out(x.astype(dtype), layout), laid_out(rng.standard_normal((2, 3, *window.out)).astype(dtype), layout)


@examples(30)
@given(windows(max_axes=2, pooling=True), st.sampled_from([None, [np.nan, 1.0, -np.inf]]))
def test_max_pool_against_loops(window, values):
    x, grad = pool_arrays(window, "contiguous", np.float64, values, seed=0)
    checks.max_pool_finds_the_first_largest(cpu, x, window)
    checks.max_pool_grad_goes_to_the_winner(cpu, x, window, grad)


def test_elementwise_kernels_keep_the_order_of_memory():
    for layout in ("contiguous", "channels-last", "transposed"):
        x = laid_out(np.random.default_rng(0).standard_normal((2, 3, 4, 5)), layout)
        assert cpu.relu(x).strides == x.strides


def test_moments_keep_a_small_variance_beside_a_large_mean():
    x = (np.random.default_rng(0).standard_normal((1000, 1)) + 4096).astype(np.float32)
    mean, variance = cpu.channel_moments(x)
    assert_allclose(mean, x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    assert_allclose(variance, x.var(axis=0, dtype=np.float64), rtol=1e-5)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2), (3, 0, 2), (2, 3, 0)])
def test_channel_kernels_on_empty_arrays(shape):
    x, vector = np.zeros(shape), np.zeros(shape[1])
    assert cpu.channel_affine(x, vector, vector).shape == shape
    assert cpu.channel_combine(x, x, vector, vector, vector).shape == shape
    assert [array.shape for array in cpu.channel_dots(x, x, vector)] == [vector.shape] * 2


def test_four_spatial_axes_are_normalised_like_any_other():
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 2, 2, 2))
    for found, expected in zip(cpu.channel_moments(x), reference.channel_moments(x), strict=True):
        assert_allclose(found, expected)


@given(conv_cases(any_layout=False), st.integers(2, 4))
def test_the_number_of_threads_changes_nothing_but_rounding(case, count):
    with using_threads(1):
        alone = conv_results(cpu, case)
    with using_threads(count):
        together = conv_results(cpu, case)
    allowed = tolerance(case.x.dtype, case.window.taps * max(case.x.shape[:2] + case.grad.shape))
    for a, b in zip(alone, together, strict=True):
        assert_allclose(a, b, **allowed)


def test_results_do_not_share_memory():
    window = Window.of((40, 40), 3, padding=1)
    x, weight = np.ones((4, 8, 40, 40), np.float32), np.ones((8, 8, 3, 3), np.float32)
    first = cpu.conv_forward(x, weight, window)
    kept = first.copy()
    others = [cpu.conv_forward(n * x, weight, window) for n in range(2, 6)]
    view = others[1][1:, :, ::2]
    wanted = view.copy()
    del others
    again = [cpu.relu(-cpu.conv_forward(x, weight, window)) for _ in range(4)]
    assert_array_equal(first, kept)
    assert_array_equal(view, wanted)
    assert not any(np.shares_memory(first, array) for array in again)


@pytest.mark.parametrize("large", [1, 1 << 60])
@pytest.mark.parametrize(
    "shapes", [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (3, 4, 1)), ((0, 4), (4, 5)), ((3, 0), (0, 5))]
)
def test_matrix_products(monkeypatch, shapes, large):
    from minidil.kernels.cpu import linear

    monkeypatch.setattr(linear, "_LARGE", large)
    a, b = (np.random.default_rng(0).standard_normal(shape) for shape in shapes)
    np.testing.assert_allclose(cpu.matmul(a, b), np.matmul(a, b), rtol=1e-12, atol=1e-12)
