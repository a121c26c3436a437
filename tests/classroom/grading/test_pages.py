"""Feedback and table: what a student wrote is text there, and nothing else."""

import csv
from pathlib import Path

import pytest

from minidil.classroom.grading import feedback, table
from minidil.classroom.grading.marks import Mark
from minidil.classroom.grading.report import Report, reports
from minidil.classroom.register import exercise, exercises

EVIL = "<script>alert('1')</script> & \"x\""


def a_report(name: str = "Ann", points: int = 2, message: str = "as asked", notes: tuple[str, ...] = ()) -> Report:
    return Report(name, (Mark("ex03_1", points, 2, "passed" if points else "value", message),), notes, ("flag",))


def page(report: Report) -> str:
    return feedback.page(report, {"ex03_1": exercise("ex03_1")})


def test_everything_of_a_students_is_escaped() -> None:
    made = page(a_report(EVIL, 0, EVIL, (EVIL,)))
    assert "<script" not in made
    assert (
        made.count("&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; &amp; &quot;x&quot;") == 4
    )  # title, name, note, message
    assert "default-src &#x27;none&#x27;" in made or "default-src 'none'" in made


def test_a_page_says_points_and_hints_and_nothing_of_the_flags() -> None:
    failed = page(a_report(points=0, message="other numbers"))
    assert "<b>0</b> of 2 points" in failed
    assert "other numbers" in failed
    assert all(feedback.escape(hint) in failed for hint in exercise("ex03_1").hints)
    assert "No exercise passes yet" in failed
    passed = page(a_report())
    assert "Every exercise passes" in passed
    assert "Hint" not in passed
    assert "flag" not in failed + passed


@pytest.mark.parametrize("name", ["Zoë ☃", "=1+1", "../../x", "a/b\\c", "x" * 300, "", ".", "CON:", "\udcff"])
def test_any_name_makes_a_file_in_the_folder(name: str, tmp_path: Path) -> None:
    pages = feedback.write(tmp_path, [a_report(name)], [exercise("ex03_1")])
    assert [path.name for path in tmp_path.iterdir()] == [pages[name]]


def test_names_that_fall_together_get_files_of_their_own(tmp_path: Path) -> None:
    pages = feedback.write(tmp_path, [a_report(name) for name in ("a b", "A b", "a:b", "a;b")], [exercise("ex03_1")])
    assert len({page.lower() for page in pages.values()}) == 4
    assert len(list(tmp_path.iterdir())) == 4


def test_the_table_has_a_line_for_each_and_no_formula(tmp_path: Path) -> None:
    made = [a_report("=HYPERLINK(1)"), a_report("Zoë\n\tNoll", 0, notes=("-1; note, with comma",))]
    table.write(tmp_path / "g.csv", made, {"=HYPERLINK(1)": "a.html"})
    rows = list(csv.reader((tmp_path / "g.csv").read_text("utf-8").splitlines()))
    assert rows == [
        ["student", "points", "out_of", "ex03_1", "flags", "notes", "feedback"],
        ["'=HYPERLINK(1)", "2", "2", "2", "flag", "", "a.html"],
        ["Zoë Noll", "0", "2", "0", "flag", "'-1; note, with comma", ""],
    ]


def test_what_was_not_handed_in_has_no_points_and_is_still_there() -> None:
    asked = exercises("3")
    one = {
        "marks": [Mark("ex03_2", 4, 4, "passed", "ok").as_dict()],
        "notes": [],
        "library": ["ex03_2: x"],
        "programs": {},
    }
    made = reports({"a": one, "b": {"failed": "killed"}}, asked, 0.9)
    assert [mark.points for mark in made[0].marks] == [0, 4, 0, 0]
    assert made[0].marks[0].kind == "not handed in"
    assert made[0].flags == ("uses the library's solution: ex03_2: x",)
    assert (made[1].points, made[1].out_of) == (0, 13)
    assert made[1].flags == ("not graded: killed",)
