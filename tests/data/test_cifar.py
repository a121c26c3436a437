"""CIFAR is read to the byte, and an archive that is not whole gives one DataError and never a wrong tensor."""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import CLASSES, pack_tar, tiny_cifar10, tiny_cifar100

from minidil.data import Dataset, cifar, cifar10, cifar100, cifar_names, registry
from minidil.data.cifar import Layout
from minidil.errors import DataError, OptionError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cifar-10-binary.tar.gz"


def expected(members: dict[str, bytes], names: tuple[str, ...], label_bytes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Record by record, as the format is described: labels, then three planes of 32 rows."""
    images, labels = [], []
    for name in names:
        content = members[name]
        for start in range(0, len(content), label_bytes + 3072):
            labels.append(content[start + label_bytes - 1])
            planes = content[start + label_bytes : start + label_bytes + 3072]
            images.append(
                [[list(planes[1024 * c + 32 * y : 1024 * c + 32 * y + 32]) for y in range(32)] for c in range(3)]
            )
    return np.array(images, dtype=np.uint8), np.array(labels)


def assert_is(dataset: Dataset, members: dict[str, bytes], names: tuple[str, ...]) -> None:
    images, labels = expected(members, names)
    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.labels, labels)
    assert dataset.classes == CLASSES


def one_line(error: pytest.ExceptionInfo[DataError], path: Path) -> None:
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_reads_both_parts_in_the_order_of_the_records(path: Path) -> None:
    layout, members = tiny_cifar10()
    path.write_bytes(gzip.compress(pack_tar(members)))
    assert_is(cifar.read(path, layout, "train"), members, layout.train)
    assert_is(cifar.read(path, layout, "test"), members, layout.test)


def test_a_repacked_archive_is_as_good(path: Path) -> None:
    layout, members = tiny_cifar10()
    shuffled = {f"./{name}": members[name] for name in reversed(members)} | {"./readme.html": b"<p>"}
    path.write_bytes(gzip.compress(pack_tar(shuffled), compresslevel=1, mtime=1))
    assert_is(cifar.read(path, layout, "train"), members, layout.train)


@pytest.mark.parametrize("coarse", [False, True])
def test_cifar100_has_two_labels_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, coarse: bool) -> None:
    layout, members = tiny_cifar100()
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(gzip.compress(pack_tar(members)))
    monkeypatch.setattr(cifar, "HUNDRED", layout)
    monkeypatch.setattr(cifar, "TWENTY", replace(cifar.TWENTY, source=layout.source))
    dataset = cifar100("test", tmp_path, coarse=coarse)
    records = np.frombuffer(members["cifar-100-binary/test.bin"], dtype=np.uint8).reshape(-1, 3074)
    np.testing.assert_array_equal(dataset.labels, records[:, 0 if coarse else 1])
    np.testing.assert_array_equal(dataset.images.reshape(-1, 3072), records[:, 2:])
    assert dataset.classes == (cifar_names.TWENTY if coarse else cifar_names.HUNDRED)


def test_cifar10_finds_the_archive_below_the_root(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, members = tiny_cifar10()
    path.write_bytes(gzip.compress(pack_tar(members)))
    monkeypatch.setattr(cifar, "TEN", layout)
    assert_is(cifar10("test", path.parent), members, layout.test)
    monkeypatch.setenv("MINIDIL_DATA", str(path.parent))
    assert_is(cifar10("test"), members, layout.test)


@pytest.mark.parametrize("read", [cifar10, cifar100])
def test_an_unknown_split_is_refused(read: Callable[..., Dataset], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"split must be 'train' or 'test', got 'val'"):
        read("val", tmp_path)


def damaged_copies(packed: bytes, kind: str) -> list[bytes]:
    rng = np.random.default_rng(0)
    copies = []
    for place in rng.integers(0, len(packed), size=50):
        if kind == "truncated":
            copies.append(packed[:place])
        else:
            flipped = bytearray(packed)
            flipped[place] ^= rng.integers(1, 256)
            copies.append(bytes(flipped))
    return copies


@pytest.mark.parametrize("level", [0, 6])
@pytest.mark.parametrize("kind", ["truncated", "flipped"])
def test_damage_to_the_packed_archive_is_always_seen(path: Path, kind: str, level: int) -> None:
    layout, members = tiny_cifar10()
    complaints = []
    for copy in damaged_copies(gzip.compress(pack_tar(members), level, mtime=0), kind):
        path.write_bytes(copy)
        try:
            dataset = cifar.read(path, layout, "train")
        except DataError as error:
            complaints.append(str(error))
        else:
            assert_is(dataset, members, layout.train)
    assert all(str(path) in complaint and "\n" not in complaint for complaint in complaints)
    assert len(complaints) >= 49  # one flip in fifty may hit the ten bytes of header that say nothing about the content


@pytest.mark.parametrize("kind", ["truncated", "flipped"])
def test_damage_inside_an_intact_gzip_is_seen_or_harmless(path: Path, kind: str) -> None:
    layout, members = tiny_cifar10(records=1)  # small, so that many of the flips hit headers and padding
    refused = 0
    for copy in damaged_copies(pack_tar(members), kind):
        path.write_bytes(gzip.compress(copy, compresslevel=1))
        try:
            dataset = cifar.read(path, layout, "train")
        except DataError:
            refused += 1
        else:
            assert_is(dataset, members, layout.train)
    assert refused > 10


def test_every_byte_of_the_gzip_header_and_trailer(path: Path) -> None:
    layout, members = tiny_cifar10(records=1)
    packed = gzip.compress(pack_tar(members), mtime=0)
    for place in [*range(10), *range(-8, 0)]:
        flipped = bytearray(packed)
        flipped[place] ^= 0xFF
        path.write_bytes(bytes(flipped))
        try:
            dataset = cifar.read(path, layout, "test")
        except DataError:
            assert place not in (4, 5, 6, 7, 8, 9)
        else:
            assert place in (4, 5, 6, 7, 8, 9)  # time, speed and system: nothing to do with the content
            assert_is(dataset, members, layout.test)


@pytest.mark.parametrize("level", range(6))
def test_a_missing_member_is_named(path: Path, level: int) -> None:
    layout, members = tiny_cifar10()
    name = list(members)[level % len(members)]
    path.write_bytes(gzip.compress(pack_tar({key: members[key] for key in members if key != name})))
    if name.endswith("/"):
        assert_is(cifar.read(path, layout, "train"), members, layout.train)
        return
    with pytest.raises(DataError, match=f"its member {name} is missing") as error:
        cifar.read(path, layout, "train")
    one_line(error, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1], "has 18,437 bytes instead of 18,438"),
        (lambda content: content + b"\0", "has 18,439 bytes instead of 18,438"),
        (lambda content: bytes([content[0] ^ 1]) + content[1:], "sha1 [0-9a-f]{40} instead of [0-9a-f]{40}"),
    ],
)
def test_a_changed_member_is_named(path: Path, change: Callable[[bytes], bytes], message: str) -> None:
    layout, members = tiny_cifar10()
    name = layout.train[1]
    path.write_bytes(gzip.compress(pack_tar(members | {name: change(members[name])})))
    with pytest.raises(DataError, match=f"its member {name} {message}") as error:
        cifar.read(path, layout, "test")  # the test part is fine, but the archive is not
    one_line(error, path)


@pytest.mark.parametrize("names", [b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntrick\n\n", b""])
def test_other_class_names_are_refused(path: Path, names: bytes) -> None:
    layout, members = tiny_cifar10()
    text = "cifar-10-batches-bin/batches.meta.txt"
    assert hashlib.sha1(members[text]).hexdigest() == registry.CIFAR10.files[0].members[-1].sha1
    path.write_bytes(gzip.compress(pack_tar(members | {text: names})))
    with pytest.raises(DataError, match=rf"its member {text} (sha1|has 0 bytes)") as error:
        cifar.read(path, layout, "train")
    one_line(error, path)


@pytest.mark.slow
def test_no_byte_of_the_text_or_of_a_header_loads_something_else(path: Path) -> None:
    layout, members = tiny_cifar10(records=1)
    packed = pack_tar(members)
    headers = [block for block in range(0, len(packed), 512) if packed[block + 257 : block + 262] == b"ustar"]
    assert len(headers) == len(members)
    places = [block + offset for block in headers for offset in range(0, 512, 5)]
    text = packed.index(members["cifar-10-batches-bin/batches.meta.txt"])
    places += range(text, text + 100)  # it has 61 bytes
    refused = 0
    for place in places:
        changed = bytearray(packed)
        changed[place] ^= 0x20  # what turns a into A, and a digit into a control character
        path.write_bytes(gzip.compress(bytes(changed), compresslevel=1))
        try:
            dataset = cifar.read(path, layout, "train")
        except DataError:
            refused += 1
        else:
            assert_is(dataset, members, layout.train)
    assert refused > 300


def test_the_names_are_whole_and_in_order() -> None:
    assert [len(set(layout.classes)) for layout in (cifar.TEN, cifar.HUNDRED, cifar.TWENTY)] == [10, 100, 20]
    for layout in (cifar.TEN, cifar.HUNDRED, cifar.TWENTY):
        assert list(layout.classes) == sorted(layout.classes)


def test_trailing_junk_is_refused_and_trailing_zeros_are_not(path: Path) -> None:
    layout, members = tiny_cifar10()
    packed = gzip.compress(pack_tar(members))
    for junk in (b"junk", b"\0\0junk", gzip.compress(b"junk")):
        path.write_bytes(packed + junk)
        with pytest.raises(DataError) as error:
            cifar.read(path, layout, "train")
        one_line(error, path)
    path.write_bytes(packed + bytes(512))  # what a tape leaves
    assert_is(cifar.read(path, layout, "train"), members, layout.train)


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"not an archive at all", gzip.compress(b"", mtime=0), gzip.compress(b"x" * 9999, mtime=0)]
)
def test_what_is_no_archive_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        cifar.read(path, tiny_cifar10()[0], "train")
    one_line(error, path)


def test_a_member_that_is_there_twice_is_refused(path: Path) -> None:
    layout, members = tiny_cifar10()
    path.write_bytes(gzip.compress(pack_tar(members | {f"./{layout.train[0]}": members[layout.train[0]]})))
    with pytest.raises(DataError, match="there twice"):
        cifar.read(path, layout, "train")


def test_an_archive_that_unpacks_to_far_too_much_is_refused(path: Path) -> None:
    layout, members = tiny_cifar10(records=1)
    path.write_bytes(gzip.compress(pack_tar(members | {"zeros": bytes(40 << 20)}), compresslevel=1))
    with pytest.raises(DataError, match="unpacks to more than"):
        cifar.read(path, layout, "train")


def without_sums(layout: Layout) -> Layout:
    """The same archive, but believed whatever it holds."""
    (file,) = layout.source.files
    members = tuple(replace(member, size=None, sha1=None) for member in file.members)
    return replace(layout, source=replace(layout.source, files=(replace(file, members=members),)))


def test_what_the_records_say_is_checked_too(path: Path) -> None:
    layout, members = tiny_cifar10()
    name = layout.train[0]
    for change, message in (
        ({name: b"\x0a" + members[name][1:]}, "holds the label 10, but there are 10 classes"),
        ({name: members[name][:-1]}, "18,437 bytes, which are no whole number of records of 3,073 bytes"),
    ):
        path.write_bytes(gzip.compress(pack_tar(members | change)))
        with pytest.raises(DataError, match=message) as error:
            cifar.read(path, without_sums(layout), "train")
        one_line(error, path)


def test_a_missing_or_unreadable_archive_is_named(path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        cifar.read(path, tiny_cifar10()[0], "train")
    path.mkdir()
    with pytest.raises(DataError) as error:
        cifar.read(path, tiny_cifar10()[0], "train")
    one_line(error, path)


def test_the_registry_and_the_layouts_agree() -> None:
    for layout in (cifar.TEN, cifar.HUNDRED, cifar.TWENTY):
        sizes = {member.name: member.size for member in layout.source.files[0].members}
        assert None not in sizes.values()
        width = layout.label_bytes + 3 * 32 * 32
        assert sum(sizes[name] for name in layout.train) == 50_000 * width
        assert sum(sizes[name] for name in layout.test) == 10_000 * width
    assert {"cifar10", "cifar100"} < set(registry.NAMES)
