"""What the networks of `minidil train` are for: the loss that each kind of them lowers, and how it is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import minidil.functional as F
from minidil import models
from minidil.tasks import segmentation
from minidil.train import Loss, Metric
from minidil.train.goal import accuracy


@dataclass(frozen=True)
class Task:
    """losses: by their name on the command line, the usual one first. metrics: by name; the highest `by` is the best epoch.

    answers: what it gives, for messages. masks: whether each image needs a class for every pixel.
    """

    losses: Mapping[str, Loss]
    metrics: Mapping[str, Metric]
    by: str
    answers: str
    masks: bool

    def loss(self, name: str | None) -> Loss:
        """The loss of that name, or the usual one."""
        return self.losses[name] if name else next(iter(self.losses.values()))

    def goal(self, loss: str | None) -> dict[str, Any]:
        """The arguments of `train.fit` that say what a run is for."""
        return {"loss": self.loss(loss), "metrics": self.metrics, "best": f"max {self.by}"}


CLASSIFICATION = Task(
    {"cross-entropy": F.cross_entropy}, {"accuracy": accuracy}, "accuracy", "a class for every image", False
)
SEGMENTATION = Task(
    {
        "cross-entropy+dice": segmentation.cross_entropy_and_dice,
        "cross-entropy": F.cross_entropy,
        "dice": F.dice_loss,
    },
    {"iou": segmentation.iou, "dice": segmentation.dice},
    "iou",
    "a class for every pixel",
    True,
)
LOSSES = tuple(dict.fromkeys([*CLASSIFICATION.losses, *SEGMENTATION.losses]))


def task_of(model: str) -> Task:
    """What the network of that name is trained for."""
    return SEGMENTATION if model in models.SEGMENTERS else CLASSIFICATION


def shown(name: str, value: float) -> str:
    """A figure in words: accuracy 93.21%, iou 0.8512."""
    return f"{name} {value:.2%}" if name == "accuracy" else f"{name} {value:.4f}"
