"""Training, measuring and asking networks that give a class to a sentence, on a few made ones."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from tiny_runs import StopAt

import minidil as md
from minidil import text
from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.cli.settings import Settings
from minidil.data import registry
from minidil.train import RunFolder

pytestmark = pytest.mark.usefixtures("quick_pictures")
TINY = ["--widths", "6", "4", "--backend", "numpy", "--batch-size", "8"]
TRAIN = ["train", "--data", "rt_polarity", *TINY, "--epochs", "3", "--lr", "0.06"]
FILES = ("last.npz", "best.npz", "metrics.csv")
COUNTS = {"train": 40, "dev": 12, "test": 20}


def made(count: int, seed: int) -> list[tuple[str, str]]:
    """Sentences of one to six words, one of which says what they are."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(count):
        words = list(rng.choice(["film", "it", "plot", "the"], rng.integers(0, 6)))
        words.insert(
            int(rng.integers(0, len(words) + 1)), str(rng.choice([["awful", "dull"], ["fine", "good"]][number % 2]))
        )
        rows.append((str(number % 2), " ".join(words)))
    return rows


@pytest.fixture(autouse=True)
def _tiny_reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small rt-polarity.tsv; runs go into a folder of the test."""
    lines = [f"{part}\t{label}\t{words}" for part, n in COUNTS.items() for label, words in made(n, n)]
    content = "\n".join(["split\tlabel\ttext", *lines]).encode() + b"\n"
    (tmp_path / "rt-polarity.tsv").write_bytes(content)
    file = registry.File("rt-polarity.tsv", 0, packed=f"sha256:{hashlib.sha256(content).hexdigest()}")
    source = registry.Source("rt_polarity", "", (file,), kinds=("texts",))
    monkeypatch.setattr(registry, "RT_POLARITY", source)
    monkeypatch.setitem(registry.SOURCES, "rt_polarity", source)
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_a_run_is_trained_measured_and_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "rt_polarity: 40 sentences to learn from, 12 to validate on" in out
    assert "test accuracy 1" in out.splitlines()[-1]

    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    out = capsys.readouterr().out
    assert "McNemar's exact test" in out
    found = json.loads(Path("eval.json").read_text())
    for part, sentences in (("validation", 12), ("test", 20)):
        assert (found[part]["sentences"], found[part]["accuracy"]) == (sentences, 1.0)
        assert found[part]["p"] == (1.0 if found[part]["control"] == 1.0 else 0.5 ** (found[part]["network_alone"] - 1))
    assert found["sentences"] == 20

    sentences = ["The film: good!", "a DULL plot"]
    assert main(["predict", "run", *sentences, "--backend", "numpy", "--json", "p.json", "--top", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("The film: good!: positive ")
    assert lines[0].endswith("%; not in the vocabulary: !, :")
    assert lines[1].startswith("a DULL plot: negative ")
    answers = json.loads(Path("p.json").read_text())["sentences"]
    assert answers[1]["unknown"] == ["a"]
    folder = RunFolder("run")
    experiment = Experiment.of(folder)
    with md.use("numpy"), md.no_grad():
        ids = experiment.vocabulary.encode(text.words(sentences[1]))  # type: ignore[attr-defined]
        logits = experiment.trained(folder)(md.tensor(ids[None])).numpy()[0]
    assert answers[1]["classes"][0]["probability"] == pytest.approx(1 / (1 + np.exp(logits[1] - logits[0])), rel=1e-5)

    assert "--invert: run gives a class for every sentence, in which nothing is dark" in refused(
        capsys, "predict", "run", "good", "--invert"
    )
    assert main(["predict", "run", " \t", "good", "--backend", "numpy"]) == 2
    captured = capsys.readouterr()
    assert "there is no word in it" in captured.err
    assert captured.out.startswith("good: positive")


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([*TRAIN, "--out", "whole"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "callbacks", lambda self, model: [StopAt(7)])
        with pytest.raises(ZeroDivisionError):
            main([*TRAIN, "--out", "cut", "--save-every", "0"])
    assert main(["train", "--resume", "cut"]) == 0
    assert all((Path("cut") / name).read_bytes() == (Path("whole") / name).read_bytes() for name in FILES)


def test_a_table_of_ones_own_and_the_other_networks(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(("bad", "fair", "good")[number % 3], words) for number, (_, words) in enumerate(made(60, 0))]
    Path("own.csv").write_text("".join(f"{label},{words}\n" for label, words in [("label", "text"), *rows]))
    for options in (["--model", "bilstm", *TINY], ["--model", "dilated_cnn", "--dilations", "1", "3", "--widths", "6"]):
        out = options[1]
        assert main(["train", "--data", "own.csv", *options, "--epochs", "1", "--backend", "numpy", "--out", out]) == 0
        assert "own.csv: 43 sentences to learn from, 5 to validate on" in capsys.readouterr().out
        assert main(["eval", out, "--backend", "numpy"]) == 0
        told = capsys.readouterr().out
        assert "test" in told
        assert "tf-idf" not in told  # it tells two classes apart
    Path("own.csv").write_text("label,text\ngood,ok\nbad,\n")
    words = refused(capsys, "train", "--data", "own.csv", "--model", "kim_cnn", "--out", "x")
    assert "own.csv, line 3: the column 'text' is empty; take the line out" in words
    assert not Path("x").exists()


def test_a_vocabulary_that_does_not_go_with_the_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "--epochs", "1", "--out", "run"]) == 0
    path = Path("run/config.json")
    config = json.loads(path.read_text())
    words = config["vocabulary"]
    path.write_text(json.dumps(config | {"vocabulary": words[::-1]}))
    assert "config.json: vocabulary" in refused(capsys, "predict", "run", "good", "--backend", "numpy")
    path.write_text(json.dumps(config | {"vocabulary": [words[0], *words]}))
    assert f"the word {words[0]!r} is there twice" in refused(capsys, "predict", "run", "good")
    path.write_text(json.dumps(config))
    Path("rt-polarity.tsv").unlink()
    assert "rt-polarity.tsv does not exist" in refused(capsys, "eval", "run")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--model kim_cnn --dilations 1 2", "--dilations: kim_cnn has no dilations; dilated_cnn has"),
        ("--model dilated_cnn --widths 4 4", "--widths: dilated_cnn takes vector, so 1 of them, not 2"),
        (
            "--crop 2",
            "--crop is for a class for every image or a class for every pixel or boxes around objects, and kim_cnn gives",
        ),
        ("--init vgg_small", "the weights of --init vgg_small:cifar10 are of vgg_small"),
        ("--model unet", "and rt_polarity has a class for every sentence; choose from bilstm, dilated_cnn, kim_cnn"),
    ],
)
def test_what_is_refused(capsys: pytest.CaptureFixture[str], words: str, reason: str) -> None:
    given = words if "--model" in words else f"--model kim_cnn {words}"
    assert reason in refused(capsys, "train", "--data", "rt_polarity", *given.split(), "--out", "x")
    assert not Path("x").exists()


def test_the_defaults_are_those_for_sentences_whichever_set(tmp_path: Path) -> None:
    known, own = Settings.of({"data": "rt_polarity"}), Settings.of({"data": str(tmp_path), "model": "bilstm"})
    assert (known.model, own.model) == ("kim_cnn", "bilstm")
    for settings in (known, own):
        assert (settings.epochs, settings.batch_size, settings.lr, settings.schedule) == (6, 50, 1e-3, "constant")
