"""A case and two results as panels: small arrays whole, large ones around the worst entry, those of many axes slice by slice."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.classroom.compare import Difference
from minidil.classroom.report import Beside, Block, Panel, Say

_MOST_ROWS, _MOST_COLUMNS = 12, 12


def case_blocks(case: Mapping[str, Any]) -> list[Block]:
    """The arguments: plain ones in a line, arrays as panels."""
    plain = [f"{name} = {_brief(value)}" for name, value in case.items() if not _is_array(value)]
    panels = tuple(panel(name, value) for name, value in case.items() if _is_array(value))
    return [*([Say(", ".join(plain), "code")] if plain else []), *([Beside(panels)] if panels else [])]


def result_blocks(different: Difference, yours: str = "yours") -> list[Block]:
    """What was expected beside what came, with the entries marked that differ, and the worst of them named."""
    expected, actual, of = different.expected, different.actual, f" {different.part}" if different.part else ""
    if not _is_array(expected) or not _is_array(actual):
        if _is_array(expected) or _is_array(actual):
            shown = [(f"expected{of}", expected), (f"{yours}{of}", actual)]
            arrays = tuple(panel(title, value) for title, value in shown if _is_array(value))
            others = [Say(f"{title}: {_brief(value)}", "code") for title, value in shown if not _is_array(value)]
            return [Beside(arrays), *others]
        return [Say(f"expected{of}: {_brief(expected)}\n{yours}{of}: {_brief(actual)}", "code")]
    if different.wrong is None or not different.wrong.any():
        return [Beside((panel(f"expected{of}", expected), panel(f"{yours}{of}", actual)))]
    worst = worst_entry(different)
    shown_panels = tuple(
        panel(title, value, different.wrong, worst)
        for title, value in ((f"expected{of}", expected), (f"{yours}{of}", actual))
    )
    count = int(different.wrong.sum())
    name = different.part or "result"
    where = f"{name}[{', '.join(map(str, worst))}]"
    lead = "The only wrong entry" if count == 1 else f"{count} of {expected.size} entries are wrong; the worst"
    text = f"{lead} is {where}: expected {number(expected[worst])}, yours {number(actual[worst])}."
    return [Beside(shown_panels), Say(text)]


def worst_entry(different: Difference) -> tuple[int, ...]:
    """Where the results are farthest apart; what is not a number is farther than everything."""
    with np.errstate(all="ignore"):
        apart = np.abs(1.0 * different.actual - 1.0 * different.expected)
    apart[np.isnan(apart)] = np.inf
    assert different.wrong is not None  # the caller has seen to it
    apart[~different.wrong] = -1
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))


def panel(
    title: str,
    array: NDArray[Any],
    wrong: NDArray[np.bool_] | None = None,
    around: tuple[int, ...] | None = None,
) -> Panel:
    """An array as a table. around: the entry that must be seen where not all can be."""
    array = np.asarray(array)
    shape = array.shape
    wrong = np.zeros(shape, bool) if wrong is None else wrong
    around = around or (0,) * array.ndim
    notes, block = [], 0
    if not array.size:
        return Panel(f"{title}  {shape}", [["empty"]])
    leading = shape[:-2]
    if leading and np.prod(leading) * shape[-2] <= _MOST_ROWS:  # all slices below each other
        if np.prod(leading) > 1:
            block = shape[-2]
            notes.append(f"{int(np.prod(leading))} slices of {shape[-2]} x {shape[-1]}, one below the other")
        array, wrong = array.reshape(-1, shape[-1]), wrong.reshape(-1, shape[-1])
        around = (int(np.ravel_multi_index(around[:-1], shape[:-1])), around[-1])
    elif leading:
        notes.append(f"only [{', '.join(map(str, around[:-2]))}, :, :]")
        array, wrong, around = array[around[:-2]], wrong[around[:-2]], around[-2:]
    elif array.ndim == 1:
        array, wrong, around = array[None], wrong[None], (0, *around)
    rows, columns = _part(array.shape[0], around[0], _MOST_ROWS), _part(array.shape[1], around[1], _MOST_COLUMNS)
    if len(rows) < array.shape[0]:
        notes.append(f"rows {rows[0]} to {rows[-1]}")
    if len(columns) < array.shape[1]:
        notes.append(f"columns {columns[0]} to {columns[-1]}")
    cells = [[number(array[i, j]) for j in columns] for i in rows]
    marked = frozenset((i, j) for i, row in enumerate(rows) for j, column in enumerate(columns) if wrong[row, column])
    return Panel(f"{title}  {shape}", cells, marked, "; ".join(notes), block)


def number(value: Any) -> str:
    """As short as it can be told apart: whole numbers without a point, others with four digits."""
    if isinstance(value, float | np.floating):
        plain = float(value)
        return f"{plain:.0f}" if plain.is_integer() and abs(plain) < 1e6 else f"{plain:.4g}"
    return str(value)


def _part(length: int, around: int, most: int) -> range:
    start = min(max(around - most // 2, 0), max(length - most, 0))
    return range(start, min(start + most, length))


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0 and value.dtype.kind in "biufc"


def _brief(value: Any) -> str:
    try:
        text = number(value) if isinstance(value, float | np.floating) else repr(value)
    except Exception:  # whatever a class of the student's makes of it
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 200 else text[:200] + " ..."
