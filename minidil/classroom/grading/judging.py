"""Judging one exercise by what its function, in the student's process, gives back.

Whatever comes from there may be made up by the student's code: it is looked at as values, and nothing else of it is believed.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from minidil.classroom.budget import Budget
from minidil.classroom.exercise import Exercise
from minidil.classroom.grading.marks import CHECK_STOPPED, Mark, fails
from minidil.classroom.grading.peer import Gone
from minidil.classroom.grading.session import Session
from minidil.classroom.property import property_check

_LONGEST = 20_000  # characters of a message
_UNLIMITED = 1e6  # seconds: the watchdog is stricter


def judge(exercise: Exercise, session: Session, seed: int, call: dict[str, Any]) -> Mark | None:
    """The verdict, on a session that serves; None if there is no such function.

    seed: of the drawn cases. call: becomes what the function was called with last. Raises: Gone, if the process ends meanwhile.
    """
    answer = _asked(session, "look", exercise.function)
    what, parameters = answer if isinstance(answer, tuple) and len(answer) == 2 else ("", None)
    if what == "missing":
        return None
    if what != "function":
        return fails(exercise, "call", f"{exercise.function} is to be a function, and is something else.")
    if not by_values(exercise):
        return _judged_inside(exercise, session, seed)
    remote = _remote(exercise, session, _signature(parameters), call)
    try:
        result = (exercise.check or property_check)(exercise, remote, Budget(_UNLIMITED, seed))
    except Exception as error:
        says = (
            f"The check itself stopped with an error; please show this to your teacher. {type(error).__name__}: {error}"
        )
        return fails(exercise, CHECK_STOPPED, says[:_LONGEST])
    if session.peer.broken is not None:  # a check that went on without it has judged what is not the student's
        raise session.peer.broken
    points = exercise.points if result.passed else 0
    return Mark(exercise.name, points, exercise.points, result.kind, result.message, result._repr_html_())


def called(session: Session) -> tuple[str, ...]:
    """Functions of minidil that the student's function was seen to call since the session serves. Raises: Gone."""
    found = _asked(session, "called")
    return tuple(str(each) for each in found) if isinstance(found, list) else ()


def by_values(exercise: Exercise) -> bool:
    """Whether an exercise can be judged by the values of its function alone, in this process."""
    return exercise.check is None or getattr(exercise.check, "by_values", False)


def seed_of(seed: int, exercise: str) -> int:
    """Each exercise has a seed of its own, the same for all students."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{exercise}".encode()).digest()[:4])


def _asked(session: Session, what: str, *args: Any) -> Any:
    """The answer of `inside`, or the error that it raised. Raises: Gone."""
    try:
        return session.peer.call(what, args, {})
    except Exception as error:
        return error


def _remote(
    exercise: Exercise, session: Session, signature: inspect.Signature | None, call: dict[str, Any]
) -> Callable[..., Any]:
    """The student's function, to be called from here as if it were here."""
    names: Iterable[str] = signature.parameters if signature else ()

    def remote(*args: Any, **named: Any) -> Any:
        call.clear()
        call.update(dict(zip(names, args, strict=False)) | named)
        return session.peer.call("student", (exercise.function, args, named), {})

    remote.__name__ = remote.__qualname__ = exercise.function
    remote.clock = session.clock  # type: ignore[attr-defined]  # for checks that ask for speed
    if signature is not None:
        remote.__signature__ = signature  # type: ignore[attr-defined]
    return remote


def _signature(parameters: Any) -> inspect.Signature | None:
    """Of what `inside.look` says about a student's function; None where that is nothing that Python knows."""
    empty = inspect.Parameter.empty
    try:
        found = [(str(word), inspect._ParameterKind(kind), default) for word, kind, default in parameters]
        return inspect.Signature(
            [inspect.Parameter(word, kind, default=None if given else empty) for word, kind, given in found]
        )
    except (ValueError, TypeError):
        return None


def _judged_inside(exercise: Exercise, session: Session, seed: int) -> Mark:
    """By a check that has to run beside the student's code. What comes back is taken as text, never as HTML."""
    told = _asked(session, "check", exercise.name, exercise.function, seed, session.limits.seconds)
    if isinstance(told, Exception):
        return fails(exercise, "exception", f"{type(told).__name__}: {told}"[:_LONGEST])
    if not isinstance(told, dict) or told.get("exercise") != exercise.name:
        raise Gone("the check gave no result")
    points = exercise.points if told.get("passed") is True else 0
    return Mark(exercise.name, points, exercise.points, str(told.get("kind"))[:40], str(told.get("message"))[:_LONGEST])
