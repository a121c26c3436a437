"""minidil's docstrings as reStructuredText.

They are written for a terminal: shapes such as (N, C, *S), labels such as "Raises:", formulas that are indented. Everything that
reStructuredText would take for markup is escaped; labels become bold, names become code, and what is indented stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

_LABEL = re.compile(r"([A-Za-z_][\w.]*(?:, [\w.*]+)*): +(?=\S)")
_KEPT = re.compile(r"`+([^`]+)`+|(?<![\w*])\*[a-z]+(?: [a-z]+)*\*(?![\w*])")
_MARKUP = re.compile(r"([\\*`|]|_(?!\w)|(?<!\w)_)")


def as_rst(docstring: Sequence[str]) -> list[str]:
    """The lines of a docstring, without its indentation, as lines of reStructuredText."""
    lines: list[str] = []
    for blank, block in groupby(docstring, lambda line: not line.strip()):
        if not blank:
            for part in _parts(list(block)):
                lines += [*part, ""]
    return lines


def _parts(block: list[str]) -> Iterator[list[str]]:
    """A block without empty lines: a paragraph begins at every label, and has what is indented below it; other such is code."""
    if block[0].startswith(">>>"):
        yield from _paragraph([], block)
        return
    text: list[str] = []
    code: list[str] = []
    labelled = False
    for line in block:
        indented = line.startswith(" ")
        if indented and not labelled:
            code.append(line)
            continue
        if code:
            yield from _paragraph(text, code)
            text, code = [], []
        label = None if indented else _LABEL.match(line)
        if label and text:
            yield from _paragraph(text, [])
            text = []
        labelled = labelled or bool(label)
        text.append(f"{_label(label[1])} {escaped(line[label.end() :])}" if label else escaped(line.strip()))
    yield from _paragraph(text, code)


def _paragraph(text: list[str], code: list[str]) -> Iterator[list[str]]:
    if text:
        yield text
    if code:
        yield ["::", "", *("   " + line for line in code)]


def _label(word: str) -> str:
    return f"**{word}:**" if word[0].isupper() else f"``{word}``:"


def escaped(text: str) -> str:
    """Text in which nothing but code between backquotes and words between asterisks is markup."""
    parts, end = [], 0
    for code in _KEPT.finditer(text):
        kept = f"``{code[1]}``" if code[1] else code[0]
        parts += [_MARKUP.sub(r"\\\1", text[end : code.start()]), f"\\ {kept}\\ "]
        end = code.end()
    return "".join([*parts, _MARKUP.sub(r"\\\1", text[end:])])
