"""Tables and sentences that fit the terminal: a narrow one gets fewer columns, and lines that end between words."""

import shutil
import textwrap
from collections.abc import Sequence

_ENDLESS = 10_000  # a file or a pipe has no width


def room() -> int:
    """How many characters stand side by side: $COLUMNS, else what the terminal has; without one, as many as you like."""
    return shutil.get_terminal_size((_ENDLESS, 24)).columns


def fill(text: str) -> str:
    """A line, broken between words where the terminal ends, and indented from then on. Words that are too long stay whole."""
    if len(text) <= room():
        return text
    return textwrap.fill(text, room(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def table(rows: Sequence[Sequence[str]], align: str, dispensable: Sequence[int] = ()) -> list[str]:
    """The lines of a table, as wide as it must be.

    align: "<" or ">" for each column. dispensable: columns that are left out, one after the other, where there is no room for
    all; if the rest does not fit either, the lines are cut and end in "…".
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(align))]
    kept, spare = list(range(len(align))), list(dispensable)
    while sum(widths[column] + 2 for column in kept) - 2 > room() and spare:
        kept.remove(spare.pop(0))
    lines = ("  ".join(f"{row[each]:{align[each]}{widths[each]}}" for each in kept).rstrip() for row in rows)
    return [line if len(line) <= room() else line[: room() - 1] + "…" for line in lines]
