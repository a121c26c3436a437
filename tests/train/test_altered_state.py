"""Every value of the state in a sealed last.npz, replaced by another: refused by file and place, and nothing is changed."""

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import StopAt, Tiny, generator_state

from minidil import checkpoint, train
from minidil.errors import CheckpointError, DataError

pytestmark = pytest.mark.usefixtures("quick_pictures")
OTHERS = (None, "words", "", [], [1, 2], {"odd": 1}, -1, -0.5, 10**30, math.nan, math.inf, True, 0, 7, 0.25, np.ones(5))

# What is legal and tells nothing of itself by another value beside it: figures and settings, as far as they are in range.
FREE = {
    "epochs",  # more are planned now than then: early stopping starts again
    "lr",
    "waited",
    "sums.loss",
    "sums.count",
    "sums.metrics.accuracy",
    "sums.metrics.accuracy[0]",
    "sums.metrics.accuracy[1]",
    "random.has_uint32",
    "random.uinteger",
    "random.state.state",
    "random.state.inc",
    *(f"history.rows[0].{name}" for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")),
    *(f"optimizer.groups[0].{name}" for name in ("lr", "momentum", "dampening", "weight_decay", "nesterov", "eps")),
    *(f"optimizer.groups[0].betas[{index}]" for index in (0, 1)),
    *(f"optimizer.state[{index}].step" for index in range(6)),
}


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every node of a tree."""
    if path:
        yield path
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(value, (*path, key))


def spelt(path: tuple[Any, ...]) -> str:
    words = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return words.removeprefix(".")


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    other = copy.copy(tree)
    other[path[0]] = replaced(tree[path[0]], path[1:], value)
    return other


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape == b.shape
    return type(a) is type(b) and a == b


def refusal(act: Callable[[], object], kind: type[Exception]) -> str | None:
    """The message of the error that this raises, or None if it does not."""
    try:
        act()
    except kind as error:
        return str(error)
    return None


def run_of(tiny: Tiny) -> train.Run:
    average = train.WeightAverage(2)
    return train.Run(tiny.model, tiny.optimizer, tiny.schedule, tiny.epochs, len(tiny.train), callbacks=[average])


def touched(run: train.Run) -> Any:
    """What loading a state changes."""
    values = [value.tobytes() for value in run.model.state_dict().values()]
    return values, run.epoch, repr(run.optimizer.state_dict()), generator_state()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_every_value_of_the_state_replaced(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        Tiny(kind=kind, epochs=2).fit(tmp_path, callbacks=[train.WeightAverage(2), StopAt(8)], save_every=0)
    folder, run = train.RunFolder(tmp_path), run_of(Tiny(kind=kind, epochs=2))
    whole, before = folder.last(), touched(run)
    assert (whole["epoch"], whole["batch"]) == (1, 2)
    taken = set()
    for path in places(whole):
        present = whole
        for key in path:
            present = present[key]
        for value in OTHERS:
            if same(present, value):
                continue
            monkeypatch.setattr(folder, "last", lambda path=path, value=value: replaced(whole, path, value))
            message = refusal(partial(folder.take_up, run), CheckpointError)
            if message is None:
                taken.add(spelt(path))
                run = run_of(Tiny(kind=kind, epochs=2))
                before = touched(run)
            else:
                assert message.startswith(f"resume: {tmp_path / 'last.npz'}: "), (path, value)
                assert touched(run) == before, (path, value)
    assert taken <= FREE
    folder = train.RunFolder(tmp_path)
    assert folder.take_up(run)
    assert run.epoch == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("epoch",), "1", "epoch must be a whole number, at least 0, not '1'"),
        (("epoch",), 0, "history.rows has 1 rows, and epoch is 0"),
        (("batch",), 6, "batch is 6, after epoch 1 of 2 with 5 batches"),
        (("batch",), True, "batch must be a whole number, at least 0, not True"),
        (("batch",), 0, "sums.count is 16 in 0 batches"),
        (("lr",), math.nan, "lr must be a finite number and at least 0, not nan"),
        (("sums", "metrics", "accuracy", 0), 10**6, "sums.metrics.accuracy is 1000000 of 16 in 2 batches"),
        (("history", "best_epoch"), 0, "history.best_epoch is 0, and in history.rows 1 is the best"),
        (("history", "rows", 0, "epoch"), 2, "history.rows[0].epoch must be 1, not 2"),
        (
            ("history", "rows", 0, "val_accuracy"),
            1.5,
            "history.rows[0].val_accuracy must be a finite number and at least 0",
        ),
        (("history", "rows", 0), None, "history.rows[0] must hold epoch, train_loss, "),
        (("waited",), 3, "waited is 3, and in history.rows 0 epochs follow the best"),
        (("schedule",), {"step": 3}, "schedule must be {'step': 7} after that many batches, not {'step': 3}"),
        (("random", "state", "inc"), -1, "random is no state of the random number generator"),
        (("model",), {}, "model does not fit the model: it lacks 0.bias, "),
        (
            ("model", "0.weight"),
            np.ones((2, 2)),
            "model.0.weight does not fit the model: 0.weight has shape (2, 2) but the model needs (4, 1, 3, 3)",
        ),
        (("model", "0.bias"), np.full(4, np.nan, np.float32), "model.0.bias holds 4 of 4 values that are not finite"),
        (("best", "0.bias"), None, "best.0.bias must be an array, not None"),
        (("optimizer", "groups", 0, "nesterov"), "yes", "group 0 has 'yes' for nesterov"),
        (("optimizer", "groups", 0, "momentum"), 3, "group 0: SGD: momentum must be a number >= 0 and < 1, not 3"),
        (("optimizer", "state", 0, "velocity"), np.ones(3), "has shape (3,) for velocity"),
        (("optimizer", "state", 0, "velocity"), None, "has None for velocity"),
        (("callbacks",), {"a": 1}, "callbacks must be a list, each a name and a state, not {'a': 1}"),
    ],
)
def test_the_message_names_the_place_and_the_value(
    tmp_path: Path, path: tuple[Any, ...], value: Any, words: str
) -> None:
    with pytest.raises(ZeroDivisionError):
        Tiny(epochs=2).fit(tmp_path, callbacks=[StopAt(8)], save_every=0)
    tree = checkpoint.load(tmp_path / "last.npz")
    checkpoint.save(tmp_path / "last.npz", replaced(tree, path, value))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(CheckpointError) as caught:
        Tiny(epochs=2).fit(tmp_path, resume=True)
    assert words in str(caught.value)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.slow
def test_every_value_of_metrics_csv_replaced(tmp_path: Path) -> None:
    """What plots from it refuses what is no figure of that column; resuming the run writes it again, whatever it holds."""
    Tiny(epochs=2).fit(tmp_path)
    path, folder = tmp_path / "metrics.csv", train.RunFolder(tmp_path)
    text, rows = path.read_text(), folder.rows()
    header, *lines = [line.split(",") for line in text.splitlines()]
    taken = set()
    for number, line in enumerate(lines):
        for column in range(len(header)):
            for value in ("", "None", "words", "[1]", "-1", "1e400", "nan", "True", "{}", '"', "7,7", "1" * 5000):
                other = [*line[:column], value, *line[column + 1 :]]
                table = [header, *lines[:number], other, *lines[number + 1 :]]
                path.write_text("\n".join(map(",".join, table)) + "\n")
                message = refusal(folder.rows, DataError)
                if message is None:
                    taken.add((header[column], value))
                else:
                    assert message.startswith(f"{path}: "), (column, value)
    # losses may be anything finite, and figures of validation NaN
    assert taken == {("train_loss", "-1"), ("val_loss", "-1"), ("val_loss", "nan"), ("val_accuracy", "nan")}
    for other in (b"", b"\xff\x00", text.replace("0.", "0.9").encode(), text.encode()[:70]):
        path.write_bytes(other)
        Tiny(epochs=2).fit(tmp_path, resume=True)
        assert path.read_text() == text
        assert folder.rows() == rows


def test_a_missing_best_npz_is_called_missing_and_comes_back(tmp_path: Path) -> None:
    Tiny(epochs=1).fit(tmp_path)
    path, folder = tmp_path / "best.npz", train.RunFolder(tmp_path)
    content = path.read_bytes()
    path.unlink()
    with pytest.raises(
        CheckpointError, match=r"best\.npz is missing; resume the run, which writes it again from last\.npz"
    ):
        folder.best()
    Tiny(epochs=1).fit(tmp_path, resume=True)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ([], "not of a model's weights"),
        ({"model": None}, "not of a model's weights"),
        ({"model": {}}, "model does not fit the model: it lacks 0.bias"),
    ],
)
def test_best_weights_that_are_none_are_refused(tmp_path: Path, tree: Any, words: str) -> None:
    checkpoint.save(tmp_path / "best.npz", tree)
    with pytest.raises(CheckpointError, match=r"best\.npz") as caught:
        train.RunFolder(tmp_path).load_best(Tiny().model)
    assert words in str(caught.value)


@pytest.mark.slow
def test_every_array_of_the_best_weights_replaced(tmp_path: Path) -> None:
    Tiny(epochs=1).fit(tmp_path)
    folder, tiny = train.RunFolder(tmp_path), Tiny()
    whole = folder.best()
    before = repr(tiny.model.state_dict())
    for name in whole["model"]:
        for value in OTHERS:
            checkpoint.save(tmp_path / "best.npz", replaced(whole, ("model", name), value))
            with pytest.raises(CheckpointError, match=rf"best\.npz: model\.{name} "):
                folder.load_best(tiny.model)
    assert repr(tiny.model.state_dict()) == before
