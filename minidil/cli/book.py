"""`minidil book`: README, chapters, exercises, reference and explorer as a site that needs no network, and as PDF."""

import argparse
import html
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import minidil
from minidil.cli.output import check_folder, check_new
from minidil.errors import BackendError, DataError, OptionError

if TYPE_CHECKING:
    from pypdf import PdfWriter

    from minidil.cli.parser import Commands

LANGUAGES = ("en", "zh_CN")
# Of each edition its folder in OUT, and the way to the other one from there.
_BOTH = (("en", "", "zh_CN"), ("zh_CN", "zh_CN", ".."))
MOST_BYTES = 3_000_000  # of a page, without its pictures
_EXTRA = ("sphinx", "myst_nb", "sphinx_book_theme", "jieba", "pypdf", "sphinx-mathjax-offline")
_PAGES = ("chapters", "datasets", "docs", "minidil", "tests")  # pages, and what they link to
_ALONE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
_PRINTED = ("README.html", "chapters/[0-9]*.html", "chapters/exercises/[0-9]*.html", "glossary.html")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_EPILOG = """
minidil book site/

minidil book chinese/ --language zh_CN --pdf minidil-zh_CN.pdf
"""


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("book", help="make a site of chapters, exercises and reference", epilog=_EPILOG)
    parser.set_defaults(run=run)
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="a folder, new or with an earlier site, which is replaced"
    )
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        help="this edition alone (default: both, the Chinese one in OUT/zh_CN, with links between their pages)",
    )
    parser.add_argument(
        "--pdf",
        type=Path,
        metavar="FILE",
        help="print chapters and exercises into it, too, in English unless --language says otherwise; with Chromium",
    )


def run(args: argparse.Namespace) -> None:
    """Build the site, or change nothing.

    Raises: DataError without a checkout, or with a page that is too large; BackendError without the extra, or without a
        browser for --pdf; OptionError if OUT holds something else.
    """
    checkout = _checkout()
    _check(args.out, args.pdf)
    started = time.monotonic()
    with TemporaryDirectory() as folder:
        site = Path(folder, "html")
        for language, place, other in [(args.language, "", "")] if args.language else _BOTH:
            source = Path(folder, language, "source")
            lay_out(checkout, source)
            _sphinx(checkout, language, other, source, site / place)
        check_pages(site)
        if args.pdf:
            _print(site, args.pdf)
        shutil.rmtree(args.out, ignore_errors=True)
        shutil.copytree(site, args.out)
    pages = list(args.out.rglob("*.html"))
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"{len(pages)} pages, {size / 1e6:.0f} MB, {time.monotonic() - started:.0f} s: {args.out / 'index.html'}")


def check_pages(site: Path) -> None:
    """Raises: DataError that names the pages over 3 MB."""
    heavy = [path for path in sorted(site.rglob("*.html")) if path.stat().st_size > MOST_BYTES]
    if heavy:
        named = ", ".join(f"{path.relative_to(site)} ({path.stat().st_size:,} bytes)" for path in heavy)
        raise DataError(f"book: a page has at most {MOST_BYTES:,} bytes, and these have more: {named}")


def _checkout() -> Path:
    """Raises: DataError if minidil is not run from a checkout."""
    checkout = Path(minidil.__file__).parent.parent
    if not (checkout / "book" / "conf.py").is_file():
        raise DataError(f"book: the chapters are in minidil's repository, and {checkout} is none: run it in a checkout")
    return checkout


def _check(out: Path, pdf: Path | None) -> None:
    """All that can be said before the work."""
    if absent := [name for name in _EXTRA if find_spec(name) is None]:
        raise BackendError(f"book: needs {', '.join(absent)}: pip install -e '.[book]'")
    check_folder("OUT", out)
    if out.is_dir() and any(out.iterdir()) and not (out / "searchindex.js").is_file():
        raise OptionError(f"OUT {out}: holds something that is no site; name a new folder")
    if pdf is not None:
        check_new("--pdf", pdf, ".pdf")
        _browser()


def _browser() -> str:
    """Raises: BackendError if there is none."""
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise BackendError(f"book: --pdf is printed by Chromium, and none of {', '.join(_BROWSERS)} was found")
    return found


def lay_out(checkout: Path, source: Path) -> None:
    """Copy what becomes a page or is linked to, and lay the folder book/ over it."""
    unwanted = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in _PAGES:
        shutil.copytree(checkout / name, source / name, ignore=unwanted)
    for name in _ALONE:
        shutil.copy(checkout / name, source)
    shutil.copytree(checkout / "book", source, ignore=unwanted, dirs_exist_ok=True)


def _sphinx(checkout: Path, language: str, other: str, source: Path, out: Path) -> None:
    """Make the pages of an edition. other: where the other one is, seen from out; nothing if it is not made.

    Raises: DataError with what Sphinx says; a warning is an error.
    """
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-D", f"language={language}", "-D", f"other_edition={other}"]
    found = os.pathsep.join(filter(None, [str(checkout), os.environ.get("PYTHONPATH")]))
    kept = source.parent / "read"  # what Sphinx keeps of its reading is not of the site
    command += ["-d", str(kept), str(source), str(out)]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": found}, stderr=subprocess.PIPE, text=True)
    if ended.returncode:
        raise DataError(f"book: Sphinx did not make the pages: {ended.stderr.replace(str(source), '')}")


def _print(site: Path, pdf: Path) -> None:
    """README, chapters, exercises and glossary, printed one by one and bound; links between them lead to their sheets.

    Raises: BackendError if the browser prints nothing.
    """
    from pypdf import PdfWriter

    command = [_browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    waits = "--virtual-time-budget=20000"  # milliseconds of the page's own clock, for the formulas
    book, sheets = PdfWriter(), site.with_suffix(".pdf")
    book.add_metadata({"/Title": "minidil"})
    firsts: dict[str, int] = {}  # the address of a page -> its first sheet
    for pattern in _PRINTED:
        for page in sorted(site.glob(pattern)):
            ended = subprocess.run(
                [*command, waits, f"--print-to-pdf={sheets}", page.as_uri()], stderr=subprocess.PIPE, text=True
            )
            if not sheets.is_file():
                raise BackendError(f"book: the browser printed nothing of {page.name}: {ended.stderr.strip()}")
            firsts[page.as_uri()] = len(book.pages)
            book.append(sheets, outline_item=_title(page))
            sheets.unlink()
    _keep_links_inside(book, firsts)
    book.write(pdf)


def _title(page: Path) -> str:
    """What stands on the tab of a page, without the name of the book."""
    found = re.search(r"<title>(.*?)(?: &#8212; .*)?</title>", page.read_text(encoding="utf-8"), re.DOTALL)
    return html.unescape(found[1]) if found else page.stem


def _keep_links_inside(book: "PdfWriter", firsts: dict[str, int]) -> None:
    """Let links to pages that are bound lead to their first sheet, and take off those to other files of the site, which goes.

    firsts: addresses of the pages that are bound, and the numbers of their first sheets.
    """
    from pypdf.generic import ArrayObject, NameObject, NullObject

    for sheet in book.pages:
        kept = ArrayObject()
        for each in sheet.get("/Annots", []):
            link = each.get_object()
            address = link.get("/A", {}).get("/URI", "").partition("#")[0]
            if address in firsts:
                del link["/A"]
                top = [NameObject("/XYZ"), NullObject(), NullObject(), NullObject()]
                link[NameObject("/Dest")] = ArrayObject([book.pages[firsts[address]].indirect_reference, *top])
            if not address.startswith("file:") or address in firsts:
                kept.append(each)
        sheet[NameObject("/Annots")] = kept
