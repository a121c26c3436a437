"""Files of named arrays: what is damaged, forged or of another kind is told, and nothing is read or allocated before."""

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from minidil.errors import CheckpointError
from minidil.storage import states


def whole(path: Path) -> dict[str, np.ndarray]:
    """Every array of a file."""
    with states.opened(path) as file:
        return {name: file.read(name) for name in file.arrays}


def refusal(path: Path) -> str:
    """The message with which a file is refused, whole or when its arrays are read."""
    with pytest.raises(CheckpointError) as caught:
        whole(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def forged(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def claiming(shape: tuple[int, ...], content: bytes = bytes(16)) -> bytes:
    """A .npy that says it has that shape, and has not."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + content


def test_names_shapes_and_types_are_known_before_anything_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=np.zeros((2, 3), np.float32), b=np.array(4))
    with states.opened(tmp_path / "w.npz") as file:
        assert file.arrays == {
            "a": states.Declared((2, 3), np.dtype(np.float32)),
            "b": states.Declared((), np.dtype(np.int64)),
        }
        assert file.read("b") == 4


def test_a_claim_larger_than_the_file_costs_nothing(tmp_path: Path) -> None:
    path = forged(tmp_path / "w.npz", w=claiming((1 << 20, 1 << 20)))
    tracemalloc.start()
    message = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (
        "member 'w.npy': its shape (1048576, 1048576) of float32 takes 4,398,046,511,232 bytes, and it has 144"
        in message
    )
    assert peak < 1 << 20


def test_a_zip_that_unpacks_to_much_more_is_not_unpacked(tmp_path: Path) -> None:
    """Its header is honest: so it is the shape that a model wants, or it is never read."""
    with (
        zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("w.npy", "w") as member,
    ):
        member.write(claiming((1 << 21,), b""))
        for _ in range(8):
            member.write(bytes(1 << 20))
    tracemalloc.start()
    with states.opened(tmp_path / "w.npz") as file:
        assert file.arrays["w"].shape == (1 << 21,)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy(np.array([{}], object)), "an array of object, not of numbers; an array of objects is a pickle"),
        (npy(np.array(["x"])), "an array of <U1, not of numbers"),
        (claiming((-2, -2)), "its shape (-2, -2)"),
        (claiming((4,), bytes(17)), "takes 144 bytes, and it has 145"),
        (b"nothing at all", "magic string is not correct"),
        (b"", "EOF"),
    ],
)
def test_members_that_are_no_arrays_of_numbers(content: bytes, message: str, tmp_path: Path) -> None:
    assert message in refusal(forged(tmp_path / "w.npz", w=content))


def test_a_member_that_is_there_twice_or_of_another_kind(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("w.txt", b"")
    assert "member 'w.txt' is no .npy" in refusal(tmp_path / "w.npz")


@pytest.mark.slow
def test_no_byte_of_a_cut_or_changed_archive_is_taken_for_weights(tmp_path: Path) -> None:
    array = np.arange(50, dtype=np.float32)
    np.savez(tmp_path / "whole.npz", w=array)
    content = (tmp_path / "whole.npz").read_bytes()
    for size in range(0, len(content), 7):
        (tmp_path / "cut.npz").write_bytes(content[:size])
        refusal(tmp_path / "cut.npz")
    start = content.index(array.tobytes())
    for place in range(start, start + array.nbytes, 9):
        changed = bytearray(content)
        changed[place] ^= 1
        (tmp_path / "changed.npz").write_bytes(changed)
        assert "Bad CRC-32" in refusal(tmp_path / "changed.npz")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.pth", pickle.dumps(print), "it may hold a pickle, which is never executed here; `minidil weights convert`"),
        ("w.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file, which `minidil weights convert` converts"),
        ("w.npz", b"\x80\x04abc", "no zip archive, whose first bytes are b'PK' and not b'\\x80\\x04'"),
        ("w.onnx", b"abc", "files that end in '.onnx' are not known; weights are read from .safetensors and .npz"),
    ],
)
def test_other_kinds_of_files(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in refusal(tmp_path / name)


def test_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), states.opened(tmp_path / "none.npz"):
        pass


class TestSafetensors:
    @pytest.fixture(autouse=True)
    def _library(self) -> None:
        pytest.importorskip("safetensors")

    def written(self, path: Path, header: object, content: bytes) -> Path:
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content)
        return path

    def entry(self, shape: list[int], end: int, kind: str = "F32") -> dict[str, object]:
        return {"w": {"dtype": kind, "shape": shape, "data_offsets": [0, end]}}

    def test_it_is_read(self, tmp_path: Path) -> None:
        array = np.arange(6, dtype=np.float32)
        with states.opened(self.written(tmp_path / "w.safetensors", self.entry([2, 3], 24), array.tobytes())) as file:
            assert file.arrays == {"w": states.Declared((2, 3), np.dtype(np.float32))}
            assert np.array_equal(file.read("w"), array.reshape(2, 3))

    @pytest.mark.parametrize(
        ("shape", "end", "kind", "message"),
        [
            ([2, 3], 20, "F32", "damaged or no safetensors file"),
            ([1 << 20, 1 << 20], 1 << 42, "F32", "damaged or no safetensors file"),
            ([2, 6], 24, "BF16", "w has type BF16, which NumPy lacks; save it as F32 or F16"),
            ([2, 3], 24, "F33", "damaged or no safetensors file"),
        ],
    )
    def test_damaged(self, shape: list[int], end: int, kind: str, message: str, tmp_path: Path) -> None:
        assert message in refusal(self.written(tmp_path / "w.safetensors", self.entry(shape, end, kind), bytes(24)))

    def test_cut_short(self, tmp_path: Path) -> None:
        path = self.written(tmp_path / "whole.safetensors", self.entry([2, 3], 24), bytes(24))
        content = path.read_bytes()
        for size in range(len(content)):
            (tmp_path / "cut.safetensors").write_bytes(content[:size])
            assert f"({size:,} bytes) is damaged" in refusal(tmp_path / "cut.safetensors")


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    (tmp_path / "w.safetensors").write_bytes(bytes(16))
    assert 'pip install "minidil[weights]"' in refusal(tmp_path / "w.safetensors")
