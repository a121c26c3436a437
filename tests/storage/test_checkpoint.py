"""A checkpoint comes back exactly, or it is refused in one line."""

import hashlib
import io
import os
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from minidil import checkpoint
from minidil.errors import CheckpointError
from minidil.storage.files import atomic_write

ARRAYS = npst.arrays(
    dtype=st.sampled_from(
        ["bool", "int8", "uint8", "int64", "uint64", "float16", "float32", "float64", ">f4", "complex64"]
    ),
    shape=npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | ARRAYS
KEYS = st.text() | st.sampled_from(["$array", "$", "$$array", "tree.json", "a/b", "..", "0"])
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


def same(a: Any, b: Any) -> bool:
    """Equal in structure, types, dtypes, shapes and bits (so NaN equals NaN, and 0.0 is not -0.0)."""
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and repr(a) == repr(b)


def example() -> dict[str, Any]:
    rng = np.random.default_rng(5)
    return {
        "model": {"features.0.weight": rng.normal(size=(4, 3, 3)).astype(np.float32), "steps": np.array(7)},
        "optimizer": {"groups": [{"lr": 0.1, "nesterov": True, "state": [rng.normal(size=5), None]}]},
        "random": rng.bit_generator.state,
        "epoch": 3,
    }


@given(TREES)
def test_every_tree_comes_back_exactly(tmp_path: Path, tree: Any) -> None:
    checkpoint.save(tmp_path / "tree.npz", tree)
    assert same(checkpoint.load(tmp_path / "tree.npz"), tree)


def test_generator_states_survive_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(2**127 + 1)
    checkpoint.save(tmp_path / "rng.npz", rng.bit_generator.state)
    copy = np.random.default_rng()
    copy.bit_generator.state = checkpoint.load(tmp_path / "rng.npz")
    assert copy.random(9).tolist() == rng.random(9).tolist()


def test_tuples_come_back_as_lists_and_numpy_scalars_as_arrays(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.npz", {"betas": (0.9, 0.999), "scale": np.float16(0.5)})
    assert same(checkpoint.load(tmp_path / "a.npz"), {"betas": [0.9, 0.999], "scale": np.array(0.5, np.float16)})


@pytest.mark.parametrize("order", ["fortran", "strided"])
def test_memory_order_does_not_matter(tmp_path: Path, order: str) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    array = np.asfortranarray(array) if order == "fortran" else array[:, ::-1, ::2]
    checkpoint.save(tmp_path / "a.npz", [array])
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "a.npz")[0], array)


def test_equal_trees_are_equal_files(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.npz", example())
    checkpoint.save(tmp_path / "b.npz", example())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_numpy_opens_the_file_too(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.npz", example())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(
            archive["model/features.0.weight"], example()["model"]["features.0.weight"], strict=True
        )


class Weird:
    pass


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"model": [Weird()]}, r"tree\['model'\]\[0\] is of type Weird"),
        ({"a": np.array([Weird()])}, r"tree\['a'\] is an array of object"),
        ({"a": np.array(["text"])}, "array of <U4"),
        ({"a": np.ma.masked_array([1.0])}, "MaskedArray"),
        ({3: 1.0}, r"tree has the key 3 \(int\); use string keys"),
        ({"a": {1, 2}}, "of type set"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_old_file_stays(tmp_path: Path, tree: Any, words: str) -> None:
    checkpoint.save(tmp_path / "a.npz", [1])
    with pytest.raises(CheckpointError, match=words):
        checkpoint.save(tmp_path / "a.npz", tree)
    assert checkpoint.load(tmp_path / "a.npz") == [1]
    assert os.listdir(tmp_path) == ["a.npz"]


def test_fifty_truncations_are_all_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    checkpoint.save(path, example())
    whole = path.read_bytes()
    lengths = np.random.default_rng(1).choice(len(whole), 50, replace=False).tolist()
    for length in [*lengths, 0, 1, 63, 64, 65, 78, 79, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="cut short") as caught:
            checkpoint.load(path)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_every_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    checkpoint.save(path, example())
    whole = path.read_bytes()
    rng = np.random.default_rng(2)
    places = [*rng.choice(len(whole), 200, replace=False).tolist(), 0, *range(len(whole) - 110, len(whole))]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"damaged|cut short") as caught:
            checkpoint.load(path)
        assert "\n" not in str(caught.value)


def test_bytes_added_at_the_end_are_refused(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.npz", example())
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes() + b"\0")
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path / "a.npz")


def seal(path: Path, members: dict[str, bytes]) -> None:
    """What a forger can do: any archive, with the right checksum."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = b"minidil-sha256:" + b"0" * 64
    body = buffer.getvalue()[:-64]
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode())


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


def test_a_forged_file_is_refused_and_never_unpickled(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    tree = b'{"format": 1, "tree": {"$array": "x"}}'
    for members in (
        {"tree.json": tree, "x.npy": header.getvalue() + pickle.dumps(Bomb())},
        {"tree.json": tree, "x.npy": pickle.dumps(Bomb())},
        {"tree.json": tree},
        {"tree.json": b'{"format": 2, "tree": 0}'},
        {"tree.json": b"[]"},
        {"tree.json": b"\xff"},
        {"x.npy": b""},
    ):
        seal(tmp_path / "a.npz", members)
        with pytest.raises(CheckpointError, match="sealed but not a minidil checkpoint"):
            checkpoint.load(tmp_path / "a.npz")


def test_other_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(3))
    with pytest.raises(CheckpointError, match="something else wrote it"):
        checkpoint.load(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError):
        checkpoint.load(tmp_path / "missing.npz")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a.npz", [1])

    def fail() -> None:
        with atomic_write(tmp_path / "a.npz") as file:
            file.write(b"half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert checkpoint.load(tmp_path / "a.npz") == [1]
    assert os.listdir(tmp_path) == ["a.npz"]


def test_stale_temporary_files_are_removed_and_fresh_ones_are_not(tmp_path: Path) -> None:
    names = {"stale": ".a[1].npz.dead.tmp", "fresh": ".a[1].npz.busy.tmp", "other": ".b.npz.dead.tmp"}
    for name in names.values():
        (tmp_path / name).write_bytes(b"half a checkpoint")
    for kind in ("stale", "other"):
        os.utime(tmp_path / names[kind], (time.time() - 120,) * 2)
    checkpoint.save(tmp_path / "a[1].npz", [1])
    assert set(os.listdir(tmp_path)) == {"a[1].npz", names["fresh"], names["other"]}


def test_the_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    checkpoint.save(tmp_path / "a.npz", [1])
    assert (tmp_path / "a.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


WRITER = """
import sys, numpy as np
from minidil import checkpoint
for turn in range(1_000_000):
    checkpoint.save(sys.argv[1], {"turn": turn, "weights": np.full(200_000, turn)})
    print(turn, flush=True)
"""


@pytest.mark.slow
def test_a_writer_killed_at_random_moments_never_leaves_an_unreadable_file(tmp_path: Path) -> None:
    path, rng = tmp_path / "a.npz", np.random.default_rng(3)
    for _ in range(10):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.05)))
            writer.kill()
        tree = checkpoint.load(path)
        np.testing.assert_array_equal(tree["weights"], np.full(200_000, tree["turn"]))
