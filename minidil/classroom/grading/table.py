"""The marks of a class as CSV, for a spreadsheet or a gradebook."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from minidil.classroom.grading.report import Report
from minidil.storage.files import atomic_write

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(path: Path, reports: Sequence[Report], pages: dict[str, str]) -> None:
    """One line a student: name, points, points that there are, one column an exercise, flags, notes, the page of feedback.

    A name that a spreadsheet would take for a formula gets an apostrophe in front, which is how a spreadsheet spells a text.
    """
    names = [mark.exercise for mark in reports[0].marks] if reports else []
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["student", "points", "out_of", *names, "flags", "notes", "feedback"])
    for each in reports:
        points = [mark.points for mark in each.marks]
        words = [_plain(part) for part in ("; ".join(each.flags), "; ".join(each.notes), pages.get(each.name, ""))]
        out.writerow([_plain(each.name), each.points, each.out_of, *points, *words])
    with atomic_write(path) as file:
        file.write(text.getvalue().encode("utf-8", "replace"))


def _plain(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(_FORMULA) else line
