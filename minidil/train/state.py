"""Run: everything that changes while a network trains, and how it is stored; restore.py takes it up again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from minidil.array import Array
from minidil.nn import Module
from minidil.random import default_rng
from minidil.train.history import History
from minidil.train.metrics import Sums


class Optimizer(Protocol):
    """What training needs of an optimizer; `optim.SGD`, `Adam` and `AdamW` have it."""

    param_groups: list[dict[str, Any]]

    def step(self) -> None: ...
    def zero_grad(self) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Schedule(Protocol):
    """What training needs of a learning-rate schedule: one step after every step of the optimizer."""

    def step(self) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Keeping(Protocol):
    """What a callback must have whose state is part of the run's; `Callback` has it."""

    def state_dict(self) -> dict[str, Any]: ...
    def check_state(self, state: dict[str, Any], run: Run) -> None: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass
class Run:
    """The state of a training run; callbacks receive it.

    epochs: how many are planned. batches: in each of them. epoch: how many are finished. batch: how many batches of the
    current one the model has learnt from. sums: loss and metrics over these. lr: learning rate of the latest step.
    best: state dict of the best epoch so far. waited: epochs since the highest validation accuracy, or whatever chooses the
    best. stop: set it to end after the current epoch. callbacks: those whose state is part of the run's. metrics: names.

    The order of the data and its augmentation are functions of (seed, epoch, batch), so two integers say where in the
    data a run stands. What else is random, dropout, comes from the process-wide generator, which `state_dict` includes.
    """

    model: Module
    optimizer: Optimizer
    schedule: Schedule | None
    epochs: int
    batches: int
    epoch: int = 0
    batch: int = 0
    sums: Sums = field(default_factory=Sums)
    lr: float = 0.0
    history: History = field(default_factory=History)
    best: dict[str, Array] = field(default_factory=dict)
    waited: int = 0
    stop: bool = False
    callbacks: Sequence[Keeping] = ()
    metrics: Sequence[str] = ("accuracy",)

    def end_epoch(self, row: dict[str, float]) -> bool:
        """Close the current epoch with its row and begin the next one; True if it was the best so far."""
        self.waited = 0 if self.history.improves(row) else self.waited + 1
        better = self.history.add(row)
        if better:
            self.best = self.model.state_dict()
        self.epoch, self.batch, self.sums = self.epoch + 1, 0, Sums()
        return better

    def state_dict(self) -> dict[str, Any]:
        """All of it as a tree for `checkpoint.save`, equal for equal states."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "random": default_rng().bit_generator.state,
            "epochs": self.epochs,
            "batches": self.batches,
            "epoch": self.epoch,
            "batch": self.batch,
            "sums": asdict(self.sums),
            "lr": self.lr,
            "history": asdict(self.history),
            "best": self.best,
            "waited": self.waited,
            "callbacks": [[type(each).__name__, state] for each in self.callbacks if (state := each.state_dict())],
        }
