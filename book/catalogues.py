"""The catalogues of translations in locales/: which messages the pages have, and which of them are translated.

`python book/catalogues.py` brings the catalogues up to date after a page was changed, and says what is left to translate.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from babel.messages.pofile import read_po
from sphinx_intl.basic import update

from minidil.cli.book import lay_out

BOOK = Path(__file__).parent
LOCALES = BOOK / "locales"
PAGES = ("index.md", "explorer.md", "README.md", "chapters/*.md", "chapters/*.ipynb", "chapters/exercises/*.ipynb")
WHOLE = ("index", "explorer", "README", "chapters/README", "chapters/0*", "chapters/1[0-3]*", "chapters/exercises/*")
KEPT = re.compile(r"\$\$.+?\$\$|\$[^$\n]+?\$|`[^`]+`|\]\([^)\s]+\)", re.DOTALL)  # formulas, code, where links lead
_PICTURE = re.compile(r"!\[[^]]*\]\([^)]*\)|\.\. image::.*")  # its description is a message of its own
_TEX = re.compile(r"\\[A-Za-z,;]")
_WORD = re.compile(r"[A-Za-z]{3}")


def templates(out: Path) -> None:
    """Write the messages of the pages into one .pot file a page."""
    with TemporaryDirectory() as folder:
        source = Path(folder, "source")
        lay_out(BOOK.parent, source)
        command = [sys.executable, "-m", "sphinx", "-Q", "-b", "gettext", "-D", f"include_patterns={','.join(PAGES)}"]
        subprocess.run([*command, source, out], check=True)


def messages(path: Path) -> dict[str, str]:
    """The messages of a .po or .pot file, with their translations; a guess that nobody has confirmed is none."""
    with path.open("rb") as file:
        return {str(each.id): "" if each.fuzzy else str(each.string) for each in read_po(file) if each.id}


def has_words(message: str) -> bool:
    """Whether there is something to translate: a message may be a formula, a piece of code or a picture."""
    rest = KEPT.sub("", message)
    return not (_PICTURE.fullmatch(message) or _TEX.search(rest)) and _WORD.search(rest) is not None


def differences(folder: Path, language: str) -> list[str]:
    """What is stale in the catalogues of a language, or missing, beside the templates in a folder: a line for each message."""
    found = []
    catalogues = LOCALES / language / "LC_MESSAGES"
    for template in sorted(folder.rglob("*.pot")):
        page = template.relative_to(folder).with_suffix("")
        path = catalogues / page.with_suffix(".po")
        wanted, there = messages(template), messages(path) if path.is_file() else {}
        found += [f"{page}: stale: {message!r}" for message in there if message not in wanted]
        if any(page.match(pattern) for pattern in WHOLE):
            left = [message for message in wanted if not there.get(message) and has_words(message)]
            found += [f"{page}: not translated: {message!r}" for message in left]
    left = {path.relative_to(catalogues).with_suffix("") for path in catalogues.rglob("*.po")}
    gone = left - {path.relative_to(folder).with_suffix("") for path in folder.rglob("*.pot")}
    return found + [f"{page}: there is no such page" for page in sorted(gone)]


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        templates(Path(folder))
        update(str(LOCALES), folder, ["zh_CN"])
        print("\n".join(differences(Path(folder), "zh_CN")))
