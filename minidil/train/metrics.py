"""Loss and metrics over many batches."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.errors import DataError
from minidil.graph import no_grad
from minidil.nn import Module
from minidil.tensor import tensor
from minidil.train.goal import Goal, Loss, Metric, value_of


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
    """loss: mean cross-entropy per label, in nats. accuracy: share of the labels whose logit was the largest, 0..1.

    With another loss and other metrics the tuple has theirs instead: loss, then each metric under its name.
    """

    loss: float
    accuracy: float


@dataclass
class Sums:
    """Running sums over the targets of an epoch: plain numbers, so that a checkpoint can hold them.

    loss: sum over `count` targets. metrics: of each metric [sum, count], by its name.
    """

    loss: float = 0.0
    count: int = 0
    metrics: dict[str, list[float]] = field(default_factory=dict)

    def add(
        self, loss: float, outputs: Array, targets: Array, metrics: Mapping[str, Metric], count: int | None = None
    ) -> None:
        """Count one batch. loss: its mean; outputs and targets: what the metrics are functions of.

        count: how many targets the loss is the mean of, if not of all.
        """
        count = targets.size if count is None else count
        self.loss += loss * count
        self.count += count
        for name, metric in metrics.items():
            values = np.asarray(metric(outputs, targets))
            # Bools are counted, as integers, so that the share of the right ones is exact.
            total = values.sum().item() if values.ndim else values.item() * targets.size
            entry = self.metrics.setdefault(name, [0, 0])
            entry[:] = entry[0] + total, entry[1] + (values.size if values.ndim else targets.size)

    def numbers(self, names: Iterable[str]) -> list[float]:
        """What `add_numbers` takes: loss and count, and both of each metric of these names."""
        return [self.loss, self.count, *(number for name in names for number in self.metrics.get(name, (0, 0)))]

    def add_numbers(self, names: Iterable[str], numbers: Sequence[float]) -> None:
        """Add the `numbers` of others: float64, which holds every count exactly."""
        self.loss += float(numbers[0])
        self.count += int(numbers[1])
        for name, total, count in zip(names, numbers[2::2], numbers[3::2], strict=True):
            entry = self.metrics.setdefault(name, [0, 0])
            entry[:] = entry[0] + float(total), entry[1] + int(count)

    def figures(self) -> dict[str, float]:
        """The means so far, "loss" first. Raises: DataError if nothing has been counted."""
        if self.count == 0:
            raise DataError("train: the loader has no batch to learn from or to measure; is the set empty?")
        means = {name: total / count if count else float("nan") for name, (total, count) in self.metrics.items()}
        return {"loss": self.loss / self.count, **means}


def evaluate(
    model: Module,
    loader: Loader,
    observe: Callable[[Array, Array], object] | None = None,
    *,
    loss: Loss = F.cross_entropy,
    metrics: Mapping[str, Metric] | None = None,
) -> Metrics:
    """Measure `model` in evaluation mode on every batch of `loader`; the mode that it was in comes back afterwards.

    observe: called with (outputs, targets) of every batch, for whoever wants to measure more.
    loss, metrics: as for `fit`, by default cross-entropy and accuracy. The result is a named tuple of loss and metrics.
    Raises: DataError if the loader is empty; ShapeError if the batches do not fit the model; OptionError for a loss or
        metrics that are none.
    """
    figures = measure(model, loader, Goal.of(loss, metrics), observe)
    if tuple(figures) == Metrics._fields:
        return Metrics(**figures)
    make: Any = namedtuple  # what its fields are is known only here
    measured: Metrics = make("Metrics", tuple(figures))(**figures)
    return measured


def measure(
    model: Module, loader: Loader, goal: Goal, observe: Callable[[Array, Array], object] | None = None
) -> dict[str, float]:
    """What `evaluate` does, for a goal: {"loss": mean, metric: mean, ...}."""
    return summed(model, loader, goal, observe).figures()


def summed(model: Module, loader: Loader, goal: Goal, observe: Callable[[Array, Array], object] | None = None) -> Sums:
    """The sums of which `measure` gives the means."""
    sums, was_training = Sums(), model.training
    model.eval()
    try:
        with no_grad():
            # The batches of epoch 0, always: a shuffled loader then gives the same sum to the last bit each time.
            for inputs, targets in loader.batches(0):
                outputs = model(tensor(inputs))
                sums.add(
                    value_of(goal.measured(outputs, targets)),
                    outputs.numpy(),
                    targets,
                    goal.metrics,
                    goal.count(targets),
                )
                if observe:
                    observe(outputs.numpy(), targets)
    finally:
        model.train(was_training)
    return sums
