"""vgg_small on CIFAR-10 in fewer bits: `python chapters/measured/quantization.py rounded trained` writes quantization.json.

    rounded   the weights that come with minidil, quantised after training: as many bits for weights, values, input and classifier
    trained   at 4 bits, some steps with the rounding in the forward pass, and the same steps without it as control

All accuracies are those of the 10,000 test images, which chose nothing: ranges are watched on CALIBRATED training images, and the
learning rates are the best of RATES on HELD_OUT further ones, with a seed of their own; the weights have seen them all before.
Without rounding, batch norm is folded as well, so that both contestants of "trained" have the same parameters; they see the same
batches and augmentation. `float32` compares the plan in whole numbers with the rounding in float32 that is trained, on COMPARED
test images. It needs CIFAR-10 (`minidil data get cifar10`) and takes about ten minutes of one core. Each part may be measured
by itself, and the file keeps the other one. The same machine gives the same figures; other machines round differently.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import deploy
from minidil.data.transforms import Flip, Normalize, PadCrop
from minidil.deploy.fake import FakeQuantized
from minidil.deploy.planned import Planned

NETWORKS = ((8, "max"), (6, "max"), (5, "max"), (4, "max"), (4, "percentile"))
TRAINED_BITS, SEEDS, SEARCH_SEED, RATES = 4, (0, 1, 2), 9, (0.001, 0.003, 0.01)
CALIBRATED, HELD_OUT, COMPARED = 512, 1000, 100
STEPS, SEARCH_STEPS, BATCH, PERCENTILE = 60, 15, 64, 99.99
SETTINGS = {
    "calibrated": CALIBRATED,
    "held_out": HELD_OUT,
    "compared": COMPARED,
    "percentile": PERCENTILE,
    "trained_bits": TRAINED_BITS,
    "steps": STEPS,
    "search_steps": SEARCH_STEPS,
    "batch": BATCH,
    "seeds": SEEDS,
    "threads": 1,
}
WEIGHTS = md.models.pretrained_weights("vgg_small", "cifar10")
NORMALISE = Normalize(WEIGHTS.mean, WEIGHTS.std)


def logits(plan: Planned[Any], dataset: md.data.Dataset) -> np.ndarray:
    """(N, 10)."""
    parts = range(0, len(dataset), BATCH)
    return np.concatenate([plan(WEIGHTS.prepare(dataset.images[first : first + BATCH])) for first in parts])


def right(found: np.ndarray, labels: np.ndarray) -> float:
    """The share that is named right."""
    return float((found.argmax(axis=1) == labels).mean())


def made(calibrated: np.ndarray, bits: int, calibration: str) -> FakeQuantized:
    """The network in so many bits."""
    model = md.models.vgg_small(pretrained="cifar10")
    return deploy.fake_quantized(model, calibrated, calibration=calibration, percentile=PERCENTILE, bits=bits)


def rounded(calibrated: np.ndarray, test: md.data.Dataset) -> None:
    """Keep the accuracy in every number of bits, without training."""
    whole = logits(deploy.compile(md.models.vgg_small(pretrained="cifar10"), WEIGHTS.shape), test)
    found: dict[str, Any] = {"float32": right(whole, test.labels), "networks": []}
    for bits, calibration in NETWORKS:
        model = made(calibrated, bits, calibration)
        fewer = logits(model.quantized(), test)
        with md.no_grad():
            rounded_floats = np.array(model(md.tensor(WEIGHTS.prepare(test.images[:COMPARED]))).numpy())
        facts: dict[str, Any] = {"bits": bits, "calibration": calibration, "accuracy": right(fewer, test.labels)}
        facts["same_class"] = float((fewer.argmax(axis=1) == whole.argmax(axis=1)).mean())
        same = float((fewer[:COMPARED].argmax(axis=1) == rounded_floats.argmax(axis=1)).mean())
        off = np.abs(fewer[:COMPARED] - rounded_floats)
        facts["float32"] = {"same_class": same, "mean_off": float(off.mean()), "largest_off": float(off.max())}
        found["networks"].append(facts)
        keep(rounded=found)
        print(facts, flush=True)


def tuned(model: FakeQuantized, learn: md.data.Dataset, lr: float, steps: int, seed: int) -> float:
    """Train in place; return the mean loss of the steps."""
    few = learn.subset(np.random.default_rng(seed).choice(len(learn), steps * BATCH, replace=False))
    loader = md.data.DataLoader(few, BATCH, shuffle=True, seed=seed, transforms=[NORMALISE, PadCrop(4), Flip()])
    optimizer = md.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True)
    schedule = md.schedule.OneCycle(optimizer, steps)
    history = md.train.fit(model, loader, None, optimizer, schedule, 1, progress=False)
    return float(history.rows[0]["train_loss"])


def contestant(calibrated: np.ndarray, rounding: bool) -> FakeQuantized:
    """With the rounding in its forward pass, or without it."""
    model = made(calibrated, TRAINED_BITS, "percentile")
    model.rounding = rounding
    return model


def planned(model: FakeQuantized) -> Planned[Any]:
    """What it has learnt, in whole numbers, or in float32 for the control."""
    return model.quantized() if model.rounding else deploy.compile(model, WEIGHTS.shape)


def searched(calibrated: np.ndarray, learn: md.data.Dataset, held_out: md.data.Dataset) -> dict[str, Any]:
    """The accuracy on held-out training images by learning rate, with rounding and without."""
    found: dict[str, Any] = {}
    for rounding in (True, False):
        found[_name(rounding)] = {}
        for lr in RATES:
            model = contestant(calibrated, rounding)
            tuned(model, learn, lr, SEARCH_STEPS, SEARCH_SEED)
            found[_name(rounding)][lr] = right(logits(planned(model), held_out), held_out.labels)
        print(_name(rounding), found[_name(rounding)], flush=True)
    return found


def trained(calibrated: np.ndarray, learn: md.data.Dataset, test: md.data.Dataset, search: dict[str, Any]) -> None:
    """Keep the accuracy after training, of both contestants for every seed."""
    found: list[dict[str, Any]] = []
    for seed in SEEDS:
        for rounding in (True, False):
            name = _name(rounding)
            lr = max(search[name], key=search[name].get)
            model = contestant(calibrated, rounding)
            loss = tuned(model, learn, lr, STEPS, seed)
            facts = {"seed": seed, "contestant": name, "lr": lr, "loss": round(loss, 4)}
            facts["accuracy"] = right(logits(planned(model), test), test.labels)
            found.append(facts)
            keep(trained=found)
            print(facts, flush=True)


def keep(**parts: Any) -> None:
    """Put these parts into the file, beside the others."""
    path = Path(__file__).with_suffix(".json")
    others = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**others, "settings": SETTINGS, **parts}, indent=1) + "\n", encoding="utf-8")


def _name(rounding: bool) -> str:
    return "rounding" if rounding else "control"


def main() -> None:
    """Measure the parts that the command line names, and write what was measured."""
    md.set_num_threads(1)
    everything, test = md.data.load("cifar10", "train"), md.data.load("cifar10", "test")
    held_out, learn = md.data.split(everything, HELD_OUT / len(everything), SEARCH_SEED)
    calibrated = WEIGHTS.prepare(md.data.split(learn, CALIBRATED / len(learn), SEARCH_SEED)[0].images)
    if "rounded" in sys.argv[1:]:
        rounded(calibrated, test)
    if "trained" in sys.argv[1:]:
        search = searched(calibrated, learn, held_out)
        keep(search=search)
        trained(calibrated, learn, test, search)


if __name__ == "__main__":
    main()
