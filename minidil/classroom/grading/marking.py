"""Marks for one notebook: its cells run in order in a kernel of their own, and every exercise is checked right after its cells.

A cell or a check that hangs, or that ends the kernel, costs its own exercise only: the kernel is started anew, the other cells
run again, and it goes on behind. An exercise that failed for a reason that lies outside of it (a name that is made further down,
memory that another cell holds) is tried once more by itself. Nothing passes but by values that came back from its function.
"""

import hashlib
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minidil.classroom.budget import Budget
from minidil.classroom.exercise import Exercise
from minidil.classroom.grading.peer import Gone
from minidil.classroom.grading.reading import Plan
from minidil.classroom.grading.session import Limits, Session
from minidil.classroom.property import property_check
from minidil.classroom.report import Block, Say, as_html, as_text
from minidil.classroom.show import case_blocks
from minidil.errors import MinidilError

_AGAIN = ("exception", "died", "raised", "missing")  # kinds of failure that another cell may be the reason of


@dataclass(frozen=True)
class Mark:
    """What one exercise got. kind: that of the check's result, or "missing", "raised", "late", "died", "not run".

    message: plain text; html: the same as the check draws it, safe to show. calls: functions of minidil that were called.
    """

    exercise: str
    points: int
    out_of: int
    kind: str
    message: str
    html: str = ""
    calls: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether there are points; they come in one piece."""
        return self.points > 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def mark(plan: Plan, own: Path, limits: Limits, seed: int) -> list[Mark]:
    """The marks of the notebook's exercises, in their order. own: an empty folder, the only one its code can write in.

    seed: of the cases that are drawn; nobody who writes a submission should know it.
    """
    run = _Run(plan, own, limits, seed)
    try:
        run.in_order()
        run.by_themselves()
    finally:
        run.end()
    return [run.marks.get(each.name) or _none(each) for each in plan.exercises]


def seed_of(seed: int, exercise: str) -> int:
    """Each exercise has a seed of its own, the same for all students."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{exercise}".encode()).digest()[:4])


class _SpentError(MinidilError):
    """No time, or no further kernel, is left for this notebook."""


class _Run:
    def __init__(self, plan: Plan, own: Path, limits: Limits, seed: int) -> None:
        self._plan, self._own, self._limits, self._seed = plan, own, limits, seed
        self._ends = time.monotonic() + limits.total
        self._kernels_left = 3 + 3 * len(plan.exercises)
        self._session: Session | None = None
        self._harmful: dict[int, str] = {}  # cells that are not run again, and why: "late", "died" or "memory"
        self._raised: dict[int, str] = {}
        self._call: Mapping[str, Any] = {}  # what the student's function was called with last
        self.marks: dict[str, Mark] = {}

    def end(self) -> None:
        """No kernel outlives this."""
        if self._session is not None:
            self._session.end()
            self._session = None

    def in_order(self) -> None:
        """As "Restart and run all" does."""
        ends = {self._plan.last(each.name): each for each in self._plan.exercises}
        done: list[int] = []
        try:
            for number in range(len(self._plan.steps)):
                self._cell(number, done)
                if number not in self._harmful:
                    done.append(number)
                for each in self._plan.exercises:
                    if self._plan.last(each.name) == number and number in ends:
                        self.marks[each.name] = self._checked(each, done)
        except _SpentError:
            pass
        for each in self._plan.exercises:
            if self._plan.last(each.name) is None:
                self.marks[each.name] = _fails(each, "missing", _missing(each))

    def by_themselves(self) -> None:
        """Once more, in a fresh kernel without the other exercises' cells, what another cell may have spoilt."""
        for each in self._plan.exercises:
            first = self.marks.get(each.name)
            if first is None or first.kind not in _AGAIN or self._plan.last(each.name) is None:
                continue
            mine = [at for at, step in enumerate(self._plan.steps) if each.name in step.answers]
            other = [at for at, step in enumerate(self._plan.steps) if not step.answers]
            for at in mine:
                if self._harmful.get(at) == "memory":  # which another cell may have held
                    del self._harmful[at]
            if set(mine) & set(self._harmful) or len(self._plan.steps) == len(mine):
                continue
            self.end()
            try:
                done = [at for at in other if at not in self._harmful] + mine
                second = self._checked(each, done)
            except _SpentError:
                return
            finally:
                self.end()
            if second.passed:
                self.marks[each.name] = second

    def _cell(self, number: int, done: list[int]) -> None:
        """Run a cell after those that are done."""
        ran = self._ready(done).run(self._plan.steps[number].source)
        if ran.how == "raised":
            self._raised[number] = f"{ran.error}: {ran.says}" if ran.says else ran.error
        if ran.how in ("late", "died", "memory"):
            self._harmful[number] = ran.how
            self.end()

    def _ready(self, done: list[int]) -> Session:
        """A kernel in which these cells have run; those that do harm this time are taken off the list."""
        while self._session is None:
            if time.monotonic() > self._ends or not self._kernels_left:
                raise _SpentError
            self._kernels_left -= 1
            beside = not all(map(_by_values, self._plan.exercises))
            self._session = Session(self._own, self._limits, checks=beside)
            for number in list(done):
                self._cell(number, [])
                if self._session is None:
                    done.remove(number)
                    break
        if time.monotonic() > self._ends:
            raise _SpentError
        return self._session

    def _checked(self, exercise: Exercise, done: list[int]) -> Mark:
        """Check it now."""
        mine = [at for at, step in enumerate(self._plan.steps) if exercise.name in step.answers]
        if all(at in self._harmful for at in mine):
            return _fails(exercise, _kind(self._harmful[mine[-1]]), _harm(self._harmful[mine[-1]], self._limits))
        session, self._call = self._ready(done), {}
        peer = session.peer
        session.serve()
        try:
            made = self._judged(exercise, session)
            calls = tuple(map(str, peer.call("called", (), {})))
            session.served()
        except Gone:
            kind = session.ended
            self.end()
            return _fails(exercise, kind, _harm(kind, self._limits), call=self._call)
        if made is None:
            raised = [self._raised[at] for at in mine if at in self._raised]
            harmed = [self._harmful[at] for at in mine if at in self._harmful]
            if harmed:
                return _fails(exercise, _kind(harmed[-1]), _harm(harmed[-1], self._limits))
            if raised:
                return _fails(
                    exercise,
                    "raised",
                    f"The cell stopped with an error, so there is no {exercise.function}: {raised[-1]}",
                )
            return _fails(exercise, "missing", _missing(exercise))
        return Mark(exercise.name, made.points, made.out_of, made.kind, made.message, made.html, calls)

    def _judged(self, exercise: Exercise, session: Session) -> Mark | None:
        """The verdict; None if there is no function. Raises: Gone."""
        peer = session.peer
        what, parameters = peer.call("look", (exercise.function,), {})
        if what == "missing":
            return None
        if what != "function":
            return _fails(exercise, "call", f"{exercise.function} is to be a function, and is something else.")
        if not _by_values(exercise):
            return self._judged_inside(exercise, session)
        remote = self._remote(exercise, session, parameters)
        budget = Budget(10 * self._limits.total, seed_of(self._seed, exercise.name))  # the watchdog is stricter
        result = (exercise.check or property_check)(exercise, remote, budget)
        if peer.broken is not None:  # a check that went on without it has judged what is not the student's
            raise peer.broken
        points = exercise.points if result.passed else 0
        return Mark(exercise.name, points, exercise.points, result.kind, result.message, result._repr_html_())

    def _remote(self, exercise: Exercise, session: Session, parameters: Any) -> Callable[..., Any]:
        """The student's function, to be called from here as if it were here; its last call is kept."""
        signature = _signature(parameters)

        def remote(*args: Any, **named: Any) -> Any:
            self._call = {**dict(zip(signature.parameters if signature else (), args, strict=False)), **named}
            return session.peer.call("student", (exercise.function, args, named), {})

        remote.__name__ = remote.__qualname__ = exercise.function
        remote.clock = session.clock  # type: ignore[attr-defined]  # for checks that ask for speed
        if signature is not None:
            remote.__signature__ = signature  # type: ignore[attr-defined]
        return remote

    def _judged_inside(self, exercise: Exercise, session: Session) -> Mark:
        """By a check that has to run beside the student's code. What comes back is taken as text, never as HTML."""
        asked = (exercise.name, exercise.function, seed_of(self._seed, exercise.name), self._limits.seconds)
        try:
            told = session.peer.call("check", asked, {})
        except Exception as error:  # whatever the other process says has happened there
            return _fails(exercise, "exception", f"{type(error).__name__}: {error}")
        if not isinstance(told, dict) or told.get("exercise") != exercise.name:
            return _fails(exercise, "died", "The check gave no result.")
        points = exercise.points if told.get("passed") is True else 0
        message = str(told.get("message"))[:20_000]
        return Mark(exercise.name, points, exercise.points, str(told.get("kind"))[:40], message)


def _by_values(exercise: Exercise) -> bool:
    """Whether an exercise can be judged by the values of its function alone, in this process."""
    return exercise.check is None or getattr(exercise.check, "by_values", False)


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


def _fails(exercise: Exercise, kind: str, *says: str, call: Mapping[str, Any] | None = None) -> Mark:
    """No points, and what is said about it; call: what the function was called with."""
    blocks: list[Block] = [Say(f"{exercise.name} {exercise.title}", "failed"), *map(Say, says)]
    if call:
        blocks += [Say("It was called with:"), *case_blocks(call)]
    return Mark(exercise.name, 0, exercise.points, kind, as_text(blocks), as_html(blocks))


def _none(exercise: Exercise) -> Mark:
    return _fails(
        exercise, "not run", "This exercise was not reached: the time for the whole notebook was used up before it."
    )


def _missing(exercise: Exercise) -> str:
    return (
        f"There is no {exercise.function} here. The cell of {exercise.name} is to define it: def {exercise.signature}"
    )


def _kind(harm: str) -> str:
    return "died" if harm == "memory" else harm


def _harm(kind: str, limits: Limits) -> str:
    if kind == "late":
        return f"This did not end within {limits.seconds:g} s: look for a loop whose condition never becomes false."
    if kind == "memory":
        return f"This asked for more memory than the {limits.memory / 2**30:g} GiB that there are: is a size computed wrongly?"
    return "This ended Python itself (exit, or a crash), so that nothing could be checked."
