"""A dilated VGG trains in the emulator as it does on the CPU."""

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil import models, optim


def train(backend, optimizer, **options):
    """The losses of a few steps on the digits, and the parameters and buffers after them."""
    digits = md.data.load("digits", "train")
    images, labels = digits.images.astype(np.float32) / 255, digits.labels
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(images))[:48].reshape(3, 16)
    with md.use(backend):
        md.seed(0)
        shape = {"in_channels": 1, "widths": (4, 6), "dilations": ((1, 2), (2,)), "dropout": 0.2}
        model = models.vgg_small(10, rng=rng, **shape)
        moved = optimizer(model.parameters(), **options)
        losses = []
        for batch in chosen:
            moved.zero_grad()
            loss = F.cross_entropy(model(md.tensor(images[batch])), labels[batch])
            loss.backward()
            moved.step()
            losses.append(loss.item())
        return losses, {name: np.array(value) for name, value in model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3, "nesterov": True}),
        (optim.AdamW, {"lr": 0.01}),
    ],
)
def test_losses_and_parameters_are_those_of_the_cpu(optimizer, options):
    losses, state = train("cuda", optimizer, **options)
    expected, wanted = train("numpy", optimizer, **options)
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-4)
    assert losses[0] != losses[-1]
    assert state.keys() == wanted.keys()
    for name, value in state.items():
        np.testing.assert_allclose(value, wanted[name], rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_twice_the_same_bits():
    first, again = (train("cuda", optim.SGD, lr=0.1) for _ in range(2))
    assert first[0] == again[0]
    for name, value in first[1].items():
        np.testing.assert_array_equal(value, again[1][name], err_msg=name)
