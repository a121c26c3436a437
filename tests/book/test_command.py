"""`minidil book`: what is refused before anything is made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import refused

import minidil
from minidil.cli import book, main
from minidil.errors import DataError


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "find_spec", lambda _name: object())


def test_without_the_extra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(book, "find_spec", lambda name: None if name in ("sphinx", "jieba") else object())
    answer = refused(capsys, "book", str(tmp_path / "site"))
    assert answer == "minidil: book: needs sphinx, jieba: pip install -e '.[book]'\n"
    assert not (tmp_path / "site").exists()


def test_without_a_checkout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(minidil, "__file__", str(tmp_path / "minidil" / "__init__.py"))
    answer = refused(capsys, "book", str(tmp_path / "site"))
    assert f"the chapters are in minidil's repository, and {tmp_path} is none" in answer


@pytest.mark.usefixtures("_installed")
def test_a_folder_with_something_else_is_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    assert f"OUT {tmp_path}: holds something that is no site" in refused(capsys, "book", str(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "three years"


@pytest.mark.usefixtures("_installed")
def test_a_file_in_the_place_of_the_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "site").write_text("")
    assert f"{tmp_path / 'site'} is not a folder" in refused(capsys, "book", str(tmp_path / "site"))


@pytest.mark.usefixtures("_installed")
def test_a_pdf_needs_a_new_file_and_a_browser(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    out = str(tmp_path / "site")
    (tmp_path / "old.pdf").write_text("")
    assert "is there already" in refused(capsys, "book", out, "--pdf", str(tmp_path / "old.pdf"))
    assert "ends in .pdf" in refused(capsys, "book", out, "--pdf", str(tmp_path / "book.ps"))
    assert "none of chromium, " in refused(capsys, "book", out, "--pdf", str(tmp_path / "book.pdf"))


def test_an_unknown_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'zh_CN'?" in refused(capsys, "book", "site", "--language", "zh")


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("words", "made"),
    [
        ([], {"index.html": "en to zh_CN", "zh_CN/index.html": "zh_CN to .."}),
        (["--language", "en"], {"index.html": "en to "}),
        (["--language", "zh_CN"], {"index.html": "zh_CN to "}),
    ],
)
def test_both_editions_know_each_other_and_one_is_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], made: dict[str, str]
) -> None:
    def write(_checkout: Path, language: str, other: str, _source: Path, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "index.html").write_text(f"{language} to {other}")

    monkeypatch.setattr(book, "lay_out", lambda *_paths: None)
    monkeypatch.setattr(book, "_sphinx", write)
    out = tmp_path / "site"
    assert main(["book", str(out), *words]) == 0
    assert {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*.*")} == made


def test_pages_that_are_too_large_are_named(tmp_path: Path) -> None:
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "light.html").write_bytes(b" " * 3_000_000)
    book.check_pages(tmp_path)
    (tmp_path / "chapters" / "heavy.html").write_bytes(b" " * 3_000_001)
    with pytest.raises(DataError, match=r"at most 3,000,000 bytes.* chapters/heavy\.html \(3,000,001 bytes\)$"):
        book.check_pages(tmp_path)


def test_links_of_printed_pages_lead_to_sheets_or_to_the_network_or_nowhere() -> None:
    pypdf = pytest.importorskip("pypdf")
    from pypdf.annotations import Link

    sheets = pypdf.PdfWriter()
    for _ in range(3):
        sheets.add_blank_page(100, 100)
    for address in ("file:///site/b.html#part", "file:///site/data.json", "https://arxiv.org/"):
        sheets.add_annotation(0, Link(rect=(0, 0, 10, 10), url=address))
    book._keep_links_inside(sheets, {"file:///site/a.html": 0, "file:///site/b.html": 2})
    inner, outer = (each.get_object() for each in sheets.pages[0]["/Annots"])
    assert inner["/Dest"][0] == sheets.pages[2].indirect_reference
    assert "/A" not in inner
    assert outer["/A"]["/URI"] == "https://arxiv.org/"


def test_sheets_are_found_by_the_titles_of_their_pages(tmp_path: Path) -> None:
    page = tmp_path / "one.html"
    page.write_text("<title>1. Time &amp; space &#8212; minidil</title>", encoding="utf-8")
    assert book._title(page) == "1. Time & space"
