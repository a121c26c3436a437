"""Docstrings for a terminal as reStructuredText."""

from __future__ import annotations

import pytest
from book_modules import book_module

docstrings = book_module("_ext/docstrings.py")


def test_labels_begin_paragraphs_and_what_is_indented_below_them_is_theirs() -> None:
    lines = ["Slide.", "", "Shapes: x (N, *S) -> y;", "    O = S + 1.", "padding: an int.", "Raises: ShapeError."]
    assert docstrings.as_rst(lines) == [
        "Slide.",
        "",
        r"**Shapes:** x (N, \*S) -> y;",
        "O = S + 1.",
        "",
        "``padding``: an int.",
        "",
        "**Raises:** ShapeError.",
        "",
    ]


def test_what_is_indented_below_text_is_code() -> None:
    assert docstrings.as_rst(["The rule:", "    y = x * 2", "and so on."]) == [
        "The rule:",
        "",
        "::",
        "",
        "       y = x * 2",
        "",
        "and so on.",
        "",
    ]


def test_examples_are_code() -> None:
    assert docstrings.as_rst([">>> 1 + 1", "2"]) == ["::", "", "   >>> 1 + 1", "   2", ""]


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("see `Window.of`.", r"see \ ``Window.of``\ ."),
        ("it is *not* x *S, *K*", r"it is \ *not*\  x \*S, \*K\*"),
        ("a|b and x_ and _y and a_b", r"a\|b and x\_ and \_y and a_b"),
        (r"a \ b", r"a \\ b"),
    ],
)
def test_only_code_and_emphasis_are_markup(text: str, mended: str) -> None:
    assert docstrings.escaped(text) == mended
