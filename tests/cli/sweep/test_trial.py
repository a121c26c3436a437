"""One trial of a sweep: an ordinary run that reports, and ends when it is told to. Optuna is not needed."""

from pathlib import Path

import pytest

from minidil.cli.settings import Settings
from minidil.cli.sweep.trial import tried
from minidil.errors import TrainingError
from minidil.train import RunFolder

pytestmark = [pytest.mark.usefixtures("quick_pictures"), pytest.mark.slow]
TINY = {"widths": (4,), "dilations": ((2,),), "backend": "numpy", "labels_per_class": 20, "validation": 0.3}


class Judge:
    """Ends a run after so many epochs."""

    def __init__(self, limit: int) -> None:
        self.limit, self.heard = limit, list[tuple[float, int]]()

    def report(self, value: float, step: int) -> None:
        self.heard.append((value, step))

    def should_prune(self) -> bool:
        return len(self.heard) >= self.limit


def test_every_epoch_is_reported_and_the_best_is_the_answer(tmp_path: Path) -> None:
    judge = Judge(3)  # would end it with the last epoch, where there is nothing to end
    value = tried(Settings.of(TINY | {"epochs": 3}), tmp_path, judge, resume=False)
    rows = RunFolder(tmp_path).rows()
    assert judge.heard == [(row["val_accuracy"], row["epoch"]) for row in rows]
    assert len(rows) == 3
    assert value == max(row["val_accuracy"] for row in rows)


def test_a_trial_is_ended_and_its_best_weights_stay(tmp_path: Path) -> None:
    assert tried(Settings.of(TINY | {"epochs": 5}), tmp_path, Judge(2), resume=False) is None
    assert len(RunFolder(tmp_path).rows()) == 2
    assert RunFolder(tmp_path).best()["row"]["epoch"] <= 2


def test_a_resumed_trial_reports_what_was_before_and_ends_the_same(tmp_path: Path) -> None:
    settings = Settings.of(TINY | {"epochs": 4})
    whole, parts = Judge(9), Judge(9)
    value = tried(settings, tmp_path / "whole", whole, resume=True)  # nothing was begun, so it begins
    tried(settings, tmp_path / "parts", Judge(2), resume=False)
    assert tried(settings, tmp_path / "parts", parts, resume=True) == value
    assert parts.heard == whole.heard
    assert (tmp_path / "parts" / "best.npz").read_bytes() == (tmp_path / "whole" / "best.npz").read_bytes()


def test_a_trial_that_diverges_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not finite"), pytest.warns(RuntimeWarning):
        tried(Settings.of(TINY | {"lr": 1e30, "epochs": 9}), tmp_path, Judge(99), resume=False)
