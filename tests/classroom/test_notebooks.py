"""The students' notebooks are made of the instructors', hold every exercise once, and travel with the package."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from classroom.solved import EXERCISES, SOURCES

from minidil.classroom import notebooks
from minidil.classroom.register import exercises
from minidil.errors import OptionError

pytestmark = pytest.mark.skipif(not SOURCES, reason="this is an installed package, without the instructors' notebooks")
NAMES = [path.name for path in SOURCES]


def _make() -> Any:
    spec = importlib.util.spec_from_file_location("make", EXERCISES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    return found


def _grade_id(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def test_there_is_a_student_notebook_for_every_instructor_notebook_and_no_other() -> None:
    assert sorted(path.name for path in EXERCISES.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_students_get_is_made_of_the_source(name: str) -> None:
    assert (EXERCISES / name).read_text("utf-8") == _make().made(EXERCISES / "source" / name), (
        "run python chapters/exercises/make.py"
    )


@pytest.mark.parametrize("name", NAMES)
def test_both_are_valid_and_the_student_sees_no_solution(name: str) -> None:
    for path in (EXERCISES / name, EXERCISES / "source" / name):
        nbformat.validate(nbformat.read(path, as_version=4))
    text = (EXERCISES / name).read_text("utf-8")
    assert not re.search("SOLUTION|HIDDEN|must_pass", text)
    for cell in _cells(EXERCISES / name):
        assert cell.get("outputs", []) == []
        if notebooks.solves(cell):
            assert notebooks.text(cell).endswith("\n".join(" " * 4 + line for line in notebooks.STUB))


@pytest.mark.parametrize("name", NAMES)
def test_each_exercise_has_its_cell_and_after_it_its_check(name: str) -> None:
    cells = _cells(EXERCISES / "source" / name)
    ids = [_grade_id(cell) for cell in cells]
    for each in exercises(name[:2]):
        assert each.name in ids, f"source/{name} has no cell whose grade_id is {each.name}"
        place = ids.index(each.name)
        solution, check = cells[place : place + 2]
        first = next(line for line in notebooks.text(solution).splitlines() if line.startswith("def "))
        assert first == f"def {each.signature}:"
        assert f'minidil.check("{each.name}", {each.function}' in notebooks.text(check).splitlines()[0]
        assert "must_pass()" in notebooks.text(check)
        marks = check["metadata"]["nbgrader"]
        assert marks == {
            "grade": True,
            "grade_id": f"{each.name}_check",
            "locked": True,
            "points": each.points,
            "schema_version": 3,
            "solution": False,
            "task": False,
        }
        before = "".join(notebooks.text(cell) for cell in cells[:place] if cell["cell_type"] == "markdown")
        points = f"{each.points} point{'' if each.points == 1 else 's'}"
        assert f"({points}, {each.minutes} minutes)" in before
    assert len(set(ids) - {""}) == 2 * len(exercises(name[:2]))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name[:2] != "10"])  # whose kernels the emulator's tests run
def test_an_instructors_notebook_runs_from_top_to_bottom(name: str) -> None:
    defined: dict[str, Any] = {"__name__": "notebook"}
    for cell in _cells(EXERCISES / "source" / name):
        if cell["cell_type"] == "code":
            exec(compile(notebooks.text(cell), f"{name}:{cell['id']}", "exec"), defined)


def test_every_notebook_travels_with_the_package() -> None:
    build = tomllib.loads((EXERCISES.parents[1] / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    included = build["targets"]["wheel"]["force-include"]
    for name in NAMES:
        assert included.get(f"chapters/exercises/{name}") == f"minidil/exercises/{name}"
    assert not [place for place in included if "source" in place]


def test_who_installs_the_notebooks_can_visit_the_museum_and_grade() -> None:
    extras = tomllib.loads((EXERCISES.parents[1] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "minidil[classroom]" in extras["notebooks"]


def test_each_chapter_with_exercises_leads_to_them() -> None:
    chapters = EXERCISES.parent
    for name in NAMES:
        texts = [notebooks.text(cell) for cell in _cells(chapters / name) if cell["cell_type"] == "markdown"]
        for each in exercises(name[:2]):
            link = f"[exercise {each.name}](exercises/{name})"
            assert any(link in text for text in texts), f"chapters/{name} does not lead to it: {link}"


def _notebook(source: str) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "source": source, "outputs": [1], "execution_count": 3, "metadata": {}}]}


def test_solutions_are_replaced_where_they_stand() -> None:
    source = "def f(x):\n    y = 1\n    ### BEGIN SOLUTION\n    y = 2\n    ### END SOLUTION\n    return y"
    made = notebooks.for_students(_notebook(source))["cells"][0]
    assert (
        notebooks.text(made)
        == "def f(x):\n    y = 1\n    # your code here\n    raise NotImplementedError()\n    return y"
    )
    assert (made["outputs"], made["execution_count"]) == ([], None)
    hidden = "check(f)\n### BEGIN HIDDEN TESTS\ncheck(f).must_pass()\n### END HIDDEN TESTS\n"
    assert notebooks.text(notebooks.for_students(_notebook(hidden))["cells"][0]) == "check(f)"


def test_a_mark_without_its_end_is_refused() -> None:
    with pytest.raises(OptionError, match="without ### END SOLUTION"):
        notebooks.for_students(_notebook("### BEGIN SOLUTION\n1"))


def test_an_unknown_chapter_says_which_there_are() -> None:
    with pytest.raises(OptionError, match=r"chapter 99 has no exercises; those that have are 01, 02"):
        notebooks.of_chapter("99")
    assert notebooks.of_chapter("3").name == "03_im2col.ipynb"
