"""The page: right without JavaScript and the same with it, whole in itself, usable by keyboard, on a phone and in the dark."""

from __future__ import annotations

import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import chromium
import pytest

import minidil as md
from minidil import nn
from minidil.analysis import Explorer, explore

VOID = {"meta", "input", "link", "br"}


class Content(HTMLParser):
    """Tags, attributes and texts of what is not there for JavaScript alone."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[object] = []
        self.skipping = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        live = "live" in (dict(attrs).get("class") or "").split() or tag in ("script", "style", "noscript", "head")
        if (self.skipping or live) and tag not in VOID:
            self.skipping += 1
        if not self.skipping and tag not in ("html", *VOID):
            known = {name: re.sub(r"[\s;]", "", value or "") for name, value in attrs}
            self.found.append((tag, sorted(known.items())))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.skipping:
            self.skipping -= 1

    def handle_data(self, data: str) -> None:
        if not self.skipping and data.strip():
            self.found.append(data.strip())


def content(html: str) -> list[object]:
    """Without the sentence for those who listen, which is said when something changes."""
    found = Content(html).found
    start = next(place for place, each in enumerate(found) if isinstance(each, tuple) and ("id", "said") in each[1])
    return [each for place, each in enumerate(found) if place != start + 1 or isinstance(each, tuple)]


def branched() -> nn.Module:
    body = nn.Conv2d(4, 4, 3, padding=2, dilation=2)
    return nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.Residual(body), nn.ReLU(), nn.GlobalAvgPool())


PAGES = {
    "a schedule": lambda: explore((1, 2, 4)),
    "one with holes": lambda: explore((2, 2, 2), (3, 21, 21)),
    "strides and even kernels": lambda: explore((1, 2), (1, 20, 24), kernel_size=(2, 5), strides=(2, 1)),
    "along one axis": lambda: explore((1, 2, 9), (1, 60)),
    "a model with branches": lambda: explore(branched(), (1, 16, 16)),
    "transposed": lambda: explore(nn.Sequential(nn.ConvTranspose1d(1, 1, 4, stride=3, padding=1)), (1, 9)),
    "nothing that slides": lambda: explore(nn.Sequential(nn.GlobalAvgPool()), (1, 4, 4)),
}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Explorer, Path]:
    explorer = PAGES[request.param]()
    explorer.save(tmp_path / "page.html")
    return explorer, tmp_path / "page.html"


@pytest.mark.slow
def test_what_javascript_draws_at_first_is_what_was_there(
    page: tuple[Explorer, Path], browser: chromium.Browser
) -> None:
    explorer, path = page
    browser.open(path)
    drawn = browser.run("return document.documentElement.outerHTML")
    assert content(drawn) == content(explorer.html())
    assert browser.log() == []
    assert browser.text("field") == explorer.facts()["field"]


def test_it_is_one_small_file_without_links_and_always_the_same(page: tuple[Explorer, Path]) -> None:
    explorer, path = page
    html = path.read_text(encoding="utf-8")
    assert html == explorer.html()
    assert not re.search(r"https?:|src=|href=|url\(|@import|fetch\(|XMLHttp|Math\.random|Date", html)
    assert len(explorer._repr_html_().encode()) < 100_000
    assert "{{" not in html


@pytest.mark.slow
def test_in_a_notebook_it_stands_in_a_frame_of_its_own(browser: chromium.Browser, tmp_path: Path) -> None:
    explorers = [explore((1, 2, 4)), explore((2, 2, 2))]
    frames = "".join(each._repr_html_() for each in explorers)
    notebook = f"<!doctype html><meta charset=utf-8><h1 id=field>mine</h1>{frames}"
    inner = re.findall(r'srcdoc="([^"]*)"', frames)
    assert [unescape(each) for each in inner] == [each.html() for each in explorers]
    (tmp_path / "notebook.html").write_text(notebook, encoding="utf-8")
    browser.open(tmp_path / "notebook.html")
    assert browser.log() == []
    assert browser.text("field") == "mine"
    for number, explorer in enumerate(explorers):
        browser.enter(number)
        assert browser.text("field") == explorer.facts()["field"]
        browser.run(
            "const depth = document.getElementById('depth'); depth.value = 1; depth.dispatchEvent(new Event('input'))"
        )
        assert browser.text("field") == ("3 × 3", "5 × 5")[number]
        browser.enter(None)


@pytest.mark.slow
def test_the_address_sets_kernel_dilations_and_strides(browser: chromium.Browser, tmp_path: Path) -> None:
    explore((1, 2, 4)).save(tmp_path / "page.html")
    browser.open(tmp_path / "page.html", "k=3&d=2,2,2")
    wanted = explore((2, 2, 2), (1, 33, 33)).facts()
    assert {name: browser.text(name) for name in wanted} == wanted
    browser.open(tmp_path / "page.html", "k=5,3,3&d=1,2,4&s=2,1,1&at=3,4")
    wanted = explore((1, 2, 4), (1, 33, 33), kernel_size=(5, 3, 3), strides=(2, 1, 1), at=(3, 4)).facts()
    assert {name: browser.text(name) for name in wanted} == wanted
    browser.open(tmp_path / "page.html", "d=1&depth=2")
    assert browser.text("field") == "5 × 5"
    browser.open(tmp_path / "page.html", "d=1,1&s=2&t=1&p=half&layer=1&i=3&f=9")
    assert (browser.text("jump"), browser.text("output")) == ("1/4", "129 × 129")
    assert browser.text("equation") == "(3 − 1) · 2 + 1 · (3 − 1) + 1 − 1 − 1 = 5"
    assert browser.text("moved") == "Output (1, 4) of 5 × 5: 2 of the 9 taps fall on the input."
    browser.open(tmp_path / "page.html", "k=x&d=&s=0&p=odd&depth=99&layer=-1&at=1&i=1e9&f=-3")
    assert browser.text("field") == "15 × 15"
    assert browser.log() == []


def test_branches_that_no_longer_meet_are_said_and_mended(browser: chromium.Browser, tmp_path: Path) -> None:
    explore(branched(), (1, 16, 16)).save(tmp_path / "page.html")
    browser.open(tmp_path / "page.html", "layer=2")
    browser.run(
        "const stride = document.getElementById('stride'); stride.value = 2; stride.dispatchEvent(new Event('input'))"
    )
    assert browser.text("error") == "No numbers: the branches that meet in step 3 have 4 and 8 positions."
    shown = "return document.getElementById('error').checkVisibility()"
    assert browser.run(shown) is True
    browser.run("document.getElementById('reset').click()")
    assert browser.run(shown) is False
    assert browser.text("field") == "11 × 11"
    assert browser.log() == []


FOCUS = "document.getElementById(arguments[0]).focus()"


@pytest.mark.slow
def test_all_of_it_can_be_used_by_keyboard(browser: chromium.Browser, tmp_path: Path) -> None:
    explore((1, 2, 4)).save(tmp_path / "page.html")
    browser.open(tmp_path / "page.html")
    reached = []
    for _ in range(40):
        browser.press("Tab")
        reached.append(browser.run("return document.activeElement.id"))
    wanted = [
        "depth",
        "dilations",
        "layer",
        "kernel",
        "dilation",
        "stride",
        "padding",
        "transposed",
        "all",
        "row",
        "column",
    ]
    wanted += ["reset", "map", "pass", "play", "back", "next", "frame", "inputs"]
    assert [each for each in dict.fromkeys(reached) if each] == wanted

    def after(place: str, *keys: str) -> None:
        browser.run(FOCUS, place)
        browser.press(*keys)

    after("depth", "Left")
    assert browser.text("field") == "7 × 7"
    after("depth", "Right")
    after("dilation", "Right")  # of layer 3: 5
    assert (browser.text("field"), browser.text("reached")) == ("17 × 17", "289 of 289")
    after("kernel", "Left")
    assert browser.text("field") == "12 × 12"
    after("stride", "Right")
    assert browser.text("output") == "17 × 17"
    after("reset", "Space")
    assert browser.text("field") == "15 × 15"
    after("map", "Up", "Left", "Left")
    assert browser.run("return [document.getElementById('row').value, document.getElementById('column').value]") == [
        "15",
        "14",
    ]
    assert browser.text("moved").startswith("Output (4, 4) of 9 × 9: 9 of the 9 taps")
    after("pass", "Right", "Down")
    assert browser.text("moved").startswith("Output (5, 5) of 9 × 9")
    after("next", "Space")
    assert browser.text("moved").startswith("Output (5, 6) of 9 × 9")
    after("play", "Space")
    assert browser.text("play") == "Pause"
    after("play", "Space")
    assert browser.text("play") == "Play"
    browser.run("document.getElementById('dilations').value = ''")
    after("dilations", *"2 2")
    assert browser.text("verdict").startswith("Holes at rows 13, 15, 17, 19 (4)")
    assert "Holes at rows" in browser.text("said")
    outline = browser.run(f"{FOCUS}; return getComputedStyle(document.activeElement).outlineStyle", "kernel")
    assert outline == "solid"


@pytest.mark.slow
def test_the_window_is_animated_and_stands_still_where_motion_is_not_wanted(
    browser: chromium.Browser, tmp_path: Path
) -> None:
    explore((1, 2, 4)).save(tmp_path / "page.html")
    browser.open(tmp_path / "page.html", "f=3")
    before = browser.text("moved")
    browser.run("document.getElementById('play').click()")
    deadline = time.monotonic() + 20
    while browser.text("moved") == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert browser.text("moved") != before
    browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    browser.open(tmp_path / "page.html")
    assert browser.run("return document.getElementById('play').hidden") is True


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["one with holes"], indirect=True)
def test_it_fits_a_phone_and_a_desk_and_can_be_read(
    page: tuple[Explorer, Path], browser: chromium.Browser, width: int, scheme: str
) -> None:
    browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(page[1])
    assert browser.run("const all = document.documentElement; return all.scrollWidth <= all.clientWidth")
    colours = browser.run(
        "const style = getComputedStyle(document.documentElement);"
        "return ['--paper', '--ink', '--soft', '--panel'].map((name) => style.getPropertyValue(name).trim());"
    )
    paper, ink, soft, panel = map(luminance, colours)
    for back in (paper, panel):
        assert contrast(ink, back) > 7
        assert contrast(soft, back) > 4.5


def luminance(colour: str) -> float:
    """Of WCAG 2.2, from #rgb or #rrggbb."""
    digits = colour.lstrip("#")
    digits = "".join(2 * each for each in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: float, b: float) -> float:
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def test_without_javascript_there_is_no_dead_button(browser: chromium.Browser, tmp_path: Path) -> None:
    explore((2, 2, 2)).save(tmp_path / "page.html")
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(tmp_path / "page.html")
    shown = browser.run(
        "return [...document.querySelectorAll('button, input, select')].filter((each) => each.checkVisibility()).length"
    )
    assert shown == 0
    assert browser.text("reached") == "49 of 169"


@pytest.mark.slow
def test_shipped_models_have_pages(browser: chromium.Browser, tmp_path: Path) -> None:
    for name in ("vgg_small", "resnet_small"):
        explorer = explore(md.models.build(name, 10, 3), (3, 32, 32))
        explorer.save(tmp_path / "page.html")
        browser.open(tmp_path / "page.html")
        assert content(browser.run("return document.documentElement.outerHTML")) == content(explorer.html())
