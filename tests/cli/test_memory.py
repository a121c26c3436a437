"""Training and measuring networks that are to remember."""

import json
from pathlib import Path

import pytest
from command_line import refused

from minidil import data
from minidil.cli import main

TINY = ["--backend", "numpy", "--batch-size", "4", "--epochs", "1", "--length", "6", "--widths", "3"]


@pytest.fixture(autouse=True)
def _few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs of three batches, in a folder of the test."""
    monkeypatch.setattr("minidil.cli.memory._BATCHES", 3)
    monkeypatch.setattr("minidil.cli.memory._MEASURED", 1)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "model", "without", "loss"),
    [
        ("copy_memory", ["--model", "tcn", "--dilations", "1,2"], data.memoryless(6), "cross_entropy"),
        ("adding", ["--model", "lstm"], 1 / 6, "mse_loss"),
    ],
)
def test_a_run_is_trained_measured_and_taken_up(
    capsys: pytest.CaptureFixture[str], name: str, model: list[str], without: float, loss: str
) -> None:
    assert main(["train", "--data", name, *model, *TINY, "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert f"{name}: 12 sequences to learn from, 100 to validate on" in out
    fit = json.loads(Path("run/config.json").read_text())["fit"]
    assert (fit["loss"], fit["metrics"], fit["best"]) == (loss, ["right"], "max right")
    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    told = json.loads(Path("eval.json").read_text())
    assert told["without memory"] == pytest.approx(without)
    assert f"test loss {told['loss']:.4f}" in out
    words = capsys.readouterr().out.replace("\n", " ")
    assert (
        f"where the best answer without memory has {without:.6f}; {told['right']:.2%} right, on 100 sequences" in words
    )
    assert main(["train", "--resume", "run", "--epochs", "2", "--backend", "numpy"]) == 0
    assert "epoch 2/2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data adding --loss cross-entropy", "--loss cross-entropy: adding is learnt with mse"),
        ("--data copy_memory --loss mse", "--loss mse: copy_memory is learnt with cross-entropy"),
        ("--data copy_memory --model lstm --dilations 1,2", "--dilations: lstm has none; leave it out"),
        ("--data adding --length 1", "adding: length must be an int >= 2, got 1"),
        ("--data copy_memory --hears wave", "--hears is for a class for every sound, and tcn gives"),
        ("--data spoken_digits --model tcn", "what it remembers of a sequence, and spoken_digits has a class"),
    ],
)
def test_refused_before_anything_is_written(capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert message in refused(capsys, "train", *words.split(), "--backend", "numpy", "--out", "run")
    assert not Path("run").exists()


def test_there_is_no_file_to_answer_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", "copy_memory", "--dilations", "1", *TINY, "--out", "run"]) == 0
    assert "copy_memory is drawn, and there is no file to answer for" in refused(capsys, "predict", "run", "a.wav")
