"""Values as bytes and back, without pickle: whoever reads them runs no code that came with them.

What travels is what exercises are about: numbers, strings, lists, tuples, dictionaries, NumPy's arrays and generators,
`minidil.Tensor`; a function travels as a number under which its owner can be asked to call it. Anything else arrives as a
`Stranger`, of which only the type's name and the beginning of its repr are known.

A message is a length, a JSON tree of that length, and the bytes of the arrays in the order in which the tree names them.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidil.errors import DataError

MOST_BYTES = 64 << 20  # of one message
_DEEPEST = 40
_KINDS = frozenset("?biufcSU")
_HEAD = struct.Struct(">I")
_BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


class Stranger:
    """A value of a kind that does not travel, as it arrives: an object of a class of that name, which says what it was."""

    shown = ""

    @staticmethod
    def of(kind: str, shown: str) -> "Stranger":
        """An object whose class is called `kind`."""
        made: Stranger = type(kind if kind.isidentifier() else "object", (Stranger,), {"shown": shown})()
        return made

    def __repr__(self) -> str:
        return self.shown


@dataclass(frozen=True)
class Handle:
    """A function that stayed where it is, under the number by which its owner knows it."""

    number: int


def encode(value: Any, keep: Callable[[Any], int]) -> bytes:
    """The message; keep: takes a function that is to be called from the other side, and gives its number.

    Raises: DataError if it would be longer than MOST_BYTES.
    """
    buffers: list[bytes] = []
    tree = json.dumps(_tree(value, keep, buffers, 0)).encode()
    if len(tree) + sum(map(len, buffers)) > MOST_BYTES:
        raise DataError(f"a value of more than {MOST_BYTES >> 20} MiB does not travel")
    return b"".join([_HEAD.pack(len(tree)), tree, *buffers])


def decode(message: bytes, call: Callable[[Handle], Any]) -> Any:
    """What the message says; call: makes something to call from the handle of a function of the other side.

    Raises: DataError if it is no message. It may come from anyone.
    """
    try:
        (length,) = _HEAD.unpack_from(message)
        tree = json.loads(message[_HEAD.size : _HEAD.size + length])
        return _Reader(message, _HEAD.size + length, call).value(tree, 0)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError, struct.error) as error:
        raise DataError(f"a message that cannot be read: {type(error).__name__}") from None


def _tree(value: Any, keep: Callable[[Any], int], buffers: list[bytes], depth: int) -> Any:
    """Lists of a tag and what follows from it. What belongs to a subclass arrives as the plain type."""

    def inner(part: Any) -> Any:
        return _tree(part, keep, buffers, depth + 1)

    kind = type(value)
    if depth > _DEEPEST:
        return ["stranger", kind.__name__, "..."]
    if value is None or kind is bool:
        return ["is", value]
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in _KINDS:
        array = np.asarray(value)
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        buffers.append(array.tobytes("F" if fortran else "C"))
        return ["array", array.dtype.str, list(array.shape), fortran, isinstance(value, np.generic)]
    if isinstance(value, str):
        return ["is", str.encode(value, "utf-8", "replace").decode()]
    if isinstance(value, int):
        return ["int", hex(int(value))]
    if isinstance(value, float):
        return ["float", float(value).hex()]
    if isinstance(value, complex):
        return ["complex", value.real.hex(), value.imag.hex()]
    if isinstance(value, list | tuple):
        return ["list" if isinstance(value, list) else "tuple", [inner(part) for part in value]]
    if isinstance(value, dict):
        return ["dict", [[inner(key), inner(part)] for key, part in value.items()]]
    if kind in (slice, range):
        return [kind.__name__, [inner(part) for part in (value.start, value.stop, value.step)]]
    if kind is np.random.Generator and type(value.bit_generator).__name__ in _BIT_GENERATORS:
        return ["generator", type(value.bit_generator).__name__, inner(value.bit_generator.state)]
    if kind.__name__ == "Tensor" and kind.__module__.startswith("minidil."):
        return ["tensor", inner(value.data), bool(value.requires_grad)]
    if isinstance(value, np.dtype) and value.kind in _KINDS:
        return ["dtype", value.str]
    if callable(value):
        return ["function", keep(value), getattr(value, "__name__", kind.__name__)]
    return ["stranger", kind.__name__, _shown(value)]


def _shown(value: Any) -> str:
    try:
        return repr(value)[:200].encode("utf-8", "replace").decode()
    except Exception:  # a repr of someone else's may fail in any way
        return f"<{type(value).__name__}>"


class _Reader:
    """Takes the arrays' bytes off a message, one after the other."""

    def __init__(self, message: bytes, start: int, call: Callable[[Handle], Any]) -> None:
        self._message, self._at, self._call = message, start, call

    def value(self, tree: Any, depth: int) -> Any:
        if depth > _DEEPEST + 2:
            raise ValueError
        tag, *rest = tree
        if tag == "is" and (rest[0] is None or isinstance(rest[0], bool | str)):
            return rest[0]
        if tag == "int":
            return int(rest[0], 16)
        if tag == "float":
            return float.fromhex(rest[0])
        if tag == "complex":
            return complex(*map(float.fromhex, rest))
        if tag in ("list", "tuple", "slice", "range"):
            parts = [self.value(part, depth + 1) for part in rest[0]]
            made: dict[str, Callable[[list[Any]], Any]] = {
                "list": list,
                "tuple": tuple,
                "slice": _slice,
                "range": _range,
            }
            return made[tag](parts)
        if tag == "dict":
            return {self.value(key, depth + 1): self.value(part, depth + 1) for key, part in rest[0]}
        if tag == "array":
            return self._array(*rest)
        if tag == "generator" and rest[0] in _BIT_GENERATORS:
            bits = getattr(np.random, rest[0])()
            bits.state = self.value(rest[1], depth + 1)
            return np.random.Generator(bits)
        if tag == "tensor":
            from minidil.tensor import Tensor

            return Tensor(self.value(rest[0], depth + 1), requires_grad=rest[1])
        if tag == "dtype":
            return _dtype(rest[0])
        if tag == "function":
            return self._call(Handle(int(rest[0])))
        if tag == "stranger":
            return Stranger.of(str(rest[0])[:100], str(rest[1])[:200])
        raise ValueError

    def _array(self, text: str, shape: list[int], fortran: bool, scalar: bool) -> Any:
        dtype = _dtype(text)
        count = 1
        for size in shape:
            if not isinstance(size, int) or size < 0:
                raise ValueError
            count *= size  # of Python's numbers, which do not wrap
        end = self._at + count * dtype.itemsize
        if end > len(self._message):
            raise ValueError
        flat = (
            np.frombuffer(self._message, dtype, count, self._at) if count and dtype.itemsize else np.zeros(count, dtype)
        )
        self._at = end
        array = flat.reshape(shape, order="F" if fortran else "C").copy("K")
        return array[()] if scalar and not shape else array


def _dtype(text: str) -> "np.dtype[Any]":
    dtype = np.dtype(text)
    if dtype.kind not in _KINDS or dtype.names or dtype.subdtype:
        raise ValueError
    return dtype


def _slice(parts: list[Any]) -> slice:
    return slice(*parts)


def _range(parts: list[Any]) -> range:
    return range(*parts)
