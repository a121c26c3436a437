"""The two editions: each page leads to the same page of the other, and the Chinese one says which of its pages are English."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

_OTHER = {"en": ("zh-CN", "中文"), "zh_CN": ("en", "English")}
_IN_BOTH = ("glossary", "source/")  # pages for readers of either language: how those begin that have no catalogue
_ENGLISH = "这一页还没有译成中文，下面是英文原文。"
_NUMBER = re.compile(r'^(msgstr (?:""\n)?"\d+)\.(?= )', re.MULTILINE)


def link(page: str, language: str, other: str) -> dict[str, str]:
    """The link from a page to the same page of the other edition.

    other: where that edition begins, seen from where this one does.
    """
    code, name = _OTHER[language]
    return {"href": f"{'../' * page.count('/')}{other}/{page}.html", "lang": code, "name": name}


def _add_link(app: Sphinx, page: str, _template: str, context: dict[str, Any], _document: object) -> None:
    if app.config.other_edition:
        context["edition"] = link(page, app.config.language, app.config.other_edition)


def _say_what_is_english(app: Sphinx, document: nodes.document) -> None:
    """Below its title, a page of the Chinese edition that has no catalogue says so."""
    page = app.env.docname
    catalogue = Path(app.srcdir, "locales", app.config.language, "LC_MESSAGES", f"{page}.po")
    if app.config.language == "zh_CN" and not page.startswith(_IN_BOTH) and not catalogue.is_file():
        title = next(document.findall(nodes.title))
        title.parent.insert(title.parent.index(title) + 1, nodes.note("", nodes.paragraph("", _ENGLISH)))


def _translate_prompts(_app: Sphinx, config: Config) -> None:
    """What unfolds a cell is no message of a catalogue."""
    if config.language == "zh_CN":
        config.nb_code_prompt_show, config.nb_code_prompt_hide = "显示代码", "隐藏代码"


def _escape_numbers(app: Sphinx, _config: object) -> None:
    """A translation that begins "1." is no list: Sphinx would leave out that of a heading."""
    for path in (Path(app.srcdir) / "locales").rglob("*.po"):
        text = path.read_text(encoding="utf-8")
        path.write_text(_NUMBER.sub(r"\1\\\\.", text), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_config_value("other_edition", "", "html", [str])
    app.connect("config-inited", _escape_numbers)
    app.connect("config-inited", _translate_prompts)
    app.connect("doctree-read", _say_what_is_english)
    app.connect("html-page-context", _add_link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
