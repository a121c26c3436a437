"""`minidil prune`: from a run to a smaller one, which the other commands take."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import TINY, refused

from minidil.cli import main
from minidil.train import RunFolder

pytestmark = pytest.mark.usefixtures("quick_pictures")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and what was made of it."""
    folder = tmp_path_factory.mktemp("before")
    words = ("--out", str(folder / "small"), "--backend", "numpy", "--skip", "classifier.1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "draw", lambda folder, history: (folder.path / "curves.png").write_bytes(b"curves"))
        assert main(["train", *TINY, "--epochs", "1", "--out", str(folder / "run")]) == 0
        assert main(["prune", str(folder / "run"), "--share", "0.5", *words]) == 0
    return folder


@pytest.fixture
def at(before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test stands."""
    shutil.copytree(before, tmp_path / "at")
    monkeypatch.chdir(tmp_path / "at")
    return tmp_path / "at"


def test_a_smaller_run_like_others(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads(Path("small/config.json").read_text())
    assert config["widths"] == {"features.0": [1, 2], "features.1": [2, 2], "classifier.1": [2, 10]}
    assert config["settings"]["init"].endswith("run")
    assert [config["settings"][name] for name in ("epochs", "lr")] == [1, pytest.approx(0.01)]
    assert RunFolder("small").best()["model"]["features.0.weight"].shape == (2, 1, 3, 3)
    assert main(["eval", "small", "--backend", "numpy"]) == 0
    assert "on 360 images" in capsys.readouterr().out


def test_it_is_resumed_and_begun_with(at: Path) -> None:
    assert main(["train", "--resume", "small", "--epochs", "2"]) == 0
    assert len(RunFolder("small").rows()) == 2
    assert main(["train", "--init", "small", "--epochs", "1", "--backend", "numpy", "--out", "again"]) == 0
    assert json.loads(Path("again/config.json").read_text())["widths"]["features.0"] == [1, 2]


@pytest.mark.parametrize(
    ("widths", "words"),
    [
        ({"features.0": [1]}, "widths must be two whole numbers for each layer"),
        (
            {"features.0": [1, 2]},
            "widths: they are not those of this VGG: classifier.1, features.1 is in one of both only",
        ),
        (
            {"features.0": [1, 5], "features.1": [5, 5], "classifier.1": [5, 10]},
            "reads 1 channels and makes 4, and cannot become one that reads 1 and makes 5",
        ),
    ],
)
def test_widths_that_somebody_changed(
    at: Path, capsys: pytest.CaptureFixture[str], widths: dict[str, list[int]], words: str
) -> None:
    path = Path("small/config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"widths": widths}))
    message = refused(capsys, "eval", "small", "--backend", "numpy")
    assert "small/config.json: " in message
    assert words in message


def test_refused_before_anything_is_written(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def message(*words: str) -> str:
        return refused(capsys, "prune", *words, "--backend", "numpy", "--out", "new")

    assert "--share must be >= 0 and < 1, got 1" in message("run", "--share", "1")
    assert "did you mean 'features.0'" in message("run", "--skip", "feature.0")
    assert "there is no nothing" in message("nothing")
    assert "already holds a run" in refused(capsys, "prune", "run", "--out", "small")
    assert not Path("new").exists()
