"""Every way in which the Numba backend convolves, against the reference in float64: all kinds of layers, and odd arrays."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import using_threads
from numpy.testing import assert_allclose, assert_array_equal
from strategies import LAYOUTS, ConvCase, examples, laid_out, tolerance, windows

from minidil.kernels import cpu, reference, threads
from minidil.kernels.algorithm import conv_algorithm
from minidil.kernels.cpu import sparse, two_by_two, winograd, winograd_plan
from minidil.kernels.cpu.conv import _way_for
from minidil.kernels.geometry import Window

FLOATS = st.sampled_from([np.float32, np.float64])
THREADS = st.sampled_from([1, 3])
CHANNELS = st.sampled_from([1, 3, 5, 17])
LAYERS = ("any", "grouped", "depthwise", "multiplied", "1x1", "first", "3x3", "wide groups", "two by two", "volume")


@st.composite
def layers(draw, kind):
    """A convolution of one kind, in 1 to 3 dimensions, with odd sizes and arrays in any order of memory.

    any: whatever a window can be. grouped: 3 groups. depthwise: one filter per channel; multiplied: two of them. 1x1: a matrix
    product per pixel. first: colours in, 16 to 17 filters out. 3x3: what Winograd does; wide groups: with groups for which it
    pays. two by two: so dilated that two rows and columns are left to a phase. volume: slices for which Winograd pays, in up to
    two groups.
    """
    groups, channels, filters = 1, draw(CHANNELS), draw(CHANNELS)
    match kind:
        case "grouped":
            groups, channels, filters = 3, 3 * draw(st.sampled_from([1, 2, 5])), 3 * draw(st.sampled_from([1, 3]))
        case "depthwise" | "multiplied":
            groups = channels
            filters = channels * (2 if kind == "multiplied" else 1)
        case "1x1":
            groups = draw(st.sampled_from([1, 2]))
            channels, filters = groups * channels, groups * filters
        case "first":
            channels, filters = 3, draw(st.sampled_from([16, 17]))
    if kind == "two by two":
        channels, filters = draw(st.sampled_from([16, 17])), draw(st.sampled_from([16, 17]))
        dilation = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
        size = [draw(st.integers(d + 1, 2 * d)) for d in dilation]
        window = Window.of(size, 3, 1, dilation, dilation)
        assert two_by_two.applies(window, channels, filters, groups)
    elif kind in ("wide groups", "volume"):
        groups = 2 if kind == "wide groups" else draw(st.integers(1, 2))
        channels, filters = groups * draw(st.sampled_from([16, 17])), groups * draw(st.sampled_from([17, 19]))
        dilation, ndim = draw(st.integers(1, 2)), 2 if kind == "wide groups" else 3
        size = (*[draw(st.integers(1, 5))] * (ndim - 2), *[8 - draw(st.integers(0, 1))] * 2)
        window = Window.of(size, (*[draw(st.integers(1, 3))] * (ndim - 2), 3, 3), 1, dilation, dilation)
        assert winograd_plan.pays(window, channels, filters, groups)
    elif kind in ("1x1", "first", "3x3", "wide groups", "two by two", "volume"):
        ndim = 2 if kind == "3x3" else draw(st.integers(1, 3))
        taps = 1 if kind == "1x1" else 3
        size = draw(st.tuples(*[st.sampled_from([1, 3, 5, 9, 13])] * ndim).filter(lambda size: prod(size) < 500))
        dilation = draw(st.integers(1, 3))
        stride = 1 if kind == "3x3" else draw(st.integers(1, 2))
        window = Window.of(size, taps, stride, dilation * (taps // 2), dilation)
    else:
        window = draw(windows())
    return case_of(draw, window, groups, channels, filters)


def case_of(draw, window, groups, channels, filters):
    dtype, rng = draw(FLOATS), np.random.default_rng(draw(st.integers(0, 2**16)))
    batch = draw(st.sampled_from([0, 1, 2, 3]))

    def array(*shape):
        return laid_out(rng.standard_normal(shape).astype(dtype), draw(st.sampled_from(LAYOUTS)))

    return ConvCase(
        window,
        groups,
        x=array(batch, channels, *window.size),
        weight=array(filters, channels // groups, *window.kernel),
        bias=array(filters) if draw(st.booleans()) else None,
        grad=array(batch, filters, *window.out),
    )


def calls(case):
    return {
        "conv_forward": (case.x, case.weight, case.window, case.groups, case.bias),
        "conv_grad_input": (case.grad, case.weight, case.window, case.groups),
        "conv_grad_weight": (case.x, case.grad, case.window, case.groups),
    }


def precise(arguments):
    return [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arguments]


def ways(case):
    """The algorithms that can do it."""
    return ["auto", "im2col", "direct", *(["winograd"] if winograd_plan.applies(case.window) else [])]


def check(case, count, alike=False):
    """Right but for rounding, of the type and shape of the reference's results, and without a trace in the arguments.

    alike: whether numbers repeat. Roundings of n equal terms are equal, too, and grow as n instead of its root.
    """
    terms = case.window.taps * max(case.x.shape[:2] + case.grad.shape)
    terms = terms**2 if alike else terms
    for name, arguments in calls(case).items():
        arrays = [a for a in arguments if isinstance(a, np.ndarray)]
        before = [a.copy() for a in arrays]
        expected = getattr(reference, name)(*precise(arguments))
        for way in ways(case):
            with conv_algorithm(way), using_threads(count):
                found = getattr(cpu, name)(*arguments)
            assert (found.shape, found.dtype) == (expected.shape, case.x.dtype)
            assert_allclose(found, expected, **tolerance(found.dtype, terms), err_msg=f"{name}, {way}")
            assert found.flags.writeable
            assert not any(np.shares_memory(found, a) for a in arrays)
        for a, kept in zip(arrays, before, strict=True):
            assert_array_equal(a, kept)


@pytest.mark.parametrize("kind", LAYERS)
@examples(20)
@given(data=st.data(), count=THREADS)
def test_every_algorithm_on_every_kind_of_layer(kind, data, count):
    check(data.draw(layers(kind)), count)


@pytest.mark.long
@pytest.mark.parametrize("kind", LAYERS)
@examples(300)
@given(data=st.data(), count=THREADS)
def test_every_algorithm_on_many_layers(kind, data, count):
    check(data.draw(layers(kind)), count)


@pytest.mark.parametrize("kind", LAYERS)
@examples(10)
@given(data=st.data(), count=THREADS)
def test_arrays_that_repeat_themselves(kind, data, count):
    """Broadcast views are read-only and have strides of 0: one image for a whole batch, one number for a whole gradient."""
    case = data.draw(layers(kind))
    axes = data.draw(st.lists(st.integers(0, 1 + len(case.window.size)), max_size=3))

    def repeated(a):
        first = tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(a.ndim))
        return np.broadcast_to(a[first], a.shape)

    check(
        ConvCase(case.window, case.groups, *map(repeated, (case.x, case.weight)), None, repeated(case.grad)),
        count,
        alike=True,
    )


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3, 5, 17])
@pytest.mark.parametrize("batch", [0, 1])
def test_one_pixel(ndim, channels, batch):
    rng, window = np.random.default_rng(0), Window.of((1,) * ndim, 3, 1, 2, 2)
    x, grad = (rng.standard_normal((batch, n, *(1,) * ndim)).astype(np.float32) for n in (channels, 4))
    weight = rng.standard_normal((4, channels, *window.kernel)).astype(np.float32)
    # The only tap that meets the pixel is the middle one: the layer is a matrix.
    middle = weight[(..., *(1,) * ndim)]
    pixels, slopes = x.reshape(batch, channels), grad.reshape(batch, 4)
    for way in ["auto", "im2col", "direct", *(["winograd"] if ndim > 1 else [])]:
        with conv_algorithm(way):
            y = cpu.conv_forward(x, weight, window)
            dx = cpu.conv_grad_input(grad, weight, window)
            dw = cpu.conv_grad_weight(x, grad, window)
        assert (y.shape, dx.shape, dw.shape) == (grad.shape, x.shape, weight.shape)
        assert_allclose(y.reshape(batch, 4), pixels @ middle.T, rtol=1e-4, atol=1e-5)
        assert_allclose(dx.reshape(batch, channels), slopes @ middle, rtol=1e-4, atol=1e-5)
        assert_allclose(dw[(..., *(1,) * ndim)], slopes.T @ pixels, rtol=1e-4, atol=1e-5)
        assert np.count_nonzero(np.abs(dw) > 1e-4) <= middle.size


def test_volumes_in_groups_stay_inside_their_arrays():
    window, rng = Window.of((4, 8, 8), 3, 1, 1, 1), np.random.default_rng(0)
    x, grad = (rng.standard_normal((2, 32, *window.size)).astype(np.float32) for _ in range(2))
    weight = rng.standard_normal((32, 16, 3, 3, 3)).astype(np.float32)
    assert _way_for(window, 32, 32, 2) is winograd
    check(ConvCase(window, 2, x, weight, None, grad), 2)


@examples(10)
@given(data=st.data(), count=THREADS)
def test_gradients_of_which_few_numbers_are_not_0(data, count):
    groups = data.draw(st.integers(1, 2))
    window = data.draw(windows())
    case = case_of(data.draw, window, groups, 64 * groups, groups * data.draw(st.sampled_from([1, 17])))
    few = np.zeros(case.grad.shape, bool)
    few.reshape(-1)[np.random.default_rng(0).permutation(few.size)[: few.size // 16]] = True
    case = replace(case, grad=laid_out(np.where(few, case.grad, 0), data.draw(st.sampled_from(LAYOUTS))))
    assert sparse.pays(case.grad, case.x, 64)
    check(case, count)
    for name in ("conv_grad_input", "conv_grad_weight"):
        arguments = calls(case)[name]
        with using_threads(count):
            found = getattr(sparse, name)(*arguments)
        expected = getattr(reference, name)(*precise(arguments))
        assert_allclose(found, expected, **tolerance(found.dtype, 64 * window.taps * max(case.grad.shape)))


def test_one_number_in_sixteen_is_few():
    grad, factor = np.zeros((2, 3, 800), np.float32), np.ones((2, 64, 800), np.float32)
    numbers = grad.reshape(-1)[::-7]
    numbers[:299], numbers[299] = 1, np.nan
    assert sparse.pays(grad, factor, 64)
    assert sparse.pays(grad.transpose(2, 1, 0), factor.transpose(2, 1, 0), 64)
    assert not sparse.pays(grad, factor, 63)
    factor[1, 63, 799] = np.inf
    assert not sparse.pays(grad, factor, 64)
    numbers[300], factor[1, 63, 799] = 1, 1
    assert not sparse.pays(grad, factor, 64)


def test_a_number_that_is_not_finite_meets_every_0():
    window, grad = Window.of((40,), 3, 1, 1, 1), np.zeros((1, 16, 40), np.float32)
    x, weight = np.ones((1, 64, 40), np.float32), np.ones((16, 64, 3), np.float32)
    grad[0, 3, 20], x[0, :, 30], weight[5] = 2, np.nan, np.inf
    with np.errstate(invalid="ignore"):
        assert np.isnan(cpu.conv_grad_input(grad, weight, window)).all()
        assert np.isnan(cpu.conv_grad_weight(x, grad, window)).all()


def test_threads_share_one_image_so_that_blas_wakes_none_of_its_own(monkeypatch):
    window, rng, limits = Window.of((8, 7), 3, 1, 4, 4), np.random.default_rng(0), []
    own = threads.blas_limited
    monkeypatch.setattr(threads, "blas_limited", lambda count: (limits.append(count), own(count))[1])
    x, grad = (rng.standard_normal((1, n, 8, 7)).astype(np.float32) for n in (16, 17))
    weight = rng.standard_normal((17, 16, 3, 3)).astype(np.float32)
    assert two_by_two.applies(window, 16, 17, 1)
    check(ConvCase(window, 1, x, weight, None, grad), 2)
    limits.clear()
    with using_threads(2):
        two_by_two.conv_forward(x, weight, window)
        two_by_two.conv_grad_weight(x, grad, window)
    assert limits == [1, 1]
