"""Can the student's function be called with these arguments, and how?"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from minidil.classroom.exercise import Exercise


def called_by_name(function: Callable[..., Any], exercise: Exercise, names: Sequence[str]) -> bool | str:
    """True: by name, False: by position; a text: it cannot, and why."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # compiled functions have none
        return False
    parameters = signature.parameters
    for by_name in (True, False):
        try:
            if by_name:
                signature.bind(**dict.fromkeys(names))
            else:
                signature.bind(*names)
            return by_name
        except TypeError:
            continue
    count, own = len(parameters), f"({', '.join(parameters)})"
    return (
        f"{exercise.function} takes {count} parameter{'' if count == 1 else 's'}, {own}, but is called with {len(names)}: "
        f"its first line should be  def {exercise.signature}:"
    )
