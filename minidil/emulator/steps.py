"""What a decoded instruction is: a step that some lanes take together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from minidil.emulator.machine import Machine, Mask

Run: TypeAlias = Callable[[Machine, Mask], None]


@dataclass
class Step:
    """A decoded instruction."""

    kind: str  # "run", "branch", "exit", "barrier" or "warp barrier"
    run: Run | None = None
    target: int = 0  # of a branch
    guard: int | None = None  # the operand that must hold
    negated: bool = False
    gathers: bool = False  # whether lanes wait here for the others of their warp
    opens: Run | None = None  # what a barrier does for those who waited, once all are there


def computing(compute: Callable[..., Any], out: int, sources: list[int]) -> Run:
    """A step that computes one operand from others."""

    def run(machine: Machine, where: Mask) -> None:
        values = machine.values
        given = [values[source] for source in sources]
        if where is None:
            compute(values[out], *given)
        else:
            result = machine.scratch(values[out].dtype)
            compute(result, *given)
            np.copyto(values[out], result, where=where)

    return run
