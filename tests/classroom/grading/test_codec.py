"""Values that travel between processes: all of them arrive, and nothing that arrives runs."""

import json
import struct
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minidil as md
from minidil.classroom.grading.codec import Stranger, decode, encode
from minidil.errors import DataError


def none_kept(function: Any) -> int:
    raise AssertionError("no function was to travel")


def there_and_back(value: Any) -> Any:
    return decode(encode(value, none_kept), lambda handle: handle)


_ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int8, np.int64, np.bool_, np.complex128, "U3", "S2"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
_PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
_VALUES = st.recursive(
    _PLAIN | _ARRAYS,
    lambda part: (
        st.lists(part, max_size=3)
        | st.lists(part, max_size=3).map(tuple)
        | st.dictionaries(st.text("ab"), part, max_size=2)
    ),
    max_leaves=5,
)


def same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return bool(one == other)


@given(_VALUES)
def test_what_is_sent_arrives(value: Any) -> None:
    assert same(there_and_back(value), value)


def test_nan_infinity_and_signs_arrive() -> None:
    back = there_and_back([float("nan"), float("-inf"), -0.0, np.float32(2.5), 10**400])
    assert np.isnan(back[0])
    assert back[1] == -np.inf
    assert str(back[2]) == "-0.0"
    assert (type(back[3]), back[3]) == (np.float32, 2.5)
    assert back[4] == 10**400


def test_memory_order_and_writeability_arrive() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    back = there_and_back(array)
    assert back.flags.f_contiguous
    assert back.flags.writeable
    assert (back == array).all()


def test_a_generator_draws_the_same() -> None:
    rng = np.random.default_rng(5)
    rng.random(3)
    assert there_and_back(rng).random() == rng.random()


def test_tensors_and_dtypes_arrive() -> None:
    back = there_and_back(md.tensor([1.0, 2.0], requires_grad=True))
    assert back.requires_grad
    assert back.numpy().tolist() == [1.0, 2.0]
    assert there_and_back(np.dtype(np.float32)) == np.float32


def test_subclasses_arrive_as_what_they_are_made_of() -> None:
    class Equal(np.ndarray):
        def __eq__(self, other: object) -> bool:  # type: ignore[override]
            return True

    back = there_and_back(np.zeros(2).view(Equal))
    assert type(back) is np.ndarray
    assert there_and_back(namedtuple("Pair", "a b")(1, 2)) == (1, 2)


def test_other_things_arrive_as_strangers() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    back = there_and_back(Odd())
    assert isinstance(back, Stranger)
    assert type(back).__name__ == "Odd"
    assert isinstance(there_and_back(np.array([Odd()], dtype=object)), Stranger)
    circle: list[Any] = []
    circle.append(circle)
    assert isinstance(there_and_back(circle), list)


def test_too_much_is_refused() -> None:
    with pytest.raises(DataError, match="64 MiB"):
        encode(np.zeros(1 << 24), none_kept)


@pytest.mark.parametrize(
    "tree",
    [
        ["array", "|O", [1], False, False],
        ["array", "f8,f8", [1], False, False],
        ["array", "<f8", [10**12], False, False],
        ["array", "<f8", [-1], False, False],
        ["array", "<f8", [2**62, 4], False, False],
        ["is", {"a": 1}],
        ["generator", "__class__", ["dict", []]],
        ["tuple"],
        ["nothing", 1],
        [],
        7,
    ],
)
def test_what_is_no_message_is_refused(tree: Any) -> None:
    text = json.dumps(tree).encode()
    with pytest.raises(DataError, match="cannot be read"):
        decode(struct.pack(">I", len(text)) + text, lambda handle: handle)


def test_a_message_too_deep_or_cut_is_refused() -> None:
    text = ("[" * 100_000).encode()
    for message in (struct.pack(">I", len(text)) + text, b"", b"\0", encode(1, none_kept)[:-2]):
        with pytest.raises(DataError, match="cannot be read"):
            decode(message, lambda handle: handle)
