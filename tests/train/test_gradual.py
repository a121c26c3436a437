"""Layers that begin to learn one after the other."""

from pathlib import Path

import numpy as np
import pytest
from tiny_runs import StopAt, Tiny

from minidil import train
from minidil.errors import OptionError

pytestmark = pytest.mark.usefixtures("quick_pictures")
NAMES = ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "6.weight", "6.bias")


class Weights(train.Callback):
    """The state dict before the first epoch, and at the end of every one."""

    def __init__(self) -> None:
        self.seen: list[dict[str, np.ndarray]] = []

    def on_start(self, run: train.Run) -> None:
        self.seen.append(run.model.state_dict())

    def on_epoch_end(self, run: train.Run) -> None:
        self.seen.append(run.model.state_dict())


def moved(weights: Weights) -> list[set[str]]:
    """What each epoch changed."""
    pairs = zip(weights.seen, weights.seen[1:], strict=False)
    return [{name for name in NAMES if not np.array_equal(old[name], new[name])} for old, new in pairs]


@pytest.mark.parametrize("every", [1, 2])
def test_the_head_learns_first_then_one_layer_more(every: int) -> None:
    tiny, weights = Tiny(epochs=3), Weights()
    tiny.fit(callbacks=[train.GradualUnfreezing(tiny.model, every), weights])
    head, all_of_it = {"6.weight", "6.bias"}, set(NAMES)
    assert moved(weights) == ([head, all_of_it, all_of_it] if every == 1 else [head, head, all_of_it])


def test_what_was_frozen_before_stays_frozen() -> None:
    tiny, weights = Tiny(epochs=3), Weights()
    train.freeze(tiny.model, "1")
    tiny.fit(callbacks=[train.GradualUnfreezing(tiny.model), weights])
    assert moved(weights) == [{"6.weight", "6.bias"}, *[{"6.weight", "6.bias", "0.weight", "0.bias"}] * 2]
    tiny = Tiny()
    tiny.model.freeze()
    with pytest.raises(OptionError, match="GradualUnfreezing: no parameter of the model is trained"):
        train.GradualUnfreezing(tiny.model)


@pytest.mark.parametrize("every", [0, 1.5, True])
def test_epochs_are_counted(every: int) -> None:
    with pytest.raises(OptionError, match="GradualUnfreezing: every must be an int >= 1"):
        train.GradualUnfreezing(Tiny().model, every)


@pytest.mark.slow
@pytest.mark.parametrize("batches", [3, 5, 8, 12])
def test_a_resumed_run_goes_on_bit_for_bit(tmp_path: Path, batches: int) -> None:
    def run(folder: str, *others: train.Callback, resume: bool = False) -> None:
        tiny = Tiny(kind="adam")
        callbacks = [train.GradualUnfreezing(tiny.model), train.FreezeAfter(tiny.model, "6", 2), *others]
        tiny.fit(tmp_path / folder, callbacks=callbacks, resume=resume, save_every=0)

    run("whole")
    with pytest.raises(ZeroDivisionError):
        run("cut", StopAt(batches))
    run("cut", resume=True)
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
