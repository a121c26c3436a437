"""What hangs on the five lines of `learn` while a run lasts: figures, callbacks, limits, saving, and stopping when asked to."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from minidil.array import Array
from minidil.kernels.backend import backend
from minidil.kernels.threads import num_threads
from minidil.optim import clip_grad_norm
from minidil.random import default_rng
from minidil.tensor import Tensor
from minidil.train.callbacks import Callback
from minidil.train.diagnose import explain
from minidil.train.folder import RunFolder
from minidil.train.goal import Goal, value_of
from minidil.train.history import Row
from minidil.train.interrupt import Interrupts
from minidil.train.metrics import Loader, measure
from minidil.train.progress import waiting_explained
from minidil.train.state import Run
from minidil.train.step import learn


@dataclass
class Session:
    """A run while it goes on in this process. clip_norm, save_every: as for `fit`; folder: where it is kept, if anywhere."""

    run: Run
    watchers: Sequence[Callback]
    folder: RunFolder | None
    interrupts: Interrupts
    clip_norm: float | None
    goal: Goal
    save_every: float

    def __post_init__(self) -> None:
        self.saved = time.monotonic()
        self.warm = False

    def epoch(self, train: Loader, val: Loader | None) -> None:
        """What is left of the current epoch, and its end."""
        run, watched = self.run, self.watched()
        run.model.train()
        with ExitStack() as waiting:
            waiting.enter_context(waiting_explained("the training kernels", first=not self.warm))
            batches = watched.noted(train.batches(run.epoch, run.batch))
            for outputs, targets, loss in learn(run.model, batches, watched.loss, watched):
                waiting.close()
                self.warm = True
                self.count(outputs, targets, loss)
                run.batch += 1
                for watcher in self.watchers:
                    watcher.on_batch_end(run)
                if self.due():
                    self.save()
                self.stop_if_asked()
        self._end(val)

    def watched(self) -> "Watched":
        """What `learn` is given."""
        return Watched(self.run, self.goal, self.clip_norm)

    def count(self, outputs: Array, targets: Array, loss: float) -> None:
        """Add a batch to the figures of the epoch."""
        self.run.sums.add(loss, outputs, targets, self.goal.metrics, self.goal.count(targets))

    def due(self) -> bool:
        """Whether it is time to save."""
        return self.folder is not None and time.monotonic() - self.saved >= self.save_every

    def asked(self) -> bool:
        """Whether Ctrl-C or SIGTERM has come."""
        return self.interrupts.asked and self.folder is not None

    def measured(self, val: Loader) -> dict[str, float]:
        """The figures of validation."""
        return measure(self.run.model, val, self.goal)

    def _end(self, val: Loader | None) -> None:
        """Measure, compare with the epochs before, and save."""
        run, learnt = self.run, self.run.sums.figures()
        measured = dict.fromkeys(learnt, math.nan) if val is None else self.measured(val)
        row: Row = {"epoch": run.epoch + 1}
        row |= {f"train_{name}": value for name, value in learnt.items()}
        row |= {f"val_{name}": value for name, value in measured.items()}
        better = run.end_epoch(row | {"lr": run.lr})
        for watcher in self.watchers:
            watcher.on_epoch_end(run)
        if self.folder:
            self.save()
            self.folder.derive(run, better)
        self.stop_if_asked()

    def save(self) -> None:
        """Write last.npz."""
        if self.folder:
            self.folder.save(self.run)
        self.saved = time.monotonic()

    def stop_if_asked(self) -> None:
        """If Ctrl-C or SIGTERM has come: save, draw what there is, and leave by KeyboardInterrupt."""
        if not self.asked():
            return
        run = self.run
        self.save()
        if self.folder:
            self.folder.draw(run.history)
        place = (
            f"in epoch {run.epoch + 1} after batch {run.batch} of {run.batches}"
            if run.batch
            else f"after epoch {run.epoch}"
        )
        raise KeyboardInterrupt(f"stopped {place}" + (f"; saved in {self.folder.path}" if self.folder else ""))


class Watched:
    """The batches, the loss and the optimizer that `learn` is given: each does what it does, and what belongs beside it."""

    def __init__(self, run: Run, goal: Goal, clip_norm: float | None) -> None:
        self.run, self.goal, self.clip_norm = run, goal, clip_norm
        self.inputs: Any = None  # of the batch in work
        self.random: Any = None  # the generator before its forward pass

    def noted(self, batches: Iterator[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
        """The batches; what is needed to go through the one in work again is kept."""
        for inputs, targets in batches:
            self.inputs, self.random = inputs, default_rng().bit_generator.state
            yield inputs, targets

    def loss(self, outputs: Tensor, targets: Array) -> Tensor:
        """The goal's loss. Raises: TrainingError, which looks for the reason, if it is not finite."""
        run, loss = self.run, self.goal.loss(outputs, targets)
        value = value_of(loss)
        if not math.isfinite(value):
            where = f"in epoch {run.epoch + 1}, batch {run.batch + 1} of {run.batches}"
            raise explain(run.model, self.inputs, self.random, value, where)
        return loss

    def zero_grad(self) -> None:
        self.run.optimizer.zero_grad()

    def step(self) -> None:
        """A step of the optimizer with gradients that are not too long, then one of the schedule."""
        run = self.run
        if self.clip_norm is not None:
            clip_grad_norm(run.model.parameters(), self.clip_norm)
        run.lr = float(run.optimizer.param_groups[0]["lr"])
        run.optimizer.step()
        if run.schedule:
            run.schedule.step()


def described(run: Run) -> dict[str, Any]:
    """What config.json tells of a run, beside its goal and options."""
    return {
        "epochs": run.epochs,
        "batches": run.batches,
        "optimizer": type(run.optimizer).__name__,
        "schedule": type(run.schedule).__name__ if run.schedule else None,
        "backend": backend(),
        "threads": num_threads(),
    }
