"""Two ranks that train: `python chapters/measured/ranks.py` writes ranks.json.

It needs mpi4py, an mpiexec beside this Python, and CIFAR-10. vgg_small learns by `train.fit` from CIFAR-10 in batches of 128,
padded, cropped and mirrored, on one rank and on two, each of one thread, in turns. Of STEPS steps after the first WARM the file
has, of each turn, the mean seconds of a step by the clock, and of every rank those of its processor. The first grow when others
want the processors; the second do not, and lack the time that a rank sleeps until the others are there. The preparation of a
batch, which every rank does for the whole of it, is in both, and once more by itself.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import data, models, optim, parallel, train
from minidil.data import transforms

HERE = Path(__file__).parent
STEPS, WARM, TURNS, BATCH = 10, 2, 4, 128


class Clock(train.Callback):
    """Both clocks after every step."""

    def __init__(self) -> None:
        self.times = list[tuple[float, float]]()

    def on_batch_end(self, run: train.Run) -> None:
        self.times.append((time.perf_counter(), time.process_time()))

    def per_step(self) -> tuple[float, float]:
        """Mean seconds of a step, by the clock and of this process, without the first steps."""
        (wall, own), (wall_end, own_end) = self.times[WARM - 1], self.times[-1]
        return (wall_end - wall) / STEPS, (own_end - own) / STEPS


def training(team: Any) -> dict[str, Any]:
    """What a step takes."""
    images = data.cifar10("train")[: (WARM + STEPS) * BATCH]
    changes = [transforms.Normalize(images.mean(), images.std()), transforms.PadCrop(4), transforms.Flip()]
    loader = data.DataLoader(images, BATCH, shuffle=True, transforms=changes)
    md.seed(0)
    model, clock = models.vgg_small(), Clock()
    optimizer = optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True)
    history = train.fit(model, loader, None, optimizer, epochs=1, callbacks=[clock], progress=False, team=team)
    wall, own = clock.per_step()
    every = np.eye(1 if team is None else team.size)[0 if team is None else team.rank] * own
    own_of_all = every if team is None else parallel.total(team, every)
    began = time.process_time()
    prepared = sum(1 for _ in loader.batches(1))
    return {
        "step_seconds": wall,
        "processor_seconds": own_of_all.tolist(),
        "train_loss": history.rows[-1]["train_loss"],
        "batch_processor_seconds": (time.process_time() - began) / prepared,
    }


def on_ranks(count: int, script: str) -> Any:
    """What rank 0 of so many prints, each of one thread."""
    mpiexec = Path(sys.executable).with_name("mpiexec")
    command = [str(mpiexec), "-n", str(count), sys.executable, script, "rank"]
    answer = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, text=True, env=os.environ | {"NUMBA_NUM_THREADS": "1"}
    )
    return json.loads(answer.stdout.splitlines()[-1])  # others may say that kernels are compiled


def where() -> dict[str, Any]:
    """The machine and what else it does."""
    version = subprocess.run(
        [str(Path(sys.executable).with_name("mpichversion"))], stdout=subprocess.PIPE, check=True, text=True
    )
    return {
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "mpi": version.stdout.split("\n")[0].split()[-1],
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def main() -> None:
    """One rank and two, in turns."""
    turns = [{str(count): on_ranks(count, __file__) for count in (1, 2)} for _ in range(TURNS)]
    facts = {"command": "python chapters/measured/ranks.py", "batch": BATCH, "steps": STEPS, "turns": turns}
    (HERE / "ranks.json").write_text(json.dumps(facts | {"where": where()}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["rank"]:
        main()
    else:
        with parallel.joined() as ranks:
            result = training(ranks)
            if ranks is None or ranks.rank == 0:
                print(json.dumps(result))
