"""What is of another kind: None where a tensor belongs, a list where an array does, or what is no number."""

from collections.abc import Callable

import numpy as np
import pytest

import minidil as md
from minidil import functional as F
from minidil.errors import DtypeError, MinidilError

X = md.tensor(np.ones((3, 4), np.float32))
LABELS = np.array([0, 1, 2])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: X - X.grad, r"subtract: b is None, as a \.grad is before backward\(\)"),
        (lambda: F.relu(None), r"relu: x is None, as a \.grad is before backward\(\)"),
        (lambda: F.linear(X, None), "linear: weight is None"),
        (lambda: F.concatenate([X, None]), "concatenate: an operand is None"),
        (lambda: F.cross_entropy(X, LABELS, weight=[1.0] * 4), "cross_entropy: weight must be an array or a tensor, not list"),
        (lambda: F.nll_loss(X, LABELS, weight=2.0), "nll_loss: weight must be an array or a tensor, not float"),
        (lambda: F.batch_norm(X, mean=[0.0] * 4, var=[1.0] * 4), "batch_norm: (mean|var) must be an array or a tensor"),
        (
            lambda: F.scaled_dot_product_attention(X, X, X, attn_mask=[[True]]),
            "scaled_dot_product_attention: attn_mask must be an array or a tensor, not list",
        ),
        (lambda: F.layer_norm(X, 4, eps=None), "layer_norm: eps must be a number, not NoneType"),
        (lambda: F.leaky_relu(X, [0.1]), "leaky_relu: slope must be a number, not list"),
        (lambda: F.dropout(X, "0.5"), "dropout: p must be a number, not str"),
        (lambda: X.astype("S4"), r"astype: \|S4 is no number type that minidil computes with"),
        (lambda: X.astype(5), "astype: 5 is no number type; write a name such as 'float32'"),
        (lambda: F.clip(X, [0], 1), "clip: low must be a number, not list"),
        (lambda: F.clip(X, 0, X), "clip: high must be a number, not Tensor"),
    ],
)  # fmt: skip
def test_is_named(call: Callable[[], object], said: str) -> None:
    with pytest.raises(DtypeError, match=said):
        call()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: md.seed("a"), "seed: n must be an int >= 0, not 'a'"),
        (lambda: md.eye(-1), "eye: n must be an int >= 0, not -1"),
        (lambda: md.eye(2, 2.5), "eye: m must be an int >= 0, not 2.5"),
        (lambda: md.randint(3, 1, (2,)), "randint: .* ints with low < high, not 3 and 1"),
        (lambda: md.randperm(-1), "randperm: n must be an int >= 0, not -1"),
        (lambda: md.linspace(0, 1, -1), "linspace: steps must be an int >= 0, not -1"),
        (lambda: md.arange("a"), "arange: start must be a number, not 'a'"),
        (lambda: md.arange(0, 3, 0), "arange: step must be a number other than 0, not 0"),
        (lambda: X.topk("a"), "topk: k must be an int, not 'a'"),
        (lambda: md.split(X, "a"), "split: sizes is an int, or a list of one for each part, not 'a'"),
        (lambda: F.repeat(X, -1), r"repeat: needs an int >= 1 for each of the 2 axes of x \(3, 4\), not \(-1,\)"),
        (lambda: F.layer_norm(X, "a"), "layer_norm: normalized_shape is an int, or one for each of the last axes, not 'a'"),
        (lambda: X.std(ddof="a"), "var: ddof must be an int, not 'a'"),
        (lambda: md.nn.Dropout("a"), "Dropout: p is the probability to drop, 0 <= p < 1, not 'a'"),
        (lambda: md.data.DataLoader([1], "a"), "DataLoader: batch_size must be an int of at least 1, got 'a'"),
        (lambda: md.schedule.Step(1, 2), "Step: the first argument is an optimizer, not 1"),
        (lambda: md.grad(1, [X]), "grad: y must be a tensor, not int"),
    ],
)  # fmt: skip
def test_is_answered_by_an_error_of_ours(call: Callable[[], object], said: str) -> None:
    with pytest.raises(MinidilError, match=said):
        call()


def test_what_may_be_none_is() -> None:
    assert F.linear(X, X, None).shape == (3, 3)
    assert F.batch_norm(X, weight=None, bias=None, mean=None).shape == (3, 4)
    assert (X == None) is False  # noqa: E711  # what Python's own comparison says
