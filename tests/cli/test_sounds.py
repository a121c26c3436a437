"""Training, measuring and asking networks that name sounds, on a few short ones."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from scipy.io import wavfile
from tiny_runs import StopAt
from tiny_sets import tiny_spoken_digits

import minidil as md
import minidil.functional as F
from minidil import data
from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.cli.settings import Settings
from minidil.cli.sounds import Sounds
from minidil.data import registry
from minidil.tasks.sound.heard import heard
from minidil.train import RunFolder

TINY = ["--model", "wavenet", "--widths", "3", "--dilations", "1,2", "--backend", "numpy", "--batch-size", "16"]
TINY += ["--length", "400"]
DIGITS = ["train", "--data", "spoken_digits", *TINY, "--epochs", "2", "--validation", "0.2"]
FILES = ("last.npz", "best.npz", "metrics.csv")


@pytest.fixture(autouse=True)
def _tiny_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two takes of each digit and speaker; runs go into a folder of the test."""
    source = tiny_spoken_digits(tmp_path)
    monkeypatch.setattr(registry, "SPOKEN_DIGITS", source)
    monkeypatch.setitem(registry.SOURCES, "spoken_digits", source)
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def shares(run: str, waves: np.ndarray, hears: str = "mean-free") -> np.ndarray:
    """What the best weights of a run say, worked out without the command line."""
    folder = RunFolder(run)
    model = Experiment.of(folder).trained(folder)
    with md.use("numpy"), md.no_grad():
        return F.softmax(model(md.tensor(heard(waves, 8000, hears)))).numpy()


@pytest.mark.parametrize(
    "hears", ["mean-free", *(pytest.param(each, marks=pytest.mark.slow) for each in ("log-mel", "wave"))]
)
def test_a_run_is_trained_measured_and_asked(capsys: pytest.CaptureFixture[str], hears: str) -> None:
    given = [] if hears == "mean-free" else ["--hears", hears]
    assert main([*DIGITS, *given, "--left-out", "theo", "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "spoken_digits: 80 sounds to learn from, 20 to validate on" in out
    assert "validation accuracy" in out
    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    test, told = data.spoken_digits("test", left_out="theo"), json.loads(Path("eval.json").read_text())
    right = shares("run", test.fixed(400), hears).argmax(axis=1) == test.labels
    assert told["accuracy"] == pytest.approx(right.mean())
    assert told["speakers"] == [{"speaker": "theo", "right": int(right.sum()), "sounds": 20}]
    assert [each["sounds"] for each in told["classes"]] == [2] * 10
    assert f"test accuracy {right.mean():.2%} on 20 sounds" in capsys.readouterr().out

    wave = np.random.default_rng(0).integers(-9000, 9000, 1000).astype(np.int16)
    wavfile.write("word.wav", 8000, wave)
    wavfile.write("nothing.wav", 8000, np.zeros(300, np.int16))
    (Path("broken.wav")).write_bytes(b"RIFF")
    assert main(["predict", "run", "word.wav", "nothing.wav", "broken.wav", "--top", "10", "--json", "said.json"]) == 2
    word, nothing, broken = json.loads(Path("said.json").read_text())["sounds"]
    expected = shares("run", wave[None, 300:700].astype(np.float32) / 32768, hears)[0]
    found = {each["class"]: each["probability"] for each in word["classes"]}
    assert [found[str(digit)] for digit in range(10)] == pytest.approx(expected, rel=1e-3)
    assert (word["sound"], word["changes"]) == ("word.wav", ["its middle 0.05 of 0.12 s"])
    assert nothing["changes"] == ["it is silent"]
    assert "broken.wav is no WAV file" in broken["error"]


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*DIGITS, "--out", "whole"]) == 0
    for batches, begin in ((1, [*DIGITS, "--out", "cut"]), (2, ["train", "--resume", "cut"])):
        stop = StopAt(batches)
        with monkeypatch.context() as patch:
            patch.setattr(Experiment, "callbacks", lambda self, model, stop=stop: [stop])
            with pytest.raises(ZeroDivisionError):
                main([*begin, "--save-every", "0"])
    assert main(["train", "--resume", "cut"]) == 0
    assert all((Path("cut") / name).read_bytes() == (Path("whole") / name).read_bytes() for name in FILES)


def sing(folder: Path, count: int) -> None:
    """Sounds of two pitches, stereo, of 16,000 samples a second."""
    for number in range(count):
        for name, pitch in (("high", 2000), ("low", 300)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            wave = np.sin(2 * np.pi * (pitch + number) * np.arange(1600) / 16000)
            wavfile.write(folder / name / f"{number}.wav", 16000, np.stack([wave, wave], axis=1).astype(np.float32))


@pytest.mark.slow
def test_a_folder_of_sounds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sing(tmp_path / "tones", 10)
    words = [*TINY, "--epochs", "25", "--batch-size", "8", "--lr", "0.02"]
    assert main(["train", "--data", "tones", *words, "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "tones: 14 sounds to learn from, 2 to validate on" in out
    assert "test accuracy 100.00%" in out
    assert main(["predict", "run", "tones/low/3.wav", "--backend", "numpy", "--top", "1"]) == 0
    assert capsys.readouterr().out.startswith("tones/low/3.wav: low ")
    sing(tmp_path / "parts" / "train", 3)
    sing(tmp_path / "parts" / "test", 1)
    assert main(["train", "--data", "parts", *TINY, "--epochs", "1", "--validation", "0", "--out", "two"]) == 0
    assert "parts: 6 sounds to learn from, none to validate on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data spoken_digits --model vgg_small", "spoken_digits has a class for every sound; choose from wavenet"),
        (
            "--data digits --model wavenet",
            "wavenet gives a class for every sound, and digits has a class for every image",
        ),
        (
            "--data spoken_digits --flip",
            "--flip is for a class for every image or a class for every pixel or boxes around objects, and wavenet",
        ),
        (
            "--data spoken_digits --tta 1",
            "--tta is for a class for every image, and wavenet gives a class for every sound",
        ),
        ("--data digits --left-out theo", "--left-out is for a class for every sound, and vgg_small gives"),
        ("--data spoken_digits --left-out bob", "--left-out"),
        ("--data spoken_digits --widths 3 4", "--widths: wavenet has one for all of its layers, such as 16"),
        ("--data spoken_digits --dilations 1 2", "--dilations: wavenet dilates one stage, as in 1,2,4"),
        ("--data spoken_digits --length 100", "log_mel: waves must be (N, L) with L >= 200"),
        ("--data tones --model wavenet --left-out theo", "--left-out theo: only spoken_digits says who speaks"),
        (
            "--data fsdd.npz --model wavenet",
            "neither spoken_digits nor a folder with one sub-folder of WAV files a class",
        ),
    ],
)
def test_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: str, message: str
) -> None:
    sing(tmp_path / "tones", 3)
    assert message in refused(capsys, "train", *words.split(), "--backend", "numpy", "--out", "run")
    assert not Path("run").exists()


def test_a_run_is_not_taken_for_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*DIGITS, "--epochs", "1", "--out", "run"]) == 0
    config = json.loads(Path("run/config.json").read_text())
    assert "--invert: run gives a class for every sound, in which nothing is dark" in refused(
        capsys, "predict", "run", "fsdd.npz", "--invert"
    )
    for change, message in (
        ({"shape": [40, 9]}, "shape is [40, 9], and 400 samples at 8000 a second make (40, 3)"),
        ({"classes": list("012345678x")}, "classes is"),
        ({"power": "loud"}, "power must be"),
    ):
        Path("run/config.json").write_text(json.dumps(config | change))
        assert message in refused(capsys, "eval", "run", "--backend", "numpy")


def test_a_wave_is_moved_while_learning_and_not_when_measured() -> None:
    settings = Settings.of({"data": "spoken_digits", "hears": "wave", "length": 400, "batch_size": 50})
    learn, _ = Sounds.training(settings)
    experiment = Sounds.on(settings, learn)
    x, _ = next(iter(experiment.learning(learn).batches(0)))
    assert x.shape == (50, 1, 400)
    whole = heard(learn.fixed(400), learn.rate, "wave")
    still = {wave.tobytes() for wave in whole}
    assert not all(wave.tobytes() in still for wave in x)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in experiment.measuring(learn).batches(0)]), whole)


def test_a_run_of_before_hears_what_it_heard_then() -> None:
    """New runs on speech hear what is mean-free; config.json of one from before names log-mel, or nothing."""
    settings = Settings.of({"data": "spoken_digits"})
    assert settings.hears == "mean-free"
    assert Settings.of({"data": ".", "model": "wavenet"}).hears == "log-mel"
    for before in ({"hears": "log-mel"}, {}):
        values = {name: value for name, value in settings.to_json().items() if name != "hears"} | before
        assert Settings.from_json(values).hears == "log-mel"
