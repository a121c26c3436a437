"""Where files are looked for, and what `check` says about them."""

import sys
from pathlib import Path

import pytest
from tiny_sets import tiny_mnist

from minidil.data import NAMES, SOURCES, check, load, path, registry, root
from minidil.errors import OptionError


def test_the_environment_chooses_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    assert root() == tmp_path
    monkeypatch.setenv("MINIDIL_DATA", "~/sets")
    assert root() == Path.home() / "sets"
    monkeypatch.setenv("MINIDIL_DATA", "relative")
    assert root() == Path.cwd() / "relative"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ".cache/minidil"),
        ("linux", {"XDG_CACHE_HOME": "{home}/xdg"}, "xdg/minidil"),
        ("linux", {"MINIDIL_DATA": ""}, ".cache/minidil"),
        ("darwin", {"XDG_CACHE_HOME": "{home}/xdg"}, "Library/Caches/minidil"),
        ("win32", {}, "AppData/Local/minidil"),
        ("win32", {"LOCALAPPDATA": "{home}/local"}, "local/minidil"),
    ],
)
def test_the_platform_chooses_the_root_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in ("MINIDIL_DATA", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert root() == tmp_path / expected


def test_path_is_the_sets_own_folder_or_the_root_where_the_files_lie_there(tmp_path: Path) -> None:
    assert path("mnist", tmp_path) == tmp_path / "mnist"
    (tmp_path / "train-images-idx3-ubyte.gz").touch()
    assert path("mnist", tmp_path) == tmp_path
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").touch()
    assert path("mnist", tmp_path) == tmp_path / "mnist"
    assert path("cifar10", tmp_path) == tmp_path
    assert path("fashion_mnist", str(tmp_path)) == tmp_path


def test_path_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    assert path("mnist") == tmp_path / "mnist"


def test_check_tells_whole_missing_and_damaged_files_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tiny_mnist(tmp_path)
    monkeypatch.setitem(registry.SOURCES, "mnist", source)
    assert [status.state for status in check("mnist", tmp_path)] == ["ok"] * 4
    images, labels = (tmp_path / "mnist" / file.name for file in source.files[:2])
    images.write_bytes(images.read_bytes()[:-1])
    labels.unlink()
    statuses = check("mnist", tmp_path)
    assert [status.state for status in statuses] == ["damaged", "missing", "ok", "ok"]
    assert [status.path for status in statuses[:2]] == [images, labels]
    assert str(images) in statuses[0].detail
    assert statuses[1].detail == statuses[2].detail == ""


def test_check_looks_into_archives(tmp_path: Path) -> None:
    assert [status.state for status in check("cifar10", tmp_path)] == ["missing"]
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"no archive")
    (status,) = check("cifar10", tmp_path)
    assert status.state == "damaged"


def test_every_name_has_a_reader_and_a_source() -> None:
    assert (
        NAMES == ("digits", "mnist", "fashion_mnist", "cifar10", "cifar100", "nuclei", "rt_polarity") == tuple(SOURCES)
    )
    assert len(load("digits", "test")) == 360
    for name in NAMES:
        with pytest.raises(OptionError, match=f"{name}: split must be 'train' or .*'test', got 'both'"):
            load(name, "both")


@pytest.mark.parametrize(
    "call", [lambda: load("imagenet", "train"), lambda: path("imagenet"), lambda: check("imagenet")]
)
def test_an_unknown_name_is_refused(call: object) -> None:
    with pytest.raises(OptionError, match="no set called 'imagenet'"):
        call()


def test_the_registry_is_complete() -> None:
    for source in SOURCES.values():
        assert source.origin
        assert source.files
        for file in source.files:
            assert file.packed or file.unpacked or file.members
            assert file.size > 0
            assert file.mirrors or source.embedded or file.absent.startswith(f"datasets/{source.name}.md")
            assert all(url.startswith("http") and url.endswith(file.name) for url in file.mirrors)
