"""Marks for one notebook: its cells run in order in a kernel of their own, and every exercise is checked right after its cells.

A cell or a check that hangs, or that ends the kernel, costs its own exercise only: the kernel is started anew, the other cells
run again, and it goes on behind. An exercise that failed for a reason that lies outside of it (a name that is made further down,
memory that another cell holds) is tried once more by itself. Nothing passes but by values that came back from its function.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from minidil.classroom.exercise import Exercise
from minidil.classroom.grading.judging import by_values, called, judge, seed_of
from minidil.classroom.grading.marks import Mark, fails
from minidil.classroom.grading.peer import Gone
from minidil.classroom.grading.reading import Plan
from minidil.classroom.grading.session import Limits, Session
from minidil.errors import MinidilError

_AGAIN = ("exception", "died", "raised", "missing")  # kinds of failure that another cell may be the reason of


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
        self.marks: dict[str, Mark] = {}

    def end(self) -> None:
        """No kernel outlives this."""
        if self._session is not None:
            self._session.end()
            self._session = None

    def in_order(self) -> None:
        """As "Restart and run all" does."""
        done: list[int] = []
        try:
            for number in range(len(self._plan.steps)):
                self._cell(number, done)
                if number not in self._harmful:
                    done.append(number)
                for each in self._plan.exercises:
                    if self._plan.last(each.name) == number:
                        self.marks[each.name] = self._checked(each, done)
        except _SpentError:
            pass
        for each in self._plan.exercises:
            if self._plan.last(each.name) is None:
                self.marks[each.name] = fails(each, "missing", _missing(each))

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
            beside = not all(map(by_values, self._plan.exercises))
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
            return fails(exercise, _kind(self._harmful[mine[-1]]), _harm(self._harmful[mine[-1]], self._limits))
        session = self._ready(done)
        call: dict[str, Any] = {}
        session.serve()
        try:
            made = judge(exercise, session, seed_of(self._seed, exercise.name), call)
            calls = called(session)
            session.served()
        except Gone:
            kind = session.ended
            self.end()
            return fails(exercise, kind, _harm(kind, self._limits), call=call)
        if made is None:
            raised = [self._raised[at] for at in mine if at in self._raised]
            harmed = [self._harmful[at] for at in mine if at in self._harmful]
            if harmed:
                return fails(exercise, _kind(harmed[-1]), _harm(harmed[-1], self._limits))
            if raised:
                return fails(
                    exercise,
                    "raised",
                    f"The cell stopped with an error, so there is no {exercise.function}: {raised[-1]}",
                )
            return fails(exercise, "missing", _missing(exercise))
        return replace(made, calls=calls)


def _none(exercise: Exercise) -> Mark:
    return fails(
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
