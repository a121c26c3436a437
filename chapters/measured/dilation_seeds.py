"""Chapter 8's two networks from three seeds: `python chapters/measured/dilation_seeds.py` writes dilation_seeds.json.

A seed sets the first weights, the order of the pictures and their augmentation, alike for the plain and the dilated network.
Data, networks and training are those of the chapter. It needs CIFAR-10 (`minidil data get cifar10`) and takes about a
minute a network. The same machine and number of threads give the same file; other machines round differently.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md

SEEDS, EPOCHS, THREADS = (0, 1, 2), 7, 2
DILATIONS = {"plain": ((1, 1), (1, 1), (1, 1)), "dilated": ((1, 2), (1, 2), (1, 2))}


def data() -> tuple[Any, Any, Any, Any]:
    """Training, validation and test set, and their normalisation, as in the chapter."""
    everything, test = md.data.load("cifar10", "train"), md.data.load("cifar10", "test")
    train, rest = md.data.split(everything, 4000 / len(everything), seed=0)
    validation, _ = md.data.split(rest, 1000 / len(rest), seed=0)
    test, _ = md.data.split(test, 2000 / len(test), seed=0)
    return train, validation, test, md.data.transforms.Normalize(train.mean(), train.std())


def make(kind: str, seed: int) -> Any:
    """An untrained network of this kind."""
    rng = np.random.default_rng(seed)
    return md.models.vgg_small(rng=rng, in_channels=3, widths=(16, 32, 64), dilations=DILATIONS[kind])


def trained(kind: str, seed: int, train: Any, validation: Any, normalise: Any) -> Any:
    """The network with the weights of its best validation epoch."""
    augment = [normalise, md.data.transforms.PadCrop(4), md.data.transforms.Flip()]
    batches = md.data.DataLoader(train, 64, shuffle=True, drop_last=True, transforms=augment, seed=seed)
    held_out = md.data.DataLoader(validation, 250, transforms=[normalise])
    model = make(kind, seed)
    optimizer = md.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = md.schedule.OneCycle(optimizer, EPOCHS * len(batches))
    md.train.fit(model, batches, held_out, optimizer, schedule, epochs=EPOCHS, progress=False)
    return model


def hits(model: Any, test: Any, normalise: Any) -> np.ndarray:
    """For every test picture whether it is named right."""
    parts: list[np.ndarray] = []
    loader = md.data.DataLoader(test, 250, transforms=[normalise])
    md.train.evaluate(model, loader, observe=lambda logits, labels: parts.append(logits.argmax(axis=1) == labels))
    return np.concatenate(parts)


def half_of_the_field(model: Any, test: Any, normalise: Any) -> tuple[int, int]:
    """How many pixels hold half of the gradient of the middle of the second stage, and how many have any."""
    pictures, _ = next(md.data.DataLoader(test, 64, transforms=[normalise]).batches(0))
    with md.conv_algorithm("im2col"):
        y = leaf = md.tensor(pictures, requires_grad=True)
        for layer in range(13):
            y = model.eval().features[layer](y)
        middle = np.zeros(y.shape, y.dtype)
        middle[:, :, y.shape[2] // 2, y.shape[3] // 2] = 1
        y.backward(gradient=middle)
    share = np.abs(leaf.grad.numpy()).mean(axis=(0, 1)).ravel()
    ordered = np.sort(share / share.sum())[::-1]
    return int(ordered.cumsum().searchsorted(0.5)) + 1, int((share > 0).sum())


def main() -> None:
    """Train six networks and write what is compared."""
    md.set_num_threads(THREADS)
    train, validation, test, normalise = data()
    results: dict[str, Any] = {"epochs": EPOCHS, "threads": THREADS, "seeds": list(SEEDS), "networks": []}
    for seed in SEEDS:
        for kind in DILATIONS:
            model = trained(kind, seed, train, validation, normalise)
            right = hits(model, test, normalise)
            first, untouched = (
                network.state_dict()["features.0.weight"].ravel() for network in (model, make(kind, seed))
            )
            half, field = half_of_the_field(model, test, normalise)
            results["networks"].append(
                {
                    "kind": kind,
                    "seed": seed,
                    "right": np.packbits(right).tobytes().hex(),  # one bit for each of the 2,000 test pictures
                    "accuracy": round(float(right.mean()), 4),
                    "by_class": [round(float(right[test.labels == k].mean()), 3) for k in range(10)],
                    "likeness_of_first_filters": round(float(np.corrcoef(first, untouched)[0, 1]), 3),
                    "pixels_with_half_of_the_gradient": half,
                    "pixels_with_any_gradient": field,
                }
            )
            print(kind, seed, results["networks"][-1]["accuracy"], flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
