"""Losses against float64 formulas written out by hand, with PyTorch's meanings."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import examples

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
    @examples(8)
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


class TestIgnoredTargets:
    @pytest.mark.parametrize("ignored", [-100, 255, 1])
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_they_are_as_if_they_were_not_there(self, backend, ignored, weighted, smoothing):
        logits, labels = drawn(3, 4, 5), np.random.default_rng(1).choice([0, 2, 3], (3, 5))
        labels[0, 1] = labels[2, 2:4] = ignored
        there = labels != ignored
        weight = np.array([1.0, 2, 0.5, 3]) if weighted else None
        rows = logits.transpose(0, 2, 1)[there]
        options = {"weight": weight, "label_smoothing": smoothing}
        for reduction in ("mean", "sum"):
            y = F.cross_entropy(logits, labels, ignore_index=ignored, reduction=reduction, **options)
            expected = cross_entropy_by_hand(rows, labels[there], weight, smoothing, reduction)
            assert_allclose(y.item(), expected)
        each = F.cross_entropy(logits, labels, ignore_index=ignored, reduction="none", **options).numpy()
        assert_array_equal(each[~there], 0)
        assert_allclose(each[there], cross_entropy_by_hand(rows, labels[there], weight, smoothing, "none"))
        check_gradients(F.cross_entropy, logits, target=labels, ignore_index=ignored, entries=True, **options)

    def test_an_ignored_row_may_hold_anything(self, backend):
        logits = md.tensor(np.array([[np.nan, np.inf], [0, 0]], np.float32), requires_grad=True)
        with np.errstate(invalid="ignore"):
            y = F.cross_entropy(logits, np.array([-100, 1]))
        assert_allclose(y.item(), math.log(2))

    def test_small_integers(self, backend):
        y = F.cross_entropy(drawn(2, 3), np.array([255, 1], np.uint8), ignore_index=255)
        assert_allclose(y.item(), F.cross_entropy(drawn(2, 3)[1:], np.array([1])).item())

    @pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
    def test_nothing_left(self, backend, name):
        function, labels = getattr(F, name), np.array([-100, -100])
        assert_array_equal(function(drawn(2, 3), labels, reduction="none").numpy(), [0, 0])
        assert function(drawn(2, 3), labels, reduction="sum").item() == 0
        with pytest.raises(OptionError) as caught:
            function(drawn(2, 3), labels)
        message = f"{name}: every target is ignore_index -100, and the mean of no losses is not defined"
        assert str(caught.value) == message

    def test_other_numbers_are_still_checked(self, backend):
        with pytest.raises(OptionError, match=r"target holds 0..3 but logits \(3, 3\) have classes 0..2"):
            F.cross_entropy(drawn(3, 3), np.array([0, -100, 3]))


class TestProbabilityTargets:
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    @pytest.mark.parametrize("smoothing", [0.0, 0.3])
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (1, 5, 2, 2)])
    def test_values_and_gradients(self, backend, reduction, smoothing, weighted, shape):
        logits, classes = drawn(*shape), shape[1]
        target = np.random.default_rng(1).dirichlet(np.ones(classes), (shape[0], *shape[2:]))
        target = np.moveaxis(target, -1, 1)
        weight = np.random.default_rng(2).uniform(0.5, 2, classes) if weighted else None
        losses = np.zeros((shape[0], *shape[2:]))
        for c in range(classes):  # by linearity: a mixture of targets of one class each
            one = np.full(losses.shape, c)
            of_class = cross_entropy_by_hand(logits, one, weight, 0, "none")
            losses += ((1 - smoothing) * target[:, c] + smoothing / classes) * of_class
        expected = losses if reduction == "none" else getattr(losses, reduction)()
        options = {"target": target, "weight": weight, "label_smoothing": smoothing, "reduction": reduction}
        assert_allclose(F.cross_entropy(logits, **options).numpy(), expected)
        check_gradients(F.cross_entropy, logits, directions=1, **options)

    def test_certain_targets_are_class_numbers(self, backend):
        labels = np.array([2, 0, 1])
        expected = F.cross_entropy(drawn(3, 4), labels).item()
        assert_allclose(F.cross_entropy(drawn(3, 4), np.eye(4)[labels]).item(), expected)

    def test_masked_classes(self, backend):
        logits = md.tensor(np.array([[0.0, -np.inf, 0.0]]), requires_grad=True)
        y = F.cross_entropy(logits, np.array([[0.5, 0, 0.5]]))
        y.backward()
        assert_allclose(y.item(), math.log(2))
        assert_allclose(logits.grad.numpy(), [[0, 0, 0]], atol=1e-15)

    def test_refused(self, backend):
        with pytest.raises(DtypeError, match="cross_entropy: logits is float64 but target is float32"):
            F.cross_entropy(drawn(2, 3), np.ones((2, 3), np.float32) / 3)
        with pytest.raises(
            OptionError, match="cross_entropy: ignore_index 255 is a class number, but target holds prob"
        ):
            F.cross_entropy(drawn(2, 3), np.ones((2, 3)) / 3, ignore_index=255)
        with pytest.raises(md.errors.GraphError, match="target is a constant here"):
            F.cross_entropy(drawn(2, 3), md.tensor(np.ones((2, 3)) / 3, requires_grad=True))


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array([0.0, 1.0], np.float32), md.tensor([1, 0])])
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_swapped_arguments_are_recognised(backend, name, labels):
    with pytest.raises(ShapeError) as caught:
        getattr(F, name)(labels, md.tensor(np.zeros((2, 3), np.float32)))
    assert str(caught.value) == (
        f"{name}: logits (2,) look like class numbers and target (2, 3) like logits (N, K, *S): swapped? "
        f"The call is {name}(logits, target)"
    )


def test_logits_are_floating(backend):
    with pytest.raises(DtypeError, match="cross_entropy: logits must be floating, not int64; use astype"):
        F.cross_entropy(np.ones((2, 3), int), np.array([0, 1]))


class TestNLL:
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    @pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (1, 5, 2, 3)])
    def test_values_and_gradients(self, backend, reduction, shape):
        scores, weight = drawn(*shape), np.random.default_rng(2).uniform(0.5, 2, shape[1])
        labels = np.random.default_rng(1).integers(0, shape[1], (shape[0], *shape[2:]))
        labels.flat[-1] = -100
        losses, weights = np.zeros(labels.shape), np.zeros(labels.shape)
        for n, *s in np.ndindex(*labels.shape):
            t = labels[(n, *s)]
            if t >= 0:
                losses[(n, *s)], weights[(n, *s)] = -weight[t] * scores[(n, t, *s)], weight[t]
        expected = {"none": losses, "sum": losses.sum(), "mean": losses.sum() / weights.sum()}[reduction]
        options = {"target": labels, "weight": weight, "reduction": reduction}
        assert_allclose(F.nll_loss(scores, **options).numpy(), expected)
        check_gradients(F.nll_loss, scores, directions=1, **options)

    def test_after_log_softmax_it_is_cross_entropy(self, backend):
        logits, labels = md.tensor(drawn(3, 4, 2), requires_grad=True), np.array([[0, 3], [1, 1], [2, 0]])
        F.nll_loss(F.log_softmax(logits, axis=1), labels).backward()
        found, logits.grad = logits.grad.numpy(), None
        F.cross_entropy(logits, labels).backward()
        assert_allclose(found, logits.grad.numpy(), atol=1e-15)

    def test_refused(self, backend):
        with pytest.raises(DtypeError, match=r"nll_loss: target must hold class numbers \(integers\), not float64"):
            F.nll_loss(drawn(2, 3), np.zeros(2))
        with pytest.raises(
            ShapeError, match=r"nll_loss: logits \(2, 3\) are .* so target must be \(2,\), not \(2, 3\)"
        ):
            F.nll_loss(drawn(2, 3), np.zeros((2, 3)))


class TestDice:
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    @pytest.mark.parametrize("shape", [(2, 2, 5), (3, 4, 2, 3), (1, 3, 2, 2, 2)])
    @pytest.mark.parametrize("ignored", [None, -100, 255])
    def test_values_and_gradients(self, backend, reduction, shape, ignored):
        logits, e = drawn(*shape), 0.3
        target = np.random.default_rng(1).integers(0, shape[1], (shape[0], *shape[2:]))
        if ignored is not None:
            target.flat[:2] = ignored
        losses = np.zeros((shape[0], shape[1] - 1))
        for n, c in np.ndindex(*losses.shape):
            both = chance = truth = 0.0
            for s in np.ndindex(*shape[2:]):
                if target[(n, *s)] == ignored:
                    continue
                scores = np.exp(logits[(n, slice(None), *s)])
                p, t = scores[c + 1] / scores.sum(), float(target[(n, *s)] == c + 1)
                both, chance, truth = both + p * t, chance + p, truth + t
            losses[n, c] = 1 - (2 * both + e) / (chance + truth + e)
        expected = {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
        options = {"target": target, "smooth": e, "reduction": reduction} | (
            {} if ignored is None else {"ignore_index": ignored}
        )
        assert_allclose(F.dice_loss(logits, **options).numpy(), expected)
        check_gradients(F.dice_loss, logits, directions=2, **options)

    @given(st.integers(1, 3), st.integers(2, 4), st.integers(0, 99))
    def test_of_certain_answers_it_is_the_overlap_of_sets(self, n, classes, seed):
        answer, target = np.random.default_rng(seed).integers(0, classes, (2, n, 3, 4))
        logits = np.where(np.arange(classes)[:, None, None] == answer[:, None], 1e3, -1e3)
        losses = F.dice_loss(logits, target, smooth=1e-9, reduction="none").numpy()
        for i, c in np.ndindex(*losses.shape):
            said, true = (set(map(tuple, np.argwhere(each[i] == c + 1))) for each in (answer, target))
            dice = 2 * len(said & true) / (len(said) + len(true)) if said | true else 1
            assert_allclose(losses[i, c], 1 - dice, atol=1e-8)

    def test_refused(self, backend):
        for error, call, words in (
            (
                ShapeError,
                lambda: F.dice_loss(drawn(2, 1, 3), np.zeros((2, 3), int)),
                "have no class but class 0, the background",
            ),
            (
                OptionError,
                lambda: F.dice_loss(drawn(2, 2, 3), np.zeros((2, 3), int), smooth=0),
                "smooth must be a number > 0, not 0",
            ),
            (
                OptionError,
                lambda: F.dice_loss(drawn(1, 2, 3), np.array([[0, 1, 2]])),
                r"target holds 0\.\.2 but logits .* classes 0\.\.1",
            ),
            (
                OptionError,
                lambda: F.dice_loss(drawn(1, 2, 3), np.array([[0, 1, -1]])),
                r"target holds -1\.\.1 but logits",
            ),
            (
                ShapeError,
                lambda: F.dice_loss(drawn(1, 2, 3), np.zeros((1, 4), int)),
                r"target must be \(1, 3\), not \(1, 4\)",
            ),
        ):
            with pytest.raises(error, match=words):
                call()


class TestPositiveWeight:
    @pytest.mark.parametrize("reduction", REDUCTIONS)
    @pytest.mark.parametrize("weight", [(), (3,), (2, 1), (2, 3)])
    def test_values_and_gradients(self, backend, reduction, weight):
        x, t = drawn(2, 3), np.random.default_rng(1).random((2, 3))
        w = np.asarray(np.random.default_rng(2).uniform(0.5, 4, weight))
        p = 1 / (1 + np.exp(-x))
        losses = -w * t * np.log(p) - (1 - t) * np.log(1 - p)
        expected = losses if reduction == "none" else getattr(losses, reduction)()
        options = {"target": t, "pos_weight": w, "reduction": reduction}
        assert_allclose(F.binary_cross_entropy_with_logits(x, **options).numpy(), expected)
        check_gradients(F.binary_cross_entropy_with_logits, x, entries=True, **options)

    def test_far_out(self, backend):
        x = md.tensor(np.array([-1e4, 1e4, -1e4, 1e4], np.float32), requires_grad=True)
        target, weight = np.array([0, 1, 1, 0], np.float32), np.full(4, 3, np.float32)
        y = F.binary_cross_entropy_with_logits(x, target, pos_weight=weight, reduction="none")
        y.backward(gradient=np.ones(4, np.float32))
        assert_array_equal(y.numpy(), [0, 0, 3e4, 1e4])
        assert_array_equal(x.grad.numpy(), [0, 0, -3, 1])

    def test_refused(self, backend):
        function, name = F.binary_cross_entropy_with_logits, "binary_cross_entropy_with_logits"
        with pytest.raises(ShapeError, match=rf"{name}: pos_weight \(2, 3\) must broadcast to the shape of x \(3,\)"):
            function(drawn(3), np.ones(3), pos_weight=np.ones((2, 3)))
        with pytest.raises(ShapeError, match=rf"{name}: shapes \(3,\) and \(2,\) do not broadcast"):
            function(drawn(3), np.ones(3), pos_weight=np.ones(2))
        with pytest.raises(DtypeError, match=rf"{name}: x is float64 but pos_weight is float32"):
            function(drawn(3), np.ones(3), pos_weight=np.ones(3, np.float32))
        with pytest.raises(DtypeError, match=rf"{name}: pos_weight must be an array or a tensor, not float"):
            function(drawn(3), np.ones(3), pos_weight=2.0)


@pytest.mark.parametrize(
    ("target", "range"), [([3, -2], "-2..3"), ([0, 1.5], "0..1.5"), ([-0.5, 0], "-0.5..0"), ([0, np.nan], "nan..nan")]
)
def test_binary_targets_lie_between_0_and_1(backend, target, range):
    with pytest.raises(OptionError) as caught:
        F.binary_cross_entropy_with_logits(drawn(2), np.array(target, float))
    message = "binary_cross_entropy_with_logits: targets are probabilities in 0..1, but target holds "
    assert str(caught.value) == message + range


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
