"""`minidil eval`, `predict`, `plot`, `data`: what they print, and how they refuse."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image

from minidil import checkpoint, data
from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.cli.images import read_image
from minidil.errors import DataError
from minidil.train import RunFolder, evaluate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a short run on digits."""
    folder = str(tmp_path_factory.mktemp("runs") / "run")
    words = f"train --widths 16 --dilations 2 --epochs 2 --backend numpy --out {folder}"
    assert main(words.split()) == 0
    return folder


def test_eval_prints_each_class_and_the_whole(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", run, "--backend", "numpy"]) == 0
    *classes, last = capsys.readouterr().out.splitlines()
    right = [int(line.split()[1]) for line in classes]
    assert [line.split()[0] for line in classes] == list("0123456789")
    assert [int(line.split()[3]) for line in classes] == np.bincount(data.digits("test").labels).tolist()
    assert f"test accuracy {sum(right) / 360:.2%} on 360 images" in last


def test_eval_refuses_what_is_no_run(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not the folder of a run" in refused(capsys, "eval", str(tmp_path))
    (tmp_path / "config.json").write_bytes((Path(run) / "config.json").read_bytes())
    assert "has no best.npz" in refused(capsys, "eval", str(tmp_path))
    best = (Path(run) / "best.npz").read_bytes()
    for content, message in (
        (best[:-1], "cut short"),
        (best[:3000] + bytes([best[3000] ^ 1]) + best[3001:], "is damaged"),
        ((Path(run) / "config.json").read_bytes(), "something else wrote it"),
    ):
        (tmp_path / "best.npz").write_bytes(content)
        assert message in refused(capsys, "eval", str(tmp_path))
    tree = checkpoint.load(Path(run) / "best.npz")
    del tree["config"]  # as an older minidil left it
    checkpoint.save(tmp_path / "best.npz", tree)
    wider = (Path(run) / "config.json").read_text().replace("16\n", "17\n")
    (tmp_path / "config.json").write_text(wider)
    line = refused(capsys, "eval", str(tmp_path))
    assert "features.0.weight has shape (16, 1, 3, 3) but the model needs (17, 1, 3, 3)" in line
    assert "classifier.1.weight" in line


def test_predict_names_what_is_in_an_image(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = data.digits("train")
    names = []
    for index in range(20):
        names.append(str(tmp_path / f"{index}.png"))
        Image.fromarray(images.images[index, 0]).save(names[-1])
    assert main(["predict", run, *names]) == 0
    lines = capsys.readouterr().out.splitlines()
    answers = [line.removeprefix(f"{name}: ").split()[0] for name, line in zip(names, lines, strict=True)]
    experiment = Experiment.of(RunFolder(run))
    loader = experiment.measuring(images.subset(range(20)))
    logits: list[np.ndarray] = []
    evaluate(experiment.trained(RunFolder(run)), loader, lambda batch, labels: logits.append(batch))
    assert answers == [str(index) for index in logits[0].argmax(axis=1)]
    assert len(set(answers)) > 2
    assert lines[0].count("%") == 3
    assert "(" not in lines[0]


def test_predict_says_what_it_did_to_the_image(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = data.digits("train").images[0, 0]
    plain, changed = str(tmp_path / "plain.png"), str(tmp_path / "changed.png")
    Image.fromarray(pixels).save(plain)
    Image.fromarray(255 - pixels).convert("RGB").resize((32, 24), Image.Resampling.NEAREST).save(changed)
    assert main(["predict", run, plain, "--top", "1"]) == 0
    assert main(["predict", run, changed, "--top", "1", "--invert"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.count("%") == second.count("%") == 1
    assert second.endswith("(made grey, scaled from 24x32 to 8x8, inverted)")


def test_predict_refuses_what_is_no_image(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, cut = tmp_path / "text.png", tmp_path / "cut.png"
    text.write_text("no picture")
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(cut)
    cut.write_bytes(cut.read_bytes()[:60])
    assert "cannot be read as an image" in refused(capsys, "predict", run, str(text))
    assert "cannot be read as an image" in refused(capsys, "predict", run, str(cut))
    assert "cannot be read as an image" in refused(capsys, "predict", run, str(tmp_path))
    assert f"{tmp_path / 'none.png'}: No such file" in refused(capsys, "predict", run, str(tmp_path / "none.png"))
    assert "--top must be >= 1, got 0" in refused(capsys, "predict", run, str(text), "--top", "0")


def test_predict_needs_pillow(run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    assert "needs Pillow; pip install 'minidil[images]'" in refused(capsys, "predict", run, "any.png")


def test_read_image_fits_the_model(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "rgb.png")
    read, changes = read_image(tmp_path / "rgb.png", (3, 8, 8))
    np.testing.assert_array_equal(read, pixels.transpose(2, 0, 1), strict=True)
    assert changes == []
    read, changes = read_image(tmp_path / "rgb.png", (1, 4, 6), invert=True)
    assert (read.shape, read.dtype) == ((1, 4, 6), np.uint8)
    assert changes == ["made grey", "scaled from 8x8 to 4x6", "inverted"]
    with pytest.raises(DataError, match="2 channels"):
        read_image(tmp_path / "rgb.png", (2, 8, 8))


@pytest.mark.slow
def test_plot_draws_one_run_or_compares_several(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (Path(run) / "curves.png").unlink()
    assert main(["plot", run]) == 0
    assert (Path(run) / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert main(["plot", run, "--out", "one.svg"]) == 0
    assert Path("one.svg").read_text().startswith("<?xml")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "metrics.csv").write_bytes((Path(run) / "metrics.csv").read_bytes())
    assert main(["plot", run, str(copy)]) == 0
    assert Path("runs.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.splitlines() == [
        f"drawn: {Path(run) / 'curves.png'}",
        "drawn: one.svg",
        "drawn: runs.png",
    ]
    assert "has no metrics.csv" in refused(capsys, "plot", str(tmp_path))
    assert "a picture is a file that ends in .png, .svg, .pdf" in refused(capsys, "plot", run, "--out", "curves.xyz")
    (copy / "metrics.csv").write_text("epoch\n1\n")
    assert "the first line must be" in refused(capsys, "plot", str(copy))


def test_data_lists_checks_and_gets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    assert main(["data", "list"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[:2] for line in out.splitlines()[1:-1]] == [
        [name, "yes" if name == "digits" else "no"] for name in data.NAMES
    ]
    assert str(tmp_path) in out
    assert main(["data", "check"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["digits", "ok"]
    assert main(["data", "get", "digits"]) == 0
    assert "digits: complete in" in capsys.readouterr().out
    assert "1 of 1 files are missing or damaged: cifar-10" in refused(capsys, "data", "check", "cifar10")
    assert "choose from digits" in refused(capsys, "data", "check", "nothing")
    assert "invalid choice: 'nothing'" in refused(capsys, "data", "get", "nothing")
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"not an archive")
    assert "missing or damaged: cifar-10" in refused(capsys, "data", "check", "cifar10")
    assert "cifar-10-binary.tar.gz is damaged" in refused(capsys, "train", "--data", "cifar10")


def test_no_command_and_an_unknown_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "required: COMMAND" in refused(capsys)
    assert "invalid choice: 'fly'" in refused(capsys, "fly")


@pytest.mark.slow
def test_the_module_is_the_command() -> None:
    for words in (["-m", "minidil"], ["-c", "import sys; from minidil.cli import main; sys.exit(main())"]):
        done = subprocess.run([sys.executable, *words, "data", "list"], capture_output=True, text=True, check=True)
        assert "digits" in done.stdout


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "minidil", "data", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
