"""Every exercise there is: its reference solution passes, and every mistake of its catalogue fails and is named.

In the fast part this holds for one of them.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from classroom.solved import SOURCES, solution

import minidil as md
from minidil.classroom.exercise import Exercise, Mistake
from minidil.classroom.register import exercise, exercises

pytestmark = pytest.mark.skipif(not SOURCES, reason="this is an installed package, without the instructors' notebooks")
FAST = ("ex02_1",)


def _marked(each: Exercise, *more: Any) -> Any:
    words = [each.name, *(str(getattr(value, "name", value)) for value in more)]
    marks = () if each.name in FAST else (pytest.mark.slow,)
    return pytest.param(each, *more, id="-".join(words), marks=marks)


ALL = [_marked(each) for each in exercises()]
MISTAKES = [_marked(each, mistake) for each in exercises() for mistake in each.mistakes]


@pytest.mark.parametrize("asked", ALL)
@pytest.mark.parametrize(
    "seed", [None, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_the_reference_solution_passes(asked: Exercise, seed: int | None) -> None:
    result = md.check(asked.name, solution(asked), seed=seed, seconds=10)
    assert result.passed, result.message
    assert (result.kind, result.mistake, result.exercise) == ("passed", None, asked.name)


@pytest.mark.parametrize(("asked", "mistake"), MISTAKES)
def test_a_typical_wrong_answer_fails_with_the_name_of_its_mistake(asked: Exercise, mistake: Mistake) -> None:
    result = md.check(asked.name, mistake.wrong, seconds=10)
    assert not result.passed
    assert result.mistake == mistake.name, result.message
    assert mistake.says in result.message
    assert asked.title in result.message
    assert "minidil/" not in result.message.replace("minidil/cuda", "")


def test_names_and_catalogues_are_complete() -> None:
    for each in exercises():
        assert re.fullmatch(r"ex\d\d_\d+", each.name)
        assert each.signature.startswith(f"{each.function}(")
        assert len(each.mistakes) >= 3, each.name
        assert len({mistake.name for mistake in each.mistakes}) == len(each.mistakes)
        assert all(each.hints)
        assert len(set(each.hints)) == 3
        assert each.points > 0
        assert each.minutes > 0
    names = [each.name for each in exercises()]
    assert names == sorted(set(names))


def test_what_a_submission_may_not_call_exists() -> None:
    for each in exercises():
        for dotted in each.forbidden:
            first, *rest = dotted.split(".")
            place: Any = {"minidil": md, "numpy": np}[first]
            for word in rest:
                place = getattr(place, word)
            assert callable(place), dotted


@pytest.mark.slow
def test_right_but_slow_is_told_from_right() -> None:
    """The given loops are right, but as slow as themselves."""
    asked = exercise("ex03_4")
    result = md.check(asked.name, asked.expected)
    assert (result.passed, result.kind) == (False, "slow")
    assert 0.3 < result.extra["times_faster"] < 3
    assert result.extra["lines"] > 50_000
    assert "20 are asked for" in result.message
