"""The five lines of training, alone and inside `fit`."""

from pathlib import Path

import numpy as np
import pytest
from tiny_runs import Tiny

import minidil as md
import minidil.functional as F
from minidil import nn, optim, train


def test_a_step_is_that_of_gradient_descent() -> None:
    """y = w x with the loss (w x - t)^2: w <- w - lr 2 x (w x - t)."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data = np.array([[2.0]], np.float32)
    batches = [(np.array([[3.0]], np.float32), np.array([[5.0]], np.float32))] * 2
    found = list(train.learn(model, batches, F.mse_loss, optim.SGD(model.parameters(), 0.25)))
    assert [(outputs.item(), loss) for outputs, _, loss in found] == [(6.0, 1.0), (1.5, 12.25)]
    assert found[0][1] is batches[0][1]
    assert model.weight.item() == 0.5 - 0.25 * 2 * 3 * (1.5 - 5)


def test_what_a_batch_needed_is_gone_before_the_next_one() -> None:
    """Nothing of the graph is kept while whoever watches looks at the outputs."""
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    seen: list[md.Tensor] = []

    def loss(outputs: md.Tensor, targets: np.ndarray) -> md.Tensor:
        seen.append(outputs)
        return F.mse_loss(outputs, targets)

    x = np.ones((3, 2), np.float32)
    for _ in train.learn(model, [(x, x)], loss, optim.SGD(model.parameters(), 0.1)):
        node = seen[0]._node
        assert node is not None
        assert node.edges is None


@pytest.mark.usefixtures("quick_pictures")
def test_fit_takes_the_same_steps(tmp_path: Path) -> None:
    whole, alone = Tiny(epochs=1), Tiny(epochs=1)
    whole.fit(tmp_path)
    md.seed(0)
    alone.model.train()
    losses = []
    for _, targets, loss in train.learn(alone.model, alone.train.batches(0), F.cross_entropy, alone.optimizer):
        alone.schedule.step()
        losses.append(loss * targets.size)
    assert sum(losses) / 40 == train.RunFolder(tmp_path).rows()[0]["train_loss"]
    found, expected = alone.model.state_dict(), whole.model.state_dict()
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)
