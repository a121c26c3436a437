"""What a set of cases covered, argument by argument."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_MOST_WORDS = 6


def ranges(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """One phrase an argument: "stride 1 to 3", "x of shapes (1, 2) to (3, 9)"."""
    if not cases:
        return []
    return [_range(name, [case[name] for case in cases]) for name in cases[0]]


def _range(name: str, values: Sequence[Any]) -> str:
    if all(isinstance(value, np.ndarray) for value in values):
        if len({value.ndim for value in values}) > 1:
            return f"{name} with {_span([value.ndim for value in values])} axes"
        lowest = tuple(min(sizes) for sizes in zip(*(value.shape for value in values), strict=True))
        highest = tuple(max(sizes) for sizes in zip(*(value.shape for value in values), strict=True))
        return f"{name} of shape {lowest}" if lowest == highest else f"{name} of shapes {lowest} to {highest}"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return f"{name} {_span(values)}"
    if all(isinstance(value, tuple | list) for value in values):
        flat = [each for value in values for each in value]
        numbers = f" of {_span(flat)}" if flat and all(isinstance(each, int) for each in flat) else ""
        return f"{name} with {_span([len(value) for value in values])} entries{numbers}"
    words = list(dict.fromkeys(map(repr, values)))
    return f"{name} " + (", ".join(words) if len(words) <= _MOST_WORDS else f"with {len(words)} different values")


def _span(values: Sequence[Any]) -> str:
    lowest, highest = min(values), max(values)
    return str(lowest) if lowest == highest else f"{lowest} to {highest}"
