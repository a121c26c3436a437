"""Judging by values: whatever the other process answers, it is a mark, and no points without the right values."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from classroom.submissions import solution

from minidil.classroom.exercise import Exercise
from minidil.classroom.grading.codec import Stranger
from minidil.classroom.grading.judging import called, judge
from minidil.classroom.grading.marks import CHECK_STOPPED, Mark
from minidil.classroom.grading.peer import Gone
from minidil.classroom.register import exercise

FOUND = (
    "function",
    [("shape", 1, False)] + [(name, 1, False) for name in ("kernel_size", "stride", "padding", "dilation")],
)


def session(**answers: Any) -> Any:
    """What looks like one, and answers so; an exception is raised, a function is called."""

    def call(what: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        answer = answers[what]
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer) and what == "student":
            return answer(*args[1], **args[2])
        return answer

    peer = SimpleNamespace(call=call, broken=answers.get("broken"))
    return SimpleNamespace(peer=peer, clock=lambda: 0.0, limits=SimpleNamespace(seconds=1.0))


def judged(asked: Exercise | None = None, **answers: Any) -> Mark | None:
    return judge(asked or exercise("ex03_1"), session(**{"look": FOUND, **answers}), 5, {})


def function() -> Callable[..., Any]:
    names: dict[str, Any] = {"np": np}
    exec(solution("ex03_1"), names)
    made: Callable[..., Any] = names["my_columns_shape"]
    return made


def test_the_right_values_pass_and_the_last_call_is_kept() -> None:
    call: dict[str, Any] = {}
    mark = judge(exercise("ex03_1"), session(look=FOUND, student=function()), 5, call)
    assert mark is not None
    assert (mark.points, mark.kind) == (2, "passed")
    assert list(call) == ["shape", "kernel_size", "stride", "padding", "dilation"]


ODD = [None, (0, 0), Stranger.of("Anything", "?"), np.zeros(2), {"passed": True}]
ODD_PARAMETERS = [None, [5], [("x", 99, False)]]


@pytest.mark.parametrize("value", [*ODD, lambda: 1])
def test_other_values_do_not(value: Any) -> None:
    mark = judged(student=lambda *args, **named: value)
    assert mark is not None
    assert (mark.points, mark.passed) == (0, False)


@pytest.mark.parametrize("answer", [5, None, (), ("function",), ("other", None), ("passed", []), ValueError("no")])
def test_odd_answers_to_what_there_is_give_no_points(answer: Any) -> None:
    mark = judged(look=answer)
    assert mark is not None
    assert (mark.points, mark.kind) == (0, "call")


@pytest.mark.parametrize("parameters", ODD_PARAMETERS)
def test_odd_parameters_do_no_harm(parameters: Any) -> None:
    mark = judged(look=("function", parameters), student=function())
    assert mark is not None
    assert mark.points in (0, 2)


def test_no_function_is_no_mark_and_an_end_gets_out() -> None:
    assert judged(look=("missing", None)) is None
    with pytest.raises(Gone):
        judged(student=Gone("ended"))
    with pytest.raises(Gone):
        judged(student=function(), broken=Gone("ended"))
    with pytest.raises(Gone):
        judged(look=Gone("ended"))


def test_a_check_that_stops_is_told_and_is_nobodys_pass() -> None:
    def stops(*_: Any) -> Any:
        raise LookupError("in the check")

    stops.by_values = True  # type: ignore[attr-defined]
    mark = judged(replace(exercise("ex03_1"), check=stops), student=function())
    assert mark is not None
    assert (mark.points, mark.kind) == (0, CHECK_STOPPED)
    assert "LookupError: in the check" in mark.message


def test_a_check_beside_the_function_answers_in_text() -> None:
    beside = replace(exercise("ex03_1"), check=lambda *_: None)  # type: ignore[arg-type,return-value]
    told = {"exercise": "ex03_1", "passed": True, "kind": "passed", "message": "<b>fine</b>", "html": "<script>"}
    mark = judged(beside, check=told)
    assert mark is not None
    assert (mark.points, mark.message, mark.html) == (2, "<b>fine</b>", "")
    for odd in ({**told, "passed": 1}, {**told, "passed": "yes"}, {**told, "passed": False}, RuntimeError("x")):
        failed = judged(beside, check=odd)
        assert failed is not None
        assert failed.points == 0
    for none in (None, [], {**told, "exercise": "ex03_2"}):
        with pytest.raises(Gone):
            judged(beside, check=none)


def test_what_was_called_is_a_list_of_names_or_nothing() -> None:
    assert called(session(called=["a.py:f", 3])) == ("a.py:f", "3")
    assert called(session(called=7)) == called(session(called=ValueError())) == ()
