"""Tables of text, for a terminal and for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def as_text(rows: Sequence[Sequence[str]], left: int, notes: Sequence[str] = ()) -> str:
    """The rows, the first being the head, in columns: the first `left` of them to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([lines[0], rule, *lines[1:], *([rule, *notes] if notes else [])])


def as_html(rows: Sequence[Sequence[str]], left: int, notes: Sequence[str] = ()) -> str:
    """The same for a notebook."""

    def line(cells: Sequence[str], tag: str) -> str:
        parts = [
            f'<{tag} style="text-align: {"left" if i < left else "right"}">{escape(cell)}</{tag}>'
            for i, cell in enumerate(cells)
        ]
        return f"<tr>{''.join(parts)}</tr>"

    caption = f"<caption>{'<br>'.join(map(escape, notes))}</caption>" if notes else ""
    body = "".join(line(row, "td") for row in rows[1:])
    return f"<table>{caption}<thead>{line(rows[0], 'th')}</thead><tbody>{body}</tbody></table>"
