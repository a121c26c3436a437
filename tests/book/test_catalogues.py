"""The Chinese edition: it has all messages of its pages and no others, and keeps their formulas and code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from book_modules import book_module

LANGUAGE = "zh_CN"


@pytest.fixture
def catalogues() -> ModuleType:
    pytest.importorskip("sphinx_intl")
    return book_module("catalogues.py")


def test_formulas_code_and_links_are_untouched(catalogues: ModuleType) -> None:
    touched = []
    for path in sorted(catalogues.LOCALES.rglob("*.po")):
        for message, translation in catalogues.messages(path).items():
            if translation and Counter(catalogues.KEPT.findall(message)) != Counter(
                catalogues.KEPT.findall(translation)
            ):
                touched.append(f"{path.name}: {message!r} became {translation!r}")
    assert touched == []


@pytest.mark.slow
def test_nothing_is_stale_and_nothing_is_left_to_translate(catalogues: ModuleType, tmp_path: Path) -> None:
    catalogues.templates(tmp_path)
    assert catalogues.differences(tmp_path, LANGUAGE) == []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Kernels slide.", True),
        ("the kernel $w$", True),
        (r" \text{span} = d\,(K-1) + 1 ", False),
        (" O = S - K + 1 ", False),
        ("$x$ (`conv`)", False),
        ("![the taps](a.png)", False),
        (".. image:: a.png", False),
    ],
)
def test_what_is_to_be_translated(catalogues: ModuleType, message: str, words: bool) -> None:
    assert catalogues.has_words(message) is words


def test_what_is_stale_or_missing_is_named(
    catalogues: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = tmp_path / "locales" / LANGUAGE / "LC_MESSAGES"
    templates = tmp_path / "templates"
    messages.mkdir(parents=True)
    templates.mkdir()
    monkeypatch.setattr(catalogues, "LOCALES", tmp_path / "locales")
    picture = 'msgid ".. image:: a.png"\nmsgstr ""\n\n'
    (templates / "README.pot").write_text(f'{picture}msgid "new"\nmsgstr ""\n\nmsgid "guessed"\nmsgstr ""\n')
    (messages / "README.po").write_text('msgid "old"\nmsgstr "x"\n\n#, fuzzy\nmsgid "guessed"\nmsgstr "y"\n')
    (messages / "gone.po").write_text('msgid "old"\nmsgstr "x"\n')
    assert catalogues.differences(templates, LANGUAGE) == [
        "README: stale: 'old'",
        "README: not translated: 'new'",
        "README: not translated: 'guessed'",
        "gone: there is no such page",
    ]
