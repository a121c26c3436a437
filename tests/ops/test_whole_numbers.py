"""Integers and bools: what is computed in a wide type, what is refused, and Python's numbers."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError

NARROW = ["bool", "uint8", "int8", "int16", "int32"]
WHOLE = [*NARROW, "int64"]


def image(dtype, *shape):
    """The largest numbers of the type, whose every sum and product would wrap around."""
    return np.full(shape, 1 if dtype == "bool" else np.iinfo(dtype).max, dtype)


def pair(name):
    return lambda x: getattr(F, name)(x, x)


NEED_64_BITS = {
    "matmul": lambda x: F.matmul(x[0, 0], x[0, 0]),
    "linear": lambda x: F.linear(x[0, 0], x[0, 0]),
    "conv": lambda x: F.conv(x, x[:, :, :2, :2]),
    "conv_transpose": lambda x: F.conv_transpose(x, x[:, :, :2, :2]),
    "exp": F.exp,
    "log": F.log,
    "sqrt": F.sqrt,
}
NEED_FRACTIONS = {
    **{name: getattr(F, name) for name in ("leaky_relu", "sigmoid", "tanh", "silu", "gelu")},
    **{name: lambda x, name=name: getattr(F, name)(x, axis=1) for name in ("softmax", "log_softmax")},
    **{name: pair(name) for name in ("mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits")},
    "dropout": F.dropout,
    "batch_norm": F.batch_norm,
    "layer_norm": lambda x: F.layer_norm(x, normalized_shape=4),
    "cross_entropy": lambda x: F.cross_entropy(x, np.zeros((1, 4, 4), np.int64)),
    "dice_loss": lambda x: F.dice_loss(x.reshape(1, 2, 8), np.zeros((1, 8), np.int64)),
    "avg_pool": lambda x: F.avg_pool(x, kernel_size=2),
    "adaptive_avg_pool": lambda x: F.adaptive_avg_pool(x, output_size=2),
}


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", sorted(NEED_64_BITS))
def test_narrow_integers_are_refused(backend, name, dtype):
    x = image(dtype, 1, 1, 4, 4)
    with pytest.raises(DtypeError) as caught:
        NEED_64_BITS[name](x)
    first = "a" if name == "matmul" else "x"
    assert str(caught.value) == (
        f"{name}: {first} is {dtype}, in which results would wrap around; use astype('float32')"
    )
    assert NEED_64_BITS[name](np.ones(x.shape, np.float32)).dtype == np.float32


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("name", sorted(NEED_FRACTIONS))
def test_all_integers_are_refused(backend, name, dtype):
    x = image(dtype, 1, 1, 4, 4)
    with pytest.raises(
        DtypeError, match=rf"^{name}: (x|logits) must be floating.*, not {dtype}; use astype\('float32'\)$"
    ):
        NEED_FRACTIONS[name](x)
    NEED_FRACTIONS[name](np.zeros(x.shape, np.float32))


def test_python_ints_are_no_logits(backend):
    with pytest.raises(DtypeError, match=r"^gelu: x must be floating, not int; use astype\('float32'\)$"):
        F.gelu(2)


def test_products_of_64_bits(backend):
    a = np.array([[300, -7], [2, 1]])
    assert_array_equal(F.matmul(a, a).numpy(), a @ a)
    assert_array_equal(F.linear(a, a).numpy(), a @ a.T)
    x = 1000 * np.arange(9).reshape(1, 1, 3, 3)
    taps = [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]  # where the four windows of 2x2 lie
    wanted = [1000**2 * (0 * a + 1 * b + 3 * c + 4 * d) for a, b, c, d in taps]
    assert_array_equal(F.conv(x, x[:, :, :2, :2]).numpy().ravel(), wanted)


def test_a_mask_may_multiply_a_matrix(backend):
    a, mask = np.array([[0.5, 2], [1, 3]], np.float32), np.array([[True, False], [True, True]])
    assert_array_equal(F.matmul(a, mask).numpy(), [[2.5, 2], [4, 3]])


@pytest.mark.parametrize("dtype", WHOLE)
def test_sums_are_made_in_64_bits(backend, dtype):
    x = image(dtype, 3, 50) if dtype != "int64" else np.full((3, 50), 10**15)
    value = int(x[0, 0])
    for tensor in (md.tensor(x), md.tensor(np.asfortranarray(x))):
        assert tensor.sum().item() == 150 * value
        assert_array_equal(tensor.sum(1).numpy(), [50 * value] * 3)
        assert tensor.sum().dtype == np.int64
        assert tensor.mean().item() == pytest.approx(value)
        assert tensor.mean().dtype == np.float32
        assert tensor.var(0).numpy().max() <= 1e-6 * value
        assert tensor.max().item() == tensor.min().item() == value


@pytest.mark.parametrize("dtype", WHOLE)
def test_products_and_running_sums_are_made_in_64_bits(backend, dtype):
    x = np.full((2, 3), 1 if dtype == "bool" else 100).astype(dtype)
    assert F.prod(x).dtype == F.cumsum(x, axis=1).dtype == np.int64
    assert F.prod(x).item() == int(x[0, 0]) ** 6
    assert F.cumsum(x, axis=1).tolist() == [[k * int(x[0, 0]) for k in (1, 2, 3)]] * 2


def test_floats_that_come_of_integers_are_float32(backend):
    """As Python's floats are; float64 stays where something given has it."""
    whole, wide = md.tensor([1, 2, 4]), md.tensor(np.array([1.0, 2.0, 4.0]))
    for y in (
        whole / 4,
        1 / whole,
        whole / whole,
        whole * 0.5,
        whole**0.5,
        F.exp(whole),
        F.clip(whole, low=1.5),
        whole.mean(),
    ):
        assert y.dtype == np.float32
    for y in (wide / 4, 0.5 * wide, F.exp(wide), whole.astype(np.float64)):
        assert y.dtype == np.float64
    assert (whole / 4).tolist() == [0.25, 0.5, 1.0]


def test_a_whole_number_has_no_negative_power(backend):
    with pytest.raises(OptionError, match=r"power: a whole number has no negative powers; use astype\('float32'\)"):
        md.tensor([1, 2]) ** -1


def test_the_variance_of_bytes(backend):
    assert F.var(np.array([0, 255], np.uint8), ddof=0).item() == 127.5**2
    assert F.divide(np.array([255], np.uint8), np.array([2], np.uint8)).item() == 127.5


@pytest.mark.parametrize("dtype", ["bool", "uint8"])
def test_a_maximum_is_one_of_the_numbers(backend, dtype):
    x = np.random.default_rng(0).integers(0, 2, (2, 3, 4, 4)).astype(dtype)
    y = F.max_pool(x, kernel_size=2)
    assert y.dtype == dtype
    assert_array_equal(y.numpy(), x.reshape(2, 3, 2, 2, 2, 2).max((3, 5)))


def test_arithmetic_wraps_around_as_in_numpy(backend):
    x = md.tensor(np.array([200, 100], np.uint8))
    for y, wanted in [
        (x + x, [144, 200]),
        (x * 2, [144, 200]),
        (x - 150, [50, 206]),
        (-x, [56, 156]),
        (x**2, [64, 16]),
    ]:
        assert y.dtype == np.uint8
        assert_array_equal(y.numpy(), wanted)


@pytest.mark.parametrize("number", [256, -1])
def test_a_number_beyond_the_type_is_refused(backend, number):
    for function in (F.add, F.maximum, F.power):
        with pytest.raises(DtypeError) as caught:
            function(np.array([1], np.uint8), number)
        assert str(caught.value) == (
            f"{function.__name__}: a is uint8, which holds 0..255 and not {number}; use astype first"
        )
    assert_array_equal((md.tensor(np.array([1], np.uint8)) < 256).numpy(), [True])


class TestPythonNumbers:
    MASK = np.array([True, False])

    @pytest.mark.parametrize(
        ("function", "value"),
        [
            (lambda mask: F.where(mask, 1.0, 0.0), [1, 0]),
            (lambda mask: F.where(mask, 1.5, 0), [1.5, 0]),
            (lambda mask: F.where(mask, 1, 0.5), [1, 0.5]),
            (lambda mask: F.where(mask, np.float64(1), np.float64(0)), [1, 0]),
            (lambda mask: F.maximum(1.5, 2), 2),
            (lambda mask: F.minimum(1, 2.5), 1),
            (lambda mask: F.power(2, 0.5), np.float32(np.sqrt(2))),
            (lambda mask: F.power(2.0, -1), 0.5),
            (lambda mask: F.add(0.5, 0.25), 0.75),
            (lambda mask: F.divide(1.0, 4), 0.25),
            (lambda mask: F.clip(2.5, low=0, high=2), 2),
            (lambda mask: F.exp(0.0), 1),
            (lambda mask: F.sum(2.5), 2.5),
            (lambda mask: F.stack([1.5, 2.5]), [1.5, 2.5]),
        ],
    )
    def test_alone_floats_are_float32(self, backend, function, value):
        y = function(self.MASK)
        assert y.dtype == np.float32
        assert_array_equal(y.numpy(), value)

    def test_alone_ints_stay_ints(self, backend):
        assert_array_equal(F.where(self.MASK, 1, 0).numpy(), [1, 0])
        assert F.where(self.MASK, 1, 0).dtype == np.int64
        assert F.where(self.MASK, True, False).dtype == bool

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_beside_an_array_they_adapt(self, backend, dtype):
        x = np.array([1, 2], dtype)
        for y in (F.where(self.MASK, x, 0.5), F.where(self.MASK, 0, x), F.maximum(1.5, x), x**2.0, F.clip(x, high=1.5)):
            assert y.dtype == dtype

    @pytest.mark.parametrize("name", ["stack", "concatenate"])
    def test_beside_arrays_that_are_joined_they_are_refused(self, backend, name):
        with pytest.raises(DtypeError) as caught:
            getattr(F, name)([np.zeros((), np.float32), 2.0])
        assert str(caught.value) == f"{name}: takes tensors and arrays, not the number 2.0; wrap it with minidil.tensor"
