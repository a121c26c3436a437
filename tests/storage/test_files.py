"""What the disk does not take: the file from before stays, nothing else is left, and one line says what to do."""

import errno
import os
import sys
from pathlib import Path

import pytest

from minidil import checkpoint
from minidil.errors import MinidilError, StorageError
from minidil.storage.files import atomic_write, remove_leftovers, writing


def refuse(number: int, *_: object, **__: object) -> None:
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device; make room on that disk, or choose a folder on another one"),
        (errno.EDQUOT, "make room within your quota"),
        (errno.EFBIG, "File too large; raise the limit on the size of a file (ulimit -f)"),
        (errno.EACCES, "Permission denied; make its folder writable for you"),
        (errno.EPERM, "make its folder writable for you"),
        (errno.EROFS, "Read-only file system; choose a folder on a disk that can be written to"),
    ],
)
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_what_the_disk_refuses_names_the_file_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, words: str
) -> None:
    path = tmp_path / "a.npz"
    checkpoint.save(path, [1])
    with monkeypatch.context() as patch:
        patch.setattr(Path if call == "open" else os, call, lambda *given, **options: refuse(number))
        with pytest.raises(StorageError) as caught:
            checkpoint.save(path, [2])
    assert str(caught.value).startswith(f"{path} cannot be written: ")
    assert words in str(caught.value)
    assert caught.value.errno == number
    assert isinstance(caught.value, MinidilError)
    assert os.listdir(tmp_path) == ["a.npz"]
    assert checkpoint.load(path) == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="the limit is one of POSIX")
def test_a_real_limit_on_the_size_of_files(tmp_path: Path) -> None:
    import resource

    import numpy as np

    path = tmp_path / "a.npz"
    checkpoint.save(path, [1])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(StorageError, match=r"a\.npz cannot be written: File too large; raise the limit"):
            checkpoint.save(path, [np.zeros(100_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == ["a.npz"]
    assert checkpoint.load(path) == [1]


def test_a_missing_folder_is_called_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "a.npz"
    with pytest.raises(FileNotFoundError) as caught:
        checkpoint.save(path, [1])
    assert caught.value.filename == str(path)


def test_another_error_of_the_system_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), writing(tmp_path):
        raise BrokenPipeError(errno.EPIPE, "gone")


def test_leftovers_go_by_age_and_a_file_that_has_the_name_stays(tmp_path: Path) -> None:
    for name in (".a.tmp", ".a.1.tmp", ".b.1.tmp", "a"):
        (tmp_path / name).write_bytes(b"")
    remove_leftovers(tmp_path / "a", age=60)
    assert len(os.listdir(tmp_path)) == 4
    remove_leftovers(tmp_path / "a", age=0)
    assert sorted(os.listdir(tmp_path)) == [".a.tmp", ".b.1.tmp", "a"]


def test_what_is_written_is_all_there(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a") as file:
        file.write(b"all")
    assert (tmp_path / "a").read_bytes() == b"all"
