"""From callables to rows: one plain row per library, ready for a table and for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minidil.bench.timing import WARM_UP, Timing, interleave

Row = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """One thing to measure.

    case, part: what it is called in the table.
    calls: what each library does; one that cannot do it is left out.
    amounts: what one call gets done, by the name of the column that shows it per second: "gflops" (10^9 operations),
        "gbytes" (10^9 bytes) or "images".
    errors: for each library how far its result is off, where that was compared.
    """

    case: str
    part: str
    calls: Mapping[str, Callable[[], object]]
    amounts: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)


def measure(subject: Subject, rounds: int, warm_up: float = WARM_UP) -> list[Row]:
    """Time every contestant in turn; see `interleave`."""
    rows = timed(interleave(subject.calls, rounds, warm_up=warm_up))
    return [
        {"case": subject.case, "part": subject.part, **row}
        | {name: amount / row["seconds"] for name, amount in subject.amounts.items()}
        | {"error": subject.errors.get(row["library"])}
        for row in rows
    ]


def timed(timings: Mapping[str, Timing]) -> list[Row]:
    """The times of each library, and their ratios to the best of PyTorch's memory orders and to MyGrad, None without them."""
    orders = [timing.wall for name, timing in timings.items() if name.startswith("torch")]
    mygrad = [timing.wall for name, timing in timings.items() if name == "mygrad"]
    return [
        {
            "library": name,
            "seconds": timing.wall,
            "cpu_seconds": timing.cpu,
            "best_seconds": timing.best,
            "ratio": timing.wall / min(orders) if orders else None,
            "ratio_mygrad": timing.wall / mygrad[0] if mygrad else None,
        }
        for name, timing in timings.items()
    ]
