"""The site in both languages: made without a warning, whole, and readable without a network."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import chromium
import pytest

from minidil.cli import book, main

pytestmark = pytest.mark.long


class Page(HTMLParser):
    """What a page loads and where it leads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.ids |= {value for name in ("id", "name") if (value := facts.get(name))}
        if source := facts.get("src"):
            self.loads.append(source)
        if target := facts.get("href"):
            (self.loads if tag == "link" else self.leads).append(target)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("sphinx", "myst_nb", "sphinx_book_theme", "jieba", "pypdf"):
        pytest.importorskip(name)
    out: Path = tmp_path_factory.mktemp("book") / "site"
    assert main(["book", str(out)]) == 0
    return out


@pytest.fixture(params=book.LANGUAGES)
def site(request: pytest.FixtureRequest, both: Path) -> Path:
    """An edition."""
    return both if request.param == "en" else both / "zh_CN"


def pages_of(site: Path) -> list[Path]:
    """The pages of an edition, without those of the one in a folder of it."""
    pages = [path.relative_to(site) for path in site.rglob("*.html")]
    return [page for page in pages if page.parts[0] not in ("zh_CN", "_static")]


def test_all_links_lead_somewhere(both: Path) -> None:
    pages = {path: Page(path) for path in both.rglob("*.html") if "_static" not in path.parts}
    broken = []
    for path, page in pages.items():
        for link in page.loads + page.leads:
            parts = urlsplit(link)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[target].ids if target in pages else None
            if not target.exists() or (known is not None and parts.fragment and unquote(parts.fragment) not in known):
                broken.append(f"{path.relative_to(both)}: {link}")
    assert len(pages) > 200
    assert broken == []


def test_every_page_leads_to_the_same_page_of_the_other_edition(site: Path, both: Path) -> None:
    other = both if site != both else both / "zh_CN"
    assert sorted(pages_of(site)) == sorted(pages_of(other))
    lost = []
    for page in pages_of(site):
        links = re.findall(r'<a class="edition" href="([^"]*)"', (site / page).read_text(encoding="utf-8"))
        if [(site / page.parent / link).resolve() for link in links] != [(other / page).resolve()]:
            lost.append(f"{page}: {links}")
    assert lost == []


def test_english_pages_of_the_chinese_edition_say_so(both: Path) -> None:
    said = "这一页还没有译成中文，下面是英文原文。"
    english = {
        page.as_posix() for page in pages_of(both / "zh_CN") if said in (both / "zh_CN" / page).read_text("utf-8")
    }
    chapters = {page.name: f"chapters/{page.name}" in english for page in (both / "chapters").glob("[0-2]*.html")}
    assert len(chapters) == 20
    assert {name for name, said in chapters.items() if not said} == {name for name in chapters if name < "14"}
    assert english >= {"CHANGELOG.html", "docs/reading.html", "api/minidil.nn.html"}
    assert not english & {"index.html", "README.html", "glossary.html", "search.html"}
    assert [page for page in pages_of(both) if said in (both / page).read_text("utf-8")] == []


def test_the_chinese_chapters_have_chinese_headings(both: Path) -> None:
    for path in sorted((both / "zh_CN" / "chapters").glob("[01]*.html")):
        if path.name < "14":
            headings = re.findall(r"<h[1-3]>(.*?)<a class=\"headerlink\"", path.read_text(encoding="utf-8"))
            assert headings
            assert [each for each in headings if not re.search('[\u4e00-\u9fff]|class="math', each)] == []


def test_nothing_is_loaded_from_a_network(both: Path) -> None:
    outside = [link for path in both.rglob("*.html") for link in Page(path).loads if urlsplit(link).netloc]
    assert outside == []


def test_pictures_are_described(site: Path) -> None:
    text = (site / "chapters" / "01_convolution.html").read_text(encoding="utf-8")
    assert 'alt="The six numbers of the input in a row of boxes' in text
    assert 'alt="../_images' not in text


def test_every_room_is_in_the_reference(site: Path) -> None:
    functional = Page(site / "api" / "minidil.functional.html").ids
    assert {"minidil.functional.conv", "minidil.functional.max_pool", "minidil.functional.einsum"} <= functional
    assert "minidil.nn.Conv2d" in Page(site / "api" / "minidil.nn.html").ids


@pytest.mark.skipif(chromium.missing() is not None, reason=str(chromium.missing()))
def test_formulas_are_set_and_search_finds_without_a_network(site: Path) -> None:
    browser = chromium.Browser()
    try:
        browser.devtools("Network.enable")
        nothing = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        browser.devtools("Network.emulateNetworkConditions", offline=True, **nothing)
        browser.open(site / "chapters" / "01_convolution.html")
        assert _comes(browser, "return document.querySelectorAll('mjx-container').length") > 100
        assert browser.run("return document.querySelectorAll('mjx-merror').length") == 0
        word = "卷积" if site.name == "zh_CN" else "dilation"
        browser.devtools("Page.navigate", url=f"{(site / 'search.html').as_uri()}?q={word}")
        assert _comes(browser, "return document.querySelectorAll('ul.search li').length") > 3
    finally:
        browser.close()


def _comes(browser: chromium.Browser, script: str) -> int:
    """A number that is 0 at first; it is waited for."""
    for _ in range(120):
        if browser.run(script):
            time.sleep(1)  # until there are all
            return int(browser.run(script))
        time.sleep(0.5)
    return 0
