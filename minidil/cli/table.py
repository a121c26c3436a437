"""Tables that fit the terminal: a narrow one gets fewer columns."""

from collections.abc import Sequence

from minidil.terminal import room


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
