"""Losses against float64 formulas written out by hand, with PyTorch's meanings."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_gradients

REDUCTIONS = ["mean", "sum", "none"]


def drawn(*shape, seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def cross_entropy_by_hand(logits, target, weight, smoothing, reduction):
    """One pixel at a time: (1 - e) w_t (-log p_t) + e/K sum_c w_c (-log p_c); the mean divides by the sum of w_t."""
    classes, losses, weights = logits.shape[1], np.empty(target.shape), np.empty(target.shape)
    weight = np.ones(classes) if weight is None else weight
    for n, *s in np.ndindex(*target.shape):
        z = [float(logits[(n, c, *s)]) for c in range(classes)]
        top = max(z)
        log_total = top + math.log(sum(math.exp(value - top) for value in z))
        minus_log = [log_total - value for value in z]
        t = target[(n, *s)]
        spread = sum(w * m for w, m in zip(weight, minus_log, strict=True)) / classes if smoothing else 0
        losses[(n, *s)] = (1 - smoothing) * weight[t] * minus_log[t] + smoothing * spread
        weights[(n, *s)] = weight[t]
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / weights.sum()}[reduction]


class TestCrossEntropy:
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
    @settings(max_examples=8)
    @given(st.integers(1, 3), st.integers(1, 5), st.lists(st.integers(1, 3), max_size=2), st.booleans())
    def test_values_and_gradients(self, backend, reduction, smoothing, images, classes, size, weighted):
        rng = np.random.default_rng(0)
        logits, target = drawn(images, classes, *size), rng.integers(0, classes, (images, *size))
        weight = rng.uniform(0.5, 2, classes) if weighted else None
        options = {"target": target, "weight": weight, "label_smoothing": smoothing, "reduction": reduction}
        y = F.cross_entropy(logits, **options)
        assert_allclose(y.numpy(), cross_entropy_by_hand(logits, target, weight, smoothing, reduction), atol=1e-12)
        check_gradients(F.cross_entropy, logits, directions=1, **options)

    def test_every_entry(self, backend):
        options = {"target": np.array([0, 2]), "weight": np.array([1.0, 2, 3]), "label_smoothing": 0.2}
        check_gradients(F.cross_entropy, drawn(2, 3), entries=True, **options)

    def test_known_numbers(self, backend):
        """PyTorch 2's answers for these logits, target 2 and 0, weights 1, 2, 3."""
        logits, target, weight = np.array([[1.0, 2, 3], [1, 2, 3]]), np.array([2, 0]), np.array([1.0, 2, 3])
        a, b = math.log(1 + math.exp(-1) + math.exp(-2)), math.log(1 + math.exp(1) + math.exp(2))
        assert_allclose(F.cross_entropy(logits, target).item(), (a + b) / 2)
        assert_allclose(F.cross_entropy(logits, target, weight=weight).item(), (3 * a + 1 * b) / 4)
        assert_allclose(F.cross_entropy(logits, target, weight=weight, reduction="sum").item(), 3 * a + b)

    @pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
    def test_any_integers_arrays_or_tensors(self, backend, kind):
        logits, target = drawn(3, 4), np.array([0, 3, 1], kind)
        expected = cross_entropy_by_hand(logits, target, None, 0, "mean")
        assert_allclose(F.cross_entropy(logits, target).item(), expected)
        assert_allclose(F.cross_entropy(logits, md.tensor(target)).item(), expected)

    def test_masked_classes(self, backend):
        logits = md.tensor(np.array([[0.0, -np.inf, 0.0]]), requires_grad=True)
        y = F.cross_entropy(logits, np.array([0]))
        y.backward()
        assert_allclose(y.item(), math.log(2))
        assert_allclose(logits.grad.numpy(), [[-0.5, 0, 0.5]])

    def test_a_class_of_weight_zero_costs_nothing(self, backend):
        weight = np.array([0.0, 1.0])
        assert_array_equal(F.cross_entropy(drawn(2, 2), np.array([0, 0]), weight=weight, reduction="sum").item(), 0)

    def test_nothing_overflows(self, backend):
        logits = md.tensor(np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32), requires_grad=True)
        y = F.cross_entropy(logits, np.array([0, 0]))
        y.backward()
        assert y.item() == 1e4
        assert_array_equal(logits.grad.numpy(), [[0, 0], [-0.5, 0.5]])

    def test_float32(self, backend):
        logits = md.tensor(drawn(3, 4).astype(np.float32), requires_grad=True)
        y = F.cross_entropy(logits, np.array([0, 3, 1]), weight=np.ones(4, np.float32), label_smoothing=0.1)
        y.backward()
        assert y.dtype == logits.grad.dtype == np.float32

    @pytest.mark.parametrize(
        ("logits", "target", "options", "error", "message"),
        [
            ((2, 3), [0, 1, 2], {}, ShapeError, r"logits \(2, 3\) are .* so target must be \(2,\), not \(3,\)"),
            ((2, 3, 4), [0, 1], {}, ShapeError, r"target must be \(2, 4\), not \(2,\)"),
            ((3,), [0, 1, 2], {}, ShapeError, r"logits \(3,\) are \(N, K, \*S\)"),
            ((2, 3), [0.0, 1.0], {}, DtypeError, r"target must hold class numbers \(integers\), not float64"),
            ((2, 3), [True, False], {}, DtypeError, r"target must hold class numbers \(integers\), not bool"),
            ((2, 3), [0, 3], {}, OptionError, r"target holds 0..3 but logits \(2, 3\) have classes 0..2"),
            ((2, 3), [-1, 1], {}, OptionError, r"target holds -1..1 but"),
            ((2, 0), [0, 0], {}, ShapeError, r"logits \(2, 0\) have no classes"),
            (
                (2, 3),
                [0, 1],
                {"weight": np.ones(2)},
                ShapeError,
                r"weight must be \(3,\), one factor per class, not \(2,\)",
            ),
            ((2, 3), [0, 1], {"weight": np.ones(3, "f4")}, DtypeError, r"logits is float64 but weight is float32"),
            ((2, 3), [0, 1], {"label_smoothing": 1.5}, OptionError, r"label_smoothing must lie in 0..1, not 1.5"),
            (
                (2, 3),
                [0, 1],
                {"reduction": "avg"},
                OptionError,
                r"reduction must be \"mean\", \"sum\" or \"none\", not 'avg'",
            ),
        ],
    )
    def test_refused(self, backend, logits, target, options, error, message):
        with pytest.raises(error, match="^cross_entropy: .*" + message):
            F.cross_entropy(drawn(*logits), np.array(target), **options)

    def test_a_list_is_no_target(self, backend):
        with pytest.raises(
            DtypeError, match="cross_entropy: target must be an array or a tensor of integers, not list"
        ):
            F.cross_entropy(drawn(2, 3), [0, 1])


class TestBinaryCrossEntropy:
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    @pytest.mark.parametrize("shape", [(), (4,), (2, 3, 2)])
    def test_values_and_gradients(self, backend, reduction, shape):
        x, t = drawn(*shape), np.asarray(np.random.default_rng(1).random(shape))
        p = 1 / (1 + np.exp(-x))
        losses = -t * np.log(p) - (1 - t) * np.log(1 - p)
        expected = losses if reduction == "none" else getattr(losses, reduction)()
        assert_allclose(F.binary_cross_entropy_with_logits(x, t, reduction=reduction).numpy(), expected)
        check_gradients(F.binary_cross_entropy_with_logits, x, target=t, reduction=reduction)

    def test_far_out(self, backend):
        x = md.tensor(np.array([-1e4, 1e4, -1e4, 1e4], np.float32), requires_grad=True)
        y = F.binary_cross_entropy_with_logits(x, np.array([0, 1, 1, 0], np.float32), reduction="none")
        y.backward(gradient=np.ones(4, np.float32))
        assert_array_equal(y.numpy(), [0, 0, 1e4, 1e4])
        assert_array_equal(x.grad.numpy(), [0, 0, -1, 1])

    def test_refused(self, backend):
        name = "binary_cross_entropy_with_logits"
        with pytest.raises(ShapeError, match=rf"{name}: x \(2,\) and target \(3,\) must have one shape"):
            F.binary_cross_entropy_with_logits(drawn(2), drawn(3))
        with pytest.raises(DtypeError, match=rf"{name}: x is float64 but target is int64; convert one with astype"):
            F.binary_cross_entropy_with_logits(drawn(2), np.array([0, 1]))
        with pytest.raises(DtypeError, match=rf"{name}: target must be an array or a tensor, not float"):
            F.binary_cross_entropy_with_logits(drawn(2), 0.5)


PAIRED = {
    "mse_loss": lambda e: e**2,
    "l1_loss": np.abs,
    "huber_loss": lambda e: np.where(np.abs(e) <= 1, e**2 / 2, np.abs(e) - 0.5),
}


@pytest.mark.parametrize("name", sorted(PAIRED))
class TestPairedLosses:
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    @pytest.mark.parametrize("shape", [(), (4,), (2, 3, 2)])
    def test_values_and_gradients(self, backend, name, reduction, shape):
        x, target = drawn(*shape), drawn(*shape, seed=1)
        losses = PAIRED[name](x - target)
        expected = losses if reduction == "none" else getattr(losses, reduction)()
        assert_allclose(getattr(F, name)(x, target, reduction=reduction).numpy(), expected)
        check_gradients(getattr(F, name), x, target, reduction=reduction)

    def test_both_sides_get_a_gradient(self, backend, name):
        x, target = (md.tensor(drawn(3, seed=seed), requires_grad=True) for seed in range(2))
        getattr(F, name)(x, target).backward()
        assert_array_equal(x.grad.numpy(), -target.grad.numpy())

    def test_no_error_no_loss_no_gradient(self, backend, name):
        x = md.tensor(drawn(3), requires_grad=True)
        y = getattr(F, name)(x, drawn(3))
        y.backward()
        assert y.item() == 0
        assert_array_equal(x.grad.numpy(), np.zeros(3))

    def test_float32(self, backend, name):
        x = md.tensor(drawn(3).astype(np.float32), requires_grad=True)
        y = getattr(F, name)(x, np.zeros(3, np.float32))
        y.backward()
        assert y.dtype == x.grad.dtype == np.float32

    def test_nothing_has_a_sum_but_no_mean(self, backend, name):
        function, nothing = getattr(F, name), np.zeros((0, 3))
        assert function(nothing, nothing, reduction="sum").item() == 0
        assert function(nothing, nothing, reduction="none").shape == (0, 3)
        with pytest.raises(ShapeError, match=rf"{name}: the mean of no losses is not defined \(shape \(0, 3\)\)"):
            function(nothing, nothing)

    def test_refused(self, backend, name):
        function = getattr(F, name)
        with pytest.raises(ShapeError, match=rf"{name}: x \(2, 1\) and target \(2,\) must have one shape"):
            function(drawn(2, 1), drawn(2))
        with pytest.raises(DtypeError, match=f"{name}: x is float64, target is float32"):
            function(drawn(2), drawn(2).astype(np.float32))
        with pytest.raises(DtypeError, match=f"{name}: target must be an array or a tensor, not float"):
            function(drawn(2), 0.0)
        with pytest.raises(OptionError, match=f"{name}: reduction must be"):
            function(drawn(2), drawn(2), reduction=None)


class TestHuber:
    @pytest.mark.parametrize("delta", [0.25, 1, 3.0])
    def test_delta(self, backend, delta):
        e = np.linspace(-4, 4, 40)
        expected = np.where(np.abs(e) <= delta, e**2 / 2, delta * (np.abs(e) - delta / 2))
        assert_allclose(F.huber_loss(e, np.zeros(40), delta=delta, reduction="none").numpy(), expected)
        check_gradients(F.huber_loss, e, np.zeros(40), delta=delta)

    def test_the_pieces_meet_with_one_slope(self, backend):
        x = md.tensor(np.array([-1.0, 1.0, 1 + 1e-12]), requires_grad=True)
        F.huber_loss(x, np.zeros(3), reduction="sum").backward()
        assert_allclose(x.grad.numpy(), [-1, 1, 1])

    @pytest.mark.parametrize("delta", [0, -1, float("nan")])
    def test_refused(self, backend, delta):
        with pytest.raises(OptionError, match="huber_loss: delta must be positive, not"):
            F.huber_loss(drawn(2), drawn(2), delta=delta)
