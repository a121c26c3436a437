"""What the networks of `minidil train` are for: one table, from which the commands know what they read, lower and measure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import minidil.functional as F
from minidil import models
from minidil.nn import Module
from minidil.tasks import segmentation
from minidil.train import Loss, Metric
from minidil.train.goal import accuracy


@dataclass(frozen=True)
class Task:
    """What some networks are trained for.

    kind: what a set must have for it, one of the `kinds` of `data.Source`. answers: what the networks give, and such a set has.
    items: what is counted. models: builders, by name.
    losses: by their name on the command line, the usual one first. metrics: by name; the highest `by` is the best epoch.
    usual: settings that suit it, whatever the set.
    idle: settings that mean nothing to it, with the value that does nothing; another one is refused.
    kept_by: "module:class" of its experiments, see `experiment.kind_of`; they know the settings, which know this table.
    draws: whether an answer is a picture, for which `minidil predict` has --out.
    """

    kind: str
    answers: str
    items: str
    models: Mapping[str, Callable[..., Module]]
    losses: Mapping[str, Loss]
    metrics: Mapping[str, Metric]
    by: str
    kept_by: str
    usual: Mapping[str, Any] = field(default_factory=dict)
    idle: Mapping[str, Any] = field(default_factory=dict)
    draws: bool = False

    def loss(self, name: str | None) -> Loss:
        """The loss of that name, or the usual one."""
        return self.losses[name] if name else next(iter(self.losses.values()))

    def goal(self, loss: str | None) -> dict[str, Any]:
        """The arguments of `train.fit` that say what a run is for."""
        return {"loss": self.loss(loss), "metrics": self.metrics, "best": f"max {self.by}"}


CLASSIFICATION = Task(
    kind="images",
    answers="a class for every image",
    items="images",
    models=models.MODELS,
    losses={"cross-entropy": F.cross_entropy},
    metrics={"accuracy": accuracy},
    by="accuracy",
    kept_by="minidil.cli.images:Images",
)
SEGMENTATION = Task(
    kind="masks",
    answers="a class for every pixel",
    items="images",
    models=models.SEGMENTERS,
    losses={
        "cross-entropy+dice": segmentation.cross_entropy_and_dice,
        "cross-entropy": F.cross_entropy,
        "dice": F.dice_loss,
    },
    metrics={"iou": segmentation.iou, "dice": segmentation.dice},
    by="iou",
    kept_by="minidil.cli.masks:Masks",
    # Seen from above, of any brightness, and learnt from parts of the images.
    usual={
        "model": "unet",
        "epochs": 28,
        "batch_size": 16,
        "drop_last": True,
        "optimizer": "adamw",
        "lr": 3e-3,
        "weight_decay": 1e-4,
        "normalize": "image",
        "tile": 64,
        "turn": True,
        "crop": 0,
    },
    idle={"label_smoothing": 0.0, "labels_per_class": None, "tta": 0},
    draws=True,
)
TASKS = (CLASSIFICATION, SEGMENTATION)
MODELS = tuple(sorted(name for task in TASKS for name in task.models))
LOSSES = tuple(dict.fromkeys(name for task in TASKS for name in task.losses))


def task_of(model: str | None) -> Task:
    """What the network of that name is trained for; one that is not known gives a class for every image."""
    return next((task for task in TASKS if model in task.models), CLASSIFICATION)


def shown(name: str, value: float) -> str:
    """A figure in words: accuracy 93.21%, iou 0.8512."""
    return f"{name} {value:.2%}" if name == "accuracy" else f"{name} {value:.4f}"
