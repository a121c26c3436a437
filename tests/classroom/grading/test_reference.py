"""The instructors' notebooks, handed in as they are, get all points: every exercise's values travel between the processes."""

from pathlib import Path

import pytest

pytest.importorskip("nbclient")

from minidil.classroom.grading.grade import grade
from minidil.classroom.register import exercises

SOURCE = Path(__file__).parents[3] / "chapters" / "exercises" / "source"


@pytest.mark.long
def test_every_reference_solution_gets_all_points(tmp_path: Path) -> None:
    folder = tmp_path / "submissions"
    folder.mkdir()
    for path in SOURCE.glob("*.ipynb"):
        (folder / path.name).write_bytes(path.read_bytes())
    made = grade(folder, tmp_path / "out", seed=4, jobs=2)
    marks = [mark for report in made.reports for mark in report.marks if mark.kind != "not handed in"]
    assert [f"{mark.exercise}: {mark.message}" for mark in marks if not mark.passed] == []
    assert {mark.exercise for mark in marks} == {each.name for each in exercises()}
    assert [flag for report in made.reports for flag in report.flags] == []
