"""Run: everything that changes while a network trains, and how it is stored and restored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from minidil.errors import CheckpointError
from minidil.kernels.backend import Array
from minidil.nn import Module
from minidil.random import default_rng
from minidil.train.callbacks import Callback
from minidil.train.history import History, metrics_of
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
    callbacks: Sequence[Callback] = ()
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

    def load_state_dict(self, state: Any) -> None:
        """Go back to where `state_dict` was called.

        A different number of planned epochs is allowed: the schedule then goes on from the same step of its own, new plan,
        and the patience of early stopping starts again.
        Raises: CheckpointError if the state belongs to another model, optimizer, schedule, amount of data, other metrics or
            other callbacks that have a state, or is of more epochs than are now planned.
        """
        if not isinstance(state, dict) or state.keys() != self.state_dict().keys():
            raise CheckpointError("resume: the checkpoint is not the state of a training run, such as fit writes")
        if state["epoch"] > self.epochs:
            raise CheckpointError(
                f"resume: {state['epoch']} epochs are done already, more than the {self.epochs} planned now"
            )
        if state["batches"] != self.batches:
            raise CheckpointError(
                f"resume: the run was made with {state['batches']} batches an epoch and the loader now has {self.batches}; "
                "its position in the data means nothing there, use the same data and batch size"
            )
        if (state["schedule"] is None) != (self.schedule is None):
            before, now = ("without", "with") if state["schedule"] is None else ("with", "without")
            raise CheckpointError(f"resume: the run was made {before} a schedule and now goes on {now} one")
        history, sums = History(**state["history"]), Sums.of(state["sums"])
        self._check_figures(history, sums)
        keeping = [each for each in self.callbacks if each.state_dict()]
        names = [type(each).__name__ for each in keeping]
        if names != (saved := [name for name, _ in state["callbacks"]]):
            before, now = (", ".join(each) or "none" for each in (saved, names))
            raise CheckpointError(f"resume: the callbacks that keep a state were {before}, and are now {now}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        for callback, (_, kept) in zip(keeping, state["callbacks"], strict=True):
            callback.load_state_dict(kept)
        default_rng().bit_generator.state = state["random"]
        self.epoch, self.batch, self.sums, self.lr = state["epoch"], state["batch"], sums, state["lr"]
        self.history, self.best = history, state["best"]
        self.waited = state["waited"] if state["epochs"] == self.epochs else 0

    def _check_figures(self, history: History, sums: Sums) -> None:
        """Raise a CheckpointError unless the saved run measured what this one measures, and chose its best alike."""
        for names in ([metrics_of(history.rows[0])] if history.rows else []) + (
            [list(sums.metrics)] * (sums.count > 0)
        ):
            if names != list(self.metrics):
                before, now = (", ".join(each) or "none" for each in (names, self.metrics))
                raise CheckpointError(f"resume: the metrics of the run were {before}, and are now {now}")
        before, now = (f"{'min' if each.lowest else 'max'} {each.by}" for each in (history, self.history))
        if before != now:
            raise CheckpointError(f"resume: the run chose its best epoch by {before!r}, and now would by {now!r}")
