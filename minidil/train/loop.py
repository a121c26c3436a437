"""fit: a training run from its options to its best weights; what it does with every batch is in step.py."""

import os
from collections.abc import Iterable, Mapping
from contextlib import closing, nullcontext
from typing import Any

import minidil.functional as F
from minidil.errors import OptionError
from minidil.nn import Module
from minidil.parallel import Share, Team
from minidil.train.callbacks import Callback
from minidil.train.folder import RunFolder
from minidil.train.goal import Goal, Loss, Metric
from minidil.train.history import History
from minidil.train.interrupt import Interrupts
from minidil.train.metrics import Loader
from minidil.train.progress import Progress
from minidil.train.session import Session, described
from minidil.train.state import Optimizer, Run, Schedule
from minidil.train.together import TeamSession, begin_alike


def fit(
    model: Module,
    train: Loader,
    val: Loader | None,
    optimizer: Optimizer,
    schedule: Schedule | None = None,
    epochs: int = 10,
    callbacks: Iterable[Callback] = (),
    *,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    config: dict[str, Any] | None = None,
    clip_norm: float | None = None,
    patience: int | None = None,
    label_smoothing: float = 0.0,
    save_every: float = 60.0,
    progress: bool = True,
    loss: Loss = F.cross_entropy,
    metrics: Mapping[str, Metric] | None = None,
    best: str | None = None,
    team: Team | None = None,
) -> History:
    """Train `model`, and leave it with the weights of its best epoch, in evaluation mode.

    An epoch takes every batch of `train` once: loss, backward, a step of the optimizer, one of the schedule.
    Then `val` is measured. The best epoch is the latest of those with the highest validation accuracy, unless `best` says
    otherwise; with val=None, which leaves all images to learn from, it is the last one, and its figures of validation are NaN.

    loss: a function of (what the model gave, the batch's targets) that gives one number, such as F.mse_loss; cross-entropy
        by default, which learns to classify.
    metrics: further figures by name, each a function of the same two as arrays that gives the batch's mean, or an array with
        a number or bool for each target. By default {"accuracy": ...} with cross-entropy, and none with another loss.
    best: the figure that chooses the best epoch: "accuracy" (the highest), "loss" (the lowest), or "min NAME" or "max NAME"
        for a metric of your own. By default accuracy where it is measured, else the loss.
    out: a folder for config.json, metrics.csv, curves.png, last.npz and best.npz (see `RunFolder`). The state is saved
        there at the end of every epoch, every `save_every` seconds (0: after every batch), and when Ctrl-C or SIGTERM
        asks the run to stop, which it then does after the batch in work, with KeyboardInterrupt.
    resume: go on with the run in `out`, from where it was last saved, or from the start if it never was. Make the
        model, optimizer, schedule and loaders as they were made for it. With the same `epochs`, the weights, the
        history and metrics.csv end bit for bit as without the interruption. With more, a finished run goes on: the
        schedule, made for the new total, continues at the step where the old one stopped.
    config: what to record in config.json beside what fit itself knows.
    clip_norm: largest global norm of the gradient. patience: stop after so many epochs without a better one.
    label_smoothing: share of cross-entropy's target spread evenly over all classes; the figures for `val` are without it.
    team: the ranks that train together, from `parallel.joined`; each calls fit alike and has the whole loaders. `train` and `val`
        are divided among them batch by batch, and gradients added up: but for batch norm, which has the statistics of a rank's
        part unless `parallel.synchronise` has changed it, and dropout, which draws from a stream of the rank's own, a step is
        that of one process. All end with the same weights and history. Rank 0 decides how they begin, prints, and alone touches
        `out`, where any number of ranks can resume.

    Raises: TrainingError, naming the first layer whose output is not finite, when the loss is NaN or infinite;
        OptionError for bad options, or if `out` already holds a run; CheckpointError if the checkpoint does not fit, or
        if somebody has changed config.json since it was made;
        BusyError if another process is training in `out`; StorageError if the disk does not take the files.
    """
    if epochs < 1 or (patience is not None and patience < 1) or save_every < 0 or (resume and out is None):
        raise OptionError(
            "fit: needs epochs >= 1, patience >= 1 or None, save_every >= 0, and a folder `out` to resume from; got "
            f"epochs={epochs}, patience={patience}, save_every={save_every}, resume={resume}, out={out}"
        )
    goal = Goal.of(loss, metrics, best, label_smoothing)
    if val is None and patience is not None:
        wanted = f"{'lower' if goal.lowest else 'higher'} validation {goal.by}"
        raise OptionError(f"fit: patience={patience} waits for a {wanted}, and val is None")
    train = Share(train, team) if team else train
    callbacks = tuple(callbacks)
    history = History(by=goal.by, lowest=goal.lowest)
    run = Run(
        model,
        optimizer,
        schedule,
        epochs,
        len(train),
        history=history,
        callbacks=callbacks,
        metrics=tuple(goal.metrics),
    )
    leads = team is None or team.rank == 0
    folder = RunFolder(out) if out is not None and leads else None
    with folder.held(resume) if folder else nullcontext():
        if folder:
            options = {"clip_norm": clip_norm, "patience": patience, "label_smoothing": label_smoothing}
            record = {"fit": described(run) | goal.description | options} | (config or {})
            if resume:
                folder.take_up(run, record)
            else:
                folder.create(record)
        if team:
            begin_alike(run, team)
        printer = Progress()
        watchers = [*([printer] if progress and leads else []), *callbacks]
        for watcher in watchers:
            watcher.on_start(run)

        with Interrupts(active=folder is not None or team is not None) as interrupts, closing(printer):
            parts = (run, watchers, folder, interrupts, clip_norm, goal, save_every)
            session = TeamSession(*parts, team) if team else Session(*parts)
            while run.epoch < epochs and not run.stop and (patience is None or run.waited < patience):
                session.epoch(train, val)

        if run.best:
            model.load_state_dict(run.best)
        model.eval()
        for watcher in watchers:
            watcher.on_end(run)
        if folder:
            folder.draw(run.history)
        return run.history
