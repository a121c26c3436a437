"""Timing that can be believed on a noisy machine: contestants take turns, and the median of many turns counts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from minidil.errors import OptionError

WARM_UP = 0.1  # seconds
COUNTED = 1e-3  # seconds that are counted in a turn at least, of many calls if need be: a look at the clock takes a microsecond


@dataclass(frozen=True)
class Timing:
    """Seconds per call: medians of wall clock and processor time (of all threads) over the rounds, and the best wall clock."""

    wall: float
    cpu: float
    best: float


def interleave(
    contestants: Mapping[str, Callable[[], object]], rounds: int = 9, pause: float = 0.05, warm_up: float = WARM_UP
) -> dict[str, Timing]:
    """Time each contestant once per round, in turn.

    What slows the machine down for a while then hits all of them, and a ratio of medians stays fair. The pause before each turn
    (seconds) lets the threads of the one before go to sleep: OpenMP threads wait busily for a moment after their last task. A
    processor that has slept is slow for up to a tenth of a second and has lost its caches, so each turn begins with calls that
    are not counted, one at least and as many as `warm_up` seconds take. It ends with the one that is counted, or with the mean of
    as many as a millisecond takes.
    Raises: OptionError unless rounds >= 1.
    """
    if rounds < 1:
        raise OptionError(f"interleave: rounds must be at least 1, not {rounds}")
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            time.sleep(pause)
            start = time.perf_counter()
            call()
            done = 1
            while time.perf_counter() - start < warm_up:
                call()
                done += 1
            count = math.ceil(COUNTED * done / (time.perf_counter() - start))
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(count):
                call()
            taken[name].append(((time.perf_counter() - wall) / count, (time.process_time() - cpu) / count))
    return {
        name: Timing(median(w for w, _ in pairs), median(c for _, c in pairs), min(w for w, _ in pairs))
        for name, pairs in taken.items()
    }
