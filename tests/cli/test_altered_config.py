"""Every value of config.json replaced by another: refused by file and key, or a setting that may be another one."""

import copy
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import TINY, refused

from minidil import checkpoint
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
            *("init", "output_stride", "unfreeze_every", "lr_layers", "labels_per_class"),
            *("zoom", "tile", "turn", "frames"),
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
        patch.setattr(RunFolder, "draw", lambda folder, history: (folder.path / "curves.png").write_bytes(b"curves"))
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


@pytest.fixture
def older(run: Path) -> Path:
    """A copy whose weights do not tell what config.json held, as an older minidil left them."""
    for name in ("last.npz", "best.npz"):
        tree = checkpoint.load(run / name)
        del tree["config"]
        checkpoint.save(run / name, tree)
    return run


def contents(run: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in run.iterdir()}


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
    older: Path, capsys: pytest.CaptureFixture[str], command: str, path: tuple[Any, ...], value: Any, words: str
) -> None:
    """Where the weights do not tell what config.json held."""
    write(older, path, value)
    before = contents(older)
    line = refused(capsys, *(["eval"] if command == "eval" else ["train", "--resume"]), str(older))
    assert words in line
    assert "config.json" in line or "best.npz" in line or "last.npz" in line
    assert contents(older) == before


@pytest.mark.parametrize(
    ("path", "value"), [(("mean", 0), 0.7), (("settings", "seed"), 1), (("settings", "validation"), 0.2)]
)
def test_resuming_with_other_images_to_learn_from_is_refused(
    older: Path, capsys: pytest.CaptureFixture[str], path: tuple[Any, ...], value: Any
) -> None:
    write(older, path, value)
    line = refused(capsys, "train", "--resume", str(older))
    assert "config.json: mean is (" in line
    assert "data, seed or validation were changed, or the images" in line


def test_a_missing_file_of_weights_is_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "best.npz").unlink()
    assert "best.npz is missing; resume the run" in refused(capsys, "eval", str(run))


# --- values that are as good as those that were there

LEGAL = {
    "fit": {"batches": 6, "threads": 7, "clip_norm": 3.0, "patience": 2, "label_smoothing": 0.5},
    "settings": {
        "data": "mnist",
        "recipe": "fast",
        "model": "resnet_small",
        "widths": [5],
        "dilations": [[1]],
        "batch_size": 128,
        "drop_last": True,
        "momentum": 0.8,
        "lr": 0.5,
        "norm_bias_lr": 2.0,
        "weight_decay": 0.0,
        "average_every": 2,
        "freeze": [["features.0", 1]],
        "init": "vgg_small:cifar10",
        "output_stride": 1,
        "unfreeze_every": 1,
        "lr_layers": 0.8,
        "labels_per_class": 50,
        "loss": "cross-entropy",
        "normalize": "image",
        "zoom": 1.5,
        "tile": 4,
        "turn": True,
        "crop": 2,
        "crop_fill": "reflect",
        "flip": True,
        "flip_rule": "alternating",
        "cutout": 1,
        "validation": 0.2,
        "tta": 1,
        "size": 16,
        "frames": 8,
        "vectors": "words.npz",
        "length": 2,
        "left_out": "theo",
        "hears": "wave",
        "permuted": True,
        "batch_norm": "synchronised",
        "seed": 1,
    },
}
TWICE = {  # in fit and in settings, where one of them is changed and the other one is not
    "epochs": 2,
    "optimizer": "adam",
    "schedule": "cosine",
    "backend": "numba",
    "clip_norm": 1.0,
    "patience": 3,
    "label_smoothing": 0.2,
}


def legal_changes(config: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(place, another value) for everything in config.json that no rule ties to a single value."""
    for part, values in LEGAL.items():
        for name, value in values.items():
            if name not in TWICE:
                yield (part, name), value
    yield ("fit",), {}
    for index in range(10):
        yield ("classes", index), "another"
    for index, size in enumerate((3, 9, 9)):
        yield ("shape", index), size
    yield ("mean", 0), config["mean"][0] + 1e-12
    yield ("std", 0), 1.0


def test_every_key_is_among_those_changed(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    for part in ("fit", "settings"):
        fixed = {"loss", "metrics", "best"} if part == "fit" else set()
        assert config[part].keys() - LEGAL[part].keys() - TWICE.keys() == fixed


@pytest.mark.slow
def test_every_setting_changed_to_another_that_is_as_good_is_refused(run: Path) -> None:
    """By what reads the weights to measure them, and by what reads the state to go on."""
    config, folder = json.loads((run / "config.json").read_text()), RunFolder(run)
    for path, value in legal_changes(config):
        write(run, path, value)
        for act, name in ((folder.best, "best.npz"), (folder.last, "last.npz")):
            with pytest.raises(CheckpointError) as caught:
                act()
            message = str(caught.value)
            key = ".".join(word for word in path if isinstance(word, str))
            assert message.startswith(f"{run / 'config.json'}: {key}"), message
            assert f"when {name} was made" in message
        (run / "config.json").write_text(json.dumps(config))
    for name, value in TWICE.items():
        for part in ("fit", "settings"):
            write(run, (part, name), value)
            with pytest.raises(CheckpointError, match=rf"config\.json: fit\.{name} is .* and settings\.{name} "):
                Experiment.of(folder)
            (run / "config.json").write_text(json.dumps(config))
    (run / "config.json").write_text(json.dumps(config | {"note": "mine"}))
    with pytest.raises(CheckpointError, match=r"note is 'mine', and was missing when last\.npz was made"):
        folder.last()


@pytest.mark.parametrize("words", [["eval"], ["train", "--resume"], ["train", "--epochs", "2", "--resume"]])
def test_the_commands_name_key_and_both_values_and_change_nothing(
    run: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    write(run, ("settings", "lr"), 0.5)
    before, name = contents(run), "best.npz" if words == ["eval"] else "last.npz"
    assert refused(capsys, *words, str(run)) == (
        f"minidil: {run / 'config.json'}: settings.lr is 0.5, and was 0.05 when {name} was made: set it back, or train a new "
        "run with it; epochs, backend and where the data lies are changed by what resumes the run, not here\n"
    )
    assert capsys.readouterr().out == ""
    assert contents(run) == before


def test_another_layout_of_the_file_is_the_same_settings(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    config["settings"]["norm_bias_lr"] = 1  # as tools write 1.0
    before = contents(run)
    (run / "config.json").write_text(json.dumps(config, sort_keys=True))
    assert main(["train", "--resume", str(run)]) == 0
    assert {**contents(run), "config.json": before["config.json"]} == before


def test_what_resuming_changes_goes_into_all_files(run: Path) -> None:
    assert main(["train", "--resume", str(run), "--backend", "numba"]) == 0
    config = json.loads((run / "config.json").read_text())
    assert (config["settings"]["backend"], config["fit"]["backend"]) == ("numba", "numba")
    for name in ("last.npz", "best.npz"):
        assert checkpoint.load(run / name)["config"] == [config]


class Killed:
    """What writes, until it has done so a number of times."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, act: Callable[..., object]) -> Callable[..., object]:
        def write(*arguments: Any) -> object:
            if not self.left:
                raise ZeroDivisionError
            self.left -= 1
            return act(*arguments)

        return write


@pytest.mark.slow
@pytest.mark.parametrize("writes", range(5))
def test_a_process_killed_while_the_settings_change_leaves_a_run_that_goes_on(
    run: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Before each write of last.npz, best.npz and config.json that they take."""
    killed = Killed(writes)
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "_write_config", killed(RunFolder._write_config))
        patch.setattr(checkpoint, "save", killed(checkpoint.save))
        with pytest.raises(ZeroDivisionError):
            main(["train", "--resume", str(run), "--epochs", "2"])
    folder = RunFolder(run)
    assert Experiment.of(folder).settings.epochs == (1 if writes < 3 else 2)
    assert folder.last()["epoch"] == folder.best()["row"]["epoch"] == 1
    assert main(["train", "--resume", str(run), "--epochs", "2"]) == 0
    assert (
        checkpoint.load(run / "last.npz")["config"] == checkpoint.load(run / "best.npz")["config"] == [folder.config()]
    )


def test_a_run_of_an_older_minidil_goes_on_and_is_then_like_the_others(
    older: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(older)]) == 0
    assert "older minidil" not in capsys.readouterr().out
    assert main(["train", "--resume", str(older)]) == 0
    note = f"note: an older minidil made {older}: whether config.json was changed since cannot be told"
    assert capsys.readouterr().out.splitlines()[0] == note
    assert contents(older) == contents(made)
    assert main(["train", "--resume", str(older)]) == 0
    assert "older minidil" not in capsys.readouterr().out


@pytest.mark.parametrize("value", [None, [], {}, "words", [1], [{}]])
def test_settings_in_a_sealed_file_that_are_none_are_refused(run: Path, value: Any) -> None:
    for name, act in (("best.npz", RunFolder(run).best), ("last.npz", RunFolder(run).last)):
        checkpoint.save(run / name, checkpoint.load(run / name) | {"config": value})
        with pytest.raises(CheckpointError, match=rf"{name}: config must be a list|when {name} was made"):
            act()
