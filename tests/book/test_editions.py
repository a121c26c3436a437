"""The way from a page of one edition to the same page of the other."""

from __future__ import annotations

import pytest
from book_modules import book_module


@pytest.mark.parametrize(
    ("page", "language", "other", "href"),
    [
        ("index", "en", "zh_CN", "zh_CN/index.html"),
        ("index", "zh_CN", "..", "../index.html"),
        ("chapters/exercises/03_im2col", "en", "zh_CN", "../../zh_CN/chapters/exercises/03_im2col.html"),
        ("chapters/exercises/03_im2col", "zh_CN", "..", "../../../chapters/exercises/03_im2col.html"),
    ],
)
def test_the_link_is_relative_and_named_in_the_language_that_it_leads_to(
    page: str, language: str, other: str, href: str
) -> None:
    pytest.importorskip("sphinx")
    named = {"lang": "zh-CN", "name": "中文"} if language == "en" else {"lang": "en", "name": "English"}
    assert book_module("_ext/editions.py").link(page, language, other) == {"href": href, **named}
