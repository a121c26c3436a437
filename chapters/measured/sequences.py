"""Memory: `python chapters/measured/sequences.py TASK ... SEED ... [KIND ...]` adds to sequences.json.

The tasks are the keys of TASKS, the kinds those of KINDS, all if none is given. For each task: a TCN with growing dilations, its
twin whose dilations are all 1, and an LSTM with as many parameters as their nearest number of cells allows; as many steps, the
same batches. A seed sets the first weights and the sequences. What is measured was never learnt. A TCN that answers at the last
step is trained through `models.last_answer`, which computes nothing else, and measured whole. Stored with each network: its
parameters, the mean loss of every EVERY steps, processor seconds of the whole training, and when its loss first fell below a
tenth of what the best answer without memory costs.
Source of the tasks: Bai, Kolter & Koltun 2018, arXiv:1803.01271.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
import minidil.functional as F
from minidil import data, models, nn
from minidil.train import evaluate

EVERY, THREADS, KINDS = 25, 1, ("dilated", "undilated", "lstm")
FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Task:
    """One of the tasks, with the settings of its networks and of their training.

    loaders: of a seed, what is learnt from and what is measured on. without: what the best answer without memory costs, if it is
    a formula. outputs: numbers at a step. dilations: of the dilated one. cells: of the LSTM. deviation: of the first weights of
    the convolutions, if it is not that of He et al.
    """

    loaders: Callable[[int], tuple[Any, Any]]
    outputs: int
    in_channels: int
    width: int
    kernel_size: int
    dilations: tuple[int, ...]
    cells: int
    steps: int
    lr: float
    answers: str = "last"
    loss: Any = F.cross_entropy
    without: float | None = None
    deviation: float | None = None

    def make(self, kind: str, seed: int) -> nn.Module:
        """An untrained network: "dilated", "undilated" or "lstm"."""
        shared: dict[str, Any] = {"in_channels": self.in_channels, "answers": self.answers}
        rng = np.random.default_rng(seed)
        if kind == "lstm":
            return models.lstm(self.outputs, width=self.cells, rng=rng, **shared)
        dilations = self.dilations if kind == "dilated" else (1,) * len(self.dilations)
        window: dict[str, Any] = {"width": self.width, "kernel_size": self.kernel_size, "dilations": dilations}
        model = models.tcn(self.outputs, weight_norm=False, rng=rng, **window, **shared)
        for conv in (each for each in model.modules() if self.deviation and isinstance(each, nn.Conv1d)):
            conv.weight.data = rng.normal(0, self.deviation, conv.weight.shape).astype(np.float32)
        return model


def drawn(draw: data.Draw, batch_size: int) -> Callable[[int], tuple[Any, Any]]:
    """Fresh sequences to learn from, and 1,000 that are measured on."""
    return lambda seed: (data.Drawn(draw, batch_size, 10**6, seed), data.Drawn(draw, 100, 10, 10**6))


def pixels(name: str, count: int | None, permuted: int | None) -> Callable[[int], tuple[Any, Any]]:
    """The images of a set as rows of pixels: the first `count` to learn from, and the test set."""

    def loaders(seed: int) -> tuple[Any, Any]:
        train, test = (data.load(name, split) for split in ("train", "test"))
        learn = data.sequential(train[:count], permuted)
        return (
            data.DataLoader(learn, 32, shuffle=True, drop_last=True, seed=seed),
            data.DataLoader(data.sequential(test, permuted), 100),
        )

    return loaders


_DIGITS: dict[str, Any] = {
    "outputs": 10,
    "in_channels": 1,
    "width": 16,
    "kernel_size": 3,
    "dilations": (1, 2, 4, 8, 16),
    "cells": 40,
    "steps": 900,
    "lr": 5e-3,
}
_MNIST: dict[str, Any] = {
    "outputs": 10,
    "in_channels": 1,
    "width": 16,
    "kernel_size": 8,
    "dilations": (1, 2, 4, 8, 16, 32),
    "cells": 73,
    "steps": 1300,
    "lr": 3e-3,
}
TASKS = {
    "copy": Task(
        drawn(data.copy_memory(500), 16),
        outputs=10,
        in_channels=1,
        width=10,
        kernel_size=8,
        dilations=(1, 2, 4, 8, 16, 32),
        cells=45,
        steps=800,
        lr=5e-3,
        answers="every",
        without=data.memoryless(500),
    ),
    "adding": Task(
        drawn(data.adding(200), 32),
        outputs=1,
        in_channels=2,
        width=16,
        kernel_size=6,
        dilations=(1, 2, 4, 8, 16),
        cells=58,
        steps=1000,
        lr=4e-3,
        loss=F.mse_loss,
        without=1 / 6,
    ),
    "adding 600": Task(
        drawn(data.adding(600), 32),
        outputs=1,
        in_channels=2,
        width=16,
        kernel_size=6,
        dilations=(1, 2, 4, 8, 16, 32),
        cells=64,
        steps=1500,
        lr=2e-3,
        loss=F.mse_loss,
        without=1 / 6,
        deviation=0.05,
    ),
    "digits": Task(pixels("digits", None, None), **_DIGITS),
    "permuted digits": Task(pixels("digits", None, 0), **_DIGITS),
    "mnist": Task(pixels("mnist", None, None), **_MNIST),
    "mnist 6000": Task(pixels("mnist", None, None), **(_MNIST | {"steps": 6000})),
    "permuted mnist": Task(pixels("mnist", None, 0), **_MNIST),
    "permuted mnist 6000": Task(pixels("mnist", None, 0), **(_MNIST | {"steps": 6000})),
}


def forever(loader: Any) -> Iterator[tuple[Any, Any]]:
    """The batches of one epoch after the other."""
    epoch = 0
    while True:
        yield from loader.batches(epoch)
        epoch += 1


def trained(task: Task, kind: str, seed: int) -> dict[str, Any]:
    """What is stored of one network. Adam; the rate falls evenly to 0 from half of the steps on."""
    model = task.make(kind, seed)
    learn, measure = task.loaders(seed)
    optimizer = md.optim.Adam(model.parameters(), lr=task.lr)
    answer: Any = partial(models.last_answer, model) if task.answers == "last" and kind != "lstm" else model
    losses, started = list[float](), time.process_time()
    for step, (x, y) in zip(range(task.steps), forever(learn), strict=False):
        optimizer.param_groups[0]["lr"] = task.lr * min(1, 2 * (1 - step / task.steps))
        loss = task.loss(answer(md.tensor(x)), y)
        optimizer.zero_grad()
        loss.backward()
        md.optim.clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    seconds = time.process_time() - started
    curve = np.reshape(losses, (-1, EVERY)).mean(axis=1)
    found = {name: float(f"{value:.4g}") for name, value in evaluate(model, measure, loss=task.loss)._asdict().items()}
    solved = np.flatnonzero(curve < (task.without or 0) / 10)
    return {
        "kind": kind,
        "seed": seed,
        "parameters": sum(each.size for each in model.parameters()),
        **found,
        "seconds": round(seconds, 1),
        "solved": int(EVERY * (1 + solved[0])) if solved.size else None,
        "curve": [float(f"{each:.4g}") for each in curve],
    }


def main(names: list[str], seeds: list[int], kinds: Sequence[str]) -> None:
    """Train the networks of these tasks, seeds and kinds, and write what is compared after each."""
    md.set_num_threads(THREADS)
    for seed, name, kind in product(seeds, names, kinds):
        task = TASKS[name]
        found = trained(task, kind, seed)
        print(name, {key: value for key, value in found.items() if key != "curve"}, flush=True)
        results = json.loads(FILE.read_text()) if FILE.exists() else {"every": EVERY, "threads": THREADS}
        results["where"] = {"python": platform.python_version(), "numpy": np.__version__}
        found["command"] = f"python chapters/measured/sequences.py {name!r} {seed} {kind}"
        settings = {
            key: getattr(task, key)
            for key in ("steps", "lr", "width", "kernel_size", "dilations", "cells", "deviation")
        }
        networks = results.get(name, {}).get("networks", [])
        kept = [each for each in networks if (each["kind"], each["seed"]) != (kind, seed)]
        results[name] = settings | {"without": task.without, "networks": [*kept, found]}
        FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    words = sys.argv[1:]
    tasks, wanted = ([word for word in words if word in known] for known in (TASKS, KINDS))
    main(tasks, [int(word) for word in words if word.isdecimal()], wanted or KINDS)
