"""Tests that kill every mutant of the bug museum, one for each: `minidil exercises mutants tests/classroom/museum_reference.py`.

They are what the museum asks its visitors to write, so they are not shown to them. test_museum_visits.py runs them.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil import analysis, nn, optim, schedule
from minidil.analysis.schedule import hdc_accepts
from minidil.errors import OptionError
from minidil.nn.field import Field
from minidil.testing import CheckError, check_adjoint, check_gradients
from minidil.train import evaluate, learn

ONES = np.ones((1, 1, 3))


def drawn(*shape, seed=0):
    """Normal numbers, the same every time."""
    return np.random.default_rng(seed).standard_normal(shape)


def gradient(function, *arrays):
    """The gradients of the sum of what the function gives."""
    leaves = [md.tensor(np.asarray(array, np.float64), requires_grad=True) for array in arrays]
    function(*leaves).sum().backward()
    return [leaf.grad.numpy() for leaf in leaves]


def by_loops(x, weight, d):
    """A convolution of one series by one filter, from its definition."""
    taps, positions = len(weight), len(x) - d * (len(weight) - 1)
    return [sum(weight[k] * x[o + k * d] for k in range(taps)) for o in range(positions)]


def test_span_kd():
    x, weight = drawn(9), drawn(3, seed=1)
    assert_allclose(F.conv(x[None, None], weight[None, None], dilation=2).numpy()[0, 0], by_loops(x, weight, 2))


def test_dilation_zero():
    with pytest.raises(OptionError):
        F.conv(np.ones((1, 1, 3)), ONES, dilation=0)


def test_just_fits():
    for taps, d in ((2, 3), (3, 2), (3, 4)):
        y = F.conv(np.ones((1, 1, d * (taps - 1) + 1)), np.ones((1, 1, taps)), dilation=d)
        assert y.tolist() == [[[taps]]]


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_same_undilated(d):
    assert F.conv(np.ones((1, 1, 16)), ONES, dilation=d, padding="same").shape == (1, 1, 16)


def test_causal_halved():
    x, later = drawn(1, 1, 12), drawn(1, 1, 12)
    later[..., 6:] += 1
    before, after = (F.conv(each, drawn(1, 1, 3), dilation=2, padding="causal").numpy() for each in (x, later))
    assert before.shape == x.shape
    assert_array_equal(before[..., :6], after[..., :6])


def test_pool_ceil():
    assert F.max_pool(np.ones((1, 1, 6)), 3, 2).shape == F.conv(np.ones((1, 1, 6)), ONES, stride=2).shape


def test_field_largest():
    model = nn.Sequential(*(nn.Conv1d(1, 1, 3, dilation=d) for d in (1, 2, 4)))
    x = md.tensor(drawn(1, 1, 30).astype(np.float32), requires_grad=True)
    model(x)[0, 0, 4].backward()
    reached = np.flatnonzero(x.grad.numpy())
    field = Field.of_input(1)
    for layer in model:
        field = field.through(layer.window((30,)))
    assert field.size == (reached[-1] - reached[0] + 1,)


@pytest.mark.parametrize("dilations", [(2, 2, 2), (1, 2, 4), (1, 2, 9), (2, 3, 5), (1, 1, 5)])
def test_hdc_first_rate(dilations):
    assert hdc_accepts(dilations) == (analysis.coverage(dilations).unseen_share == 0)


def test_im2col_layout():
    x, weight = drawn(1, 2, 5, 4), drawn(3, 2, 2, 2)
    turned = x.transpose(0, 1, 3, 2)
    assert_allclose(F.conv(turned, weight).numpy(), F.conv(np.ascontiguousarray(turned), weight).numpy())


def test_col2im_assign():
    check_adjoint(lambda x: F.conv(x, drawn(3, 2, 3, 3), dilation=2, padding=1), drawn(1, 2, 7, 7))


def test_indexed_twice():
    assert_array_equal(gradient(lambda x: x[[0, 0, 2]], [5, 6, 7])[0], [2, 0, 1])


def test_pool_pads_zero():
    assert_array_equal(F.max_pool(np.full((1, 1, 4, 4), -1.0), 3, 1, 1).numpy(), np.full((1, 1, 4, 4), -1.0))


def test_relu_hides_nan():
    assert_array_equal(F.relu(np.array([np.nan, -1.0, 2.0])).numpy(), [np.nan, 0, 2])


def test_gelu_at_infinity():
    assert_array_equal(gradient(F.gelu, [-np.inf, np.inf])[0], [0, 1])


def test_log_of_softmax():
    assert_allclose(F.log_softmax(np.array([0.0, 1000.0])).numpy(), [-1000, 0])


@pytest.mark.parametrize("place", range(2, 14))
def test_winograd_nan(place):
    x = drawn(1, 1, 16)
    x[..., place] = np.nan
    assert_array_equal(np.flatnonzero(np.isnan(F.conv(x, drawn(1, 1, 3)).numpy())), [place - 2, place - 1, place])


def test_reused_node():
    check_gradients(lambda x: x * x + x, drawn(4))
    check_gradients(lambda x: F.exp(x) * F.exp(x), drawn(4))


def test_broadcast_mean():
    check_gradients(lambda x, b: x * b, drawn(4, 3), drawn(3))
    check_gradients(lambda x, b: x * b, drawn(4, 3), drawn(4, 1))


def test_constant_moments():
    check_gradients(F.batch_norm, drawn(6, 2))


def test_layer_norm_std():
    x = drawn(5, 4)
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.1)
    assert_allclose(F.layer_norm(x, 4, eps=0.1).numpy(), expected)


def test_gradcheck_float32():
    check_gradients(lambda x: x * x * x, drawn(5))
    check_gradients(F.exp, drawn(5))


def test_gradcheck_nan():
    with pytest.raises(CheckError):
        check_gradients(lambda x: x * np.nan, np.ones(3))


def test_gradcheck_unseeded():
    seen = []

    def noted(x):
        seen.append(x.tolist())
        return x * 2

    for _ in range(2):
        check_gradients(noted, np.ones(3))
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]


def test_sum_wraps():
    assert md.tensor(np.full(5000, 200, np.uint8)).sum().item() == 1_000_000


def test_smoothing_k_1():
    logits, target, share = drawn(3, 4), np.array([0, 3, 1]), 0.2
    wanted = np.eye(4)[target] * (1 - share) + share / 4
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    loss = F.cross_entropy(logits, target, label_smoothing=share)
    assert_allclose(float(loss), -(wanted * logs).sum(1).mean())


def test_ignored_counted():
    logits, target = drawn(4, 3), np.array([0, -100, 2, -100])
    assert_allclose(float(F.cross_entropy(logits, target)), float(F.cross_entropy(logits[[0, 2]], target[[0, 2]])))


def test_biased_running_var():
    layer, x = nn.BatchNorm1d(2, momentum=1.0), drawn(3, 2).astype(np.float32)
    layer(md.tensor(x))
    assert_allclose(layer.running_var, x.var(0, ddof=1), rtol=1e-5)


def test_adamw_is_l2():
    weight = md.tensor([1.0], requires_grad=True)
    optimizer = optim.AdamW([weight], lr=0.1, weight_decay=0.01)
    weight.grad = md.tensor([0.0])
    optimizer.step()
    assert float(weight) == pytest.approx(0.999)


def test_clip_each():
    weights = [md.tensor([0.0], requires_grad=True) for _ in range(2)]
    for weight, slope in zip(weights, (3.0, 4.0), strict=True):
        weight.grad = md.tensor([slope])
    assert optim.clip_grad_norm(weights, 1.0) == pytest.approx(5)
    assert [float(weight.grad) for weight in weights] == pytest.approx([0.6, 0.8])


def test_warmup_from_zero():
    rates = schedule.Warmup(optim.SGD([md.tensor([0.0], requires_grad=True)], lr=1.0), 4)
    assert [rates.factor(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1])


class Batches:
    """Five targets, four of them in the first batch."""

    def __len__(self):
        return 2

    def batches(self, epoch, start=0):
        yield np.zeros((4, 2), np.float32), np.zeros(4, np.int64)
        yield np.array([[0, 9]], np.float32), np.zeros(1, np.int64)


def test_mean_of_means():
    class Same(nn.Module):
        def forward(self, x):
            return x

    whole = np.array([[0, 0]] * 4 + [[0, 9]], np.float32)
    assert evaluate(Same(), Batches()).loss == pytest.approx(float(F.cross_entropy(whole, np.zeros(5, np.int64))))


def test_no_zero_grad():
    weight = md.tensor([0.0], requires_grad=True)
    batches = [(np.ones(1, np.float32), np.zeros(1))] * 3
    list(learn(lambda x: x * weight, batches, lambda y, _: y.sum(), optim.SGD([weight], lr=1.0)))
    assert float(weight) == -3
