"""A training run so small that tests can make many of them: synthetic images, and a model with all that has state."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import data, nn, optim, schedule, train
from minidil.random import default_rng

EPOCHS, BATCH = 3, 8


def images(count: int = 40, seed: int = 0) -> data.Dataset:
    """Grey 6x6 images in 2 classes: a bright bar, upright or lying."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    pixels = rng.integers(0, 100, (count, 1, 6, 6))
    for image, label in zip(pixels, labels, strict=True):
        place = rng.integers(1, 5)
        image[0][(slice(None), place) if label else (place, slice(None))] = 255
    return data.Dataset("bars", pixels.astype(np.uint8), labels.astype(np.int64), ("lying", "upright"))


def model() -> nn.Module:
    """A dilated convolution, batch norm (which has buffers) and dropout (which draws random numbers)."""
    rng = np.random.default_rng(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=2, dilation=2, rng=rng),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.GlobalAvgPool(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(4, 2, rng=rng),
    )


def loader(count: int = 40, seed: int = 0, augment: bool = True) -> data.DataLoader:
    """5 batches of 8, unless `count` says otherwise."""
    transforms = [data.transforms.PadCrop(1)] if augment else []
    return data.DataLoader(images(count, seed), BATCH, shuffle=augment, seed=1, transforms=transforms)


@dataclass
class Tiny:
    """The parts of a run, made afresh and always the same."""

    epochs: int = EPOCHS
    kind: str = "sgd"
    lr: float = 0.1

    def __post_init__(self) -> None:
        md.seed(0)
        self.model = model()
        parameters = list(self.model.parameters())
        self.optimizer: optim.Optimizer = (
            optim.SGD(parameters, self.lr, momentum=0.9) if self.kind == "sgd" else optim.Adam(parameters, self.lr)
        )
        self.train = loader()
        self.val: data.DataLoader | None = loader(24, seed=9, augment=False)
        self.schedule = schedule.OneCycle(self.optimizer, self.epochs * len(self.train))

    def fit(self, out: Path | None = None, **options: Any) -> train.History:
        """Run it, silently unless told otherwise."""
        options = {"progress": False} | options
        return train.fit(
            self.model, self.train, self.val, self.optimizer, self.schedule, self.epochs, out=out, **options
        )


class StopAt(train.Callback):
    """Fails after so many batches of the whole run, before they are saved, as a process that is killed would."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def on_batch_end(self, run: train.Run) -> None:
        if run.epoch * run.batches + run.batch == self.batches:
            raise ZeroDivisionError


def generator_state() -> Any:
    """Of the process-wide generator."""
    return default_rng().bit_generator.state
