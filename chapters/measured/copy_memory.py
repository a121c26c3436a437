"""Chapter 11's copy memory from three seeds: `python chapters/measured/copy_memory.py` writes copy_memory.json.

A seed sets the first weights and the sequences, alike for the network with dilations 1, 2, 4, 8, 16 and for its twin whose
dilations are all 1: as many weights, as many steps, the same batches. Task, network and training are those of the chapter.
It takes about a minute of one core a network. The same machine and number of threads give the same file; other machines
round differently.
Source: Bai, Kolter & Koltun 2018, arXiv:1803.01271.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
import minidil.functional as F
from minidil import nn

SEEDS, STEPS, BATCH, LR, GAP, THREADS = (0, 1, 2), 1500, 32, 5e-3, 100, 1
TOLD, WIDTH, TAPS = 10, 10, 8
DILATIONS = {"dilated": (1, 2, 4, 8, 16), "undilated": (1, 1, 1, 1, 1)}
EVERY, HELD_OUT = 50, 1000


def sequences(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, 1, GAP + 20) numbers to hear and (count, GAP + 20) classes to say: ten of 1 .. 8, silence, and the ten again."""
    digits = rng.integers(1, 9, (count, TOLD))
    heard = np.zeros((count, 1, GAP + 2 * TOLD), np.float32)
    heard[:, 0, :TOLD] = digits
    heard[:, 0, -TOLD - 1 :] = 9
    said = np.zeros((count, GAP + 2 * TOLD), np.int64)
    said[:, -TOLD:] = digits
    return heard, said


def make(kind: str, seed: int) -> nn.Sequential:
    """An untrained network of this kind: five residual blocks of two causal convolutions, and a vote over ten classes."""
    rng = np.random.default_rng(seed)
    model, before = nn.Sequential(), 1
    for d in DILATIONS[kind]:
        body = nn.Sequential(
            nn.Conv1d(before, WIDTH, TAPS, padding="causal", dilation=d, rng=rng),
            nn.ReLU(),
            nn.Conv1d(WIDTH, WIDTH, TAPS, padding="causal", dilation=d, rng=rng),
            nn.ReLU(),
        )
        shortcut = None if before == WIDTH else nn.Conv1d(before, WIDTH, 1, rng=rng)
        model.append(nn.Residual(body, shortcut))
        model.append(nn.ReLU())
        before = WIDTH
    return model.append(nn.Conv1d(WIDTH, 10, 1, rng=rng))


def judge(model: nn.Module) -> tuple[float, float]:
    """Loss per position, and the share of the ten that is said right, on sequences that training never draws."""
    heard, said = sequences(np.random.default_rng(10**6), HELD_OUT)
    with md.no_grad():
        logits = model(md.tensor(heard))
        loss = F.cross_entropy(logits, said).item()
    right = logits.numpy()[:, :, -TOLD:].argmax(axis=1) == said[:, -TOLD:]
    return loss, float(right.mean())


def trained(kind: str, seed: int, steps: int = STEPS) -> tuple[nn.Module, list[float]]:
    """The network after so many steps of Adam on fresh sequences, and the mean loss of every EVERY of them.

    The learning rate is LR for half of STEPS, and falls evenly to 0 from there.
    """
    model, rng = make(kind, seed), np.random.default_rng(1000 + seed)
    optimizer = md.optim.Adam(model.parameters(), lr=LR)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = LR * min(1, 2 * (1 - step / STEPS))
        heard, said = sequences(rng, BATCH)
        loss = F.cross_entropy(model(md.tensor(heard)), said)
        optimizer.zero_grad()
        loss.backward()
        md.optim.clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return model, np.reshape(losses[: steps // EVERY * EVERY], (-1, EVERY)).mean(axis=1).tolist()


def facts(task: tuple[int, str]) -> dict[str, Any]:
    """What is stored of the network with this seed and of this kind."""
    seed, kind = task
    md.set_num_threads(THREADS)
    model, losses = trained(kind, seed)
    loss, recall = judge(model)
    rounded = {
        "loss": float(f"{loss:.4g}"),
        "recall": round(recall, 4),
        "curve": [float(f"{each:.4g}") for each in losses],
    }
    return {"kind": kind, "seed": seed, "parameters": sum(p.size for p in model.parameters()), **rounded}


def main() -> None:
    """Train six networks, three at a time, and write what is compared."""
    settings = {"steps": STEPS, "batch": BATCH, "lr": LR, "gap": GAP, "threads": THREADS, "every": EVERY}
    results: dict[str, Any] = {**settings, "held_out": HELD_OUT, "seeds": list(SEEDS), "networks": []}
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        for found in pool.map(facts, product(SEEDS, DILATIONS)):
            results["networks"].append(found)
            print(found["kind"], found["seed"], found["loss"], found["recall"], flush=True)
            Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
