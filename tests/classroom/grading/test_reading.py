"""Submitted notebooks, as they really come in."""

import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
from classroom.submissions import FUNCTIONS, IMPORTS, cell, cells, check_cell, notebook, older, solution, written

from minidil.classroom.grading.reading import Plan, makes, plan
from minidil.classroom.grading.reading import cells as read
from minidil.classroom.register import exercises
from minidil.errors import DataError


def planned(parts: list[dict[str, Any]]) -> Plan:
    return plan(read(written(notebook(parts))), exercises())


def answers(made: Plan) -> list[tuple[str, ...]]:
    return [step.answers for step in made.steps]


EACH = [(), ("ex03_1",), ("ex03_2",), ("ex03_3",), ("ex03_4",)]


def test_cells_are_found_and_checks_left_out() -> None:
    made = planned(cells())
    assert answers(made) == EACH
    assert made.steps[0].source == IMPORTS
    assert [each.name for each in made.exercises] == list(FUNCTIONS)
    assert not any("minidil.check" in step.source for step in made.steps)


def test_of_format_3_and_of_4_without_ids() -> None:
    assert answers(plan(read(written(older(cells()))), exercises())) == EACH
    without = {"nbformat": 4, "nbformat_minor": 0, "metadata": {}, "cells": cells()}
    assert answers(plan(read(written(without)), exercises())) == EACH


def test_with_all_metadata_lost_the_functions_are_known_by_name() -> None:
    made = planned([{**part, "metadata": {}} for part in cells()])
    assert [step.answers for step in made.steps if "minidil.check" not in step.source] == EACH
    assert [each.chapter for each in made.exercises] == ["03"] * 4


def test_a_helper_named_like_another_chapters_function_brings_no_chapter() -> None:
    other = next(each for each in exercises() if each.chapter != "03")
    made = planned([cell(f"def {other.function}(): pass"), *cells()])
    assert {each.chapter for each in made.exercises} == {"03"}


def test_a_copied_cell_counts_where_it_stands_last() -> None:
    made = planned([*cells(), cell(solution("ex03_2", 1), "ex03_2")])
    assert made.last("ex03_2") == 5
    assert made.last("ex03_1") == 1


def test_a_renamed_cell_is_known_by_its_function_and_a_renamed_function_by_its_cell() -> None:
    made = planned([cell(solution("ex03_2"), "cell-abc"), check_cell("ex03_2")])
    assert answers(made) == [("ex03_2",)]
    made = planned([cell("def im2col(x): pass", "ex03_2"), check_cell("ex03_2")])
    assert answers(made) == [("ex03_2",)]


def test_a_function_written_into_the_checks_cell_is_run() -> None:
    check = check_cell("ex03_2")
    made = planned([cell("", "ex03_2"), {**check, "source": solution("ex03_2") + "\n" + check["source"]}])
    assert made.last("ex03_2") == 1


def test_a_missing_cell_leaves_its_exercise() -> None:
    made = planned([cell(solution("ex03_1"), "ex03_1")])
    assert [each.name for each in made.exercises] == list(FUNCTIONS)
    assert made.last("ex03_3") is None


@pytest.fixture
def no_collector() -> Iterator[None]:
    """A finalizer that it runs at the end of the stack would fail there, and pytest would blame the test that is running."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe\x00", "decode"),
        (b"[]", "a notebook is JSON with cells"),
        (b"{}", "a notebook is JSON with cells"),
        (b'{"cells": 5}', "not iterable"),
        (b'{"cells": [5]}', "subscriptable"),
        (b'{"cells": [{"cell_type": "code", "source": 5}]}', "can only join|not iterable"),
        (b"[" * 100_000, "RecursionError|nested"),
        (b'{"nbformat": 3, "worksheets": 5}', ""),
        (b'{"nbformat": 99, "worksheets": []}', "cells"),
    ],
)
def test_what_is_no_notebook_is_refused_in_words(content: bytes, why: str) -> None:
    with pytest.raises(DataError, match="this is no notebook") as refused:
        read(content)
    assert refused.match(why)


def test_odd_metadata_do_no_harm() -> None:
    part = {**cell("def my_im2col(x): pass"), "metadata": {"nbgrader": ["ex03_2"]}}
    assert answers(planned([part])) == [("ex03_2",)]
    text = json.dumps({"cells": [{"cell_type": "code", "source": ["a = 1\n", "b"], "metadata": {}}]}).encode(
        "utf-8-sig"
    )
    assert read(text) == [("a = 1\nb", {})]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(x):\n    pass", True),
        ("if True:\n    def f(x): pass", True),
        ("f = lambda x: x", True),
        ("f: object = 3", True),
        ("from numpy import pad as f", True),
        ("import f", True),
        ("class f: pass", True),
        ("def fg(): pass", False),
        ("f(3)", False),
        ("f == 3", False),
        ("g = f", False),
        ("%%bash\ndef", False),
    ],
)
def test_lines_that_make_a_name(source: str, found: bool) -> None:
    assert makes(source, "f") is found
