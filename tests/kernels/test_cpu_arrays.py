"""The Numba backend's kernels, except the convolutions, on odd arrays, against the reference in float64.

Odd are: one pixel, an empty batch, few and many channels, and any order of memory, each argument its own. The kernels are asked
for as an op asks for them, so one that the backend leaves to the reference passes as well.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_checks import using_threads
from numpy.testing import assert_allclose, assert_array_equal
from strategies import LAYOUTS, examples, laid_out, tolerance, windows

from minidil.kernels import reference
from minidil.kernels.backend import active, use
from minidil.kernels.cpu import flat, gather, linear, logits, row
from minidil.kernels.cpu import update as cpu_update
from minidil.kernels.geometry import Window
from minidil.kernels.mixing import Mixing
from minidil.kernels.reference import update

with use("numba"):
    KERNELS = active()

FLOATS = st.sampled_from([np.float32, np.float64])
LAYOUT = st.sampled_from(LAYOUTS)
THREADS = st.sampled_from([1, 3])
CHANNELS = st.sampled_from([1, 3, 5, 17])
BATCH = st.integers(0, 2)
SPATIAL = st.sampled_from([(), (1,), (7,), (1, 1), (3, 5), (13, 1), (1, 1, 1), (3, 1, 5)])
LARGE = (3, 17, 33, 31)  # beyond what fits in a cache, with remainders for every vector width and number of threads


@pytest.fixture(autouse=True)
def _small_arrays_are_compiled_too(monkeypatch):
    for module in (flat, gather, logits, row):
        monkeypatch.setattr(module, "LEAST_ELEMENTS", 0)
    monkeypatch.setattr(cpu_update, "_LEAST_ELEMENTS", 0)
    monkeypatch.setattr(linear, "_SHARED", 0)


def run(name, arguments, count, **options):
    """Call a kernel on `count` threads; its results, which must neither be the arguments nor have changed them."""
    arrays = [a for a in arguments if isinstance(a, np.ndarray)]
    before = [a.copy() for a in arrays]
    with using_threads(count):
        results = _arrays(getattr(KERNELS, name)(*arguments, **options))
    for a, kept in zip(arrays, before, strict=True):
        assert_array_equal(a, kept)
        assert not any(np.shares_memory(a, result) for result in results)
    return results


def expected(name, arguments, **options):
    kernel = getattr(update if hasattr(update, name) else reference, name)
    return _arrays(kernel(*[_precise(a) for a in arguments], **options))


def check(name, arguments, count, rtol, atol=0.0, **options):
    wanted = expected(name, arguments, **options)
    found = run(name, arguments, count, **options)
    for a, b in zip(found, wanted, strict=True):
        assert (a.shape, a.dtype) == (b.shape, arguments[0].dtype), name
        assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=name)


def _arrays(results):
    """What a kernel returned, one array or several, without the None that stands for no velocity."""
    return [a for a in (results if isinstance(results, tuple) else (results,)) if a is not None]


def _precise(a):
    return a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype == np.float32 else a


# --- pooling


SPECIAL = {
    "plain": None,
    "ties": [0.0, -0.0, 1.0],
    "infinite": [np.nan, np.inf, -np.inf, -np.inf, 0.0],
    "integers": [-(2**31), -1, 0, 7],
}


@pytest.mark.parametrize("values", SPECIAL)
@examples(25)
@given(data=st.data(), channels=CHANNELS, batch=BATCH, dtype=FLOATS, count=THREADS)
def test_max_pool(values, data, channels, batch, dtype, count):
    one_pixel = st.sampled_from([Window.of((1,), 1), Window.of((1, 1), 3, 2, 1)])
    window = data.draw(st.one_of(windows(pooling=True), one_pixel))
    rng, shape = np.random.default_rng(data.draw(st.integers(0, 2**16))), (batch, channels, *window.size)
    numbers = rng.standard_normal(shape) if values == "plain" else rng.choice(SPECIAL[values], shape)
    x = laid_out(numbers.astype(np.int32 if values == "integers" else dtype), data.draw(LAYOUT))
    y, winner = run("max_pool", (x, window), count)
    wanted, first = reference.max_pool(x, window)
    assert y.dtype == x.dtype
    assert_array_equal(y, wanted)
    assert_array_equal(winner, first)
    grad = laid_out(rng.standard_normal(y.shape).astype(dtype), data.draw(LAYOUT))
    (dx,) = run("max_pool_grad", (grad, laid_out(winner, data.draw(LAYOUT)), window), count)
    assert (dx.shape, dx.dtype) == (x.shape, dtype)
    assert_allclose(dx, reference.max_pool_grad(_precise(grad), first, window), **tolerance(dtype, window.taps))


def test_max_pool_of_arrays_that_repeat_themselves():
    window = Window.of((5, 7), 3, 2, 1)
    one = np.random.default_rng(0).standard_normal((1, 1, 5, 7)).astype(np.float32)
    x = np.broadcast_to(one, (2, 3, 5, 7))
    y, winner = run("max_pool", (x, window), 3)
    (wanted,) = {plane.tobytes() for image in y for plane in image}
    assert wanted == reference.max_pool(one, window)[0].tobytes()
    grad = np.broadcast_to(np.float32(1), y.shape)  # what a sum sends back
    (dx,) = run("max_pool_grad", (grad, winner, window), 3)
    assert_array_equal(dx, reference.max_pool_grad(grad, winner, window))


@examples(25)
@given(window=windows(), data=st.data(), channels=CHANNELS, batch=BATCH, dtype=FLOATS, count=THREADS)
def test_sums_of_windows(window, data, channels, batch, dtype, count):
    rng, shape = np.random.default_rng(data.draw(st.integers(0, 2**16))), (batch, channels, *window.size)
    x = laid_out(rng.standard_normal(shape).astype(dtype), data.draw(LAYOUT))
    check("window_sum", (x, window), count, **tolerance(dtype, window.taps))
    grad = laid_out(rng.standard_normal((batch, channels, *window.out)).astype(dtype), data.draw(LAYOUT))
    check("window_spread", (grad, window), count, **tolerance(dtype, window.taps))


# --- per-channel arithmetic

CHANNEL_KERNELS = [
    "channel_moments",
    "channel_affine",
    "channel_affine relu",
    "channel_affine gelu",
    "channel_dots",
    "channel_slope_dots relu",
    "channel_slope_dots gelu",
    "channel_combine",
]


@pytest.mark.parametrize("name", CHANNEL_KERNELS)
@examples(25)
@given(data=st.data(), channels=CHANNELS, spatial=SPATIAL, batch=BATCH, dtype=FLOATS, count=THREADS)
def test_channel_kernels(name, data, channels, spatial, batch, dtype, count):
    if name == "channel_moments":
        batch = max(batch, 1)  # the mean of nothing is not defined
    shape, offset = (
        data.draw(st.sampled_from([(batch, channels, *spatial), LARGE])),
        data.draw(st.sampled_from([0, 100])),
    )
    check_channel_kernel(name, shape, dtype, count, lambda values: laid_out(values, data.draw(LAYOUT)), offset)


@pytest.mark.parametrize("name", CHANNEL_KERNELS)
@pytest.mark.parametrize("axes", [(0,), (1,), (2, 3), (0, 1, 2, 3)])
def test_channel_kernels_on_arrays_that_repeat_themselves(name, axes):
    def repeated(values):
        first = tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(values.ndim))
        return np.broadcast_to(values[first], values.shape)

    check_channel_kernel(name, (2, 5, 3, 4), np.float32, 3, repeated)


def check_channel_kernel(name, shape, dtype, count, arranged, offset=0):
    rng = np.random.default_rng(sum(shape))
    grad, x = (arranged(rng.standard_normal(shape).astype(dtype) + dtype(offset)) for _ in range(2))
    a, b, c = (arranged(rng.standard_normal(shape[1]).astype(dtype)) for _ in range(3))
    name, *activation = name.split()
    if activation == [
        "relu"
    ]:  # with u = a x + b so close to 0 that rounding decides its sign, the slope is not defined
        x = np.where(np.abs(reference.channel_affine(*map(_precise, (x, a, b)))) < 1e-3, dtype(offset), x)
        b = b + dtype(0.01)
    arguments = {
        "channel_moments": (x,),
        "channel_affine": (x, a, b, *activation),
        "channel_dots": (grad, x, a),
        "channel_slope_dots": (grad, x, a, b, c, *activation),
        "channel_combine": (grad, x, a, b, c),
    }[name]
    unit = 50 * np.finfo(dtype).eps * (1 + offset) ** (1 if name in ("channel_affine", "channel_combine") else 2)
    summed = max(x.size // shape[1], 1) ** 0.5 if "dots" in name else 1
    check(name, arguments, count, rtol=unit, atol=unit * summed)


# --- row by row


@pytest.mark.parametrize("weighted", [False, True])
@examples(15)
@given(
    data=st.data(),
    shape=st.sampled_from([(0, 3), (1, 1), (2, 5), (5, 17), (130, 33), (3, 2100)]),
    offset=st.sampled_from([0, 100]),
    dtype=FLOATS,
    count=THREADS,
)
def test_row_kernels(weighted, data, shape, offset, dtype, count):
    rng = np.random.default_rng(sum(shape))
    grad, x = (laid_out(rng.standard_normal(shape).astype(dtype) + dtype(n), data.draw(LAYOUT)) for n in (0, offset))
    weight, bias = rng.standard_normal((2, shape[1])).astype(dtype) if weighted else (None, None)
    unit = 50 * np.finfo(dtype).eps * (1 + offset)
    check("row_normalise", (x, weight, bias, dtype(1e-3)), count, rtol=unit, atol=unit)
    _, mean, inverse = (part.astype(dtype) for part in reference.row_normalise(_precise(x), None, None, 1e-3))
    check("row_normalise_grad", (grad, x, weight, mean, inverse), count, rtol=unit, atol=50 * unit)


def test_a_long_row_is_summed_as_precisely_as_in_float64():
    x = np.random.default_rng(0).standard_normal((1, 1 << 20), dtype=np.float32) + np.float32(1000)
    _, mean, inverse = run("row_normalise", (x, None, None, 0.0), 1)
    assert mean[0] == np.float32(x.mean(dtype=np.float64))
    assert_allclose(inverse, 1 / x.std(dtype=np.float64), rtol=1e-6)


# --- along the spatial axes


@pytest.mark.parametrize("ndim", [1, 2, 3])
@examples(15)
@given(data=st.data(), channels=CHANNELS, batch=BATCH, dtype=FLOATS, count=THREADS)
def test_resampling(ndim, data, channels, batch, dtype, count):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    mixed = []
    for _ in range(ndim):
        counts, inputs = rng.integers(0, 5, rng.integers(1, 7)), int(rng.integers(1, 7))
        starts = np.concatenate([[0], np.cumsum(counts)])
        mixed.append(Mixing(starts, rng.integers(0, inputs, starts[-1]), rng.standard_normal(starts[-1]), inputs))
    x = rng.standard_normal((batch, channels, *(mixing.inputs for mixing in mixed))).astype(dtype)
    check("resample", (laid_out(x, data.draw(LAYOUT)), mixed), count, **tolerance(dtype, 4**ndim))


def test_resampling_of_whole_numbers():
    copies = Mixing(np.arange(6), np.array([2, 0, 1, 1, 2]), np.ones(5), 3)
    for x in (np.arange(6).reshape(1, 2, 3), np.arange(6).reshape(1, 2, 3) > 2):
        y = KERNELS.resample(x, [copies])
        assert y.dtype == x.dtype
        assert_array_equal(y, x[:, :, [2, 0, 1, 1, 2]])


# --- elementwise

ELEMENTWISE = ["relu", "relu_grad", "gelu", "gelu_grad", "silu", "silu_grad", "erf", "sigmoid", "sigmoid_grad", "tanh"]


@pytest.mark.parametrize("name", ELEMENTWISE)
@examples(25)
@given(
    data=st.data(),
    shape=st.one_of(st.lists(st.integers(0, 5), max_size=5).map(tuple), st.sampled_from([LARGE, (1,), (99_991,)])),
    dtype=FLOATS,
    count=THREADS,
)
def test_elementwise_kernels(name, data, shape, dtype, count):
    rng = np.random.default_rng(sum(shape))
    values = rng.choice([0.0, -0.0, 1e-30, -1e-30, 0.5, -0.5, 3, -3, 1e4, -1e4, np.nan, np.inf, -np.inf], shape)
    x = laid_out(np.asarray(values, dtype), data.draw(LAYOUT))
    grad = laid_out(np.asarray(rng.standard_normal(shape), dtype), data.draw(LAYOUT))
    unit = 10 * np.finfo(dtype).eps
    check(
        name, (grad, x) if "grad" in name else (x,), count, rtol=unit, atol=unit if name[:4] in ("gelu", "silu") else 0
    )


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
def test_elementwise_kernels_on_arrays_that_repeat_themselves(name, axes):
    values = np.random.default_rng(0).standard_normal((3, 5, 7)).astype(np.float32)
    x = np.broadcast_to(values[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(3))], values.shape)
    for arguments in ((x, values), (values, x), (x, x)) if "grad" in name else ((x,),):
        check(name, arguments, 3, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide"])
def test_arithmetic_of_large_arrays_is_numpys_in_every_type(name):
    a = np.random.default_rng(0).standard_normal((64, 3, 150)).astype(np.float32)
    others = (
        a + 3,
        a[:1],
        a[:, :1],
        np.float32(2),
        np.array(2, np.float32),
        2,
        0.5,
        np.float64(0.5),
        a.astype(np.float64),
    )
    numbers = np.arange(a.size).reshape(a.shape)
    for b in others:
        for left, right in ((a, b), (b, a), (np.moveaxis(a, 1, -1), 3.0), (np.broadcast_to(a[:1], a.shape), a)):
            found, wanted = getattr(active(), name)(left, right), getattr(np, name)(left, right)
            assert found.dtype == wanted.dtype
            assert_array_equal(found, wanted)
    assert getattr(active(), name)(numbers, 3).dtype == getattr(np, name)(numbers, 3).dtype
    grown = getattr(active(), name)(a, np.stack([a, a]))  # the second is the larger one
    assert_array_equal(grown, getattr(np, name)(a, np.stack([a, a])))


# --- optimizers


SHAPES = st.one_of(st.lists(st.integers(0, 5), max_size=4).map(tuple), st.just(LARGE))
SGD = {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
ADAM = {"step": 3, "lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3, "weight_decay": 0.0}
UPDATES = [
    ("sgd_update", 0, {**SGD, "momentum": 0.0}),
    ("sgd_update", 0, {**SGD, "momentum": 0.0, "weight_decay": 0.1}),
    ("sgd_update", 0, {**SGD, "dampening": 0.5}),
    ("sgd_update", 1, {**SGD, "dampening": 0.5}),
    ("sgd_update", 1, {**SGD, "weight_decay": 0.1, "nesterov": True}),
    ("adam_update", 2, ADAM),
    ("adam_update", 2, {**ADAM, "weight_decay": 0.1}),
    ("adamw_update", 2, {**ADAM, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("name", "states", "options"), UPDATES)
@examples(15)
@given(data=st.data(), shape=SHAPES, dtype=FLOATS, count=THREADS)
def test_updates(name, states, options, data, shape, dtype, count):
    rng = np.random.default_rng(sum(shape))
    theta, g, *state = (laid_out(rng.random(shape).astype(dtype), data.draw(LAYOUT)) for _ in range(2 + states))
    unit = 20 * np.finfo(dtype).eps
    check(name, (theta, g, *(state or [None] * (name == "sgd_update"))), count, rtol=unit, atol=unit, **options)


@examples(25)
@given(shape=SHAPES, layout=LAYOUT, dtype=FLOATS, count=THREADS)
def test_square_sum(shape, layout, dtype, count):
    x = laid_out(np.asarray(1e25 * np.random.default_rng(0).standard_normal(shape), dtype), layout)
    with using_threads(count):
        found = [KERNELS.square_sum(x) for _ in range(2)]
    assert isinstance(found[0], float)
    assert found[0] == found[1] == pytest.approx(update.square_sum(x), rel=1e-12)


# --- logits


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@examples(40)
@given(
    data=st.data(),
    shape=st.one_of(
        st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple), st.sampled_from([LARGE, (3, 1001)])
    ),
    special=st.booleans(),
    dtype=FLOATS,
    count=THREADS,
)
def test_softmax(name, data, shape, special, dtype, count):
    axis = data.draw(st.sampled_from([axis for axis, n in enumerate(shape) if n] or [None]))
    if axis is None:  # the op refuses a softmax of nothing
        return
    rng = np.random.default_rng(sum(shape))
    values = rng.choice([0.0, 1, -86, -88, -1e4, -np.inf, 1e4], shape) if special else 3 * rng.standard_normal(shape)
    x = laid_out(values.astype(dtype), data.draw(LAYOUT))
    if data.draw(st.booleans()):  # what is compiled: an axis that lies last in memory
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, axis, -1)), -1, axis)
    unit = 10 * np.finfo(dtype).eps
    with np.errstate(invalid="ignore"):  # where all are minus infinity
        check(name, (x, axis), count, rtol=unit, atol=unit)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@examples(20)
@given(data=st.data(), shape=st.sampled_from([(1,), (3, 4), (2, 5, 3), LARGE]), dtype=FLOATS, count=THREADS)
def test_gradients_of_softmax(name, data, shape, dtype, count):
    axis, rng = data.draw(st.integers(0, len(shape) - 1)), np.random.default_rng(sum(shape))
    y = getattr(reference, name)(3 * rng.standard_normal(shape), axis).astype(dtype)
    y, grad = (laid_out(each, data.draw(LAYOUT)) for each in (y, rng.standard_normal(shape).astype(dtype)))
    if data.draw(st.booleans()):  # what is compiled
        y = np.moveaxis(np.ascontiguousarray(np.moveaxis(y, axis, -1)), -1, axis)
    unit = 50 * np.finfo(dtype).eps
    check(f"{name}_grad", (grad, y, axis), count, rtol=unit, atol=unit)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 1, 8])
def test_softmax_passes_on_what_is_not_finite(name, value, place):
    x = np.zeros((2, 9), np.float32)
    x[0, place] = value
    (y,) = run(name, (x, 1), 1)
    assert np.isnan(y[0]).all()
    assert np.isfinite(y[1]).all()


def test_softmax_of_integers():
    x = np.arange(6).reshape(2, 3)
    assert_array_equal(KERNELS.softmax(x, 1), reference.softmax(x, 1))
    assert_array_equal(KERNELS.log_softmax(x, 1), reference.log_softmax(x, 1))
    for name, grad in (("cross_entropy", ()), ("cross_entropy_grad", (np.ones(2),))):
        arguments = (*grad, x, np.array([0, 2]), None, 0.1)
        assert_array_equal(getattr(KERNELS, name)(*arguments), getattr(reference, name)(*arguments))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@examples(25)
@given(
    data=st.data(),
    classes=CHANNELS,
    spatial=SPATIAL,
    batch=BATCH,
    weighted=st.booleans(),
    dtype=FLOATS,
    count=THREADS,
)
def test_cross_entropy(smoothing, data, classes, spatial, batch, weighted, dtype, count):
    rng = np.random.default_rng(classes)
    target = rng.integers(0, classes, (batch, *spatial), data.draw(st.sampled_from([np.uint8, np.int64])))
    values = 3 * rng.standard_normal((batch, classes, *spatial))
    if not smoothing:  # mask what is not wanted
        values[(rng.random(values.shape) < 0.2) & (reference.one_hot(target, classes, bool) == 0)] = -np.inf
    logits = laid_out(values.astype(dtype), data.draw(LAYOUT))
    grad = laid_out(np.asarray(rng.standard_normal(target.shape), dtype), data.draw(LAYOUT))
    weight = laid_out(rng.uniform(-1, 2, classes).clip(0).astype(dtype), data.draw(LAYOUT)) if weighted else None
    options = (logits, laid_out(target, data.draw(LAYOUT)), weight, smoothing)
    unit = 50 * np.finfo(dtype).eps
    check("cross_entropy", options, count, rtol=unit, atol=unit)
    check("cross_entropy_grad", (grad, *options), count, rtol=unit, atol=unit)


# --- adding at an index


@examples(25)
@given(data=st.data(), shape=st.lists(st.integers(1, 5), min_size=1, max_size=4), dtype=FLOATS, count=THREADS)
def test_take_and_scatter_add(data, shape, dtype, count):
    axis = data.draw(st.integers(0, len(shape) - 1))
    rng, several = np.random.default_rng(sum(shape)), not axis and data.draw(st.booleans())
    numbers = rng.integers(-shape[axis], shape[axis], (2, 3) if several else 7)
    last = data.draw(st.sampled_from([numbers, slice(0, 1), np.arange(shape[axis]) % 2 == 0]))
    index = (*[slice(None)] * axis, last)
    x = laid_out(rng.standard_normal(shape).astype(dtype), data.draw(LAYOUT))
    assert_array_equal(KERNELS.take(x, index), x[index])
    grad = laid_out(rng.standard_normal(np.zeros(shape)[index].shape).astype(dtype), data.draw(LAYOUT))
    check("scatter_add", (grad, index, shape), count, **tolerance(dtype, 7))


@pytest.mark.parametrize("index", [np.array([0, 3]), (np.array([[-4]]),), (slice(None), np.array([4]))])
@pytest.mark.parametrize("shape", [(3, 4), (0, 4)])
def test_what_is_not_there_is_named(shape, index):
    x = np.zeros(shape)
    with pytest.raises(IndexError) as wanted:
        x[index]
    with pytest.raises(IndexError, match=f"^{re.escape(str(wanted.value))}$"):
        KERNELS.take(x, index)


# --- matrix products


@examples(25)
@given(
    sizes=st.tuples(*[st.sampled_from([0, 1, 3, 17])] * 3),
    layouts=st.tuples(LAYOUT, LAYOUT),
    stacked=st.tuples(*[st.sampled_from([(), (1,), (3,)])] * 2),
    dtype=FLOATS,
    count=THREADS,
)
def test_matrix_products(sizes, layouts, stacked, dtype, count):
    rows, inner, columns = sizes
    rng = np.random.default_rng(sum(sizes))
    a = laid_out(rng.standard_normal((*stacked[0], rows, inner)).astype(dtype), layouts[0])
    b = laid_out(rng.standard_normal((*stacked[1], inner, columns)).astype(dtype), layouts[1])
    check("matmul", (a, b), count, **tolerance(dtype, inner))
