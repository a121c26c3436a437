"""Chapter 11's remedies against gridding, trained: `python chapters/measured/gridding.py` writes gridding.json.

Four digits of the embedded set lie on a canvas under noise, and every pixel is to be told the digit that its ink belongs to.
Networks with about 7,000 weights see the canvas through layers of different dilations. A seed sets the first weights and the
canvases, alike for all kinds; as many steps for each. Measured on canvases with digits that training never sees: the share of
inked pixels that are named right, the share of neighbours in the ink of one digit that are named differently, and `gridding` of
the outputs (before the softmax) with period 2. What seed 0 makes of the first canvas is stored to be drawn. It takes
about six minutes of one core. The same machine and number of threads give the same file; other machines round differently.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
import minidil.functional as F
from minidil import nn

SEEDS, STEPS, BATCH, LR, WIDTH, THREADS = (0, 1, 2), 400, 8, 1e-2, 12, 1
SIDE, DIGITS, NOISE, HELD_OUT = 24, 4, 0.3, 200


def canvases(rng: np.random.Generator, count: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """(count, 1, SIDE, SIDE) numbers, and for each pixel 0 for the ground or 1 + the digit whose ink it is."""
    data = md.data.digits(split)
    pictures = np.zeros((count, 1, SIDE, SIDE), np.float32)
    labels = np.zeros((count, SIDE, SIDE), np.int64)
    for n in range(count):
        for cell, which in enumerate(rng.integers(0, len(data), DIGITS)):
            row, column = np.array(divmod(cell, 2)) * 12 + rng.integers(0, 5, 2)  # 8 x 8 somewhere in a cell of 12 x 12
            ink = data.images[which, 0] / np.float32(255)
            pictures[n, 0, row : row + 8, column : column + 8] = ink
            labels[n, row : row + 8, column : column + 8] = np.where(ink > 0.3, 1 + data.labels[which], 0)
    return pictures + NOISE * rng.standard_normal(pictures.shape, dtype=np.float32), labels


def layer(conv: nn.Module) -> list[nn.Module]:
    return [conv, nn.BatchNorm2d(WIDTH, activation="relu")]


def stack(dilations: tuple[int, ...], before: int, rng: np.random.Generator, **smoothing: str) -> nn.Sequential:
    """Layers of 3 x 3 with these dilations, each with batch norm and ReLU."""
    model = nn.Sequential()
    for d in dilations:
        if smoothing:
            model.extend(layer(nn.SmoothedDilation(before, WIDTH, 3, d, bias=False, rng=rng, **smoothing)))
        else:
            model.extend(layer(nn.Conv2d(before, WIDTH, 3, padding="same", dilation=d, bias=False, rng=rng)))
        before = WIDTH
    return model


def degridded(rng: np.random.Generator, around: bool) -> nn.Sequential:
    tail = md.models.degridding(WIDTH, 4, rng=rng)
    return nn.Sequential(stack((2, 4), 1, rng), nn.Residual(tail) if around else tail)


def pyramid(rng: np.random.Generator, rates: tuple[int, ...]) -> nn.Sequential:
    return nn.Sequential(stack((2, 2, 2), 1, rng), md.models.ASPP(WIDTH, 10, rates, rng=rng))


PLANNED = md.analysis.plan(25, 3, depth=6).dilations
KINDS: dict[str, Callable[[np.random.Generator], nn.Module]] = {
    "undilated 1 1 1 1 1 1": lambda rng: stack((1,) * 6, 1, rng),
    "dilated 2 2 2 2 2 2": lambda rng: stack((2,) * 6, 1, rng),
    "hybrid 1 2 3 1 2 3": lambda rng: stack((1, 2, 3, 1, 2, 3), 1, rng),
    f"planned {' '.join(map(str, PLANNED))}": lambda rng: stack(PLANNED, 1, rng),
    "degridded 2 4, 2 2 1 1": lambda rng: degridded(rng, around=False),
    "the same, with a way around": lambda rng: degridded(rng, around=True),
    "dilated, shared filters": lambda rng: stack((2,) * 6, 1, rng, smoothing="shared"),
    "hybrid 1 2 3 3 4 5": lambda rng: stack((1, 2, 3, 3, 4, 5), 1, rng),  # the field that shared filters have
    "dilated, phases mixed": lambda rng: stack((2,) * 6, 1, rng, smoothing="interaction"),
    "2 2 2, pyramid of 2 4 6": lambda rng: pyramid(rng, (2, 4, 6)),
    "2 2 2, pyramid of 1 2 3": lambda rng: pyramid(rng, (1, 2, 3)),
}


def make(kind: str, seed: int) -> nn.Sequential:
    """An untrained network of this kind, with a vote of every pixel over eleven classes."""
    rng = np.random.default_rng(seed)
    body = KINDS[kind](rng)
    last = 10 if "pyramid" in kind else WIDTH
    return nn.Sequential(body, nn.Conv2d(last, 11, 1, rng=rng))


def trained(kind: str, seed: int, steps: int = STEPS) -> nn.Sequential:
    """The network after so many steps of Adam on fresh canvases; the rate falls evenly to 0."""
    model, rng = make(kind, seed), np.random.default_rng(1000 + seed)
    optimizer = md.optim.Adam(model.parameters(), lr=LR)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = LR * (1 - step / steps)
        pictures, labels = canvases(rng, BATCH, "train")
        optimizer.zero_grad()
        F.cross_entropy(model(md.tensor(pictures)), labels).backward()
        optimizer.step()
    return model.eval()


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """Canvases that no training draws."""
    return canvases(np.random.default_rng(10**6), HELD_OUT, "test")


def judge(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How well, and how evenly, the pixels are named."""
    loss = F.cross_entropy(logits, labels).item()
    named, ink = logits.argmax(axis=1), labels > 0
    differing, pairs = 0, 0
    for axis in (1, 2):
        a, b = np.delete(np.stack([named, labels]), 0, axis + 1), np.delete(np.stack([named, labels]), -1, axis + 1)
        same = (a[1] == b[1]) & (a[1] > 0)
        differing, pairs = differing + int((a[0] != b[0])[same].sum()), pairs + int(same.sum())
    found = md.analysis.gridding(logits, 2)
    return {
        "loss": loss,
        "right": float((named == labels)[ink].mean()),
        "torn": differing / pairs,
        "share": found.share,
        "noise": found.noise,
        "roughness": found.roughness,
    }


def facts(task: tuple[int, str]) -> dict[str, Any]:
    """What is stored of the network with this seed and of this kind."""
    seed, kind = task
    md.set_num_threads(THREADS)
    model = trained(kind, seed)
    pictures, labels = held_out()
    with md.no_grad():
        logits = model(md.tensor(pictures)).numpy()
    rounded = {name: float(f"{value:.4g}") for name, value in judge(logits, labels).items()}
    facts: dict[str, Any] = {
        "kind": kind,
        "seed": seed,
        "parameters": sum(p.size for p in model.parameters()),
        **rounded,
    }
    if seed == SEEDS[0]:
        facts["named"] = ["".join(".0123456789"[k] for k in row) for row in logits[0].argmax(axis=0)]
    return facts


def main() -> None:
    """Train all networks, two at a time, and write what is compared."""
    labels = held_out()[1]
    truth = md.analysis.gridding(np.moveaxis(np.eye(11)[labels], -1, 1), 2)
    settings = {"steps": STEPS, "batch": BATCH, "lr": LR, "width": WIDTH, "threads": THREADS, "side": SIDE}
    results: dict[str, Any] = {**settings, "noise_on_pixels": NOISE, "held_out": HELD_OUT, "seeds": list(SEEDS)}
    results["truth"] = {"share": float(f"{truth.share:.4g}"), "roughness": float(f"{truth.roughness:.4g}")}
    results["answers"] = ["".join(".0123456789"[k] for k in row) for row in labels[0]]
    results["networks"] = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for found in pool.map(facts, product(SEEDS, KINDS)):
            results["networks"].append(found)
            print(*list(found.values())[:9], flush=True)
            Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
