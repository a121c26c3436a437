"""What a check has to say, as blocks that become text in a terminal and HTML in a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, TypeAlias

Tone = Literal["passed", "failed", "plain", "cause", "hint", "code"]


@dataclass(frozen=True)
class Say:
    """A paragraph. tone: what it is: a headline (passed, failed), plain words, the probable cause, a hint, or code."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Panel:
    """A table of numbers with a title. marked: cells (row, column) that differ. note: a line below.

    block: so many rows belong together, as a slice of an array; 0: all of them.
    """

    title: str
    rows: Sequence[Sequence[str]]
    marked: frozenset[tuple[int, int]] = frozenset()
    note: str = ""
    block: int = 0

    def begins(self, row: int) -> bool:
        """Whether a row is the first of a block, but for the first one."""
        return bool(self.block and row and row % self.block == 0)


@dataclass(frozen=True)
class Beside:
    """Panels side by side."""

    panels: tuple[Panel, ...] = field(default=())


Block: TypeAlias = Say | Beside

_LEAD = {
    "passed": "passed: ",
    "failed": "not yet: ",
    "cause": "Probable cause: ",
    "hint": "",
    "plain": "",
    "code": "    ",
}


def as_text(blocks: Sequence[Block]) -> str:
    """The blocks as plain text; a marked number stands in brackets."""
    return "\n".join(_text(block) for block in blocks)


def as_html(blocks: Sequence[Block]) -> str:
    """The blocks as HTML that needs no style sheet and is readable on a light and on a dark page."""
    passed = any(isinstance(block, Say) and block.tone == "passed" for block in blocks)
    failed = any(isinstance(block, Say) and block.tone == "failed" for block in blocks)
    edge = "#009e73" if passed else "#d55e00" if failed else "#0072b2"  # colours that the colour-blind tell apart
    body = "".join(map(_html, blocks))
    style = f"border-left: 4px solid {edge}; padding: 2px 0 2px 12px; max-width: 60em; line-height: 1.45"
    return f'<div style="{style}">{body}</div>'


def _text(block: Block) -> str:
    if isinstance(block, Say):
        lead = _LEAD[block.tone]
        return "\n".join((lead if block.tone == "code" or not n else "") + line for n, line in _lines(block.text))
    return _side_by_side([_panel_lines(panel) for panel in block.panels])


def _lines(text: str) -> list[tuple[int, str]]:
    return list(enumerate(text.splitlines() or [""]))


def _panel_lines(panel: Panel) -> list[str]:
    shown = [
        [f"[{cell}]" if (i, j) in panel.marked else f" {cell} " for j, cell in enumerate(row)]
        for i, row in enumerate(panel.rows)
    ]
    columns = max((len(row) for row in shown), default=0)
    widths = [max((len(row[j]) for row in shown if j < len(row)), default=0) for j in range(columns)]
    lines = []
    for i, row in enumerate(shown):
        lines += [""] * panel.begins(i) + ["".join(f"{cell:>{widths[j]}}" for j, cell in enumerate(row))]
    return [f" {panel.title}", *lines, *([f" {panel.note}"] if panel.note else [])]


def _side_by_side(panels: Sequence[Sequence[str]], gap: str = "    ") -> str:
    height = max((len(lines) for lines in panels), default=0)
    widths = [max(map(len, lines)) for lines in panels]
    rows = (
        gap.join(
            f"{lines[row] if row < len(lines) else '':{width}}" for lines, width in zip(panels, widths, strict=True)
        )
        for row in range(height)
    )
    return "\n".join(("   " + row).rstrip() for row in rows)


def _html(block: Block) -> str:
    if isinstance(block, Beside):
        inner = "".join(map(_html_panel, block.panels))
        return f'<div style="display: flex; flex-wrap: wrap; gap: 28px; margin: 6px 0 10px 0">{inner}</div>'
    text = escape(block.text)
    if block.tone == "code":
        return f'<pre style="margin: 2px 0 6px 1.5em; white-space: pre-wrap">{text}</pre>'
    text = text.replace("\n", "<br>")
    if block.tone in ("passed", "failed"):
        mark, colour = ("&#10003;", "#009e73") if block.tone == "passed" else ("&#10007;", "#d55e00")
        return f'<div style="font-weight: bold"><span style="color: {colour}">{mark}</span> {text}</div>'
    if block.tone == "cause":
        return f'<div style="margin: 6px 0"><b>Probable cause:</b> {text}</div>'
    if block.tone == "hint":
        return f'<div style="margin: 4px 0; opacity: 0.8">{text}</div>'
    return f'<div style="margin: 4px 0">{text}</div>'


def _html_panel(panel: Panel) -> str:
    rows = []
    for i, row in enumerate(panel.rows):
        cells = []
        for j, cell in enumerate(row):
            style = "padding: 1px 7px; text-align: right; border: 1px solid rgba(128,128,128,0.35)"
            style += "; border-top: 5px double rgba(128,128,128,0.6)" if panel.begins(i) else ""
            if (i, j) in panel.marked:
                style += "; background: rgba(213,94,0,0.25); outline: 2px solid #d55e00; font-weight: bold"
            cells.append(f'<td style="{style}">{escape(cell)}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    note = f'<div style="opacity: 0.8; font-size: 90%">{escape(panel.note)}</div>' if panel.note else ""
    table = f'<table style="border-collapse: collapse; margin: 2px 0; font-family: monospace">{"".join(rows)}</table>'
    return f'<div><div style="font-weight: bold">{escape(panel.title)}</div>{table}{note}</div>'
