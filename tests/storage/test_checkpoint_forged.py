"""Files that nobody's `save` wrote, each sealed with a right checksum: refused by name, and before memory is taken."""

import hashlib
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidil import checkpoint
from minidil.errors import CheckpointError

TREE = b'{"format": 1, "tree": {"x": {"$array": "x"}}}'
Members = list[tuple[str, bytes]]


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def header(descr: Any, shape: tuple[Any, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def seal(path: Path, members: Members, kind: int = zipfile.ZIP_STORED) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = b"minidil-sha256:" + b"0" * 64
    reseal(path, buffer.getvalue())


def reseal(path: Path, content: bytes) -> None:
    body = content[:-64]
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode())


def refusal(path: Path) -> str:
    """Why the file is refused; what loading it takes is a small multiple of its size."""
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError) as caught:
            checkpoint.load(path)
        assert tracemalloc.get_traced_memory()[1] < 40 * path.stat().st_size + 500_000
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"checkpoint.load: {path} is sealed but not a minidil checkpoint: ")
    assert "\n" not in message
    return message


def test_a_sealed_file_of_what_save_writes_is_taken(tmp_path: Path) -> None:
    seal(tmp_path / "a.npz", [("x.npy", npy(np.arange(3))), ("tree.json", TREE)])
    assert checkpoint.load(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["x.npy", "tree.json"])
def test_compressed_members(tmp_path: Path, name: str) -> None:
    """20 MB in 20 kB."""
    content = {"x.npy": npy(np.zeros(3)), "tree.json": TREE}
    content[name] = npy(np.zeros(2_500_000)) if name == "x.npy" else TREE + b" " * 20_000_000
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, value in content.items():
            archive.writestr(each, value, zipfile.ZIP_DEFLATED if each == name else zipfile.ZIP_STORED)
        archive.comment = b"minidil-sha256:" + b"0" * 64
    reseal(tmp_path / "a.npz", buffer.getvalue())
    assert (tmp_path / "a.npz").stat().st_size < 50_000
    assert f"member '{name}' is compressed" in refusal(tmp_path / "a.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["x.npy", "tree.json"])
def test_a_member_that_is_there_twice(tmp_path: Path, name: str) -> None:
    members = [("x.npy", npy(np.zeros(3))), ("tree.json", TREE)]
    seal(tmp_path / "a.npz", [*members, *(member for member in members if member[0] == name)])
    assert f"member '{name}' is there twice" in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(np.array(["a"])), "array of <U1"),
        (npy(np.array([b"ab"])), r"array of |S2"),
        (npy(np.zeros(2, [("a", "<f4"), ("b", "<i8")])), "array of [('a', '<f4'), ('b', '<i8')]"),
        (npy(np.array(["2020-01-01"], "datetime64[D]")), "array of datetime64[D]"),
        (npy(np.zeros(2, "V4")), r"array of |V4"),
        (header("|V0", (10**10,)), r"array of |V0"),
        (header("|O", (1,)) + b"12345678", "array of object"),
        (header("<f8", (10**10,)), "takes 128 + 80,000,000,000 bytes, and it has 128"),
        (header("<f8", (10**12,)) + bytes(800), "takes 128 + 8,000,000,000,000 bytes, and it has 928"),
        (header("<f8", (2**32, 2**32)), "+ 147,573,952,589,676,412,928 bytes"),
        (header("<f8", (-3,)) + bytes(24), "its shape is (-3,)"),
        (header("<f8", (-1, -3)) + bytes(24), "its shape is (-1, -3)"),
        (npy(np.zeros(3)) + b"more", "takes 128 + 24 bytes, and it has 156"),
        (npy(np.zeros(3))[:-1], "takes 128 + 24 bytes, and it has 151"),
        (b"\x93NUMPY\x02\x00" + npy(np.zeros(3))[8:], "the format of its header is (2, 0)"),
        (b"", "EOF"),
        (b"not an array", "the magic string is not correct"),
    ],
)
def test_members_that_are_no_plain_array_of_their_size(tmp_path: Path, content: bytes, words: str) -> None:
    seal(tmp_path / "a.npz", [("x.npy", content), ("tree.json", TREE)])
    message = refusal(tmp_path / "a.npz")
    assert "member 'x.npy': " in message
    assert words in message


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"a": {"$array": "x"}}, "tree['a'] must be the array 'a', not {'$array': 'x'}"),
        ([{"$array": "x"}] * 500, "tree[0] must be the array '0', not {'$array': 'x'}"),
        ({"x": {"$array": "x"}, "y": {"$array": "x"}}, "tree['y'] must be the array 'y'"),
        ({"x": {"$array": "../../x"}}, "tree['x'] must be the array 'x'"),
        ({"x": {"$array": 3}}, "not {'$array': 3}"),
        ({"x": {"$array": "x", "more": 1}}, "tree['x'] must be the array 'x'"),
        ({"x": {"$arrays": "x"}}, "tree['x'] has the key '$arrays', which means nothing"),
        ({"x": {"$array": "x"}, "y": {"$array": "y"}}, "member 'y.npy' is missing"),
        ({}, "member 'x.npy' has no place in the tree"),
    ],
)
def test_trees_that_do_not_name_each_array_once_at_its_place(tmp_path: Path, tree: Any, words: str) -> None:
    text = json.dumps({"format": 1, "tree": tree}).encode()
    seal(tmp_path / "a.npz", [("x.npy", npy(np.zeros(1000))), ("tree.json", text)])
    assert words in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["../../a.npy", "/etc/passwd", "notes.txt", "x.npy/", "tree.json.npy"])
def test_members_that_the_tree_does_not_name(tmp_path: Path, name: str) -> None:
    seal(tmp_path / "a.npz", [("x.npy", npy(np.zeros(3))), (name, b""), ("tree.json", TREE)])
    assert f"member '{name}' has no place in the tree" in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"format": 1, "tree": ' + b"9" * 5000 + b"}", "limit (4300 digits)"),
        (b'{"format": 1, "tree": 0, "more": 0}', "must hold a format and a tree"),
        (b'{"format": 1}', "must hold a format and a tree"),
        (b'{"format": 2, "tree": 0}', "format 2, and this minidil reads format 1"),
        (b'{"format": 1, "tree": {"a": 1, "a": 2}}', "one of the keys a is there twice"),
        (b"\xff\xff", "codec can't decode"),
        (b"", "Expecting value"),
    ],
)
def test_a_tree_that_is_no_tree(tmp_path: Path, text: bytes, words: str) -> None:
    seal(tmp_path / "a.npz", [("tree.json", text)])
    message = refusal(tmp_path / "a.npz")
    assert "member 'tree.json'" in message
    assert words in message


def test_members_that_claim_more_than_the_file_holds(tmp_path: Path) -> None:
    """Two entries of the directory that each claim nearly all of the file, as if they lay on top of each other."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("x.npy", "y.npy"):
            archive.writestr(name, npy(np.zeros(500)))
        archive.writestr("tree.json", TREE)
        for info in archive.infolist()[:2]:
            info.file_size = info.compress_size = 8000
        archive.comment = b"minidil-sha256:" + b"0" * 64
    reseal(tmp_path / "a.npz", buffer.getvalue())
    assert "its members claim 16,045 bytes, more than the" in refusal(tmp_path / "a.npz")


def test_save_refuses_what_json_cannot_take_before_it_writes(tmp_path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(CheckpointError, match=r"checkpoint\.save: tree is nested too deeply, or contains itself"):
        checkpoint.save(tmp_path / "a.npz", loop)
    with pytest.raises(CheckpointError, match=r"checkpoint\.save: tree holds a number that JSON cannot take: .*4300"):
        checkpoint.save(tmp_path / "a.npz", 10**5000)
    assert list(tmp_path.iterdir()) == []
