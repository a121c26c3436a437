"""Settings, models and parameters as lines of text that fit the terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minidil.cli.option import flag
from minidil.cli.settings import Settings, options
from minidil.cli.table import table
from minidil.nn import Summary
from minidil.terminal import fill, room


def chosen(settings: Settings) -> list[str]:
    """A line for each setting, as somebody types it."""
    rows = []
    for name, option in options().items():
        value = getattr(settings, name)
        rows.append((flag(name), option.usual or "" if value in (None, ()) else option.typed(value)))
    return table(rows, "<<")


def summarised(summary: Summary) -> str:
    """The table of the layers, and in a narrow terminal its most important columns."""
    text = str(summary)
    if max(map(len, text.splitlines())) <= room():
        return text
    head = ("layer", "kind", "output shape", "parameters", "multiply-adds", "receptive field")
    lines = table([head, *(row.cells() for row in summary.rows)], "<<<>>>", (5, 4, 1, 2))
    return "\n".join([*lines, fill(text.splitlines()[-1])])


def facts_of(arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Name, shape, type and norm (the root of the sum of all squares) of arrays."""
    return [
        {
            "name": name,
            "shape": list(array.shape),
            "dtype": str(array.dtype),
            "norm": float(np.linalg.norm(np.ravel(array).astype(np.complex128 if array.dtype.kind == "c" else float))),
        }
        for name, array in arrays.items()
    ]


def listed(facts: Iterable[Mapping[str, Any]]) -> list[str]:
    """What `facts_of` gives, a line each."""
    rows = [(each["name"], str(tuple(each["shape"])), each["dtype"], f"{each['norm']:.4g}") for each in facts]
    return table([("array", "shape", "type", "norm"), *rows], "<<<>", (2, 3))
