"""One notebook in one kernel: what each kind of fault costs, and what it does not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient")

from classroom.submissions import cell, cells, notebook, solution, written

from minidil.classroom.grading.judging import seed_of
from minidil.classroom.grading.marking import mark
from minidil.classroom.grading.marks import Mark
from minidil.classroom.grading.reading import Plan, plan
from minidil.classroom.grading.reading import cells as read
from minidil.classroom.grading.session import Limits
from minidil.classroom.property import property_check
from minidil.classroom.register import exercises

pytestmark = pytest.mark.slow
LIMITS = Limits(seconds=4.0, total=100.0, memory=4 << 30)


def planned(parts: Sequence[dict[str, Any]]) -> Plan:
    return plan(read(written(notebook(list(parts)))), exercises())


def marked(parts: Sequence[dict[str, Any]], own: Path, limits: Limits = LIMITS) -> dict[str, Mark]:
    return {each.exercise: each for each in mark(planned(parts), own, limits, seed=11)}


def kinds(marks: dict[str, Mark]) -> list[str]:
    return [each.kind for each in marks.values()]


@pytest.mark.long
def test_each_fault_costs_its_own_exercise(tmp_path: Path) -> None:
    """A cell that ends Python, a check that hangs, and what stands before, between and behind."""
    hangs = "def my_col2im(cols, shape, kernel_size, stride, dilation):\n    while kernel_size > 1:\n        pass\n    return 0"
    marks = marked(cells({"ex03_1": "import os\nos._exit(1)", "ex03_3": hangs}), tmp_path)
    assert kinds(marks) == ["died", "passed", "late", "passed"]
    assert [each.points for each in marks.values()] == [0, 4, 0, 3]
    assert "This did not end within 4 s" in marks["ex03_3"].message
    assert "kernel_size = " in marks["ex03_3"].message  # the call that was under way
    assert all(each.html.startswith("<div") for each in marks.values())
    assert marks["ex03_2"].calls == ()


@pytest.mark.long
def test_helpers_further_down_and_memory_held_elsewhere_are_no_reason(tmp_path: Path) -> None:
    needs = solution("ex03_1").replace("return c *", "return helper(c) *")
    hoard = """
hoard = []
for size in (10**7, 10**5, 10**3):
    try:
        while True:
            hoard.append(np.empty(size, 'u1'))
    except MemoryError:
        pass
"""
    parts = [*cells({"ex03_1": needs, "ex03_2": solution("ex03_2") + hoard}), cell("def helper(c):\n    return c")]
    marks = marked(parts, tmp_path, replace(LIMITS, memory=2 << 30))
    assert [marks[name].kind for name in ("ex03_1", "ex03_3", "ex03_4")] == ["passed"] * 3


def test_when_the_time_is_up_nothing_more_passes(tmp_path: Path) -> None:
    sleeps = cell("import time\ntime.sleep(7)")
    marks = marked([*cells()[:3], sleeps, *cells()[3:]], tmp_path, Limits(seconds=4.0, total=6.0))
    assert kinds(marks) == ["passed", "not run", "not run", "not run"]
    assert [each.points for each in marks.values()] == [2, 0, 0, 0]


def test_the_students_error_is_shown_with_the_students_line(tmp_path: Path) -> None:
    broken = "def my_columns_shape(shape, kernel_size, stride, padding, dilation):\n    return shape[3], 1"
    marks = marked([cell(broken, "ex03_1")], tmp_path)
    assert kinds(marks) == ["exception", "missing", "missing", "missing"]
    assert "line 2 in my_columns_shape:  return shape[3], 1" in marks["ex03_1"].message
    assert "IndexError" in marks["ex03_1"].message
    assert "site-packages" not in marks["ex03_1"].message
    assert str(Path(__file__).parents[3]) not in marks["ex03_1"].message


def test_a_check_that_runs_beside_the_function_is_believed_as_text(tmp_path: Path) -> None:
    """As for CUDA kernels: the check of the exercise's name runs in the kernel, where the exercises cannot be read any more."""
    beside = lambda exercise, function, budget: property_check(exercise, function, budget)  # noqa: E731
    made = planned(
        [cell("import numpy as np"), cell(solution("ex03_1"), "ex03_1"), cell("def my_im2col(*x): return 0", "ex03_2")]
    )
    made = Plan(made.steps, tuple(replace(each, check=beside) for each in made.exercises[:2]))
    marks = mark(made, tmp_path, LIMITS, seed=11)
    assert [each.kind for each in marks] == ["passed", "type"]
    assert marks[0].message.startswith("passed: ex03_1")
    assert marks[0].html == marks[1].html == ""


def test_seeds_differ_from_exercise_to_exercise() -> None:
    seeds = {seed_of(seed, name) for seed in (1, 2) for name in ("ex03_1", "ex03_2")}
    assert len(seeds) == 4
    assert seed_of(1, "ex03_1") == seed_of(1, "ex03_1")
