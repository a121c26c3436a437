"""What wrong numbers look like, where no mistake of the catalogue explains them: a factor, a sign, a flip, another order."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.classroom.compare import Difference, close
from minidil.classroom.show import number


def common_clue(differences: Sequence[Difference], smallest: Difference | None) -> str:
    """What all failures look like that are large enough to look like something; else what the smallest one does."""
    if smallest is None or smallest.kind not in ("value", "shape"):
        return ""
    differences = [each for each in differences if each.kind == smallest.kind and each.part == smallest.part]
    seen = [clue(each.expected, each.actual, each.wrong) for each in differences]
    telling = set(filter(None, seen))
    silent = [each for each, text in zip(differences, seen, strict=True) if not text and np.size(each.expected) > 1]
    if len(telling) == 1 and not silent:
        text = telling.pop()
        return f"In every case that fails: {text[0].lower()}{text[1:]}" if len(seen) > 2 else text
    return clue(smallest.expected, smallest.actual, smallest.wrong)


def clue(expected: Any, actual: Any, wrong: NDArray[np.bool_] | None) -> str:
    """One sentence about how two arrays or numbers hang together, or nothing."""
    if isinstance(expected, np.ndarray) and isinstance(actual, np.ndarray):
        return _of_shapes(expected, actual) if expected.shape != actual.shape else _of_arrays(expected, actual, wrong)
    plain = int | float
    if isinstance(expected, plain) and isinstance(actual, plain) and not isinstance(expected, bool):
        return f"It is {number(abs(actual - expected))} too {'large' if actual > expected else 'small'}."
    return ""


def _of_shapes(expected: NDArray[Any], actual: NDArray[Any]) -> str:
    if actual.ndim == 2 and actual.shape == expected.shape[::-1] and _equal(expected, actual.T):
        return "It is the transpose of what is expected: rows and columns are exchanged."
    if actual.size == expected.size and _equal(expected.ravel(), actual.ravel()):
        return "The numbers and their order are right; only the shape is not (reshape)."
    if actual.size == expected.size:
        return "The number of entries is right, their arrangement is not."
    longer = [
        f"axis {i} has {a} instead of {e}"
        for i, (a, e) in enumerate(zip(actual.shape, expected.shape, strict=False))
        if a != e
    ]
    return f"In particular {', '.join(longer)}." if actual.ndim == expected.ndim else ""


def _of_arrays(expected: NDArray[Any], actual: NDArray[Any], wrong: NDArray[np.bool_] | None) -> str:
    if not np.isfinite(actual).all() or expected.size < 2:
        return ""
    if not actual.any():
        return "All of your entries are 0: is the result ever written into?"
    if expected.ndim == 2 and expected.shape[0] == expected.shape[1] and _equal(expected, actual.T):
        return "It is the transpose of what is expected: rows and columns are exchanged."
    if _equal(expected, -actual):
        return "Every entry has the wrong sign."
    nonzero = np.abs(expected) > 1e-12
    if nonzero.sum() > 1:
        ratios = actual[nonzero] / expected[nonzero]
        if np.allclose(ratios, ratios.flat[0], rtol=1e-6) and not np.asarray(actual[~nonzero]).any():
            factor = float(ratios.flat[0])
            whole = abs(factor) > 1e-9 and any(abs(each - round(each)) < 1e-6 for each in (factor, 1 / factor))
            return (
                f"Every entry is {number(factor)} times what is expected{': a sum against a mean?' if whole else '.'}"
            )
    apart = actual - expected
    if np.allclose(apart, apart.flat[0], rtol=1e-6, atol=1e-9):
        return f"Every entry is {number(float(abs(apart.flat[0])))} too {'large' if apart.flat[0] > 0 else 'small'}."
    for axis in range(expected.ndim):
        if expected.shape[axis] > 1 and _equal(expected, np.flip(actual, axis)):
            return f"It is mirrored along axis {axis}."
    for axis in range(expected.ndim):
        for shift in (1, -1):
            if expected.shape[axis] > 2 and _equal(_inner(expected, axis, shift), _inner(actual, axis, -shift)):
                return f"It is shifted by one along axis {axis}."
    if _equal(np.sort(expected, axis=None), np.sort(actual, axis=None)):
        return "All numbers are right, but they stand in another order."
    if wrong is not None and expected.ndim and wrong.sum() > 1:
        for axis in range(expected.ndim):
            places = np.flatnonzero(wrong.any(axis=tuple(i for i in range(expected.ndim) if i != axis)))
            if len(places) == 1 and expected.shape[axis] > 1:
                return f"Only index {int(places[0])} of axis {axis} is wrong."
    return ""


def _inner(array: NDArray[Any], axis: int, shift: int) -> NDArray[Any]:
    """Without the first entry along an axis (1), or without the last (-1)."""
    return np.take(array, range(1, array.shape[axis]) if shift > 0 else range(array.shape[axis] - 1), axis)


def _equal(expected: NDArray[Any], actual: NDArray[Any]) -> bool:
    return expected.shape == actual.shape and bool(close(expected, actual, 1e-9).all())
