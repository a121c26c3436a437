"""Loss and accuracy over many batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

import minidil.functional as F
from minidil.errors import DataError
from minidil.graph import no_grad
from minidil.kernels.backend import Array
from minidil.nn import Module
from minidil.tensor import tensor


class Loader(Protocol):
    """What training needs of its data; `data.DataLoader` is one.

    `batches(epoch, start)` gives (inputs, labels) from batch number `start` on, and gives the same for the same numbers
    however often it is asked. That is what lets a run go on in the middle of an epoch.
    """

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, Array]]:
        """The batches of epoch number `epoch` (0, 1, ...) from number `start` on."""
        ...


class Metrics(NamedTuple):
    """loss: mean cross-entropy per label, in nats. accuracy: share of the labels whose logit was the largest, 0..1."""

    loss: float
    accuracy: float


@dataclass
class Sums:
    """Running sums over the labels of an epoch: plain numbers, so that a checkpoint can hold them."""

    loss: float = 0.0
    correct: int = 0
    count: int = 0

    def add(self, loss: float, logits: Array, labels: Array) -> None:
        """Count one batch. loss: its mean; logits (N, K, *S); labels (N, *S)."""
        self.loss += loss * labels.size
        self.correct += int(np.count_nonzero(logits.argmax(axis=1) == labels))
        self.count += labels.size

    def metrics(self) -> Metrics:
        """The means so far. Raises: DataError if nothing has been counted."""
        if self.count == 0:
            raise DataError("train: the loader has no batch to learn from or to measure; is the set empty?")
        return Metrics(self.loss / self.count, self.correct / self.count)


def evaluate(model: Module, loader: Loader, observe: Callable[[Array, Array], object] | None = None) -> Metrics:
    """Measure `model` in evaluation mode on every batch of `loader`; the mode that it was in comes back afterwards.

    observe: called with (logits, labels) of every batch, for whoever wants to measure more.
    Raises: DataError if the loader is empty; ShapeError if the batches do not fit the model.
    """
    sums, was_training = Sums(), model.training
    model.eval()
    try:
        with no_grad():
            # The batches of epoch 0, always: a shuffled loader then gives the same sum to the last bit each time.
            for inputs, labels in loader.batches(0):
                logits = model(tensor(inputs))
                sums.add(F.cross_entropy(logits, target=labels).item(), logits.numpy(), labels)
                if observe:
                    observe(logits.numpy(), labels)
    finally:
        model.train(was_training)
    return sums.metrics()
