"""The slow average of the weights: its formula, and that a run resumed anywhere is the same run."""

from pathlib import Path

import numpy as np
import pytest
from tiny_runs import StopAt, Tiny

from minidil import checkpoint, train
from minidil.errors import CheckpointError, OptionError

pytestmark = pytest.mark.usefixtures("quick_pictures")


class Weights(train.Callback):
    """The state dict before the first step and after every one."""

    def __init__(self) -> None:
        self.seen: list[dict[str, np.ndarray]] = []

    def on_start(self, run: train.Run) -> None:
        self.seen.append(run.model.state_dict())

    def on_batch_end(self, run: train.Run) -> None:
        self.seen.append(run.model.state_dict())


def test_the_weights_are_set_to_the_average_and_the_last_ones_too() -> None:
    """Step by step: what the optimizer made of the weights, and what the average made of that."""
    before, after = Weights(), Weights()
    average = train.WeightAverage(every=4, decay=0.9)
    tiny = Tiny(epochs=2)  # 10 steps: averages after 4, 8 and the last
    tiny.fit(callbacks=[before, average, after])
    slow = before.seen[0]
    for step in range(1, 11):
        fast, left = before.seen[step], after.seen[step]
        if step in (4, 8, 10):
            kept = 0.9**4 * (step / 10) ** 3
            slow = {name: kept * slow[name] + (1 - kept) * fast[name] for name in slow}
        expected = slow if step in (4, 8, 10) else fast
        for name, value in left.items():
            wanted = fast[name] if value.dtype.kind == "i" else expected[name]
            np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-6, err_msg=f"{name} after step {step}")
        changed = any(not np.array_equal(left[name], fast[name]) for name in left)
        assert changed == (step in (4, 8, 10))
    assert tiny.model.state_dict().keys() == after.seen[-1].keys()
    for name, value in average.average.items():
        np.testing.assert_array_equal(after.seen[-1][name], value)


def test_batch_norm_s_statistics_are_averaged_and_its_count_is_not() -> None:
    average, tiny = train.WeightAverage(every=2), Tiny(epochs=1)
    tiny.fit(callbacks=[average])
    assert {"1.running_mean", "1.running_var", "0.weight"} <= average.average.keys()
    assert "1.num_batches_tracked" not in average.average
    assert tiny.model.state_dict()["1.num_batches_tracked"] == 5


def test_at_first_the_average_follows_the_weights_and_at_last_it_is_slow() -> None:
    kept = [train.WeightAverage(5, 0.95).kept(step, 100) for step in range(5, 101, 5)]
    assert kept[0] < 1e-3
    assert kept[-1] == pytest.approx(0.95**5)
    assert kept == sorted(kept)


@pytest.mark.slow
@pytest.mark.parametrize("batches", [1, 3, 5, 6, 10, 14])
def test_a_run_killed_anywhere_and_resumed_ends_in_the_same_bits(tmp_path: Path, batches: int) -> None:
    def callbacks() -> list[train.Callback]:
        return [train.WeightAverage(every=3)]

    Tiny().fit(tmp_path / "whole", callbacks=callbacks())
    with pytest.raises(ZeroDivisionError):
        Tiny().fit(tmp_path / "cut", callbacks=[*callbacks(), StopAt(batches)], save_every=0)
    Tiny().fit(tmp_path / "cut", callbacks=callbacks(), resume=True)
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_average_is_in_the_checkpoint_and_needed_to_go_on(tmp_path: Path) -> None:
    Tiny(epochs=1).fit(tmp_path, callbacks=[train.WeightAverage()])
    ((name, state),) = checkpoint.load(tmp_path / "last.npz")["callbacks"]
    assert name == "WeightAverage"
    assert state["average"].keys() == Tiny().model.state_dict().keys() - {"1.num_batches_tracked"}
    with pytest.raises(CheckpointError, match="that keep a state were WeightAverage, and are now none"):
        Tiny(epochs=2).fit(tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="a state holds an average, not 'mean'"):
        train.WeightAverage().load_state_dict({"mean": {}})


@pytest.mark.parametrize("options", [{"every": 0}, {"every": 2.0}, {"decay": 1.0}, {"decay": -0.1}])
def test_settings_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="WeightAverage: needs an int every >= 1 and 0 <= decay < 1"):
        train.WeightAverage(**options)
