"""What is of another kind: None where a tensor belongs, a list where an array does, or what is no number."""

from collections.abc import Callable

import numpy as np
import pytest

import minidil as md
from minidil import functional as F
from minidil.errors import DtypeError

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


def test_what_may_be_none_is() -> None:
    assert F.linear(X, X, None).shape == (3, 3)
    assert F.batch_norm(X, weight=None, bias=None, mean=None).shape == (3, 4)
    assert (X == None) is False  # noqa: E711  # what Python's own comparison says
