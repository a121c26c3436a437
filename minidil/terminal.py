"""How wide the place is where the output goes, and lines that end between words where it ends."""

import os
import sys
import textwrap

_ENDLESS = 10_000  # a file or a pipe has no width


def room() -> int:
    """How many characters stand side by side: $COLUMNS, else what the terminal has that standard output is.

    As many as you like if it is none: a file, a pipe, or what a test or a notebook has put in its place.
    """
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _ENDLESS
    except (AttributeError, ValueError, OSError):
        return _ENDLESS


def fill(text: str, *, break_words: bool = False) -> str:
    """A line, broken between words where the terminal ends, and indented from then on.

    Words that are too long stay whole, so that a path can be copied, unless break_words says otherwise.
    """
    if len(text) <= room():
        return text
    return textwrap.fill(text, room(), subsequent_indent="  ", break_long_words=break_words, break_on_hyphens=False)
