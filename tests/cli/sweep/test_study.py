"""Studies: trials, pictures, going on, and processes that are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import refused

from minidil.cli import main
from minidil.cli.sweep import command
from minidil.cli.sweep.config import Sweep
from minidil.cli.sweep.study import Study
from minidil.storage.locks import locked
from minidil.train import RunFolder

pytest.importorskip("optuna")
pytestmark = [pytest.mark.usefixtures("quick_pictures"), pytest.mark.slow]

TINY = """
trials = {trials}
pruner = "none"
{more}
[settings]
epochs = {epochs}
batch_size = 64
backend = "numpy"
labels_per_class = 20
validation = 0.3
[space]
lr = {{ low = 0.01, high = 0.3, log = true }}
widths = [[4], [6]]
dilations = {{ layers = 1, rates = [1, 2] }}
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies go into a folder of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out, which take longer than the trials."""
    monkeypatch.setattr(command, "_drawn", lambda trials, shares, sweep: {})


def written(trials: int = 2, epochs: int = 1, more: str = "") -> Path:
    path = Path("tiny.toml")
    path.write_text(TINY.format(trials=trials, epochs=epochs, more=more))
    return path


def states(study: Study) -> list[str]:
    return [trial.state.name for trial in study.study.get_trials()]


def test_a_study_leaves_runs_pictures_and_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(written(trials=5)), "--json", "found.json"]) == 0
    out = capsys.readouterr().out
    folder = Path("runs/tiny")
    assert sorted(path.name for path in folder.glob("trial-*")) == [f"trial-{number}" for number in range(5)]
    for name in ("history.png", "parallel.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    found = json.loads(Path("found.json").read_text())
    values = [trial["value"] for trial in found["found"]]
    assert values == sorted(values, reverse=True)
    for trial in found["found"]:
        run = RunFolder(folder / trial["folder"])
        assert trial["value"] == run.best()["row"]["val_accuracy"]
        assert run.config()["settings"]["lr"] == trial["drawn"]["lr"]
    assert "5 trials: 5 complete" in out
    assert "the test set was not looked at" in out.splitlines()[-1]
    assert main(["eval", str(folder / "trial-3")]) == 0


@pytest.mark.usefixtures("undrawn")
def test_one_seed_draws_alike_however_often_it_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = []
    for parts, name in (((4,), "whole"), ((1, 3, 4), "parts")):
        for trials in parts:
            assert main(["sweep", str(written(trials)), "--out", name, "--json", "found.json"]) == 0
        found = json.loads(Path("found.json").read_text())["found"]
        drawn.append(sorted((trial["folder"], trial["value"], trial["words"]) for trial in found))
    assert drawn[0] == drawn[1]
    assert len({words for _, _, words in drawn[0]}) == 4
    line = refused(capsys, "sweep", str(written(trials=5, epochs=2, more="seed = 1")), "--out", "whole")
    assert "the study in whole was begun with another seed and settings; only trials and storage may change" in line


def test_nothing_is_written_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", str(written()), "--dry-run"]) == 0
    assert "lr         0.01 to 0.3, logarithmic" in capsys.readouterr().out
    assert os.listdir() == ["tiny.toml"]


def test_nothing_is_fetched_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MINIDIL_DATA", "nowhere")
    path = written()
    path.write_text(path.read_text().replace("[settings]", "[settings]\ndata = 'cifar10'"))
    line = refused(capsys, "sweep", str(path), "--dry-run")
    assert line == "minidil: --dry-run writes nothing, and cifar10 is not here yet: minidil data get cifar10\n"
    assert os.listdir() == ["tiny.toml"]


@pytest.mark.usefixtures("undrawn")
def test_settings_that_make_no_run_and_losses_that_explode_are_answers(capsys: pytest.CaptureFixture[str]) -> None:
    path = written(trials=4, epochs=9)
    text = path.read_text().replace("low = 0.01, high = 0.3", "low = 1e29, high = 1e30").replace("[6]", "[6, 8]")
    path.write_text(text)
    with pytest.warns(RuntimeWarning):
        assert main(["sweep", str(path), "--json", "found.json"]) == 0
    found = json.loads(Path("found.json").read_text())["found"]
    assert {(trial["drawn"]["widths"], trial["state"]) for trial in found} == {("4", "pruned"), ("6 8", "fail")}
    for trial in found:
        assert ("not finite" if trial["state"] == "pruned" else "dilations") in trial["reason"]
    assert len(found) == 4
    assert ": failed: " in capsys.readouterr().out


def test_who_is_at_work_keeps_its_trial_and_who_is_gone_does_not() -> None:
    study = Study(Sweep.read(written()), Path("out"))
    sure, unsure = study.study.ask(), study.study.ask()
    for trial in (sure, unsure):
        study.sweep.draw(trial)
    with locked(Path("out/locks/0"), "a trial"):
        study._replace_lost()
        assert states(study) == ["RUNNING", "FAIL", "WAITING"]
    for _ in range(2):
        study._replace_lost()
        assert states(study) == ["FAIL", "FAIL", "WAITING", "WAITING"]
    lost, other, *waiting = study.study.get_trials()
    assert [trial.params for trial in waiting] == [other.params, lost.params]
    assert study.trials() == []


def test_with_a_database_a_trial_that_other_machines_have_is_left_to_its_heartbeat(tmp_path: Path) -> None:
    sweep = Sweep.read(written(more=f"storage = 'sqlite:///{tmp_path}/study.db'"))
    here, there = (Study(sweep, Path(name)) for name in ("here", "there"))
    with pytest.warns(UserWarning, match="Heartbeat"):  # there is none, and none is due yet
        there.study.ask()
    here._replace_lost()
    assert states(here) == ["RUNNING"]


@pytest.mark.usefixtures("undrawn")
def test_a_trial_that_is_lost_again_and_again_is_given_up() -> None:
    study = Study(Sweep.read(written(trials=1)), Path("out"))
    for _ in range(3):
        study.study.ask()
        study._replace_lost()
    assert states(study) == ["FAIL"] * 3
    assert [trial.number for trial in study.trials()] == [2]
    assert main(["sweep", str(written(trials=1)), "--out", "out"]) == 0


KILLED = """
import os, signal, sys
from minidil.cli import main
from minidil.cli.sweep.trial import Reporting

usual = Reporting.on_epoch_end
def on_epoch_end(self, run):
    if run.epoch == 3:  # two are saved
        os.kill(os.getpid(), signal.SIGKILL)
    usual(self, run)
Reporting.on_epoch_end = on_epoch_end
main(sys.argv[1:])
"""


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("storage", ["", pytest.param("storage = 'sqlite:///{}/study.db'", marks=pytest.mark.long)])
def test_a_killed_process_costs_no_trial(tmp_path: Path, storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(trials=6, epochs=4, more=storage.format(tmp_path))
    words = ["sweep", str(path), "--out", "out"]
    killed = subprocess.Popen([sys.executable, "-c", KILLED, *words], stdout=subprocess.DEVNULL)
    while not list(Path("out").glob("trial-*")):
        assert killed.poll() is None
        time.sleep(0.05)
    assert main([*words, "--json", "found.json"]) == 0
    assert killed.wait() == -signal.SIGKILL
    found = json.loads(Path("found.json").read_text())["found"]
    assert [trial["state"] for trial in found] == ["complete"] * 6
    study = Study(Sweep.read(path), Path("out"))
    (lost,) = [trial for trial in study.study.get_trials() if trial.state.name == "FAIL"]
    (again,) = [trial for trial in study.trials() if trial.params == lost.params]
    assert again.user_attrs["folder"] == f"trial-{lost.number}"
    assert f"trial-{lost.number} again: " in capsys.readouterr().out
    assert [row["val_accuracy"] for row in RunFolder(f"out/trial-{lost.number}").rows()] == list(
        again.intermediate_values.values()
    )
    assert len(again.intermediate_values) == 4


@pytest.mark.usefixtures("undrawn")
def test_ctrl_c_says_how_to_go_on_and_loses_nothing(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from minidil.cli.sweep.trial import Reporting

    def interrupt(self: Reporting, run: object) -> None:
        signal.raise_signal(signal.SIGINT)

    words = ["sweep", str(written(epochs=2)), "--out", "out"]
    with monkeypatch.context() as patch:
        patch.setattr(Reporting, "on_epoch_end", interrupt)
        assert main(words) == 130
    assert "saved in out/trial-0; go on with: minidil sweep tiny.toml --out out" in capsys.readouterr().err
    assert main(words) == 0
    assert "trial-0 again: " in capsys.readouterr().out


def test_a_folder_with_trials_of_another_study_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out/trial-3").mkdir(parents=True)
    line = refused(capsys, "sweep", str(written()), "--out", "out")
    assert line == "minidil: out holds trial-3, which is of no study that is known; choose another --out\n"


def test_a_database_that_cannot_be_used_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "sweep", str(written(more="storage = 'nothing'")))
    assert "tiny.toml: storage: nothing cannot be used: " in line


def test_optuna_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert refused(capsys, "sweep", str(written())) == "minidil: sweep needs Optuna: pip install 'minidil[sweep]'\n"
