"""The CRF beside pytorch-crf: `python chapters/measured/crf.py` writes crf.json, where torch and pytorch-crf are installed.

Milliseconds of one processor for the loss with its gradients, and for the best paths, of 13 tags and sentences of random
lengths: the median of some rounds in which the two take turns, with one thread.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchcrf

import minidil as md

HERE = Path(__file__).parent
TAGS, ROUNDS, PAUSE = 13, 15, 0.02  # seconds between two measurements
SHAPES = ((20, 1), (20, 16), (40, 32), (100, 32))  # steps and sentences


def contestants(steps: int, sentences: int) -> dict[str, Callable[[], Any]]:
    """What is timed, with the same numbers on both sides, whose answers are the same."""
    rng = np.random.default_rng(0)
    emissions = rng.standard_normal((steps, sentences, TAGS)).astype(np.float32)
    tags, mask = (
        rng.integers(0, TAGS, (steps, sentences)),
        np.arange(steps)[:, None] < rng.integers(1, steps + 1, sentences),
    )
    ours, theirs = md.nn.CRF(TAGS), torchcrf.CRF(TAGS)
    theirs.load_state_dict({name: torch.tensor(value) for name, value in ours.state_dict().items()})
    x, y = md.tensor(emissions, requires_grad=True), torch.tensor(emissions, requires_grad=True)
    their_tags, their_mask = torch.tensor(tags), torch.tensor(mask)

    def our_loss() -> Any:
        ours.zero_grad()
        x.grad = None
        ours(x, tags, mask, reduction="sum").backward()
        return x.grad.numpy()

    def their_loss() -> Any:
        theirs.zero_grad()
        y.grad = None
        (-theirs(y, their_tags, their_mask, reduction="sum")).backward()
        return y.grad.numpy()

    def our_paths() -> Any:
        return ours.decode(x, mask)

    def their_paths() -> Any:
        with torch.no_grad():
            return theirs.decode(y, their_mask)

    np.testing.assert_allclose(our_loss(), their_loss(), atol=1e-4)
    assert our_paths() == their_paths()
    return {
        "loss": our_loss,
        "loss_of_pytorch_crf": their_loss,
        "paths": our_paths,
        "paths_of_pytorch_crf": their_paths,
    }


def main() -> None:
    """Measure every shape."""
    torch.set_num_threads(1)
    md.set_num_threads(1)
    rows = []
    for steps, sentences in SHAPES:
        timed = contestants(steps, sentences)
        spent: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(ROUNDS):
            for name, run in timed.items():
                started = time.process_time()
                run()
                spent[name].append(1e3 * (time.process_time() - started))
                time.sleep(PAUSE)
        rows.append(
            {"steps": steps, "sentences": sentences} | {k: round(statistics.median(v), 2) for k, v in spent.items()}
        )
        print(rows[-1], flush=True)
    packages = ("numpy", "numba", "torch", "pytorch-crf")
    where = {"python": platform.python_version()} | {name: version(name) for name in packages}
    found = {"tags": TAGS, "rounds": ROUNDS, "threads": 1, "milliseconds": rows, "where": where}
    (HERE / "crf.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
