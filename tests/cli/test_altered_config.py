"""Every value of config.json replaced by another: refused by file and key, or a setting that may be another one."""

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import TINY, refused

from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.errors import CheckpointError
from minidil.train import RunFolder

pytestmark = pytest.mark.usefixtures("quick_pictures")
OTHERS = (
    None,
    "words",
    "",
    [],
    [1, 2],
    {"odd": 1},
    -1,
    -0.5,
    10**18,
    10**30,
    math.nan,
    math.inf,
    True,
    False,
    0,
    3,
    0.25,
)

# What may be another one when the file is read; what the images and the weights say against it comes later.
FREE = {
    *(f"classes.{index}" for index in range(10)),
    *(f"shape.{index}" for index in range(3)),
    "mean.0",
    "std.0",
    "fit.batches",
    "fit.threads",
    "fit",
    "fit.label_smoothing",  # 0 is 0.0
    *(
        f"settings.{name}"
        for name in (
            *("data", "model", "widths", "widths.0", "dilations", "dilations.0", "dilations.0.0", "batch_size"),
            *("drop_last", "momentum", "lr", "norm_bias_lr", "weight_decay", "average_every", "label_smoothing"),
            *("clip_norm", "patience", "crop", "flip", "cutout", "validation", "tta", "size", "seed"),
        )
    ),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch, of five batches."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = ["train", *TINY, "--batch-size", "300", "--epochs", "1", "--out", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "draw", lambda folder, history: None)
        assert main(words) == 0
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    folder = tmp_path / "run"
    folder.mkdir()
    for path in made.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(value, (*path, key))


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    other = copy.copy(tree)
    other[path[0]] = replaced(tree[path[0]], path[1:], value)
    return other


def write(run: Path, path: tuple[Any, ...], value: Any) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(replaced(config, path, value)))


@pytest.mark.slow
def test_every_value_replaced(run: Path) -> None:
    text = (run / "config.json").read_text()
    whole, taken = json.loads(text), set()
    for path in places(whole):
        present = whole
        for key in path:
            present = present[key]
        for value in OTHERS:
            if type(present) is type(value) and present == value:
                continue
            (run / "config.json").write_text(json.dumps(replaced(whole, path, value)))
            try:
                Experiment.of(RunFolder(run))
            except CheckpointError as error:
                message = str(error)
            else:
                message = ""
                taken.add(".".join(map(str, path)))
            key = next(word for word in reversed(path) if isinstance(word, str))
            assert not message or (
                message.startswith(f"{run / 'config.json'}: ") and key.replace("_", "-") in message.replace("_", "-")
            )
    assert taken <= FREE
    for name in ("shape", "classes", "mean", "std", "settings"):
        (run / "config.json").write_text(json.dumps({key: value for key, value in whole.items() if key != name}))
        with pytest.raises(CheckpointError, match=rf"config\.json has no {name}: "):
            Experiment.of(RunFolder(run))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["eval", "resume"])
@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("settings", "data"), "nowhere", "--data nowhere: neither a known set"),
        (("settings", "widths"), [4, 4], "1 entries of dilations"),
        (("settings", "widths"), [5], "does not fit the model"),
        (("settings", "widths"), None, "config.json: the settings make no run"),
        (("settings", "model"), "vgg16", "config.json: the settings make no run: vgg16: unknown option 'widths'"),
        (("settings", "optimizer"), "adam", "fit.optimizer is 'SGD' and settings.optimizer 'adam'; one was changed"),
        (("settings", "epochs"), 2, "fit.epochs is 1 and settings.epochs 2; one was changed"),
        (("settings", "seed"), 10**400, "settings.seed must be a whole number, not 1000"),
        (("settings", "crop"), 9, "settings.crop must be at most 8, not 9"),
        (("settings", "dilations"), [[10**9]], "settings.dilations must be from 1 to 8 each"),
        (("settings", "flip"), 1, "settings.flip must be true or false, not 1"),
        (
            ("fit", "label_smoothing"),
            0.5,
            "fit.label_smoothing is 0.5 and settings.label_smoothing 0.0; one was changed",
        ),
        (("shape",), [1, 9, 8], "config.json: shape is (1, 9, 8), and that of the images of digits is (1, 8, 8)"),
        (("shape",), [3, 8, 8], "config.json: mean has 1 values for the 3 channels of shape"),
        (("classes", 3), "drei", "config.json: classes is ('0', '1', '2', 'drei', '4'"),
        (("std", 0), 0, "config.json: std must be a list, each above 0 and at most 1, not [0]"),
    ],
)
def test_what_follows_is_refused_too(
    run: Path, capsys: pytest.CaptureFixture[str], command: str, path: tuple[Any, ...], value: Any, words: str
) -> None:
    write(run, path, value)
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    line = refused(capsys, *(["eval"] if command == "eval" else ["train", "--resume"]), str(run))
    assert words in line
    assert "config.json" in line or "best.npz" in line or "last.npz" in line
    assert {file.name: file.read_bytes() for file in run.iterdir()} == before


@pytest.mark.parametrize(
    ("path", "value"), [(("mean", 0), 0.7), (("settings", "seed"), 1), (("settings", "validation"), 0.2)]
)
def test_resuming_with_other_images_to_learn_from_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], path: tuple[Any, ...], value: Any
) -> None:
    write(run, path, value)
    line = refused(capsys, "train", "--resume", str(run))
    assert "config.json: mean is (" in line
    assert "data, seed or validation were changed, or the images" in line


def test_a_missing_file_of_weights_is_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "best.npz").unlink()
    assert "best.npz is missing; resume the run" in refused(capsys, "eval", str(run))
