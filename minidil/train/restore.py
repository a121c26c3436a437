"""Taking a run up where its state was stored."""

from typing import Any

from minidil.random import default_rng
from minidil.train.check import check_state
from minidil.train.history import History
from minidil.train.metrics import Sums
from minidil.train.state import Run


def restore(run: Run, state: Any) -> None:
    """Set `run` to where its `state_dict` gave `state`.

    A different number of planned epochs is allowed: the schedule then goes on from the same step of its own, new plan,
    and the patience of early stopping starts again.
    Raises: CheckpointError if the state belongs to another model, optimizer, schedule, amount of data, other metrics or
        other callbacks that have a state, is of more epochs than are now planned, or holds what `state_dict` never gives.
    """
    check_state(state, run)
    keeping = [each for each in run.callbacks if each.state_dict()]
    run.optimizer.load_state_dict(state["optimizer"])  # first, as it may refuse
    if run.schedule:
        run.schedule.load_state_dict(state["schedule"])
    run.model.load_state_dict(state["model"])
    for callback, (_, kept) in zip(keeping, state["callbacks"], strict=True):
        callback.load_state_dict(kept)
    default_rng().bit_generator.state = state["random"]
    run.epoch, run.batch, run.sums, run.lr = state["epoch"], state["batch"], Sums(**state["sums"]), state["lr"]
    run.history, run.best = History(**state["history"]), state["best"]
    run.waited = state["waited"] if state["epochs"] == run.epochs else 0
