"""Recognising a typical mistake: it is named only if it explains every case that is compared."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any, Protocol

import numpy as np

from minidil.classroom.compare import Difference, difference
from minidil.classroom.exercise import Exercise, Mistake
from minidil.classroom.guard import Outcome

COMPARED = 24  # cases besides the smallest failure: half of them failures where there are so many


class _Tried(Protocol):
    @property
    def case(self) -> Mapping[str, Any]: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def difference(self) -> Difference | None: ...


def recognised(exercise: Exercise, smallest: _Tried, tried: Sequence[_Tried]) -> Mistake | None:
    """The first mistake of the catalogue that gives what the student's function gave, in the failure and in other cases."""
    if smallest.difference and smallest.difference.kind == "in place":  # what it returns is right
        return None
    failures = [each for each in tried if each.difference and each is not smallest]
    others = [each for each in tried if not each.difference]
    compared = [smallest, *_spread(failures, COMPARED // 2), *_spread(others, COMPARED // 2)]
    for mistake in (*exercise.mistakes, *_turned(exercise)):
        if all(_explains(mistake, each, exercise) for each in compared):
            return mistake
    return None


def _turned(exercise: Exercise) -> Iterator[Mistake]:
    """All that is asked for, but returned in another order."""
    names = exercise.returns
    for order in permutations(range(len(names))):
        if list(order) != sorted(order):

            def wrong(_order: tuple[int, ...] = order, **case: Any) -> tuple[Any, ...]:
                right = exercise.expected(**case)
                return tuple(right[place] for place in _order)

            given = ", ".join(names[place] for place in order)
            says = f"You return {given} where {', '.join(names)} are asked for."
            yield Mistake("the right things in another order", wrong, says)


def _spread(tried: Sequence[_Tried], count: int) -> Sequence[_Tried]:
    """So many of them, evenly from first to last."""
    if len(tried) <= count:
        return tried
    return [tried[i * len(tried) // count] for i in range(count)]


def _explains(mistake: Mistake, each: _Tried, exercise: Exercise) -> bool:
    try:
        with np.errstate(all="ignore"):
            wrong = mistake.wrong(**copy.deepcopy(dict(each.case)))
    except (
        Exception
    ) as error:  # a mistake may be one that cannot be computed in some cases: then neither can the student
        return type(error) is type(each.outcome.error)
    if each.outcome.error is not None:
        return False
    return difference(wrong, each.outcome.value, exercise.returns, exercise.tolerance) is None
