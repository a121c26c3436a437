"""A part of a model that learns for the first epochs only."""

from pathlib import Path

import numpy as np
import pytest
from tiny_runs import StopAt, Tiny

from minidil import train
from minidil.errors import OptionError

pytestmark = pytest.mark.usefixtures("quick_pictures")


class Weights(train.Callback):
    """The state dict at the end of every epoch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, np.ndarray]] = []

    def on_epoch_end(self, run: train.Run) -> None:
        self.seen.append(run.model.state_dict())


@pytest.mark.parametrize("epochs", [0, 1, 2])
def test_it_stands_still_from_then_on_and_all_else_goes_on(epochs: int) -> None:
    tiny, weights = Tiny(epochs=3), Weights()
    weights.seen.append(tiny.model.state_dict())
    tiny.fit(callbacks=[train.FreezeAfter(tiny.model, "0", epochs), weights])
    for epoch, (before, after) in enumerate(zip(weights.seen, weights.seen[1:], strict=False)):
        for name in ("0.weight", "0.bias", "6.weight"):
            still = name.startswith("0.") and epoch >= epochs
            assert np.array_equal(before[name], after[name]) == still


def test_a_name_is_a_module_s_or_a_parameter_s_and_never_half_of_one() -> None:
    model = Tiny().model
    assert len(train.FreezeAfter(model, "1", 1).parameters) == 2
    assert train.FreezeAfter(model, "6.bias", 1).parameters == [model.own_children()["6"].bias]
    with pytest.raises(OptionError, match=r"no parameter is '6.bi' or part of it; there are 0.weight, 0.bias"):
        train.FreezeAfter(model, "6.bi", 1)


@pytest.mark.parametrize("epochs", [-1, 1.5, True])
def test_epochs_are_counted(epochs: float) -> None:
    with pytest.raises(OptionError, match="epochs must be an int >= 0"):
        train.FreezeAfter(Tiny().model, "0", epochs)


@pytest.mark.slow
@pytest.mark.parametrize("batches", [3, 5, 8])
def test_a_resumed_run_is_frozen_at_the_same_place(tmp_path: Path, batches: int) -> None:
    def run(folder: str, *others: train.Callback, resume: bool = False) -> None:
        tiny = Tiny()
        callbacks = [train.FreezeAfter(tiny.model, "0", 1), *others]
        tiny.fit(tmp_path / folder, callbacks=callbacks, resume=resume, save_every=0)

    run("whole")
    with pytest.raises(ZeroDivisionError):
        run("cut", StopAt(batches))
    run("cut", resume=True)
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
