"""Batch and layer normalisation against formulas written out by hand in float64."""

import numpy as np
import pytest
from normalised import batch_norm, layer_norm
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_adjoint, check_gradients

SHAPES = [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2), (2, 1, 1), (1, 3, 2), (2, 2, 2, 1, 1, 2)]


def drawn(*shape, seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def batch_norm_by_hand(x, weight, bias, mean, var, eps):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        own = x[:, c]
        centre, spread = (own.mean(), own.var()) if mean is None else (mean[c], var[c])
        y[:, c] = weight[c] * (own - centre) / np.sqrt(spread + eps) + bias[c]
    return y


class TestBatchNorm:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("layout", ["contiguous", "channels-last"])
    def test_training(self, backend, shape, layout):
        x = 3 * drawn(*shape) + 2
        if layout == "channels-last":
            x = np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)
        weight, bias = drawn(shape[1], seed=1), drawn(shape[1], seed=2)
        expected = batch_norm_by_hand(x, weight, bias, None, None, 1e-3)
        assert_allclose(batch_norm(x, weight, bias, eps=1e-3).numpy(), expected, atol=1e-10)
        check_gradients(batch_norm, x, weight, bias, eps=1e-3)
        check_gradients(batch_norm, x, eps=1e-3)

    @pytest.mark.parametrize("shape", [(1, 3), (0, 3, 2), *SHAPES])
    def test_evaluation(self, backend, shape):
        x, weight, bias = drawn(*shape), drawn(shape[1], seed=1), drawn(shape[1], seed=2)
        mean, var = drawn(shape[1], seed=3), np.exp(drawn(shape[1], seed=4))
        y = batch_norm(x, weight, bias, mean=mean, var=var)
        assert_allclose(y.numpy(), batch_norm_by_hand(x, weight, bias, mean, var, 1e-5), atol=1e-10)
        check_gradients(lambda *arrays: batch_norm(*arrays, mean=mean, var=var), x, weight, bias)
        plain = batch_norm_by_hand(x, np.ones(shape[1]), np.zeros(shape[1]), mean, var, 1e-5)
        assert_allclose(batch_norm(x, mean=md.tensor(mean), var=md.tensor(var)).numpy(), plain, atol=1e-10)

    def test_every_entry(self, backend):
        check_gradients(batch_norm, drawn(3, 2, 2), drawn(2, seed=1), drawn(2, seed=2), entries=True)

    @pytest.mark.parametrize("activation", ["relu", "gelu"])
    @pytest.mark.parametrize("constants", [{}, {"mean": np.array([0.5, -1, 0]), "var": np.array([2.0, 1, 3])}])
    def test_with_an_activation_in_one(self, backend, activation, constants):
        x, weight, bias = 3 * drawn(4, 3, 5) + 2, drawn(3, seed=1), drawn(3, seed=2)

        def apart(*arrays):
            return getattr(F, activation)(batch_norm(*arrays, **constants))

        def together(*arrays):
            return batch_norm(*arrays, activation=activation, **constants)

        assert_allclose(together(x, weight, bias).numpy(), apart(x, weight, bias).numpy(), atol=1e-12)
        check_gradients(together, x, weight, bias)
        check_gradients(together, x)
        gradients = []
        for function in (apart, together):
            kept = [md.tensor(array, requires_grad=True) for array in (x, weight, bias)]
            function(*kept).backward(gradient=drawn(4, 3, 5, seed=3))
            gradients.append([tensor.grad.numpy() for tensor in kept])
        for one, other in zip(*gradients, strict=True):
            assert_allclose(one, other, atol=1e-12)

    def test_an_unknown_activation(self, backend):
        with pytest.raises(OptionError, match='activation must be "relu", "gelu" or None, not \'tanh\''):
            batch_norm(drawn(4, 3), activation="tanh")

    def test_either_half_of_the_affine_map(self, backend):
        check_gradients(lambda x, w: batch_norm(x, w), drawn(4, 3), drawn(3, seed=1))
        check_gradients(lambda x, b: batch_norm(x, None, b), drawn(4, 3), drawn(3, seed=1))
        constants = {"mean": np.zeros(3), "var": np.ones(3)}
        check_adjoint(lambda x: batch_norm(x, **constants), drawn(4, 3))

    def test_the_batch_is_normalised(self, backend):
        y = batch_norm(50 + 7 * drawn(20, 3, 4), eps=0).numpy()
        assert_allclose(y.mean(axis=(0, 2)), 0, atol=1e-12)
        assert_allclose(y.var(axis=(0, 2)), 1)

    def test_what_is_observed(self, backend):
        x, seen = drawn(4, 3, 5), []
        batch_norm(x, observe=lambda mean, var: seen.append((mean, var)))
        assert_allclose(seen, [(x.mean(axis=(0, 2)), x.var(axis=(0, 2)))])
        batch_norm(x, mean=np.zeros(3), var=np.ones(3), observe=lambda mean, var: seen.append("again"))
        assert len(seen) == 1

    def test_a_second_backward_with_another_gradient(self, backend):
        arrays = drawn(4, 3, 2), drawn(3, seed=1), drawn(3, seed=2)
        kept = [md.tensor(array, requires_grad=True) for array in arrays]
        y = batch_norm(*kept)
        for seed in (5, 6):
            upstream = drawn(4, 3, 2, seed=seed)
            fresh = [md.tensor(array, requires_grad=True) for array in arrays]
            batch_norm(*fresh).backward(gradient=upstream)
            for tensor in kept:
                tensor.grad = None
            y.backward(gradient=upstream, retain_graph=True)
            for tensor, expected in zip(kept, fresh, strict=True):
                assert_array_equal(tensor.grad.numpy(), expected.grad.numpy())

    def test_float32(self, backend):
        x, weight, bias = (md.tensor(drawn(*s).astype(np.float32), requires_grad=True) for s in [(4, 3, 2), (3,), (3,)])
        y = batch_norm(x, weight, bias)
        (y * y).sum().backward()
        assert {t.dtype for t in (y, x.grad, weight.grad, bias.grad)} == {np.dtype(np.float32)}
        ones = np.ones(3, np.float32)
        y = batch_norm(x, weight, bias, mean=ones, var=ones)
        assert y.dtype == np.float32

    @pytest.mark.parametrize("name", ["mean", "var"])
    def test_constants_of_another_type_are_refused(self, backend, name):
        constants = {"mean": np.ones(3, np.float32), "var": np.ones(3, np.float32)} | {name: np.ones(3)}
        with pytest.raises(DtypeError) as caught:
            batch_norm(drawn(4, 3).astype(np.float32), **constants)
        assert str(caught.value) == f"batch_norm: x is float32 but {name} is float64; convert one with astype"

    def test_a_constant_channel_stays_finite(self, backend):
        x = md.tensor(np.full((4, 2), 3.0), requires_grad=True)
        y = batch_norm(x)
        y.backward(gradient=drawn(4, 2))
        assert_allclose(y.numpy(), 0, atol=1e-12)
        assert np.isfinite(x.grad.numpy()).all()

    def test_refused(self, backend):
        with pytest.raises(ShapeError, match=r"batch_norm: x must be \(N, C, \*S\), not \(3,\)"):
            batch_norm(drawn(3))
        with pytest.raises(ShapeError, match=r"weight must be \(3,\) to go with x \(4, 3\), not \(4,\)"):
            batch_norm(drawn(4, 3), drawn(4))
        with pytest.raises(ShapeError, match=r"bias must be \(3,\) to go with x \(4, 3\), not \(1, 3\)"):
            batch_norm(drawn(4, 3), None, drawn(1, 3))
        with pytest.raises(ShapeError, match=r"var must be \(3,\) to go with x \(4, 3\), not \(\)"):
            batch_norm(drawn(4, 3), mean=drawn(3), var=drawn())
        with pytest.raises(OptionError, match="give both mean and var, or neither"):
            batch_norm(drawn(4, 3), mean=drawn(3))
        with pytest.raises(
            ShapeError, match=r"training on x \(1, 3, 1\) has 1 value per channel; at least 2 are needed"
        ):
            batch_norm(drawn(1, 3, 1))
        with pytest.raises(ShapeError, match=r"training on x \(0, 3\) has 0 value per channel"):
            batch_norm(drawn(0, 3))

    def test_nothing_is_observed_of_a_batch_that_is_refused(self, backend):
        with pytest.raises(ShapeError):
            batch_norm(drawn(1, 3), observe=lambda mean, var: pytest.fail("observed"))


class TestLayerNorm:
    @pytest.mark.parametrize(
        ("shape", "tail"),
        [((4, 5), (5,)), ((2, 3, 4), (3, 4)), ((2, 3, 4), 4), ((5,), 5), ((0, 3), 3), ((2, 3), (2, 3))],
    )
    def test_values_and_gradients(self, backend, shape, tail):
        sizes = (tail,) if isinstance(tail, int) else tail
        x, weight, bias = 3 * drawn(*shape) + 1, drawn(*sizes, seed=1), drawn(*sizes, seed=2)
        axes = tuple(range(len(shape) - len(sizes), len(shape)))
        h = (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + 1e-3)
        options = {"normalized_shape": tail, "eps": 1e-3}
        assert_allclose(layer_norm(x, weight, bias, **options).numpy(), weight * h + bias, atol=1e-12)
        assert_allclose(layer_norm(x, **options).numpy(), h, atol=1e-12)
        check_gradients(layer_norm, x, weight, bias, **options)
        check_gradients(layer_norm, x, **options)
        check_gradients(lambda x, b: layer_norm(x, None, b, **options), x, bias)

    def test_one_value_has_no_spread(self, backend):
        assert_array_equal(layer_norm(drawn(3, 1), normalized_shape=1).numpy(), np.zeros((3, 1)))

    def test_numpy_ints(self, backend):
        assert layer_norm(drawn(3, 4), normalized_shape=np.int64(4)).shape == (3, 4)
        assert layer_norm(drawn(3, 4), normalized_shape=[np.int64(3), 4]).shape == (3, 4)

    def test_float32(self, backend):
        x = md.tensor(drawn(3, 4).astype(np.float32), requires_grad=True)
        y = layer_norm(x, np.ones(4, np.float32), normalized_shape=4)
        (y * y).sum().backward()
        assert y.dtype == x.grad.dtype == np.float32

    def test_a_second_backward_with_another_gradient(self, backend):
        x, g = md.tensor(drawn(3, 4), requires_grad=True), drawn(2, 3, 4, seed=1)
        y = layer_norm(x, normalized_shape=4)
        y.backward(gradient=g[0], retain_graph=True)
        y.backward(gradient=g[1])
        both = md.tensor(drawn(3, 4), requires_grad=True)
        layer_norm(both, normalized_shape=4).backward(gradient=g[0] + g[1])
        assert_allclose(x.grad.numpy(), both.grad.numpy(), atol=1e-12)

    @pytest.mark.parametrize("tail", [3, (3, 4), (), (2, 3, 4, 4), (0,)])
    def test_refused(self, backend, tail):
        sizes = (tail,) if isinstance(tail, int) else tail
        with pytest.raises(ShapeError) as caught:
            layer_norm(drawn(2, 4, 5), normalized_shape=tail)
        assert str(caught.value) == (f"layer_norm: x (2, 4, 5) must end in normalized_shape {sizes}, without a 0 in it")

    def test_parameters_of_the_wrong_shape(self, backend):
        with pytest.raises(ShapeError, match=r"layer_norm: weight must have shape \(4,\), not \(1,\)"):
            layer_norm(drawn(3, 4), drawn(1), normalized_shape=4)
        with pytest.raises(ShapeError, match=r"layer_norm: bias must have shape \(4,\), not \(3, 4\)"):
            layer_norm(drawn(3, 4), None, drawn(3, 4), normalized_shape=4)
