"""Is this what was expected, and if not, in which respect? Arrays, numbers, tuples, truth values and words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """kind: "none", "type", "shape", "dtype", "nan" or "value". says: in words, to follow the function's name.

    part: the name of the part that differs, where several things are returned. wrong: which entries, an array of truth values.
    """

    kind: str
    says: str
    part: str = ""
    expected: Any = None
    actual: Any = None
    wrong: NDArray[np.bool_] | None = None


def difference(expected: Any, actual: Any, parts: Sequence[str] = (), tolerance: float = 1e-9) -> Difference | None:
    """The first respect in which `actual` is not `expected`, or None. parts: names, where `expected` is a tuple of things."""
    if actual is None and expected is not None:
        return Difference("none", "returns nothing (None)", expected=expected)
    try:
        return _different(expected, actual, parts, tolerance)
    except Exception as error:  # an object of a class of the student's may raise whatever it is asked
        says = f"returns {kind_of(actual)}, which cannot be compared ({type(error).__name__})"
        return Difference("type", says, expected=expected)


def _different(expected: Any, actual: Any, parts: Sequence[str], tolerance: float) -> Difference | None:
    if isinstance(expected, tuple) and parts:
        return _of_parts(expected, actual, parts, tolerance)
    actual = _unwrapped(actual)
    if isinstance(expected, np.ndarray) and expected.ndim:
        return _of_arrays(expected, actual, tolerance)
    if isinstance(expected, tuple | list):
        return _of_sequences(expected, actual, tolerance)
    return _of_scalars(expected, actual, tolerance)


def _of_parts(expected: tuple[Any, ...], actual: Any, parts: Sequence[str], tolerance: float) -> Difference | None:
    wanted = f"{len(parts)} things, {', '.join(parts)}, as in  return {', '.join(parts)}"
    if not isinstance(actual, tuple | list):
        return Difference("type", f"returns {kind_of(actual)}; asked for are {wanted}", "", expected, actual)
    if len(actual) != len(parts):
        return Difference("type", f"returns {len(actual)} things; asked for are {wanted}", "", expected, actual)
    for name, right, found in zip(parts, expected, actual, strict=True):
        different = difference(right, found, (), tolerance)
        if different:
            says = different.says.replace("returns", f"returns, for {name},", 1)
            return Difference(different.kind, says, name, different.expected, different.actual, different.wrong)
    return None


def _of_arrays(expected: NDArray[Any], actual: Any, tolerance: float) -> Difference | None:
    def differs(kind: str, says: str, wrong: NDArray[np.bool_] | None = None) -> Difference:
        return Difference(kind, says, "", expected, actual, wrong)

    if not isinstance(actual, np.ndarray):
        remedy = "; np.array(...) makes an array of a list" if isinstance(actual, list | tuple) else ""
        return differs("type", f"returns {kind_of(actual)}; asked for is an array of shape {expected.shape}{remedy}")
    actual = np.asarray(actual)  # of its subclasses, np.matrix has ideas of its own
    if actual.shape != expected.shape:
        return differs("shape", f"returns an array of shape {actual.shape}; expected is {expected.shape}")
    if actual.dtype.kind not in "biufc":
        return differs("dtype", f"returns an array of {actual.dtype}; expected are numbers ({expected.dtype})")
    wrong = ~close(expected, actual, tolerance)
    if wrong.any():
        lost = np.isnan(actual) | np.isinf(actual) if actual.dtype.kind in "fc" else np.zeros(actual.shape, bool)
        if (lost & np.isfinite(expected)).any():
            return differs("nan", f"returns {_odd(actual[lost])} where numbers are expected", wrong)
        if actual.dtype.kind != expected.dtype.kind:
            return differs("dtype", _of_dtype(expected, actual), wrong)
        return differs("value", "returns other numbers", wrong)
    if actual.dtype != expected.dtype and expected.dtype.kind in "fc":
        return differs("dtype", _of_dtype(expected, actual))
    return None


def _of_dtype(expected: NDArray[Any], actual: NDArray[Any]) -> str:
    cuts = (
        "; whole numbers have no room for fractions" if actual.dtype.kind in "iu" and expected.dtype.kind == "f" else ""
    )
    return (
        f"returns an array of {actual.dtype}; expected is {expected.dtype}{cuts} "
        f"(as in np.zeros(shape, {expected.dtype}), or dtype=x.dtype for that of an input x)"
    )


def _of_sequences(expected: Sequence[Any], actual: Any, tolerance: float) -> Difference | None:
    if isinstance(actual, np.ndarray) and actual.ndim == 1:
        actual = tuple(actual.tolist())
    if not isinstance(actual, tuple | list):
        return Difference("type", f"returns {kind_of(actual)}; expected is a tuple", "", expected, actual)
    if len(actual) != len(expected):
        return Difference("shape", f"returns {len(actual)} values; expected are {len(expected)}", "", expected, actual)
    for right, found in zip(expected, actual, strict=True):
        if different := difference(right, found, (), tolerance):
            return Difference(different.kind, different.says, "", expected, actual)
    return None


def _of_scalars(expected: Any, actual: Any, tolerance: float) -> Difference | None:
    def differs(kind: str, says: str) -> Difference:
        return Difference(kind, says, "", expected, actual)

    if isinstance(expected, np.ndarray | np.generic):
        expected = expected.item()
    if isinstance(expected, str | bool) or expected is None:
        if type(actual) is not type(expected):
            return differs("type", f"returns {kind_of(actual)}; expected is {kind_of(expected)}")
        return None if actual == expected else differs("value", f"returns {actual!r}; expected is {expected!r}")
    if isinstance(actual, bool) or not isinstance(actual, int | float):
        return differs("type", f"returns {kind_of(actual)}; expected is {kind_of(expected)}")
    if isinstance(expected, int) and not isinstance(actual, int):
        remedy = "; // divides whole numbers and rounds down" if actual == actual // 1 else ""
        same = "the right number, but as a float" if actual == expected else "a float"
        return differs("type", f"returns {actual!r}, {same}; expected is a whole number{remedy}")
    if not bool(close(np.asarray(expected), np.asarray(actual), tolerance)):
        kind = "value" if np.isfinite(actual) or not np.isfinite(expected) else "nan"
        return differs(kind, f"returns {actual!r}; expected is {expected!r}")
    return None


def close(expected: NDArray[Any], actual: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Entry by entry; an error may be `tolerance` times the largest finite entry, or the entry itself if that is larger."""
    finite = np.abs(expected[np.isfinite(expected)]) if expected.dtype.kind in "fc" else np.abs(expected)
    largest = max(float(finite.max()) if finite.size else 0.0, 1e-3)
    with np.errstate(all="ignore"):
        return np.isclose(actual, expected, rtol=tolerance, atol=tolerance * largest, equal_nan=True)


def kind_of(value: Any) -> str:
    """What a value is, in a beginner's words, with its article."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    names = {int: "whole number", float: "number", bool: "truth value (True or False)", str: "word (str)"}
    return "a " + names.get(type(value), "function" if callable(value) else type(value).__name__)


def _unwrapped(value: Any) -> Any:
    """NumPy's scalars and arrays without axes as Python's numbers, and tensors as arrays."""
    if hasattr(value, "numpy") and hasattr(value, "requires_grad"):
        value = value.numpy()
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim):
        return value.item()
    return value


def _odd(values: NDArray[Any]) -> str:
    nan, inf = bool(np.isnan(values).any()), bool(np.isinf(values).any())
    return "nan and inf" if nan and inf else "nan" if nan else "inf"
