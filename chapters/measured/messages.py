"""What a sum over two ranks takes: `python chapters/measured/messages.py` writes messages.json.

It needs mpi4py, and an mpiexec beside this Python. Of each length in bytes the file has the shortest of many times that the sum
of so much float32 took, since other programs can only make it longer.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from ranks import on_ranks, where

from minidil import parallel

HERE = Path(__file__).parent
REPEATS = {4**power: 2000 if power < 9 else 200 for power in range(2, 13)}  # by length


def shortest(team: parallel.Team) -> dict[str, float]:
    """The shortest time of each length, on rank 0."""
    found = dict[str, float]()
    for length, repeats in REPEATS.items():
        part, times = np.ones(length // 4, np.float32), list[float]()
        for _ in range(repeats):
            parallel.total(team, np.zeros(1, np.float32))  # both begin together
            began = time.perf_counter()
            parallel.total(team, part)
            times.append(time.perf_counter() - began)
        found[str(length)] = min(times)
    return found


def main() -> None:
    """On two ranks."""
    facts = {"command": "python chapters/measured/messages.py", "seconds": on_ranks(2, __file__), "where": where()}
    (HERE / "messages.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["rank"]:
        main()
    else:
        with parallel.joined() as both:
            assert both is not None, "run it without a word: it starts its ranks itself"
            result = shortest(both)
            if both.rank == 0:
                print(json.dumps(result))
