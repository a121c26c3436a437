"""A page for each student: the points, what each check said, and hints that open one after the other.

Everything that a student wrote, down to the name, is escaped; of HTML there is only what the checks draw from their own blocks.
"""

import hashlib
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from minidil.classroom.exercise import Exercise
from minidil.classroom.grading.marks import Mark
from minidil.classroom.grading.report import Report
from minidil.storage.files import atomic_write

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin: 0 0 .4rem; display: flex; justify-content: space-between; gap: 1rem; }
.points { font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { height: .7rem; border-radius: .35rem; background: rgba(128,128,128,.3); overflow: hidden; margin: .4rem 0 1.2rem; }
.bar div { height: 100%; background: #009e73; }
section { border: 1px solid rgba(128,128,128,.4); border-radius: .5rem; padding: .8rem 1rem; margin: 1rem 0; overflow-x: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .9rem; margin: .3rem 0; }
details { margin-top: .5rem; }
summary { cursor: pointer; }
.note { border-left: 4px solid #0072b2; padding: .1rem .8rem; overflow-wrap: anywhere; }
footer { opacity: .7; font-size: .85rem; margin-top: 2rem; }
"""


def write(folder: Path, reports: Iterable[Report], exercises: Iterable[Exercise]) -> dict[str, str]:
    """Write the pages; the name of each one's file."""
    known = {each.name: each for each in exercises}
    taken: set[str] = set()
    pages: dict[str, str] = {}
    for each in reports:
        name = file_name(each.name)
        if name.lower() in taken:
            name = f"{name} {_short(each.name)}"
        taken.add(name.lower())
        pages[each.name] = f"{name}.html"
        with atomic_write(folder / pages[each.name]) as file:
            file.write(page(each, known).encode("utf-8", "replace"))
    return pages


def file_name(student: str) -> str:
    """A name that every file system takes: letters of any script, digits, spaces, - and _, and not too many of them."""
    name = re.sub(r"[^\w \-]+", "_", student).strip(" _") or "student"
    if len(name.encode("utf-8", "replace")) > 120 or name != student:
        name = f"{name[:40]} {_short(student)}"
    return name


def page(report: Report, exercises: dict[str, Exercise]) -> str:
    """The whole page."""
    width = round(100 * report.points / report.out_of) if report.out_of else 0
    parts = [
        f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>{escape(report.name)}</title>",
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.name)}</h1><p>{_greeting(report)}</p>",
        f"<div class='points'><b>{report.points}</b> of {report.out_of} points</div>",
        f"<div class='bar'><div style='width: {width}%'></div></div>",
        *(f"<p class='note'>{escape(note)}</p>" for note in report.notes),
        *(_section(mark, exercises[mark.exercise]) for mark in report.marks),
        "<footer>Each exercise was checked by itself on about a hundred cases that were drawn for this grading. "
        "The same check is in your notebook.</footer></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _section(mark: Mark, exercise: Exercise) -> str:
    said = mark.html or f"<pre>{escape(mark.message)}</pre>"
    head = f"<h2><span>{escape(exercise.name)} {escape(exercise.title)}</span>"
    points = f"<span class='points'>{mark.points} of {mark.out_of} points</span></h2>"
    return f"<section>{head}{points}{said}{'' if mark.passed else _hints(exercise)}</section>"


def _hints(exercise: Exercise) -> str:
    """Each inside the one before, so that they open one after the other."""
    inner = ""
    for number, hint in reversed(list(enumerate(exercise.hints, start=1))):
        inner = (
            f"<details><summary>Hint {number} of {len(exercise.hints)}</summary><p>{escape(hint)}</p>{inner}</details>"
        )
    return inner


def _greeting(report: Report) -> str:
    passed, count = sum(mark.passed for mark in report.marks), len(report.marks)
    if not count:
        return "Nothing could be graded yet."
    if passed == count:
        return "Every exercise passes. Well done!"
    if passed:
        return f"{passed} of {count} exercises pass. Below stands what each of the others still needs."
    return "No exercise passes yet, but each one below says what to look at next."


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
