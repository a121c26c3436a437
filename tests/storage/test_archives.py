"""Files of torch.save: read exactly, and nothing in them is executed, whatever they name."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch_files import SAVERS, SYSTEM, Call, Name, Stored, plain, rebuilt, save_plain, save_zipped, stored, zipped

from minidil.errors import CheckpointError
from minidil.storage.archives import torch_archive

STATE = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "half": np.array([0.5, -2], np.float16),
    "bn.num_batches_tracked": np.array(9),
    "empty": np.zeros((0, 3)),
}


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        torch_archive(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", SAVERS)
def test_every_number_and_type_is_read(kind: str, tmp_path: Path) -> None:
    SAVERS[kind](tmp_path / "w.pth", STATE)
    file = torch_archive(tmp_path / "w.pth")
    assert file.shapes == {name: array.shape for name, array in STATE.items()}
    for name, array in STATE.items():
        found = file.read(name)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype
        assert found.flags.writeable


def test_views_of_one_storage(tmp_path: Path) -> None:
    numbers = np.arange(12, dtype=np.float32)
    shared = stored("0", numbers)
    state = {"whole": rebuilt(shared, 0, (3, 4), (4, 1)), "turned": rebuilt(shared, 1, (2, 3), (1, 4))}
    state["parameter"] = Call(
        "torch._utils", "_rebuild_parameter", state["whole"], True, Call("collections", "OrderedDict")
    )
    zipped(tmp_path / "w.pt", state, {"0": numbers.tobytes()})
    file = torch_archive(tmp_path / "w.pt")
    np.testing.assert_array_equal(file.read("turned"), numbers.reshape(3, 4).T[1:3])
    np.testing.assert_array_equal(file.read("parameter"), numbers.reshape(3, 4))


class Bomb:
    """What an ordinary unpickler would run."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_a_command_does_not(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps({"w": Bomb(tmp_path / "ran")}, protocol)
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("archive/data.pkl", content)
    message = refusal(tmp_path / "w.pth")
    (tmp_path / "old.pth").write_bytes(content)
    refusal(tmp_path / "old.pth")
    assert not (tmp_path / "ran").exists()
    if protocol > 0:  # protocol 0 uses codes that torch.save never writes
        assert f"its pickle names {os.system.__module__}.system" in message
        assert message.endswith("nothing was executed")


@pytest.mark.parametrize(
    "name",
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("collections", "OrderedDict.fromkeys"),
        ("torch", "BFloat16Storage"),
        ("numpy.core.multiarray", "_reconstruct"),
    ],
)
def test_other_names_are_refused_by_name(name: tuple[str, str], tmp_path: Path) -> None:
    zipped(tmp_path / "w.pth", {"w": Call(*name, 1)}, {})
    assert f"its pickle names {name[0]}.{name[1]}, and of a pickle only tensors" in refusal(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (0, (2, 2), (3, 1)),
        (0, (1 << 40,), (0,)),  # as many numbers as one likes, all in one place
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (-2, -2), (1, 1)),
        (0, (2, 2), (1,)),
        (0, ("2",), (1,)),
        (0, 4, 1),
        (None, (2,), (1,)),
    ],
)
def test_tensors_that_claim_numbers_which_are_not_there(
    offset: object, shape: object, strides: object, tmp_path: Path
) -> None:
    numbers = np.zeros(4, np.float32)
    zipped(tmp_path / "w.pth", {"w": rebuilt(stored("0", numbers), offset, shape, strides)}, {"0": numbers.tobytes()})
    refusal(tmp_path / "w.pth")


def test_storages_that_are_not_what_the_pickle_says(tmp_path: Path) -> None:
    numbers = np.zeros(4, np.float32)
    tensor = rebuilt(stored("0", numbers), 0, (4,), (1,))
    zipped(tmp_path / "w.pth", {"w": tensor}, {"0": bytes(15)})
    assert "its storage '0' has 15 bytes, not 4 of float32" in refusal(tmp_path / "w.pth")
    zipped(tmp_path / "w.pth", {"w": tensor}, {})
    assert "archive/data/0" in refusal(tmp_path / "w.pth")
    plain(tmp_path / "w.pth", {"w": tensor}, {"0": (5, bytes(20))})
    assert "its storage '0' has 5 elements in 20 bytes, not 4 of float32" in refusal(tmp_path / "w.pth")
    plain(tmp_path / "w.pth", {"w": tensor}, {"0": (4, bytes(17))})
    assert "it goes on for 1 bytes behind its last storage" in refusal(tmp_path / "w.pth")
    zipped(tmp_path / "w.pth", {"w": rebuilt(Stored("module", "x"), 0, (4,), (1,))}, {})
    refusal(tmp_path / "w.pth")
    zipped(
        tmp_path / "w.pth",
        {"w": rebuilt(Stored("storage", Name("collections", "OrderedDict"), "0", "cpu", 4), 0, (4,), (1,))},
        {},
    )
    assert "which is no storage of numbers" in refusal(tmp_path / "w.pth")


def test_big_endian_numbers_are_refused(tmp_path: Path) -> None:
    plain(tmp_path / "w.pth", {}, {}, SYSTEM | {"little_endian": False})
    assert "big-endian" in refusal(tmp_path / "w.pth")
    numbers = np.zeros(4, np.float32)
    tensor = rebuilt(stored("0", numbers), 0, (4,), (1,))
    zipped(tmp_path / "w.pth", {"w": tensor}, {"0": numbers.tobytes()}, byteorder=b"big")
    assert "b'big' order" in refusal(tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([1], "it holds list, and not tensors by name"),
        ({}, "it holds dict, and not tensors by name"),
        ({"epoch": 3}, "'epoch' is int, and not a tensor with a name"),
        ({"model": {}}, "'model' is dict, and not a tensor"),
    ],
)
def test_files_of_other_things(state: object, message: str, tmp_path: Path) -> None:
    zipped(tmp_path / "w.pth", state, {})
    assert message in refusal(tmp_path / "w.pth")
    plain(tmp_path / "w.pth", state, {})
    assert message in refusal(tmp_path / "w.pth")


def test_a_compressed_member(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1000))
    assert "its member 'archive/data.pkl' is compressed" in refusal(tmp_path / "w.pth")


@pytest.mark.slow
@pytest.mark.parametrize("save", [save_plain, save_zipped])
def test_no_file_that_was_cut_short_is_taken(save, tmp_path: Path) -> None:
    save(tmp_path / "whole.pth", {"w": np.arange(3, dtype=np.float32), "b": np.zeros(1, np.float32)})
    content = (tmp_path / "whole.pth").read_bytes()
    for size in range(0, len(content), 3):
        (tmp_path / "cut.pth").write_bytes(content[:size])
        refusal(tmp_path / "cut.pth")


def test_changed_bytes_end_in_numbers_or_in_one_error(tmp_path: Path) -> None:
    """The older kind has no checksum; so a changed number is not noticed, and a changed pickle never gets further than that."""
    save_plain(tmp_path / "whole.pth", {"w": np.arange(3, dtype=np.float32)})
    content = (tmp_path / "whole.pth").read_bytes()
    refused = 0
    for place in range(0, len(content), 3):
        (tmp_path / "changed.pth").write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        try:
            torch_archive(tmp_path / "changed.pth")
        except CheckpointError:
            refused += 1
    assert refused > len(content) / 6
