"""One process at a time in the folder of a run, and what a killed one left there is gone at the next start."""

import errno
import os
from pathlib import Path

import pytest
from tiny_runs import StopAt, Tiny

from minidil import train
from minidil.errors import BusyError, CheckpointError, OptionError, StorageError

pytestmark = pytest.mark.usefixtures("quick_pictures")


class TrainToo(train.Callback):
    """Starts, or resumes, a second training in the same folder while the first is at work."""

    def __init__(self, folder: Path, resume: bool) -> None:
        self.folder, self.resume, self.message = folder, resume, ""
        self.tiny = Tiny(epochs=1)

    def on_batch_end(self, run: train.Run) -> None:
        if not self.message:
            with pytest.raises(BusyError) as caught:
                self.tiny.fit(self.folder, resume=self.resume)
            self.message = str(caught.value)


def test_a_second_training_is_refused_and_told_who_is_at_work(tmp_path: Path) -> None:
    Tiny(epochs=1).fit(tmp_path / "alone")
    second = TrainToo(tmp_path / "run", resume=True)
    Tiny(epochs=1).fit(tmp_path / "run", callbacks=[second])
    assert f"cannot start training: {tmp_path / 'run'} is in use by process {os.getpid()} on " in second.message
    assert ", training since 2" in second.message
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_of_two_that_begin_at_once_one_is_refused(tmp_path: Path) -> None:
    """Before the first has written anything that the second could see."""
    with train.RunFolder(tmp_path / "run").held(resume=False), pytest.raises(BusyError, match="training since"):
        Tiny(epochs=1).fit(tmp_path / "run")
    assert len(Tiny(epochs=1).fit(tmp_path / "run")) == 1


def test_a_run_that_fails_lets_go_of_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        Tiny(epochs=1).fit(tmp_path, callbacks=[StopAt(2)])
    assert len(Tiny(epochs=1).fit(tmp_path, resume=True)) == 1
    assert not (tmp_path / ".lock.by").exists()


def test_nothing_is_made_before_it_is_sure_that_there_is_a_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere, which should be the folder of a run"):
        Tiny().fit(tmp_path / "nowhere", resume=True)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "last.npz").write_bytes(b"precious")
    with pytest.raises(OptionError, match="already holds a run"):
        Tiny().fit(tmp_path)
    assert os.listdir(tmp_path) == ["last.npz"]


@pytest.mark.parametrize("finished", [False, True])
def test_what_killed_writers_left_goes_at_the_next_start(tmp_path: Path, finished: bool) -> None:
    """However young it is: nobody else can be writing it. Files of others stay."""
    if finished:
        Tiny(epochs=1).fit(tmp_path)
    else:
        with pytest.raises(ZeroDivisionError):
            Tiny(epochs=1).fit(tmp_path, callbacks=[StopAt(2)])
    left = [f".{name}.{'0' * 16}.tmp" for name in ("config.json", "last.npz", "best.npz", "metrics.csv", "curves.png")]
    for name in (*left, ".notes.txt.1.tmp"):
        (tmp_path / name).write_bytes(b"half")
    Tiny(epochs=1).fit(tmp_path, resume=True)
    hidden = {path.name for path in tmp_path.iterdir() if path.name.startswith(".")}
    assert hidden == {".lock", ".notes.txt.1.tmp"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["last.npz", "best.npz", "metrics.csv"])
def test_a_disk_that_fills_up_leaves_a_run_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """At the end of the second epoch nothing more can be written; when there is room again the run ends as ever."""
    Tiny(epochs=2).fit(tmp_path / "alone")
    replace = os.replace

    def full(source: Path, target: Path) -> None:
        if target.name == name and (target.parent / "metrics.csv").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(StorageError, match=rf"{name} cannot be written: No space left on device; make room"):
            Tiny(epochs=2).fit(tmp_path / "run")
    assert len(Tiny(epochs=2).fit(tmp_path / "run", resume=True)) == 2
    for each in ("last.npz", "best.npz", "metrics.csv"):
        assert (tmp_path / "run" / each).read_bytes() == (tmp_path / "alone" / each).read_bytes()
    assert not list((tmp_path / "run").glob("*.tmp"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="Permission denied; make its folder writable for you"):
            Tiny(epochs=1).fit(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *given: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match=r"run cannot be written: Read-only file system; choose a folder on a disk"):
        Tiny(epochs=1).fit(tmp_path / "run")
