"""Clips told apart from three seeds: `python chapters/measured/video.py PART` adds a part to video.json.

What is there already stays; a number behind the part says how many more are measured at most.

    returns    does the class of digit in the first two of sixteen frames return in the last two? A C3D dilated in time by
               1, 2, 4, 8, also asked with shuffled frames and with the last one alone; its twin with 1, 1, 1, 1, which has
               as many weights and sees 9 frames; and the dilated one trained and asked with shuffled frames
    kinds      the same for the dilated one with four classes of digits in place of two, seed 0
    motion     which of twelve motions (eight pans, two zooms, two turns) moves a crop of CIFAR-10, of 16 frames of 16x16 pixels?
               The same dilated network and its twin, both also asked with shuffled frames and with the middle one alone
    objects    which of the ten classes of CIFAR-10 is seen in four frames of a crop of 16x16 pixels that moves? The shipped
               vgg_small, inflated, as it is; after 40 steps of fine-tuning; and after 40 steps of the same network from nothing

The first three learn from 4,000 clips in four epochs and are asked about 1,000 clips of other images, the fourth from 640 clips
in one epoch, and is asked about 400 of other images; all after the last epoch. But for one rate (RATES) nothing was chosen by
these. A seed sets the clips, their order and the first weights. About half a minute of one core for each, a minute and a half for
each of "motion". The same machine and number of threads give the same file; other machines round differently. "motion" and
"objects" need CIFAR-10.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import data

FILE = Path(__file__).with_suffix(".json")
SEEDS, THREADS = (0, 1, 2), 1
EPOCHS, BATCH, LR, DECAY, FRAMES = 4, 32, 3e-3, 0.01, 4
RATES = {"inflated": 1e-4, "scratch": 3e-3}  # a first trial of the inflated one with 1e-3, seed 0, ended at 0.28
DILATED, UNDILATED = (1, 2, 4, 8), (1, 1, 1, 1)


def fitted(
    model: md.nn.Module,
    learn: data.Clips,
    test: data.Clips,
    seed: int,
    epochs: int = EPOCHS,
    batch: int = BATCH,
    lr: float = LR,
) -> dict[str, Any]:
    """Train; return the losses, the accuracy on the clips that were learnt from and on the others, and what it took."""
    loader = data.DataLoader(learn, batch, shuffle=True, seed=seed)
    optimizer = md.optim.AdamW(model.parameters(), lr, weight_decay=DECAY)
    schedule = md.schedule.OneCycle(optimizer, epochs * len(loader))
    began = time.process_time()
    history = md.train.fit(model, loader, None, optimizer, schedule, epochs, progress=False)
    last = history.rows[-1]
    return {
        "losses": [round(row["train_loss"], 4) for row in history.rows],
        "train_accuracy": round(last["train_accuracy"], 4),
        "accuracy": accuracy(model, test),
        "parameters": sum(each.size for each in model.parameters()),
        "cpu_seconds": round(time.process_time() - began, 1),
    }


def accuracy(model: md.nn.Module, clips: data.Clips) -> float:
    return round(float(md.train.evaluate(model, data.DataLoader(clips, 50)).accuracy), 4)


def returning(name: str, seed: int, kinds: int = 2) -> dict[str, Any]:
    """A network that is to tell whether a digit returns."""
    dilations, change = CHANGES[name]
    learn, test = (change(data.clips(split, kinds=kinds, seed=seed)) for split in ("train", "test"))
    model = md.models.c3d(dilations=dilations, rng=np.random.default_rng(seed))
    facts = fitted(model, learn, test, seed)
    if name == "dilated":
        facts |= {"on shuffled": accuracy(model, test.shuffled()), "on one frame": accuracy(model, test.stilled(15))}
    return {"name": name, "seed": seed, "kinds": kinds, "dilations": dilations} | facts


CHANGES: dict[str, tuple[tuple[int, ...], Callable[[data.Clips], data.Clips]]] = {
    "dilated": (DILATED, lambda clips: clips),
    "undilated": (UNDILATED, lambda clips: clips),
    "shuffled": (DILATED, lambda clips: clips.shuffled()),
}


def motion(name: str, seed: int) -> dict[str, Any]:
    """A network that is to tell how a crop moves."""
    dilations, _ = CHANGES[name]
    learn, test = (data.clips(split, "motion", data.load("cifar10", split), seed=seed) for split in ("train", "test"))
    mean, std = learn.mean(), learn.std()
    learn, test = learn.normalized(mean, std), test.normalized(mean, std)
    model = md.models.c3d(len(learn.classes), in_channels=3, dilations=dilations, rng=np.random.default_rng(seed))
    facts = fitted(model, learn, test, seed)
    facts |= {"on shuffled": accuracy(model, test.shuffled()), "on one frame": accuracy(model, test.stilled(8))}
    return {"name": name, "seed": seed, "dilations": dilations} | facts


def moving(split: str, seed: int, count: int) -> data.Clips:
    """Crops of CIFAR-10 that move, as the shipped network wants its pixels; their classes are those of the objects."""
    weights = md.models.pretrained_weights("vgg_small", "cifar10")
    images = data.load("cifar10", split)
    order = np.random.default_rng([seed, 7]).permutation(len(images))[:count]
    clips = data.clips(split, "object", images.subset(order), count=count, frames=FRAMES, size=16, seed=seed)
    return clips.normalized(weights.mean, weights.std)


def objects(name: str, seed: int) -> dict[str, Any]:
    """The inflated network before and after its fine-tuning, or the same network from nothing."""
    flat = md.models.vgg_small(pretrained="cifar10", rng=np.random.default_rng(seed))
    if name == "scratch":
        flat = md.models.vgg_small(rng=np.random.default_rng(seed))
    model, test = md.models.inflate(flat, 3, (3, 16, 16)), moving("test", 0, 400)
    facts: dict[str, Any] = {"name": name, "seed": seed}
    if name == "untuned":
        flat.eval()
        middle = np.stack([clip[:, FRAMES // 2] for clip, _ in test])
        with md.no_grad():
            said = flat(md.tensor(middle)).numpy().argmax(axis=1)
        return facts | {"accuracy": accuracy(model, test), "one frame": float((said == test.labels).mean())}
    learn = moving("train", seed, 640)
    return facts | fitted(model.train(), learn, test, seed, 1, 16, RATES[name])


def jobs(part: str) -> Iterator[tuple[str, int, Callable[[], dict[str, Any]]]]:
    """The name and seed of everything that is measured in a part, the most telling first, and what measures it."""
    if part == "returns":
        for name in CHANGES:
            for seed in SEEDS:
                yield name, seed, partial(returning, name, seed)
    elif part == "motion":
        for seed in SEEDS:
            for name in ("dilated", "undilated"):
                yield name, seed, partial(motion, name, seed)
    elif part == "kinds":
        yield "dilated", 0, partial(returning, "dilated", 0, 4)
    else:
        yield "untuned", 0, partial(objects, "untuned", 0)
        for seed in SEEDS:
            for name in ("inflated", "scratch"):
                yield name, seed, partial(objects, name, seed)


def known() -> dict[str, Any]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def main(part: str, most: int) -> None:
    """Measure what a part lacks, at most so many, and put each into the file when it is known."""
    md.set_num_threads(THREADS)
    done = {(row["name"], row["seed"]) for row in known().get(part, [])}
    missing = [(name, seed, measure) for name, seed, measure in jobs(part) if (name, seed) not in done]
    for _, _, measure in missing[:most]:
        row = measure()
        print(row, flush=True)
        found = known()
        found.setdefault(part, []).append(row)
        found["command"] = "python chapters/measured/video.py PART"
        found["where"] = {"python": platform.python_version(), "numpy": np.__version__, "threads": THREADS}
        FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100)
