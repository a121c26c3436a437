"""Losses as modules are the functions of the same meaning."""

import numpy as np
import pytest

import minidil.functional as F
from minidil import nn
from minidil.tensor import tensor

RNG = np.random.default_rng(0)
X = tensor(RNG.standard_normal((5, 3)).astype(np.float32))
Y = tensor(RNG.random((5, 3)).astype(np.float32))
LABELS = np.array([0, 1, 2, 1, 0])
WEIGHT = np.array([1, 2, 3], np.float32)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (nn.CrossEntropyLoss()(X, LABELS), F.cross_entropy(X, target=LABELS)),
        (
            nn.CrossEntropyLoss(WEIGHT, label_smoothing=0.1, reduction="none")(X, tensor(LABELS)),
            F.cross_entropy(X, target=LABELS, weight=WEIGHT, label_smoothing=0.1, reduction="none"),
        ),
        (nn.BCEWithLogitsLoss(reduction="sum")(X, Y), F.binary_cross_entropy_with_logits(X, target=Y, reduction="sum")),
        (nn.MSELoss()(X, Y), F.mse_loss(X, Y)),
        (nn.L1Loss(reduction="sum")(X, Y), F.l1_loss(X, Y, reduction="sum")),
        (nn.HuberLoss("none", 0.5)(X, Y), F.huber_loss(X, Y, delta=0.5, reduction="none")),
    ],
)
def test_value(value, expected) -> None:
    assert np.array_equal(value.data, expected.data)


def test_class_weights_are_state() -> None:
    assert list(nn.CrossEntropyLoss(WEIGHT).state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []


def test_ignored_classes_and_weighed_positives() -> None:
    labels = np.array([0, 2])
    logits = tensor(np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32))
    found = nn.CrossEntropyLoss(ignore_index=0)(logits, labels).item()
    assert found == pytest.approx(F.cross_entropy(logits[1:], labels[1:]).item())
    targets, factor = np.array([[1, 0, 1]] * 2, np.float32), np.array([2, 3, 4], np.float32)
    found = nn.BCEWithLogitsLoss(pos_weight=factor)(logits, targets).item()
    assert found == pytest.approx(F.binary_cross_entropy_with_logits(logits, targets, pos_weight=factor).item())
