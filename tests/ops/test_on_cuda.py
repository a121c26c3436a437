"""The properties of the ops on the cuda backend, in the emulator and therefore with fewer examples.

The device computes in float32, in which a central difference shows nothing. So an op is held against the same op of the NumPy
backend in float64, whose values and gradients the other tests of this folder establish: forward, and every gradient for a random
upstream gradient. Convolution and pooling are held against the independent oracles as well, and against their adjoints.
"""

from importlib import import_module

import kernel_checks as checks
import numpy as np
import pytest
from cuda_cases import Hosted
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices, integer_array_indices, mutually_broadcastable_shapes
from normalised import batch_norm, layer_norm
from numpy.testing import assert_allclose
from ops.test_every_op import CASES
from ops.test_operator_samples import SAMPLES
from ops.test_reduce import NAMES as REDUCTIONS
from ops.test_reduce import shapes_and_axes
from strategies import conv_cases, examples, windows

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError
from minidil.kernels.cuda.target import problem

EXAMPLES = examples(8)
QUICK = {"add", "batch_norm", "conv", "cross_entropy", "linear", "max_pool", "relu", "softmax", "transpose"}


@pytest.fixture(autouse=True)
def _emulated(monkeypatch):
    if missing := problem("emulator"):
        pytest.skip(f"cuda {missing}")
    monkeypatch.setenv("MINIDIL_CUDA", "emulator")


def outcome(backend, dtype, function, arrays):
    """The value and the gradients of all arrays."""
    with md.use(backend):
        md.seed(0)
        tensors = [md.tensor(np.asarray(array, dtype), requires_grad=True) for array in arrays]
        y = function(*tensors)
        upstream = np.random.default_rng(9).standard_normal(y.shape).astype(y.dtype)
        if y.requires_grad:
            y.backward(gradient=upstream)
        return y.numpy(), *(None if tensor.grad is None else tensor.grad.numpy() for tensor in tensors)


def agrees(function, *arrays):
    """The same value and gradients on both backends, up to the rounding of float32."""
    arrays = [np.asarray(array, np.float32) for array in arrays]
    expected = outcome("numpy", np.float64, function, arrays)
    found = outcome("cuda", np.float32, function, arrays)
    for value, wanted in zip(found, expected, strict=True):
        if wanted is None:
            assert value is None
            continue
        assert value.shape == wanted.shape
        assert value.dtype == np.float32
        scale = max(1.0, float(np.abs(wanted).max())) if wanted.size else 1.0
        assert_allclose(value, wanted, rtol=1e-4, atol=2e-5 * scale)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def positive(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2, shape)


def options_of(window):
    stride, padding, dilation = window.stride, window.padding, window.dilation
    return {"kernel_size": window.kernel, "stride": stride, "padding": padding, "dilation": dilation}


def device():
    return Hosted(import_module("minidil.kernels.cuda.namespace"))


def in_one_type(name, **arrays):
    """An op with constant arrays in the number type of its input."""
    return lambda x: getattr(F, name)(x, **{option: array.astype(x.dtype) for option, array in arrays.items()})


# The cases of these hold float64 constants, or convert to float64.
IN_FLOAT32 = {
    "astype": (lambda x: F.astype(F.astype(x, dtype=np.bool_), dtype=x.dtype) * x, (drawn(3),)),
    "binary_cross_entropy_with_logits": (
        in_one_type("binary_cross_entropy_with_logits", target=positive(3, 4) / 2),
        (drawn(3, 4),),
    ),
    "focal_loss": (in_one_type("focal_loss", target=positive(3, 4) / 2), (drawn(3, 4),)),
    "cross_entropy": (
        lambda x: F.cross_entropy(x, target=np.array([[0, 2], [1, 1]]), weight=positive(3).astype(x.dtype)),
        (drawn(2, 3, 2),),
    ),
}


class TestEveryFunction:
    @pytest.mark.parametrize("name", sorted(QUICK))
    def test_quick(self, name):
        with import_module("minidil.kernels.cuda.choice").kernel_version("tiled"):  # which compiles in a second
            self.check(name)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", sorted({*CASES} - QUICK))
    def test_the_others(self, name):
        self.check(name)

    def check(self, name):
        function, arrays = (CASES | IN_FLOAT32)[name]
        agrees(function, *arrays)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_operator_samples(name):
    """The calls of PyTorch's users: values against the oracle, gradients against those that central differences confirm."""
    function, arrays, oracle = SAMPLES[name]
    with md.use("cuda"):
        y = function(*(md.tensor(array.astype(np.float32)) for array in arrays)).numpy()
    expected = np.asarray(oracle(*arrays))
    assert (y.shape, y.dtype) == (expected.shape, np.float32)
    assert_allclose(y, expected, rtol=1e-4, atol=2e-5)
    agrees(function, *arrays)


@pytest.mark.slow
class TestElementwise:
    @pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"])
    @EXAMPLES
    @given(shapes=mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3))
    def test_broadcasting(self, name, shapes):
        agrees(getattr(F, name), *(positive(*shape, seed=seed) for seed, shape in enumerate(shapes.input_shapes)))

    @EXAMPLES
    @given(shapes=mutually_broadcastable_shapes(num_shapes=3, max_dims=3, min_side=0, max_side=3))
    def test_where(self, shapes):
        first, *rest = shapes.input_shapes
        condition = drawn(*first) < 0
        agrees(lambda a, b: F.where(condition, a, b), *(positive(*shape, seed=i) for i, shape in enumerate(rest)))

    @pytest.mark.parametrize("name", ["negative", "exp", "log", "sqrt", "absolute"])
    @pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3, 17)])
    def test_unary(self, name, shape):
        agrees(getattr(F, name), positive(*shape))


@pytest.mark.slow
class TestReduce:
    @pytest.mark.parametrize("name", REDUCTIONS)
    @EXAMPLES
    @given(case=shapes_and_axes(), keepdims=st.booleans())
    def test_any_axes(self, name, case, keepdims):
        shape, axis = case
        options = {"ddof": 0} if name in ("var", "std") else {}  # the variance of one number is 0
        agrees(lambda x: getattr(F, name)(x, axis=axis, keepdims=keepdims, **options), drawn(*shape))


@pytest.mark.slow
class TestShape:
    @EXAMPLES
    @given(st.permutations(range(4)))
    def test_transpose(self, axes):
        agrees(lambda x: F.transpose(x, axes=axes), drawn(2, 3, 4, 5))

    @EXAMPLES
    @given(st.data())
    def test_basic_indices(self, data):
        index = data.draw(basic_indices((3, 4, 2), allow_newaxis=True))
        agrees(lambda x: x[index], drawn(3, 4, 2))

    @EXAMPLES
    @given(st.data())
    def test_integer_arrays(self, data):
        index = data.draw(integer_array_indices((3, 4, 2)))
        agrees(lambda x: x[index], drawn(3, 4, 2))


@pytest.mark.slow
class TestLinear:
    @EXAMPLES
    @given(mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=3, min_side=0, max_side=3))
    def test_matmul(self, shapes):
        agrees(F.matmul, *(drawn(*shape, seed=seed) for seed, shape in enumerate(shapes.input_shapes)))

    @pytest.mark.parametrize("lead", [(), (4,), (2, 3), (0,)])
    @pytest.mark.parametrize(("inputs", "outputs"), [(3, 2), (1, 1), (0, 2), (17, 33)])
    def test_linear(self, lead, inputs, outputs):
        agrees(F.linear, drawn(*lead, inputs), drawn(outputs, inputs, seed=1), drawn(outputs, seed=2))


@pytest.mark.slow
class TestConv:
    @pytest.mark.parametrize("version", ["naive", "coalesced", "tiled", "registers", "fast"])
    @examples(10)
    @given(case=conv_cases(dtypes=(np.float32,), max_work=4000))
    def test_kernels(self, version, case):
        kernels = device()
        with import_module("minidil.kernels.cuda.choice").kernel_version(version):
            checks.forward_equals_the_formula(kernels, case)
            checks.grad_input_scatters(kernels, case)
            checks.grad_weight_correlates(kernels, case)
            checks.gradients_are_adjoints(kernels, case)

    @EXAMPLES
    @given(case=conv_cases(dtypes=(np.float32,), max_work=4000))
    def test_op(self, case):
        arrays = [case.x, case.weight] if case.bias is None else [case.x, case.weight, case.bias]
        agrees(lambda *tensors: F.conv(*tensors, **case.options), *arrays)


@pytest.mark.slow
class TestPool:
    @EXAMPLES
    @given(windows(pooling=True))
    def test_kernels(self, window):
        kernels = device()
        x, grad = (drawn(2, 3, *size).astype(np.float32) for size in (window.size, window.out))
        checks.max_pool_finds_the_first_largest(kernels, x, window)
        checks.max_pool_grad_goes_to_the_winner(kernels, x, window, grad)
        checks.window_sum_adds_the_taps(kernels, x, window)
        checks.window_spread_is_the_adjoint(kernels, x, window, grad)

    @pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
    @EXAMPLES
    @given(windows(pooling=True))
    def test_op(self, name, window):
        agrees(lambda x: getattr(F, name)(x, **options_of(window)), drawn(2, 2, *window.size))

    @EXAMPLES
    @given(windows(pooling=True))
    def test_average_without_the_padding(self, window):
        options = {**options_of(window), "count_include_pad": False}
        agrees(lambda x: F.avg_pool(x, **options), drawn(2, 2, *window.size))


@pytest.mark.slow
class TestNorm:
    @pytest.mark.parametrize("shape", [(2, 3), (4, 1), (3, 5, 7), (2, 3, 4, 5), (2, 17, 1, 1, 2)])
    def test_batch_norm(self, shape):
        channels = shape[1]
        agrees(batch_norm, drawn(*shape), positive(channels), drawn(channels, seed=2))
        agrees(batch_norm, drawn(*shape))
        constants = drawn(channels, seed=3).astype(np.float32), positive(channels, seed=4).astype(np.float32)

        def evaluated(*tensors):
            mean, var = (constant.astype(tensors[0].dtype) for constant in constants)
            return batch_norm(*tensors, mean=mean, var=var)

        agrees(evaluated, drawn(*shape), positive(channels), drawn(channels, seed=2))

    @pytest.mark.parametrize("tail", [(5,), (3, 5), (17,)])
    def test_layer_norm(self, tail):
        agrees(
            lambda *t: layer_norm(*t, normalized_shape=tail),
            drawn(2, 3, *tail),
            positive(*tail),
            drawn(*tail, seed=2),
        )


@pytest.mark.slow
class TestLoss:
    @pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
    @pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
    def test_of_an_error(self, name, reduction):
        agrees(
            lambda x, target: getattr(F, name)(x, target, reduction=reduction), 2 * drawn(3, 17), drawn(3, 17, seed=1)
        )

    @pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
    def test_cross_entropy(self, reduction):
        target = np.array([[0, 2], [1, 1]])
        weight = positive(3).astype(np.float32)

        def loss(logits):
            options = {"weight": weight.astype(logits.dtype), "label_smoothing": 0.1, "reduction": reduction}
            return F.cross_entropy(logits, target, **options)

        agrees(loss, drawn(2, 3, 2))
        agrees(lambda logits: F.cross_entropy(logits, np.arange(33) % 10, reduction=reduction), drawn(33, 10))


def test_float64_is_refused_by_name():
    with (
        md.use("cuda"),
        pytest.raises(DtypeError, match="arrays on the device are float32, int32 or bool, not float64"),
    ):
        F.exp(np.ones(3))
