"""Where warm-up was looked for in vain: `python chapters/measured/warmup_search.py` writes warmup_search.json.

Twenty linear layers of 64 units with ReLU and He's weights on the digits, 300 steps on batches of 64, half a cosine down,
with and without 60 steps of warm-up, three seeds for the weights and the batches. About five minutes on one core. The same
machine and number of threads give the same file; other machines round differently, and runs near their limit are chaotic.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
import minidil.functional as F
from minidil import nn

RATES = {"Adam": (0.001, 0.002, 0.004, 0.008, 0.016), "SGD, momentum 0.9": (0.01, 0.02, 0.04)}
WARMUPS, SEEDS, STEPS = (0, 60), (0, 1, 2), 300


def network(seed: int) -> Any:
    """Twenty layers, not normalised."""
    rng = np.random.default_rng(seed)
    hidden = [layer for _ in range(20) for layer in (nn.Linear(64, 64, rng=rng), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(64, 10, rng=rng))


def accuracy(kind: str, rate: float, warmup: int, seed: int) -> float:
    """The test accuracy of one run; a tenth if its loss overflows."""
    sets = {part: md.data.digits(part) for part in ("train", "test")}
    pixels = {part: sets[part].images.reshape(len(sets[part]), 64) / np.float32(255) for part in sets}
    mean, deviation = pixels["train"].mean(), pixels["train"].std()
    model = network(seed)
    optimizer: Any = (
        md.optim.Adam(model.parameters(), lr=rate)
        if kind == "Adam"
        else md.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    )
    schedule: Any = md.schedule.Cosine(optimizer, STEPS - warmup)
    if warmup:
        schedule = md.schedule.Warmup(optimizer, warmup, then=schedule)
    order = np.random.default_rng(100 + seed)
    for _ in range(STEPS):
        rows = order.integers(0, len(pixels["train"]), 64)
        x = md.tensor((pixels["train"][rows] - mean) / deviation)
        loss = F.cross_entropy(model(x), target=sets["train"].labels[rows])
        if not np.isfinite(loss.item()):
            return 0.1
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with md.no_grad():
        named = model(md.tensor((pixels["test"] - mean) / deviation)).numpy().argmax(axis=1)
    return round(float((named == sets["test"].labels).mean()), 3)


def main() -> None:
    """Run every setting and write the accuracies."""
    md.set_num_threads(1)
    rows = []
    for kind, rates in RATES.items():
        for rate in rates:
            with np.errstate(all="ignore"):
                accuracies = {w: [accuracy(kind, rate, w, seed) for seed in SEEDS] for w in WARMUPS}
            row = {"optimizer": kind, "rate": rate, "without": accuracies[0], "with warm-up": accuracies[60]}
            rows.append(row)
            print(row, flush=True)
    result = {"layers": 20, "steps": STEPS, "warmup": 60, "threads": 1, "seeds": list(SEEDS), "runs": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
