"""The idx files of MNIST and Fashion-MNIST."""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import tiny_mnist

from minidil.data import Dataset, fashion_mnist, mnist, registry
from minidil.data.mnist import CLOTHES, DIGITS, read
from minidil.data.registry import Source
from minidil.errors import DataError, OptionError

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    """What `tiny_mnist` wrote."""
    rng = np.random.default_rng(count)
    return rng.integers(0, 256, size=(count, 1, 28, 28), dtype=np.uint8), rng.integers(
        0, 10, size=count, dtype=np.uint8
    )


@pytest.mark.parametrize(("split", "count"), [("train", 5), ("test", 6)])
@pytest.mark.parametrize("by", ["unpacked", "packed"])
def test_reads_images_and_labels(tmp_path: Path, split: str, count: int, by: str) -> None:
    dataset = read(tiny_mnist(tmp_path, by=by), split, DIGITS, tmp_path)
    images, labels = drawn(count)
    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.labels, labels)
    assert dataset.classes == tuple("0123456789")


def test_files_directly_under_the_root_are_found(tmp_path: Path) -> None:
    source = tiny_mnist(tmp_path)
    assert len(read(source, "train", DIGITS, tmp_path / "mnist")) == 5


def test_a_file_that_was_packed_again_is_as_good_where_the_content_is_known(tmp_path: Path) -> None:
    by_content, by_file = tiny_mnist(tmp_path / "a"), tiny_mnist(tmp_path / "b", by="packed")
    for root in (tmp_path / "a", tmp_path / "b"):
        path = root / "mnist" / IMAGES
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1, mtime=1))
    assert len(read(by_content, "train", DIGITS, tmp_path / "a")) == 5
    with pytest.raises(DataError, match=f"{IMAGES} is damaged or not the published file: md5"):
        read(by_file, "train", DIGITS, tmp_path / "b")


@pytest.mark.parametrize("name", [IMAGES, LABELS])
@pytest.mark.parametrize("kind", ["truncated", "flipped"])
def test_damage_is_always_seen(tmp_path: Path, name: str, kind: str) -> None:
    source = tiny_mnist(tmp_path)
    path = tmp_path / "mnist" / name
    packed = path.read_bytes()
    rng = np.random.default_rng(0)
    complaints = []
    for place in rng.integers(0, len(packed), size=50):
        damaged = bytearray(packed[:place] if kind == "truncated" else packed)
        if kind == "flipped":
            damaged[place] ^= rng.integers(1, 256)
        path.write_bytes(bytes(damaged))
        try:
            dataset = read(source, "train", DIGITS, tmp_path)
        except DataError as error:
            complaints.append(str(error))
        else:
            assert kind == "flipped"  # a time in the header, or a bit that fills up the last byte of the stream
            np.testing.assert_array_equal(dataset.images, drawn(5)[0])
            np.testing.assert_array_equal(dataset.labels, drawn(5)[1])
    assert all(str(path) in complaint and "\n" not in complaint for complaint in complaints)
    assert len(complaints) >= (50 if kind == "truncated" else 35)


def with_content(source: Source, root: Path, name: str, content: bytes) -> Source:
    """The source with one file replaced, and its checksum with it."""
    (root / "mnist" / name).write_bytes(gzip.compress(content))
    md5 = "md5:" + hashlib.md5(content).hexdigest()
    return replace(source, files=tuple(replace(f, unpacked=md5) if f.name == name else f for f in source.files))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, b"", "unpacks to 0 bytes, less than its header of 16"),
        (LABELS, bytes(7), "unpacks to 7 bytes, less than its header of 8"),
        (IMAGES, bytes(16), "magic number 0 instead of 2051"),
        (LABELS, bytes([0, 0, 8, 3, 0, 0, 0, 0]), "magic number 2051 instead of 2049"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 5, 1, 2, 3, 4]), r"12 bytes, but the shape \(5,\) needs 13"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3, 4]), r"12 bytes, but the shape \(3,\) needs 11"),
        (LABELS, bytes([0, 0, 8, 1, 0xFF, 0xFF, 0xFF, 0xFF]), r"needs 4,294,967,303"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4]), "4 labels for 5 images"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 5, 1, 2, 3, 4, 10]), "label 10, but there are 10 classes"),
    ],
)
def test_what_the_header_says_is_checked_too(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    source = with_content(tiny_mnist(tmp_path), tmp_path, name, content)
    with pytest.raises(DataError, match=message) as error:
        read(source, "train", DIGITS, tmp_path)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("load", "name", "classes"), [(mnist, "mnist", DIGITS), (fashion_mnist, "fashion_mnist", CLOTHES)]
)
def test_the_public_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Callable[..., Dataset], name: str, classes: tuple[str, ...]
) -> None:
    source = replace(tiny_mnist(tmp_path), name=name)
    monkeypatch.setattr(registry, name.upper(), source)
    monkeypatch.setitem(registry.SOURCES, name, source)
    dataset = load("test", tmp_path)
    assert (len(dataset), dataset.name, dataset.classes) == (6, name, classes)
    with pytest.raises(OptionError, match=f"{name}: split must be"):
        load("valid", tmp_path)
