"""Networks that are trained with the rounding in their forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidil as md
from minidil import deploy, models
from minidil.data.transforms import Normalize

pytest.importorskip("numba")

WEIGHTS = models.pretrained_weights("resnet_small", "digits")
NORMALISE = Normalize(WEIGHTS.mean, WEIGHTS.std)


def fake(bits: int) -> Any:
    model = models.resnet_small(in_channels=1, pretrained="digits")
    learnt = WEIGHTS.prepare(md.data.load("digits", "train").images[:64])
    return deploy.fake_quantized(model, learnt, bits=bits)


def accuracy(plan: Any) -> float:
    images = md.data.load("digits", "test")
    return float((plan(WEIGHTS.prepare(images.images)).argmax(axis=1) == images.labels).mean())


@pytest.mark.slow
def test_training_recovers_what_three_bits_lose():
    model, learn = fake(3), md.data.load("digits", "train")
    before = accuracy(model.quantized())
    loader = md.data.DataLoader(learn, 64, shuffle=True, transforms=[NORMALISE])
    optimizer = md.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
    md.train.fit(model, loader, None, optimizer, epochs=1, progress=False)
    plan = model.quantized()
    after = accuracy(plan)
    assert before < 0.95
    assert after > before + 0.03
    x = WEIGHTS.prepare(md.data.load("digits", "test").images)
    with md.no_grad():
        rounded = np.array(model(md.tensor(x)).numpy())
    # A sum at the edge between two numbers of 8 moves by a seventh of the range, so it shows; but it is rare.
    assert (plan(x).argmax(axis=1) == rounded.argmax(axis=1)).mean() >= 0.99


def test_training_mode_computes_the_same():
    model, x = fake(8), md.tensor(WEIGHTS.prepare(md.data.load("digits", "test").images[:4]))
    with md.no_grad():
        np.testing.assert_array_equal(model.train()(x).numpy(), model.eval()(x).numpy())


def test_gradients_are_those_of_the_rounded_network():
    """Straight through: with few enough numbers clipped, what rounds is passed as if it were not there."""
    model, x = fake(8), md.tensor(WEIGHTS.prepare(md.data.load("digits", "test").images[:16]))
    gradients = []
    for rounding in (True, False):
        model.rounding = rounding
        model.zero_grad()
        (model(x) ** 2).mean().backward()
        gradients.append(np.concatenate([each.grad.numpy().ravel() for each in model.parameters()]))
    rounded, plain = gradients
    assert np.dot(rounded, plain) / np.linalg.norm(rounded) / np.linalg.norm(plain) > 0.99
