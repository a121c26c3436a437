"""For every exhibit of the bug museum a number that shows it: what is computed, the right result, and the mutant's."""

import numpy as np

import minidil as md
import minidil.functional as F
from minidil import analysis, nn, optim, schedule
from minidil.analysis.schedule import hdc_accepts
from minidil.errors import MinidilError
from minidil.testing import check_gradients
from minidil.train import learn
from minidil.train.metrics import Sums

ONES = np.ones((1, 1, 3))


def slope(function, *arrays):
    """The gradients of the sum of a function."""
    leaves = [md.tensor(np.array(array, np.float64), requires_grad=True) for array in arrays]
    function(*leaves).sum().backward()
    return [leaf.grad.tolist() for leaf in leaves]


def refused(function, *arguments, **options):
    """Whether minidil refuses a call."""
    try:
        function(*arguments, **options)
    except MinidilError:
        return True
    return False


def signal(*numbers):
    """One channel of one series."""
    return np.array([[numbers]], np.float64)


def seen_future():
    y = F.conv(signal(0, 0, 0, 1, 0), ONES, padding="causal").tolist()[0][0]
    return y.index(1.0)


def dots(x):
    """Of which NaNs there are how many."""
    return int(np.isnan(x.numpy()).sum())


def transposed():
    x = np.arange(6.0).reshape(2, 3).T[None, None]
    return F.conv(x, np.ones((1, 1, 1, 1))).tolist()[0][0]


def running_var():
    layer = nn.BatchNorm1d(1, momentum=1.0)
    layer(md.tensor(np.array([[0.0], [2.0]], np.float32)))
    return layer.running_var.tolist()


def one_step_of_adamw():
    weight = md.tensor([1.0], requires_grad=True)
    optimizer = optim.AdamW([weight], lr=0.1, weight_decay=0.01)
    weight.grad = md.tensor([0.0])
    optimizer.step()
    return round(float(weight), 4)


def clipped():
    weights = [md.tensor([1.0], requires_grad=True) for _ in range(2)]
    weights[0].grad, weights[1].grad = md.tensor([3.0]), md.tensor([4.0])
    optim.clip_grad_norm(weights, 1.0)
    return [round(float(weight.grad), 4) for weight in weights]


def warmup():
    optimizer = optim.SGD([md.tensor([1.0], requires_grad=True)], lr=1.0)
    rates = schedule.Warmup(optimizer, 4)
    return [rates.factor(step) for step in range(4)]


def mean_of_two_batches():
    sums = Sums()
    sums.add(1.0, np.zeros(4), np.zeros(4), {})
    sums.add(6.0, np.zeros(1), np.zeros(1), {})
    return sums.figures()["loss"]


def two_steps():
    """Twice down a slope of 1."""
    weight = md.tensor([0.0], requires_grad=True)
    batches = [(np.ones(1, np.float32), np.zeros(1))] * 2
    list(learn(lambda x: x * weight, batches, lambda y, _: y.sum(), optim.SGD([weight], lr=1.0)))
    return float(weight)


def places_looked_at():
    """Whether two checks evaluate at the same places."""
    seen = []

    def noted(x):
        seen.append(x.tolist())
        return x * x

    check_gradients(noted, np.ones(3))
    half = len(seen)
    check_gradients(noted, np.ones(3))
    return seen[:half] == seen[half:]


def shape(y):
    return y.shape[2:]


def of_norm(x):
    return [round(number, 3) for number in F.layer_norm(x, 4).tolist()]


def sum_of_slopes():
    """Of the first normalised number, by what is normalised; it does not change if the same is added to both."""
    first = np.array([[1.0], [0.0]])
    return round(abs(float(np.sum(slope(lambda x: F.batch_norm(x) * first, [[0.0], [1.0]])[0]))), 3)


def smoothed():
    """Minus the loss's slope at equal logits, plus the probability: the target."""
    logits = md.tensor(np.zeros((1, 4)), requires_grad=True)
    F.cross_entropy(logits, np.array([0]), label_smoothing=0.2).backward()
    return [round(float(q), 4) for q in (0.25 - logits.grad.numpy())[0]]


def half_ignored():
    return round(float(F.cross_entropy(np.zeros((2, 2)), np.array([0, -100]))), 4)


NAN = np.nan
NAN_AT_5 = signal(*(NAN if i == 5 else 1.0 for i in range(16)))
NUMBERS = {
    "span-kd": (lambda: shape(F.conv(np.ones((1, 1, 9)), ONES, dilation=2)), (5,), (4,)),
    "dilation-zero": (
        lambda: (
            "refused"
            if refused(F.conv, signal(1, 2, 3), ONES, dilation=0)
            else F.conv(signal(1, 2, 3), ONES, dilation=0).tolist()[0][0]
        ),
        "refused",
        [3.0, 6.0, 9.0],
    ),
    "just-fits": (lambda: refused(F.conv, np.ones((1, 1, 5)), np.ones((1, 1, 2)), dilation=3), False, True),
    "same-undilated": (
        lambda: shape(F.conv(np.ones((1, 1, 16)), ONES, dilation=4, padding="same")),
        (16,),
        (10,),
    ),
    "causal-halved": (seen_future, 3, 2),
    "pool-ceil": (lambda: shape(F.max_pool(np.ones((1, 1, 6)), 3, 2)), (2,), (3,)),
    "field-largest": (
        lambda: str(
            nn.Sequential(*(nn.Conv1d(1, 1, 8, dilation=d) for d in (1, 2, 4, 8))).summary((1, 200)).rows[-1].field
        ),
        "106",
        "64",
    ),
    "hdc-first-rate": (lambda: (hdc_accepts((2, 2, 2)), analysis.coverage((2, 2, 2)).seen), (False, 7), (True, 7)),
    "im2col-layout": (transposed, [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
    "col2im-assign": (lambda: slope(lambda x: F.conv(x, ONES), np.ones((1, 1, 5)))[0][0][0][2], 3.0, 1.0),
    "indexed-twice": (lambda: slope(lambda x: x[[0, 0, 2]], [5, 6, 7])[0], [2.0, 0.0, 1.0], [1.0, 0.0, 1.0]),
    "pool-pads-zero": (lambda: F.max_pool(-np.ones((1, 1, 3)), 2, 2, 1).tolist()[0][0], [-1.0, -1.0], [0.0, -1.0]),
    "relu-hides-nan": (lambda: dots(F.relu(np.array([NAN]))), 1, 0),
    "gelu-at-infinity": (lambda: str(slope(F.gelu, [-np.inf, np.inf])[0]), "[0.0, 1.0]", "[nan, nan]"),
    "log-of-softmax": (lambda: F.log_softmax(np.array([0.0, 1000.0])).tolist(), [-1000.0, 0.0], [-np.inf, 0.0]),
    "winograd-nan": (lambda: dots(F.conv(NAN_AT_5, ONES)), 3, 8),
    "reused-node": (lambda: slope(lambda x: x * x, [3.0])[0], [6.0], [3.0]),
    "broadcast-mean": (lambda: slope(lambda x, b: x + b, np.zeros((4, 1)), [1.0])[1], [4.0], [1.0]),
    "constant-moments": (sum_of_slopes, 0.0, 2.0),
    "layer-norm-std": (
        lambda: of_norm(md.tensor(np.array([1.0, 0, 0, 0]))),
        [1.732, -0.577, -0.577, -0.577],
        [1.5, -0.5, -0.5, -0.5],
    ),
    "gradcheck-float32": (lambda: refused(check_gradients, lambda x: x * x, np.ones(3)), False, True),
    "gradcheck-nan": (
        lambda: refused(check_gradients, lambda x: md.functional.where(x > 5, x, x * NAN), np.ones(3)),
        True,
        False,
    ),
    "gradcheck-unseeded": (places_looked_at, True, False),
    "sum-wraps": (lambda: md.tensor(np.ones(5000, np.uint8)).sum().item(), 5000, 136),
    "smoothing-k-1": (smoothed, [0.85, 0.05, 0.05, 0.05], [0.8, 0.0667, 0.0667, 0.0667]),
    "ignored-counted": (half_ignored, 0.6931, 0.3466),
    "biased-running-var": (running_var, [2.0], [1.0]),
    "adamw-is-l2": (one_step_of_adamw, 0.999, 0.9),
    "clip-each": (clipped, [0.6, 0.8], [1.0, 1.0]),
    "warmup-from-zero": (warmup, [0.2, 0.4, 0.6, 0.8], [0.0, 0.25, 0.5, 0.75]),
    "mean-of-means": (mean_of_two_batches, 2.0, 3.5),
    "no-zero-grad": (two_steps, -2.0, -3.0),
}
