"""The files of a run folder."""

import json
from pathlib import Path

import pytest
from tiny_runs import Tiny

from minidil import checkpoint, train
from minidil.errors import CheckpointError, DataError, OptionError


def test_a_run_leaves_exactly_these_files(tmp_path: Path) -> None:
    history = Tiny(epochs=2).fit(tmp_path / "a" / "b", config={"note": "mine"})
    folder = train.RunFolder(tmp_path / "a" / "b")
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"config.json", "metrics.csv", "curves.png", "last.npz", "best.npz", ".lock"}
    assert folder.rows() == history.rows
    assert (folder.path / "metrics.csv").read_text() == history.csv()
    assert folder.best()["row"] == history.best
    assert folder.last()["epoch"] == 2
    assert (folder.path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert folder.config()["note"] == "mine"
    assert folder.config()["fit"]["optimizer"] == "SGD"


@pytest.mark.usefixtures("quick_pictures")
def test_the_configuration_is_written_first(tmp_path: Path) -> None:
    class Look(train.Callback):
        def on_start(self, run: train.Run) -> None:
            assert {path.name for path in tmp_path.iterdir()} == {"config.json", ".lock", ".lock.by"}

    Tiny(epochs=1).fit(tmp_path, callbacks=[Look()])


@pytest.mark.usefixtures("quick_pictures")
def test_resuming_keeps_what_the_configuration_held(tmp_path: Path) -> None:
    Tiny(epochs=1).fit(tmp_path, config={"note": "mine"})
    Tiny(epochs=2).fit(tmp_path, resume=True)
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["note"], config["fit"]["epochs"]) == ("mine", 2)


@pytest.mark.usefixtures("quick_pictures")
def test_a_configuration_changed_by_hand_is_refused_and_one_changed_by_the_call_is_not(tmp_path: Path) -> None:
    tiny = Tiny(epochs=1)
    tiny.fit(tmp_path, config={"rates": (1, 2.5), "odd": float("nan"), "$array": {"deep": None}})
    path, folder = tmp_path / "config.json", train.RunFolder(tmp_path)
    text = path.read_text()
    last = (tmp_path / "last.npz").read_bytes()
    for old, new, words in (
        ("2.5", "2.25", "rates is [1, 2.25], and was [1, 2.5]"),
        ("NaN", "1", "odd is 1, and was nan"),
        ('"deep": null', "", "$array.deep is missing, and was None"),
        ('"threads"', '"Threads"', "fit.threads is missing"),
    ):
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
        with pytest.raises(CheckpointError) as caught:
            Tiny(epochs=2).fit(tmp_path, resume=True)
        assert f"{path}: {words}" in str(caught.value)
        assert (tmp_path / "last.npz").read_bytes() == last
    path.write_text(text)
    Tiny(epochs=2).fit(tmp_path, resume=True, config={"rates": (3,)})
    assert folder.config()["rates"] == [3]
    assert folder.last()["epoch"] == 2
    assert "config" not in folder.last() | folder.best()


@pytest.mark.parametrize("name", ["config.json", "last.npz", "best.npz", "metrics.csv", "curves.png"])
def test_a_folder_with_any_file_of_a_run_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(OptionError, match=f"already holds a run .{name}."):
        Tiny(epochs=1).fit(tmp_path)
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.usefixtures("quick_pictures")
def test_an_existing_folder_with_other_files_will_do(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    Tiny(epochs=1).fit(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_missing_and_damaged_files_are_explained(tmp_path: Path) -> None:
    folder = train.RunFolder(tmp_path)
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        folder.config()
    with pytest.raises(CheckpointError, match=r"has no best\.npz"):
        folder.best()
    with pytest.raises(CheckpointError, match=r"has no metrics\.csv"):
        folder.rows()
    assert folder.last() is None
    (tmp_path / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="is damaged"):
        folder.config()
    (tmp_path / "config.json").write_text("3")
    with pytest.raises(CheckpointError, match="holds int instead of named settings"):
        folder.config()
    (tmp_path / "metrics.csv").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"metrics\.csv: the first line"):
        folder.rows()


@pytest.mark.usefixtures("quick_pictures")
def test_a_checkpoint_holds_everything_that_changes(tmp_path: Path) -> None:
    tiny = Tiny(epochs=2, kind="adam")
    tiny.fit(tmp_path)
    state = checkpoint.load(tmp_path / "last.npz")
    assert set(state["model"]) == set(tiny.model.state_dict())
    assert "1.running_mean" in state["model"]
    assert state["optimizer"]["state"][0]["step"] == 10
    assert state["schedule"] == {"step": 10}
    assert state["random"]["bit_generator"] == "PCG64"
    assert (state["epoch"], state["batch"], len(state["history"]["rows"])) == (2, 0, 2)
