"""Training, measuring and using networks that tag the words of sentences, on a few of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from tiny_runs import StopAt

from minidil import data
from minidil.cli import main
from minidil.cli.experiment import Experiment, kind_of
from minidil.cli.settings import Settings
from minidil.tasks import entities
from minidil.train import RunFolder

pytestmark = pytest.mark.usefixtures("quick_pictures")
NAMES = ("Ada", "Bob", "Li", "Zoe", "Kim", "Max")
PLACES = ("Rome", "Oslo", "Lima", "Bonn")
TINY = ["--backend", "numpy", "--batch-size", "4", "--widths", "4", "--lr", "0.05"]
RESUME = ["train", "--resume", "run"]
FILES = ("last.npz", "best.npz", "metrics.csv")


def lines(names: tuple[str, ...], places: tuple[str, ...]) -> str:
    """A sentence for every name and place."""
    return "\n".join(f"{name}\tB-person\nlikes\tO\n{place}\tB-place\n" for name in names for place in places)


@pytest.fixture(autouse=True)
def _mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder `mine` of sentences; runs go beside it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train.conll").write_text(lines(NAMES[:4], PLACES[:3]))
    (tmp_path / "mine" / "dev.conll").write_text(lines(NAMES[4:5], PLACES[:2]))
    (tmp_path / "mine" / "test.conll").write_text(lines(NAMES[4:], PLACES[2:]))
    monkeypatch.chdir(tmp_path)


def train(*options: str) -> int:
    return main(["train", "--data", "mine", "--model", "bilstm_crf", *TINY, "--epochs", "2", *options])


def test_a_run_is_trained_measured_and_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--out", "run") == 0
    out = capsys.readouterr().out
    assert "mine: 12 sentences to learn from, 2 to validate on" in out
    assert "validation f1 " in out
    assert out.splitlines()[-1].startswith("test loss ")
    assert Path("run/metrics.csv").read_text().splitlines()[0] == "epoch,train_loss,train_f1,val_loss,val_f1,lr"
    config = json.loads(Path("run/config.json").read_text())
    assert config["classes"] == ["O", "B-person", "I-person", "B-place", "I-place"]
    assert config["words"] == ["likes", "lima", "oslo", "rome", "ada", "bob", "li", "zoe"]
    assert (config["fit"]["loss"], config["fit"]["best"]) == ("TaggingLoss", "max f1")

    assert main(["eval", "run", "--backend", "numpy", "--json", "eval.json"]) == 0
    shown, told = capsys.readouterr().out, json.loads(Path("eval.json").read_text())
    folder = RunFolder("run")
    experiment = Experiment.of(folder)
    test = data.conll("mine/test.conll")
    tags = entities.tagged(experiment.trained(folder), experiment.features, test.tokens)
    scores, control = (
        entities.Scores.of(each, test.tags)
        for each in (tags, [entities.Dictionary(data.conll("mine/train.conll")).tag(tokens) for tokens in test.tokens])
    )
    assert (told["f1"], told["precision"], told["recall"]) == (scores.all.f1, scores.all.precision, scores.all.recall)
    assert told["dictionary_f1"] == control.all.f1 == 0.4
    assert [each["type"] for each in told["types"]] == sorted(scores.types) == ["person", "place"]
    assert f"{scores.all.f1:.4f}" in shown
    assert "test loss" in shown

    assert main(["inspect", "run"]) == 0
    assert "what an output sees is not known: bilstm_crf takes whole numbers" in " ".join(
        capsys.readouterr().out.split()
    )
    for option, why in ((["--top", "1"], "of which all is told"), (["--invert"], "in which nothing is dark or bright")):
        assert f"{option[0]}: run gives a tag for every word, {why}" in refused(
            capsys, "predict", "run", "Ada", *option
        )
    assert main(["predict", "run", "Ada likes Oslo.", " ", "--backend", "numpy", "--json", "said.json"]) == 2
    said = json.loads(Path("said.json").read_text())["sentences"]
    (tags,) = entities.tagged(experiment.trained(folder), experiment.features, [["Ada", "likes", "Oslo", "."]])
    assert (said[0]["sentence"], said[0]["tags"]) == ("Ada likes Oslo.", list(tags))
    assert said[1]["error"] == "' ' is no sentence: there is no word in it"
    marked = entities.marked(["Ada", "likes", "Oslo", "."], tags)
    assert capsys.readouterr().out == f"Ada likes Oslo.: {marked}\n"


@pytest.mark.slow
def test_a_stopped_run_ends_in_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--model", "idcnn", "--dilations", "1,2"]
    assert train(*options, "--out", "whole") == 0
    for batches, begin in (
        (1, ["train", "--data", "mine", *TINY, *options, "--epochs", "2", "--out", "run"]),
        (4, RESUME),
    ):
        stop = StopAt(batches)
        with monkeypatch.context() as patch:
            patch.setattr(Experiment, "callbacks", lambda self, model, stop=stop: [stop])
            with pytest.raises(ZeroDivisionError):
                main([*begin, "--save-every", "0"])
    assert main(RESUME) == 0
    for name in FILES:
        assert Path("run", name).read_bytes() == Path("whole", name).read_bytes(), name


def test_vectors_of_words_are_read_and_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ada", "likes", "rome", "kim"]
    np.savez("vectors.npz", words=np.array(words), vectors=np.eye(4, dtype=np.float32))
    assert train("--vectors", "vectors.npz", "--epochs", "1", "--out", "run") == 0
    experiment = Experiment.of(RunFolder("run"))
    assert experiment.features.words.words == tuple(words)
    assert main(["eval", "run", "--backend", "numpy"]) == 0
    np.savez("vectors.npz", words=np.array(words), vectors=2 * np.eye(4, dtype=np.float32))
    assert "the run was made with other vectors" in refused(capsys, "eval", "run")


@pytest.mark.parametrize(("name", "chained"), [("idcnn", False), ("idcnn_crf", True)])
def test_dilated_convolutions_choose_the_tags_one_by_one_or_by_a_crf(name: str, chained: bool) -> None:
    assert train("--model", name, "--dilations", "1,2", "--epochs", "1", "--out", "run") == 0
    folder = RunFolder("run")
    model = Experiment.of(folder).trained(folder)
    assert (model.crf is not None) == chained
    assert [conv.dilation for conv in model.body.block] == [(1,), (2,)]
    assert main(["eval", "run", "--backend", "numpy"]) == 0


def test_one_file_is_divided_by_the_seed() -> None:
    settings = Settings.of({"data": "mine/train.conll", "model": "idcnn"})
    kind = kind_of(settings.model)
    (learn, validate), test = kind.training(settings), kind.testing(settings)
    assert (len(learn), len(validate), len(test)) == (8, 1, 3)
    everything = [sentence for part in (learn, validate, test) for sentence in part.tokens]
    assert sorted(everything) == sorted(data.conll("mine/train.conll").tokens)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--data mine --model bilstm_crf --widths 3 4", "--widths: bilstm_crf has one, such as 100"),
        ("--data mine --model bilstm_crf --dilations 1,2", "--dilations: idcnn has one block of dilated layers"),
        ("--data mine --model idcnn --dilations 1,2 1,2", "--dilations: idcnn has one block of dilated layers"),
        (
            "--data mine --model idcnn --crop 2",
            "--crop is for a class for every image or a class for every pixel or boxes around objects, "
            "and idcnn gives a tag for every word",
        ),
        (
            "--data digits --vectors v.npz",
            "--vectors is for a tag for every word, and vgg_small gives a class for every image",
        ),
        ("--data mine --model idcnn --vectors v.npz", "v.npz cannot be read: No such file"),
        (
            "--data wnut17 --model unet",
            "--model unet gives a class for every pixel, and wnut17 has a tag for every word",
        ),
        ("--data . --model idcnn", "there is no train.conll in it, of which idcnn could learn"),
        ("--data mine/none.conll --model idcnn", "mine/none.conll: neither a known set"),
    ],
)
def test_what_does_not_go_together_is_refused(capsys: pytest.CaptureFixture[str], options: str, message: str) -> None:
    assert message in refused(capsys, "train", *options.split(), "--dry-run")


def test_a_folder_without_a_test_set_is_refused_before_training(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine/test.conll").unlink()
    said = refused(capsys, "train", "--data", "mine", "--model", "idcnn", *TINY, "--out", "run")
    assert "there is no test.conll in it" in said
    assert not Path("run").exists()


def test_a_type_that_was_not_learnt_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine/test.conll").write_text("Rex\tB-dog\n")
    said = refused(capsys, "train", "--data", "mine", "--model", "idcnn", *TINY, "--out", "run")
    assert "line 1: B-dog is of a type that is not known; there are person, place" in said
