"""The reference kernels that NumPy lacks, against SciPy and formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

from minidil.kernels import reference


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_keeps_its_digits_and_cannot_overflow(dtype):
    x = np.concatenate([np.linspace(-80, 80, 321), [-1e30, 1e30, -np.inf, np.inf, 0.0, -0.0]]).astype(dtype)
    y = reference.sigmoid(x)
    assert y.dtype == dtype
    assert_allclose(y, special.expit(x), rtol=20 * np.finfo(dtype).eps)
    assert np.isnan(reference.sigmoid(np.array([np.nan], dtype))).all()


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_is_unmoved_by_a_shift_and_cannot_overflow(axis):
    x = np.random.default_rng(0).standard_normal((3, 4, 5))
    for kernel, expected in [(reference.softmax, special.softmax), (reference.log_softmax, special.log_softmax)]:
        assert_allclose(kernel(x, axis), expected(x, axis=axis), rtol=1e-12)
        assert_allclose(kernel(x + 1e4, axis), kernel(x, axis), rtol=1e-9)
        assert np.isfinite(kernel(np.array([[1e300, -1e300, 0.0]]), 1)).all()
    assert_allclose(reference.softmax(x, axis).sum(axis=axis), 1)


def test_softmax_of_a_masked_class_is_zero():
    x = np.array([[0.0, -np.inf, 0.0]])
    assert_array_equal(reference.softmax(x, 1), [[0.5, 0, 0.5]])
    assert_allclose(reference.log_softmax(x, 1), [[-np.log(2), -np.inf, -np.log(2)]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erf(dtype):
    x = np.linspace(-5, 5, 101).astype(dtype).reshape(1, -1)
    assert reference.erf(x).dtype == dtype
    assert_allclose(reference.erf(x), special.erf(x), rtol=4 * np.finfo(dtype).eps)
    assert reference.erf(np.zeros((0, 3), dtype)).shape == (0, 3)


def test_relu_and_its_gradient():
    x = np.array([-1.0, -0.0, 0.0, 2.0, np.inf, -np.inf])
    assert_array_equal(reference.relu(x), [0, 0, 0, 2, np.inf, 0])
    assert_array_equal(reference.relu_grad(np.full(6, np.inf), reference.relu(x)), [0, 0, 0, np.inf, np.inf, 0])
    assert np.isnan(reference.relu(np.array([np.nan])))


INDICES = [
    2,
    -1,
    slice(None),
    slice(1, None, 2),
    slice(None, None, -1),
    Ellipsis,
    None,
    (1, 2),
    (slice(0, 2), None, -1),
    (Ellipsis, 0),
    [0, 0, 1, 0],
    ([0, 0, 3], [1, 1, 2]),
    (slice(None), [2, 2, 2]),
    np.array([[0, 1], [1, 1]]),
    (np.array([3, 3]), slice(1, 3)),
    np.int64(1),
    (),
    [],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_scatter_add_is_the_adjoint_of_take(index):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3))
    taken = reference.take(x, index)
    assert_array_equal(taken, x[index])
    grad = rng.standard_normal(np.shape(taken))
    assert_allclose(
        np.vdot(taken, grad), np.vdot(x, reference.scatter_add(np.asarray(grad), index, (4, 3))), atol=1e-12
    )


def test_scatter_add_takes_masks():
    mask = np.array([True, False, True])
    assert_array_equal(reference.scatter_add(np.array([1.0, 2.0]), mask, (3,)), [1, 0, 2])


def test_scatter_add_counts_duplicates_and_keeps_the_type():
    result = reference.scatter_add(np.ones(5, np.float32), [1, 1, 1, 0, -2], (3,))
    assert result.dtype == np.float32
    assert_array_equal(result, [1, 4, 0])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple), st.integers(1, 5))
def test_one_hot(shape, classes):
    labels = np.random.default_rng(0).integers(0, classes, shape, np.uint8)
    hot = reference.one_hot(labels, classes, np.float32)
    assert (hot.shape, hot.dtype) == ((shape[0], classes, *shape[1:]), np.float32)
    for at in np.ndindex(*shape):
        row = hot[(at[0], slice(None), *at[1:])]
        assert row.sum() == row[labels[at]] == 1


@pytest.mark.parametrize("drop", [0.0, 0.1, 0.5, 0.9])
def test_keep_mask_drops_the_share_it_should_and_keeps_the_mean(drop):
    count = 100_000
    mask = reference.keep_mask(np.random.default_rng(0), (count,), drop, np.float32)
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) <= {np.float32(0), np.float32(1 / (1 - drop))}
    deviation = (drop * (1 - drop) / count) ** 0.5
    assert abs((mask == 0).mean() - drop) <= 4 * deviation
    assert abs(mask.mean() - 1) <= 4 * deviation / (1 - drop) + 1e-6


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple))
def test_channel_kernels_one_channel_at_a_time(shape):
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, *shape))
    a, b, c = rng.standard_normal((3, shape[1]))
    mean, variance = reference.channel_moments(x)
    total, product = reference.channel_dots(grad, x, a)
    affine, combined = reference.channel_affine(x, a, b), reference.channel_combine(grad, x, a, b, c)
    for i in range(shape[1]):
        own, slope = x[:, i], grad[:, i]
        assert_allclose([mean[i], variance[i]], [own.mean(), own.var()], atol=1e-12)
        assert_allclose([total[i], product[i]], [slope.sum(), (slope * (own - a[i])).sum()], atol=1e-12)
        assert_allclose(affine[:, i], a[i] * own + b[i], atol=1e-12)
        assert_allclose(combined[:, i], a[i] * slope + b[i] * own + c[i], atol=1e-12)


@pytest.mark.parametrize("activation", [None, "relu", "gelu"])
def test_an_activation_after_the_affine_map(activation):
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 4, 3, 5))
    a, b, mean = rng.standard_normal((3, 3))
    u = a[:, None] * x + b[:, None]
    below, density = special.ndtr(u), np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
    values = {None: u, "relu": u.clip(0), "gelu": u * below}
    assert_allclose(reference.channel_affine(x, a, b, activation), values[activation], atol=1e-12)
    if activation:
        slope = grad * {"relu": u > 0, "gelu": below + u * density}[activation]
        found = reference.channel_slope_dots(grad, x, a, b, mean, activation)
        for array, expected in zip(found, (slope, *reference.channel_dots(slope, x, mean)), strict=True):
            assert_allclose(array, expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_and_its_slope(dtype):
    x = np.linspace(-6, 6, 101).astype(dtype)
    exact = x.astype(np.float64)
    density = np.exp(-(exact**2) / 2) / np.sqrt(2 * np.pi)
    unit = 4 * np.finfo(dtype).eps
    assert reference.gelu(x).dtype == reference.gelu_grad(x, x).dtype == dtype
    assert_allclose(reference.gelu(x), exact * special.ndtr(exact), rtol=unit, atol=unit)
    assert_allclose(reference.gelu_grad(np.ones_like(x), x), special.ndtr(exact) + exact * density, atol=unit)


def test_constant_takes_the_type_of_its_model():
    assert reference.constant(1 / 3, like=np.ones(1, np.float32)).dtype == np.float32
    assert_array_equal(reference.constant([[1, 2]], like=np.ones(3)), [[1.0, 2.0]])


def test_broadcast_to_and_astype():
    assert_array_equal(reference.broadcast_to(np.array([[1], [2]]), [2, 3]), [[1, 1, 1], [2, 2, 2]])
    assert reference.astype(np.array([1.5]), np.int64).tolist() == [1]
