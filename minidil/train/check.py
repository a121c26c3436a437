"""Whether the tree of a checkpoint is the state of this training run: every value of it, before any of them is used."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minidil.errors import CheckpointError
from minidil.random import default_rng
from minidil.train.history import COLUMNS, History, columns, metrics_of
from minidil.train.rules import MAPPING, TEXT, Rule, listed, named, number, shown, whole
from minidil.train.state import Run

_COUNTS = {
    "epochs": whole(1),
    "batches": whole(1),
    "epoch": whole(),
    "batch": whole(),
    "waited": whole(),
    "lr": number(0),
    "model": MAPPING,
    "optimizer": MAPPING,
    "sums": MAPPING,
    "history": MAPPING,
    "best": MAPPING,
}
_ARRAY = Rule("an array", lambda value: isinstance(value, np.ndarray))


def check_state(state: Any, run: Run) -> None:
    """Raises: CheckpointError, naming the place in the tree, unless `state` can be taken up by `run`."""
    fresh = run.state_dict()
    if not isinstance(state, dict) or state.keys() != fresh.keys():
        raise CheckpointError("the checkpoint is not the state of a training run, such as fit writes")
    named(state, _COUNTS, "")
    _check_plan(state, run)
    check_arrays(state["model"], fresh["model"], "model")
    _check_sums(state, fresh["sums"])
    _check_history(state, run)
    if state["history"]["best_epoch"] or state["best"]:
        check_arrays(state["best"], fresh["model"], "best")
    _check_random(state["random"])
    _check_schedule(state, run)
    _check_callbacks(state["callbacks"], run)


def check_arrays(state: Any, like: Mapping[str, Any], place: str) -> None:
    """Raises: CheckpointError unless `state` holds finite arrays under the names, in the shapes and of the kinds of `like`."""
    MAPPING.check(state, place)
    if state.keys() != like.keys():
        missing, odd = (", ".join(sorted(names)) for names in (like.keys() - state.keys(), state.keys() - like.keys()))
        raise CheckpointError(
            f"{place} does not fit the model: "
            + " and ".join(([f"it lacks {missing}"] if missing else []) + ([f"the model has no {odd}"] if odd else []))
        )
    misfits: dict[str, str] = {}
    for name, value in state.items():
        _ARRAY.check(value, f"{place}.{name}")
        if value.shape != like[name].shape:
            misfits[name] = f"{name} has shape {value.shape} but the model needs {like[name].shape}"
        elif not np.can_cast(value.dtype, like[name].dtype, "same_kind"):
            misfits[name] = f"{name} has type {value.dtype} but the model needs {like[name].dtype}"
    if misfits:
        raise CheckpointError(f"{place}.{next(iter(misfits))} does not fit the model: {', '.join(misfits.values())}")
    for name, value in state.items():
        check_finite(value, f"{place}.{name}")


def check_finite(value: Any, place: str) -> None:
    """Raises: CheckpointError if NaN or an infinity is among the values of an array."""
    if bad := value.size - int(np.count_nonzero(np.isfinite(value))):
        raise CheckpointError(f"{place} holds {bad:,} of {value.size:,} values that are not finite")


def _check_plan(state: dict[str, Any], run: Run) -> None:
    """Epochs and batches, done and to come."""
    if state["epoch"] > run.epochs:
        raise CheckpointError(f"{state['epoch']} epochs are done already, more than the {run.epochs} planned now")
    if state["batches"] != run.batches:
        raise CheckpointError(
            f"the run was made with {state['batches']} batches an epoch and the loader now has {run.batches}; "
            "its position in the data means nothing there, use the same data and batch size"
        )
    if state["epoch"] > state["epochs"]:
        raise CheckpointError(f"epoch is {state['epoch']}, and only {state['epochs']} epochs were planned")
    if state["batch"] > (state["batches"] if state["epoch"] < state["epochs"] else 0):
        raise CheckpointError(
            f"batch is {state['batch']}, after epoch {state['epoch']} of {state['epochs']} with {state['batches']} batches"
        )


def _check_sums(state: dict[str, Any], fresh: dict[str, Any]) -> None:
    sums = state["sums"]
    if sums.keys() != fresh.keys():
        raise CheckpointError(f"sums must hold {', '.join(fresh)}, not {', '.join(map(str, sums)) or 'nothing'}")
    named(sums, {"loss": number(), "count": whole(), "metrics": MAPPING}, "sums.")
    if (sums["count"] == 0) != (state["batch"] == 0) or (sums["metrics"] and not sums["count"]):
        raise CheckpointError(f"sums.count is {sums['count']} in {state['batch']} batches")
    for name, entry in sums["metrics"].items():
        listed(number(or_nan=name != "accuracy"), 2).check(entry, f"sums.metrics.{name}")
        whole().check(entry[1], f"sums.metrics.{name}[1]")
        if name == "accuracy" and not 0 <= entry[0] <= entry[1]:
            raise CheckpointError(f"sums.metrics.accuracy is {entry[0]} of {entry[1]} in {state['batch']} batches")


def _check_history(state: dict[str, Any], run: Run) -> None:
    """Every figure, that there is a row for every epoch, and that the best of them is the best."""
    history = state["history"]
    if history.keys() != {"rows", "best_epoch", "by", "lowest"} or not isinstance(history["rows"], list):
        raise CheckpointError(f"history must hold a list of rows, best_epoch, by and lowest, not {shown(history)}")
    check_rows(history["rows"], "history.rows")
    _check_figures(state, run)
    if len(history["rows"]) != state["epoch"]:
        raise CheckpointError(f"history.rows has {len(history['rows'])} rows, and epoch is {state['epoch']}")
    again, waited = History(by=run.history.by, lowest=run.history.lowest), 0
    for row in history["rows"]:
        waited = 0 if again.improves(row) else waited + 1
        again.add(row)
    whole().check(history["best_epoch"], "history.best_epoch")
    if history["best_epoch"] != again.best_epoch:
        raise CheckpointError(
            f"history.best_epoch is {history['best_epoch']}, and in history.rows {again.best_epoch} is the best"
        )
    if state["waited"] > waited:  # fewer are right after the plan has changed, since patience then starts again
        raise CheckpointError(f"waited is {state['waited']}, and in history.rows {waited} epochs follow the best")


def _check_figures(state: dict[str, Any], run: Run) -> None:
    """Raises: CheckpointError unless the saved run measured what this one measures, and chose its best alike."""
    history, sums = state["history"], state["sums"]
    TEXT.check(history["by"], "history.by")
    Rule("true or false", lambda value: isinstance(value, bool)).check(history["lowest"], "history.lowest")
    for names in [metrics_of(row) for row in history["rows"]] + [list(sums["metrics"])] * (sums["count"] > 0):
        if names != list(run.metrics):
            before, now = (", ".join(each) or "none" for each in (names, run.metrics))
            raise CheckpointError(f"the metrics of the run were {before}, and are now {now}")
    pairs = ((history["by"], history["lowest"]), (run.history.by, run.history.lowest))
    before, now = (f"{'min' if lowest else 'max'} {by}" for by, lowest in pairs)
    if before != now:
        raise CheckpointError(f"the run chose its best epoch by {before!r}, and now would by {now!r}")


def check_rows(rows: list[Any], place: str) -> None:
    """Raises: CheckpointError unless these are the figures of the epochs from 1 on."""
    for index, row in enumerate(rows):
        wanted = columns(metrics_of(row)) if isinstance(row, dict) and all(isinstance(key, str) for key in row) else ()
        if not wanted or row.keys() != set(wanted):
            raise CheckpointError(f"{place}[{index}] must hold {', '.join(wanted or COLUMNS)}, not {shown(row)}")
        named(row, {name: _figure(name) for name in wanted}, f"{place}[{index}].")
        if row["epoch"] != index + 1:
            raise CheckpointError(f"{place}[{index}].epoch must be {index + 1}, not {row['epoch']}")


def _figure(column: str) -> Rule:
    """What the figure in a column must be; NaN is a metric without targets, or the lack of a validation."""
    if column in ("epoch", "lr"):
        return whole(1) if column == "epoch" else number(0)
    or_nan = column.startswith("val_") or column not in ("train_loss", "train_accuracy")
    return number(0, 1, or_nan=or_nan) if column.endswith("_accuracy") and column in COLUMNS else number(or_nan=or_nan)


def _check_random(state: Any) -> None:
    """The generator is given the state on trial: it must take it, and give it back unchanged."""
    trial = type(default_rng().bit_generator)()
    try:
        trial.state = state
        same = shown(trial.state) == shown(state) and trial.state == state
    except (TypeError, ValueError, LookupError, OverflowError, AttributeError) as error:
        raise CheckpointError(f"random is no state of the random number generator: {error!r}") from error
    if not same:
        raise CheckpointError(
            f"random is no state of the random number generator, which makes {shown(trial.state)} of it"
        )


def _check_schedule(state: dict[str, Any], run: Run) -> None:
    schedule = state["schedule"]
    if (schedule is None) != (run.schedule is None):
        before, now = ("without", "with") if schedule is None else ("with", "without")
        raise CheckpointError(f"the run was made {before} a schedule and now goes on {now} one")
    if run.schedule is None:
        return
    MAPPING.check(schedule, "schedule")
    fresh, position = run.schedule.state_dict(), state["epoch"] * state["batches"] + state["batch"]
    if fresh.keys() == {"step"}:
        # fit takes one step of it after every batch; where it was not new at the first, it is as old again now.
        steps = (position, position + fresh["step"])
        if schedule.keys() != {"step"} or type(schedule["step"]) is not int or schedule["step"] not in steps:
            raise CheckpointError(
                f"schedule must be {{'step': {position}}} after that many batches, not {shown(schedule)}"
            )


def _check_callbacks(saved: Any, run: Run) -> None:
    pair = Rule("a name and a state", lambda entry: isinstance(entry, list) and [*map(type, entry)] == [str, dict])
    if not isinstance(saved, list) or saved:
        listed(pair).check(saved, "callbacks")
    keeping = [each for each in run.callbacks if each.state_dict()]
    names = [type(each).__name__ for each in keeping]
    if names != (then := [name for name, _ in saved]):
        before, now = (", ".join(each) or "none" for each in (then, names))
        raise CheckpointError(f"the callbacks that keep a state were {before}, and are now {now}")
    for callback, (_, kept) in zip(keeping, saved, strict=True):
        callback.check_state(kept, run)
