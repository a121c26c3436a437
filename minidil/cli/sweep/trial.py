"""One trial: an ordinary run, which tells the study how it does and ends early where that is not well enough."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from minidil.cli.experiment import kind_of, training_set
from minidil.cli.settings import Settings
from minidil.cli.start import starting
from minidil.errors import TrainingError
from minidil.kernels.backend import use
from minidil.train import Callback, Run, fit
from minidil.train.folder import CONFIG


class Judge(Protocol):
    """What hears how a trial does, and whether to end it: a trial of Optuna's, whose methods these are."""

    def report(self, value: float, step: int) -> None: ...
    def should_prune(self) -> bool: ...


class Reporting(Callback):
    """Tells the judge the validation metric `by` of every epoch; pruned: whether the run was ended for it."""

    def __init__(self, judge: Judge, by: str) -> None:
        self.judge, self.by, self.pruned = judge, by, False

    def on_start(self, run: Run) -> None:
        """The epochs before the run was stopped, if it was."""
        for row in run.history.rows:
            self._report(row)
        self._judge(run)

    def on_epoch_end(self, run: Run) -> None:
        self._report(run.history.rows[-1])
        self._judge(run)

    def _judge(self, run: Run) -> None:
        self.pruned = run.epoch < run.epochs and self.judge.should_prune()
        run.stop = run.stop or self.pruned

    def _report(self, row: Mapping[str, float]) -> None:
        self.judge.report(row[f"val_{self.by}"], int(row["epoch"]))


def prepared(settings: Settings) -> tuple[Any, Any, dict[str, Any]]:
    """(experiment, what to validate on, the arguments of `train.fit`) with these settings.

    Raises: OptionError if they make no run.
    """
    learn, validate = training_set(settings)
    start = starting(settings.init) if settings.init else None
    experiment = kind_of(settings.model, settings.data).on(settings, learn, start.widths if start else None)
    model, _ = experiment.untrained(learn, start)
    return experiment, experiment.measuring(validate), experiment.lesson(model, learn)


def tried(settings: Settings, folder: Path, judge: Judge, resume: bool) -> float | None:
    """Train in `folder`; the metric of the best epoch, or None if the judge ended the run.

    resume: go on with the run in it, if it was begun.
    Raises: TrainingError if the loss or the metric is not finite; OptionError, ShapeError or CheckpointError if
        the settings make no run, or not with the weights to begin with.
    """
    with use(settings.backend):
        experiment, validate, lesson = prepared(settings)
        by = experiment.task.by
        reporting = Reporting(judge, by)
        lesson["callbacks"] = [*lesson["callbacks"], reporting]
        history = fit(val=validate, out=folder, resume=resume and (folder / CONFIG).exists(), **lesson)
    value = history.best[f"val_{by}"]
    if not math.isfinite(value):
        raise TrainingError(f"{by} is {value}")
    return None if reporting.pruned else value
