"""What chapters/TEACHING.md says: its example of an exercise works, and its tables name what there is."""

import re
from typing import Any

import pytest
from classroom.solved import EXERCISES

from minidil.classroom.register import exercises

CHAPTERS = EXERCISES.parent
PAGE = CHAPTERS / "TEACHING.md"
pytestmark = pytest.mark.skipif(not (CHAPTERS / "README.md").is_file(), reason="the chapters are not here")


def _page() -> str:
    return PAGE.read_text("utf-8")


def test_the_example_of_an_exercise_works(capsys: pytest.CaptureFixture[str]) -> None:
    module, trial = re.findall(r"(?ms)^```python\n(.*?)^```", _page())
    defined: dict[str, Any] = {"__name__": "example"}
    exec(compile(module, "ch09_cost.py", "exec"), defined)
    exec(compile(trial, "trial.py", "exec"), defined)
    (asked,) = defined["EXERCISES"]
    assert capsys.readouterr().out.startswith(f"passed: {asked.name} {asked.title}")
    assert len(asked.mistakes) == 3


def test_every_exercise_has_its_row_with_minutes_and_points() -> None:
    rows = dict(re.findall(r"(?m)^\| (ex\d\d_\d+) \| [^|]+ \| (\d+ \| \d+) \|$", _page()))
    for each in exercises():
        row = f"{each.minutes} | {each.points}"
        assert rows.get(each.name) == row, f"TEACHING.md's table of goals has no row '| {each.name} | ... | {row} |'"


def test_every_exercise_that_the_plans_name_is_in_the_table() -> None:
    rows = set(re.findall(r"(?m)^\| (ex\d\d_\d+) \|", _page()))
    assert set(re.findall(r"ex\d\d_\d+", _page())) - rows <= {"ex09_4"}  # the example
    weeks = re.search(r"(?ms)^## Twelve weeks$(.*?)^## ", _page())
    assert weeks is not None
    taught = set(re.findall(r"ex\d\d_\d+", weeks[1]))
    left_out = {name for name in rows - taught if not name.startswith("ex10")}
    assert not left_out, f"TEACHING.md's plan of twelve weeks leaves out {', '.join(sorted(left_out))}"


def test_the_other_pages_lead_here() -> None:
    assert "(TEACHING.md)" in (CHAPTERS / "README.md").read_text("utf-8")
    assert "(chapters/TEACHING.md)" in (CHAPTERS.parent / "README.md").read_text("utf-8")
