"""nbgrader's own way, generate_assignment and autograde, gives the same points. Runs where nbgrader is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbgrader")

from classroom.submissions import POINTS, Student, everyone

from minidil.classroom.grading.grade import grade

SOURCE = Path(__file__).parents[3] / "chapters" / "exercises" / "source" / "03_im2col.ipynb"
CHOSEN = (
    "right 00", "right 11", "right 22", "right 33", "wrong span kd", "wrong turned", "wrong in place", "wrong no overlap",
    "wrong flipped", "wrong half begun",
)  # fmt: skip
CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "dilation"
c.Exchange.root = "exchange"
c.ExecutePreprocessor.timeout = 600
c.Execute.timeout = 600
"""


def answered(released: dict[str, Any], student: Student) -> bytes:
    """The released notebook with a student's solutions in it."""
    (content,) = student.hands_in.values()
    answers = {}
    for cell in json.loads(content)["cells"]:
        answers[cell["metadata"].get("nbgrader", {}).get("grade_id", "")] = cell["source"]
    cells = []
    for cell in released["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        cells.append({**cell, "source": answers[name]} if name in POINTS else cell)
    return json.dumps({**released, "cells": cells}).encode()


def nbgrader(course: Path, *words: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where it looks for alembic
    command, environment = [sys.executable, "-m", "nbgrader", *words], {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_ten_submissions_get_the_same_points(tmp_path: Path) -> None:
    course, assignment = tmp_path / "course", "im2col"
    (course / "source" / assignment).mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(CONFIG)
    (course / "source" / assignment / SOURCE.name).write_bytes(SOURCE.read_bytes())
    nbgrader(course, "generate_assignment", assignment, "--create")
    released = json.loads((course / "release" / assignment / SOURCE.name).read_text("utf-8"))
    text = json.dumps(released)
    assert "SOLUTION" not in text
    assert "must_pass" not in text

    students = [each for each in everyone() if each.name in CHOSEN]
    assert len(students) == 10
    for each in students:
        content = answered(released, each)
        name = each.name.replace(" ", "-")
        for folder in (course / "submitted" / name / assignment, tmp_path / "submissions" / name):
            folder.mkdir(parents=True)
            (folder / SOURCE.name).write_bytes(content)
    nbgrader(course, "autograde", assignment)
    ours = grade(tmp_path / "submissions", tmp_path / "out", seed=9, jobs=2)

    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for each in students:
            name = each.name.replace(" ", "-")
            theirs = book.find_submission_notebook(SOURCE.stem, assignment, name)
            points = {mark.name.removesuffix("_check"): mark.score for mark in theirs.grades}
            assert tuple(points[exercise] for exercise in POINTS) == each.marks, each.name
            (report,) = (one for one in ours.reports if one.name == name)
            assert tuple(mark.points for mark in report.marks) == each.marks, each.name
