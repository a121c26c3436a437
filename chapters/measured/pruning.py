"""What pruning costs and gives: `python chapters/measured/pruning.py` writes pruning.json.

The trained `vgg_small` for CIFAR-10 that comes with minidil, with less in it, then tuned for STEPS steps; beside it a control
that has lost nothing and is tuned alike. A seed sets the images, their order and augmentation, the same for all contestants.

    control      all weights
    l1 25, 50 %  a quarter or half of the filters of every layer but the last, the smallest by L1
    batch norm   STEPS steps more before, with the penalty on the scales; then half of the channels of the whole network
    magnitude    four fifths of the weights of every layer zero, and kept there; the arrays stay as large

It learns from images that the weights had learnt from. Accuracies are those of all 10,000 test images, of the compiled plan,
which are looked at once: no setting was chosen by them. STRENGTH is no result of a search: SGD with momentum m moves a scale by
about STRENGTH sum(lr) / (1 - m) = STRENGTH RATE STEPS / 2 / (1 - m), a third of what the scales are.
Times are those of the plans of seed 0 on one thread, process time, in turns with a pause before each.
It needs CIFAR-10 (`minidil data get cifar10`) and takes a quarter of an hour of one core.
"""

from __future__ import annotations

import json
import time
import zlib
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import minidil as md
import minidil.functional as F
from minidil.data.transforms import Flip, Normalize, PadCrop
from minidil.deploy import batch_norm_penalty, magnitude, prune_channels

SEEDS, STEPS, BATCH, RATE, SMOOTHING = (0, 1, 2), 50, 128, 0.02, 0.1
STRENGTH, SHAPE, ROUNDS, PAUSE, BATCHES = 0.02, (3, 32, 32), 25, 0.02, (1, 32)
SETTINGS = {
    "steps": STEPS,
    "batch": BATCH,
    "lr": f"{RATE}, half a cosine down to 0",
    "optimizer": "SGD, Nesterov momentum 0.9, weight decay 5e-4",
    "label_smoothing": SMOOTHING,
    "penalty": STRENGTH,
    "rounds": ROUNDS,
}
WEIGHTS = md.models.pretrained_weights("vgg_small", "cifar10")
NORMALIZE = Normalize(WEIGHTS.mean, WEIGHTS.std)


def trained() -> Any:
    """The network as it comes with minidil."""
    return md.models.vgg_small(pretrained="cifar10")


def tuned(model: Any, seed: int, callbacks: Any = (), penalty: float = 0.0) -> None:
    """STEPS steps on images that the seed chooses."""
    learn = md.data.split(md.data.load("cifar10", "train"), 0.9, 0)[0]
    some = learn.subset(np.random.default_rng(seed).permutation(len(learn))[: STEPS * BATCH])
    loader = md.data.DataLoader(some, BATCH, shuffle=True, seed=seed, transforms=[NORMALIZE, PadCrop(4), Flip()])
    optimizer = md.optim.SGD(model.parameters(), RATE, 0.9, weight_decay=5e-4, nesterov=True)

    def loss(outputs: Any, targets: Any) -> Any:
        value = F.cross_entropy(outputs, targets, label_smoothing=SMOOTHING)
        return value + batch_norm_penalty(model, penalty) if penalty else value

    schedule = md.schedule.Cosine(optimizer, STEPS)
    md.train.fit(model, loader, None, optimizer, schedule, 1, callbacks, loss=loss, progress=False)


def started(row: str, seed: int) -> tuple[Any, list[Any]]:
    """The network of a row before it is tuned, and the callbacks that it is tuned with."""
    model = trained()
    if row == "magnitude 80 %":
        return model, [magnitude(model, 0.8)]
    if row == "batch norm 50 %":
        tuned(model, 100 + seed, penalty=STRENGTH)
        return prune_channels(model, SHAPE, 0.5, "batch_norm", scope="network").model, []
    if row.startswith("l1"):
        return prune_channels(model, SHAPE, {"l1 25 %": 0.25, "l1 50 %": 0.5}[row]).model, []
    return model, []


def accuracy(model: Any) -> float:
    """The share of the test images that the compiled plan names right."""
    plan, test = md.deploy.compile(model, SHAPE), md.data.load("cifar10", "test")
    loader = md.data.DataLoader(test, 250, transforms=[NORMALIZE])
    right = sum(int((plan(images).argmax(axis=1) == labels).sum()) for images, labels in loader.batches(0))
    return right / len(test)


def size(model: Any) -> dict[str, Any]:
    """What is left: parameters that are not zero, work, bytes of the state, as they are and compressed by zlib."""
    state = b"".join(each.tobytes() for each in model.state_dict().values())
    return {
        "parameters": sum(each.size for each in model.parameters()),
        "not_zero": sum(int(np.count_nonzero(each.numpy())) for each in model.parameters()),
        "multiply_adds": model.summary(SHAPE).multiply_adds,
        "bytes": len(state),
        "compressed": len(zlib.compress(state, 9)),
        "widths": [each.out_channels for each in model.modules() if isinstance(each, md.nn.Conv2d)],
    }


def timed(models: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds of every plan at each batch size: least and median of the rounds."""
    plans = {row: md.deploy.compile(model, SHAPE) for row, model in models.items()}
    taken: dict[str, dict[int, list[float]]] = {row: {batch: [] for batch in BATCHES} for row in plans}
    for number in range(ROUNDS + 1):
        for batch in BATCHES:
            x = np.random.default_rng(0).standard_normal((batch, *SHAPE)).astype(np.float32)
            for row, plan in plans.items():
                time.sleep(PAUSE)
                start = time.process_time()
                plan(x)
                if number:
                    taken[row][batch].append(1000 * (time.process_time() - start))
    return {
        row: {
            str(batch): {"least": round(min(each), 3), "median": round(median(each), 3)} for batch, each in of.items()
        }
        for row, of in taken.items()
    }


def main() -> None:
    """Tune every row with every seed, time the plans, and write what was found after each seed."""
    md.set_num_threads(1)
    results: dict[str, Any] = {"settings": SETTINGS, "rows": [], "times_ms": {}}
    known: dict[str, float] = {}  # what was cut from the same weights is the same for all seeds
    models: dict[str, Any] = {}
    for seed in SEEDS:
        for row in ("control", "l1 25 %", "l1 50 %", "batch norm 50 %", "magnitude 80 %"):
            model, callbacks = started(row, seed)
            before = known[row] if row in known else accuracy(model)
            if row != "batch norm 50 %":
                known[row] = before
            tuned(model, seed, callbacks)
            after = accuracy(model)
            results["rows"].append({"row": row, "seed": seed, "before": before, "after": after} | size(model))
            models.setdefault(row, model)
            print(results["rows"][-1], flush=True)
        if seed == SEEDS[0]:
            results["times_ms"] = timed(models)
            print(results["times_ms"], flush=True)
        Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
