"""Chapter 11's taps that learn where to stand: `python chapters/measured/spacings.py RUNS` writes spacings.json.

A small network in the manner of ConvNeXt names pictures of CIFAR-10: three blocks on maps of 16 x 16, each a convolution of
every channel by itself and two of 1 x 1 around a ReLU. The kinds differ in the convolution of the channels alone (`KERNELS`): 49
weights in a dense or a dilated kernel, or 16 weights and 32 positions, which learn or stay where they were drawn. The dense
kernel that costs what 16 such taps cost is clocked only. A seed sets the first weights, those outside of these convolutions alike
for all kinds, the order of the pictures, and which are mirrored. As many steps for each; positions have five times the rate and
no decay.

`... RUNS rates` tries the rate, in 250 steps each, on 5,000 training pictures that no training sees; `... RUNS KIND
SEED` trains one network, in about a minute, and measures it once on the official test set. Each leaves a file in
the folder RUNS, and is not done again; without KIND all that is missing is done. It needs CIFAR-10 (`minidil data get cifar10`)
and one thread. The same machine gives the same file but for its seconds; other machines round differently.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
import minidil.functional as F
from minidil import nn
from minidil.array import Array

SEEDS, STEPS, BATCH, WIDTH, BLOCKS, THREADS = (0, 1, 2), 800, 32, 32, 3, 1
LR, TRIED, DECAY, OF_POSITIONS = 1e-2, (1e-3, 3e-3, 1e-2), 0.05, 5  # positions have so many times the rate
TAPS, REACH, TRIAL, ROUNDS = 16, 13, 250, 40  # steps with each rate, and those that are clocked

Make = Callable[[np.random.Generator], nn.Module]


def dense(size: int, dilation: int = 1) -> Make:
    """The convolution of each channel by itself, with a kernel size x size."""
    return lambda rng: nn.Conv2d(
        WIDTH, WIDTH, size, padding="same", dilation=dilation, groups=WIDTH, bias=False, rng=rng
    )


def placed(rng: np.random.Generator) -> nn.Dcls2d:
    """The same with taps whose positions learn."""
    return nn.Dcls2d(WIDTH, WIDTH, TAPS, REACH, padding="same", groups=WIDTH, bias=False, rng=rng)


def still(rng: np.random.Generator) -> nn.Dcls2d:
    """The same with positions that stay where they were drawn."""
    layer = placed(rng)
    layer.positions.requires_grad = False
    return layer


KERNELS: dict[str, Make] = {
    "dense": dense(7),
    "dilated": dense(7, dilation=2),
    "learnt": placed,
    "still": still,
    "wide": dense(REACH),
}


TRAINED = ("dense", "dilated", "learnt", "still")  # the other is only clocked


def make(kind: str, seed: int) -> nn.Sequential:
    """An untrained network of this kind."""
    rng, of_kernels = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    model = nn.Sequential(nn.Conv2d(3, WIDTH, 2, 2, bias=False, rng=rng), nn.BatchNorm2d(WIDTH))
    for _ in range(BLOCKS):
        body = nn.Sequential(
            KERNELS[kind](of_kernels),
            nn.BatchNorm2d(WIDTH),
            nn.Conv2d(WIDTH, 2 * WIDTH, 1, rng=rng),
            nn.ReLU(),
            nn.Conv2d(2 * WIDTH, WIDTH, 1, rng=rng),
        )
        model.append(nn.Residual(body))
    return model.extend([nn.BatchNorm2d(WIDTH), nn.GlobalAvgPool(), nn.Flatten(), nn.Linear(WIDTH, 10, rng=rng)])


def spacings(model: nn.Module) -> list[nn.Dcls2d]:
    """The layers that have positions, the first block's first."""
    return [module for module in model.modules() if isinstance(module, nn.Dcls2d)]


def learning(module: nn.Module) -> int:
    """How many numbers of it learn."""
    return sum(each.size for each in module.parameters() if each.requires_grad)


def optimizer_of(model: nn.Module, lr: float) -> md.optim.AdamW:
    """AdamW, with the rate of the authors for the positions."""
    positions = [each for name, each in model.named_parameters() if each.requires_grad and "positions" in name]
    others = [each for name, each in model.named_parameters() if each.requires_grad and "positions" not in name]
    groups: list[dict[str, Any]] = [{"params": others}]
    if positions:
        groups.append({"params": positions, "lr": OF_POSITIONS * lr, "weight_decay": 0.0})
    return md.optim.AdamW(groups, lr=lr, weight_decay=DECAY)


@cache
def data() -> tuple[Any, Any, Any]:
    """What is learnt from, what is held out of it, and the normalisation."""
    held_out, train = md.data.split(md.data.load("cifar10", "train"), 0.1, seed=0)
    return train, held_out, md.data.transforms.Normalize(train.mean(), train.std())


def endless(loader: md.data.DataLoader) -> Iterator[Any]:
    """The batches of one epoch after the other."""
    while True:
        yield from loader


def step(model: nn.Module, optimizer: md.optim.AdamW, images: Array, labels: Array) -> float:
    """One step; the loss before it."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(md.tensor(images)), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def trained(model: nn.Module, seed: int, lr: float, steps: int) -> float:
    """Train it; the mean loss of the last tenth of the steps."""
    train, _, normalise = data()
    augment = [normalise, md.data.transforms.Flip()]
    batches = endless(md.data.DataLoader(train, BATCH, shuffle=True, drop_last=True, transforms=augment, seed=seed))
    optimizer, losses = optimizer_of(model, lr), list[float]()
    schedule = md.schedule.OneCycle(optimizer, steps)
    for _ in range(steps):
        losses.append(step(model, optimizer, *next(batches)))
        schedule.step()
    return float(np.mean(losses[-steps // 10 :]))


def judged(model: nn.Module, pictures: Any) -> dict[str, float]:
    """Accuracy and loss."""
    found = md.train.evaluate(model, md.data.DataLoader(pictures, 250, transforms=[data()[2]]))
    return {"accuracy": round(found.accuracy, 4), "loss": round(found.loss, 4)}


def rates() -> list[dict[str, Any]]:
    """A fixed and a learnt kernel at each rate, from a seed of their own."""
    found = list[dict[str, Any]]()
    for kind in ("dense", "learnt"):
        for lr in TRIED:
            model = make(kind, 9)
            trained(model, 9, lr, TRIAL)
            found.append({"kind": kind, "lr": lr, **judged(model, data()[1])})
    return found


def places(layer: nn.Dcls2d) -> Array:
    """Positions (2, channels, taps) from the middle, those beyond the border on it, as the kernel has them."""
    middle = (REACH - 1) / 2
    return np.clip(layer.positions.numpy()[:, :, 0], -middle, middle)


def facts(kind: str, seed: int) -> dict[str, Any]:
    """Of one trained network what is stored."""
    model = make(kind, seed)
    first = [places(layer) for layer in spacings(model)]
    train_loss = trained(model, seed, LR, STEPS)
    block = model[2]
    assert isinstance(block, nn.Residual)
    assert isinstance(block.body, nn.Sequential)
    found: dict[str, Any] = {
        "kind": kind,
        "seed": seed,
        "parameters": learning(model),
        "of_a_kernel": learning(block.body[0]),
    }
    found |= {"train_loss": round(train_loss, 4), **judged(model, md.data.load("cifar10", "test"))}
    return found | (travels(first, spacings(model), seed == SEEDS[0]) if kind == "learnt" else {})


def lines(*axes: Array) -> list[list[str]]:
    """The taps of each channel as a line of numbers, for each axis."""
    return [[" ".join(f"{number:.2f}" for number in channel) for channel in axis] for axis in axes]


def travels(first: list[Array], layers: list[nn.Dcls2d], drawn: bool) -> dict[str, Any]:
    """How far the taps of each layer went, and how far from the middle they were and are; the second layer to be drawn."""
    last = [places(layer) for layer in layers]

    def mean(found: list[Array]) -> list[float]:
        return [round(float(np.hypot(*each).mean()), 3) for each in found]

    found: dict[str, Any] = {"moved": mean([b - a for a, b in zip(first, last, strict=True)])}
    found["from_middle"] = {"first": mean(first), "last": mean(last)}
    if drawn:
        weights = layers[1].weight.numpy()[:, 0]
        found["drawn"] = {"first": lines(*first[1]), "last": lines(*last[1]), "weights": lines(weights)}
    return found


def clocked() -> dict[str, dict[str, float]]:
    """Milliseconds of processor time of a step, one of each kind after the other."""
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((BATCH, 3, 32, 32), dtype=np.float32), rng.integers(0, 10, BATCH)
    models = {kind: make(kind, 0) for kind in KERNELS}
    optimizers = {kind: optimizer_of(model, 1e-6) for kind, model in models.items()}
    took: dict[str, list[float]] = {kind: [] for kind in KERNELS}
    for _ in range(ROUNDS):
        for kind, model in models.items():
            time.sleep(0.02)
            begin = time.thread_time()
            step(model, optimizers[kind], images, labels)
            took[kind].append(1000 * (time.thread_time() - begin))
    return {kind: {"median": round(float(np.median(t)), 1), "least": round(min(t), 1)} for kind, t in took.items()}


def stored(path: Path, make_it: Callable[[], Any]) -> Any:
    """What is in a file, made first where it is missing."""
    if not path.exists():
        path.write_text(json.dumps(make_it(), indent=1) + "\n", encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def main(runs: Path, *which: str) -> None:
    """Do one thing, or all that are missing, and then write what is compared."""
    md.set_num_threads(THREADS)
    runs.mkdir(parents=True, exist_ok=True)
    if which == ("rates",):
        stored(runs / "rates.json", rates)
    elif which:
        stored(runs / f"{'-'.join(which)}.json", lambda: facts(which[0], int(which[1])))
    else:
        for seed in SEEDS:
            for kind in TRAINED:
                main(runs, kind, str(seed))
        networks = [stored(runs / f"{kind}-{seed}.json", dict) for kind in TRAINED for seed in SEEDS]
        settings: dict[str, Any] = {
            "steps": STEPS,
            "batch": BATCH,
            "lr": LR,
            "decay": DECAY,
            "of_positions": OF_POSITIONS,
        }
        settings |= {"seeds": list(SEEDS), "threads": THREADS, "taps": TAPS, "reach": REACH}
        found: dict[str, Any] = {
            "command": "python chapters/measured/spacings.py RUNS",
            **settings,
            "rates": stored(runs / "rates.json", rates),
            "milliseconds": clocked(),
            "networks": networks,
        }
        Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
