"""What the networks of `minidil train` are for: one table, from which the commands know what they read, lower and measure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import minidil.functional as F
from minidil import data, models
from minidil.detect import FasterRCNN, faster_rcnn
from minidil.nn import Module
from minidil.tasks import entities, memory, segmentation
from minidil.train import Loss, Metric
from minidil.train.goal import accuracy


@dataclass(frozen=True)
class Task:
    """What some networks are trained for.

    kind: what a set must have for it, one of the `kinds` of `data.Source`. answers: what the networks give, and such a set has.
    items: what is counted. models: builders, by name.
    losses: by their name on the command line, the usual one first. metrics: by name; the highest `by` is the best epoch.
    usual: settings that suit it, whatever the set.
    kept_by: "module:class" of its experiments, see `experiment.kind_of`; they know the settings, which know this table.
    draws: whether an answer is a picture, for which `minidil predict` has --out.
    uses, lacks: settings that other tasks of its kind have no use for, and those that it has none for, with the value that does
        nothing.
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
    draws: bool = False
    uses: tuple[str, ...] = ()
    lacks: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dark_and_bright(self) -> bool:
        """Whether its items are pictures, for which `minidil predict` has --invert."""
        return self.kind in (*_PICTURES, "clips")

    @property
    def with_classes(self) -> bool:
        """Whether each of its items has one class, for which `minidil predict` has --top."""
        return self.kind in _WITH_CLASSES

    @property
    def idle(self) -> dict[str, Any]:
        """Settings that mean nothing to it, with the value that does nothing; another one is refused."""
        return {
            name: value for name, (value, kinds) in _USED_BY.items() if self.kind not in kinds and name not in self.uses
        } | dict(self.lacks)

    def loss(self, name: str | None) -> Loss:
        """The loss of that name, or the usual one."""
        return self.losses[name] if name else next(iter(self.losses.values()))

    def goal(self, loss: str | None) -> dict[str, Any]:
        """The arguments of `train.fit` that say what a run is for."""
        return {"loss": self.loss(loss), "metrics": self.metrics, "best": f"max {self.by}"}


_PICTURES = ("images", "masks", "boxes")
_WITH_CLASSES = ("images", "clips", "sounds", "texts")
# Settings that some kinds alone have a use for: the value that does nothing, and these kinds.
_USED_BY: dict[str, tuple[Any, tuple[str, ...]]] = {
    "init": (None, (*_PICTURES, "clips", "sounds", "drawn")),
    "output_stride": (None, ("images", "masks")),
    "norm_bias_lr": (1.0, (*_PICTURES, "clips", "sounds", "drawn")),
    "label_smoothing": (0.0, _WITH_CLASSES),
    "normalize": ("set", _PICTURES),
    "zoom": (1.0, _PICTURES),
    "tile": (0, _PICTURES),
    "turn": (False, _PICTURES),
    "crop": (0, _PICTURES),
    "crop_fill": ("zeros", ("images", "masks")),  # what is mirrored at the border is seen twice, and has no box
    "flip": (False, _PICTURES),
    "flip_rule": ("random", _PICTURES),
    "cutout": (0, _PICTURES),
    "tta": (0, ("images",)),
    "labels_per_class": (None, ("images",)),
    "size": (32, (*_PICTURES, "clips")),
    "permuted": (False, ()),
    "frames": (None, ("clips",)),
    "vectors": (None, ("tags",)),
    "length": (1, ("sounds", "drawn")),
    "left_out": (None, ("sounds",)),
    "hears": ("log-mel", ("sounds",)),
}

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
    draws=True,
)
DETECTION = Task(
    kind="boxes",
    answers="boxes around objects",
    items="images",
    models={"faster_rcnn": faster_rcnn},
    # Of the network that is trained: `Boxes.goal` binds them to it.
    losses={"two-stage": cast(Loss, FasterRCNN.loss)},
    metrics={"f1": cast(Metric, FasterRCNN.f1)},
    by="f1",
    kept_by="minidil.cli.boxes:Boxes",
    usual={
        "model": "faster_rcnn",
        "epochs": 14,
        "batch_size": 4,
        "drop_last": True,
        "optimizer": "adamw",
        "lr": 3e-3,
        "weight_decay": 1e-2,
        "clip_norm": 5.0,
        "normalize": "image",
        "turn": True,
        "crop": 0,
    },
    draws=True,
)
CLIPS = Task(
    kind="clips",
    answers="a class for every clip",
    items="clips",
    models=models.CLIP_MODELS,
    losses={"cross-entropy": F.cross_entropy},
    metrics={"accuracy": accuracy},
    by="accuracy",
    kept_by="minidil.cli.clips:Clips",
    usual={
        "model": "c3d",
        "epochs": 4,
        "batch_size": 32,
        "optimizer": "adamw",
        "lr": 3e-3,
        "weight_decay": 0.01,
        "label_smoothing": 0.0,
    },
    draws=True,
)
SOUND = Task(
    kind="sounds",
    answers="a class for every sound",
    items="sounds",
    models={"wavenet": models.wavenet},
    losses={"cross-entropy": F.cross_entropy},
    metrics={"accuracy": accuracy},
    by="accuracy",
    kept_by="minidil.cli.sounds:Sounds",
    usual={
        "model": "wavenet",
        "epochs": 12,
        "batch_size": 64,
        "optimizer": "adamw",
        "lr": 3e-3,
        "weight_decay": 1e-2,
        "label_smoothing": 0.0,
        "length": 5200,
    },
)
MEMORY = Task(
    kind="drawn",
    answers="what it remembers of a sequence",
    items="sequences",
    models={"tcn": models.tcn, "lstm": models.lstm},
    losses={"cross-entropy": F.cross_entropy, "mse": F.mse_loss},
    metrics={"right": memory.right},
    by="right",
    kept_by="minidil.cli.memory:Memory",
    usual={
        "model": "tcn",
        "epochs": 12,
        "batch_size": 32,
        "optimizer": "adam",
        "lr": 5e-3,
        "weight_decay": 0.0,
        "clip_norm": 1.0,
        "length": 100,
    },
)
PIXELS = replace(
    CLASSIFICATION,
    models=MEMORY.models,
    kept_by="minidil.cli.pixels:Pixels",
    # As MEMORY; a pixel keeps its place in the sequence.
    usual={
        "model": "tcn",
        "epochs": 12,
        "batch_size": 32,
        "optimizer": "adam",
        "lr": 3e-3,
        "weight_decay": 0.0,
        "clip_norm": 1.0,
        "label_smoothing": 0.0,
        "crop": 0,
        "flip": False,
    },
    uses=("permuted",),
    lacks={"output_stride": None, "norm_bias_lr": 1.0},
)
SENTENCES = Task(
    kind="texts",
    answers="a class for every sentence",
    items="sentences",
    models=models.SENTENCES,
    losses={"cross-entropy": F.cross_entropy},
    metrics={"accuracy": accuracy},
    by="accuracy",
    kept_by="minidil.cli.sentences:Sentences",
    usual={
        "model": "kim_cnn",
        "epochs": 6,
        "batch_size": 50,
        "optimizer": "adam",
        "lr": 1e-3,
        "weight_decay": 0.0,
        "schedule": "constant",
        "label_smoothing": 0.0,
    },
)
TAGGING = Task(
    kind="tags",
    answers="a tag for every word",
    items="sentences",
    models=models.TAGGERS,
    # Both ask the network for its tags: its experiment gives them to it, see `Entities.goal`.
    losses={"likelihood": cast(Loss, entities.TaggingLoss)},
    metrics={"f1": cast(Metric, entities.EntityF1)},
    by="f1",
    kept_by="minidil.cli.entities:Entities",
    usual={
        "model": "bilstm_crf",
        "epochs": 4,
        "batch_size": 16,
        "optimizer": "adamw",
        "lr": 3e-3,
        "weight_decay": 1e-2,
        "clip_norm": 5.0,
    },
)
LANGUAGE = replace(
    SENTENCES,
    models={"minilm": models.minilm},
    kept_by="minidil.cli.language:WordPieces",
    # Weights that have seen a billion sentences: the last layers follow, slowly, and the first ones stand still.
    usual={
        **SENTENCES.usual,
        "model": "minilm",
        "epochs": 2,
        "batch_size": 32,
        "optimizer": "adamw",
        "lr": 2e-4,
        "weight_decay": 0.01,
        "schedule": "one-cycle",
        "freeze": (("bert.embeddings", 0), ("bert.encoder.layer.[0-3]", 0)),
        "lr_layers": 0.8,
    },
    uses=("init",),
)
TASKS = (CLASSIFICATION, SEGMENTATION, DETECTION, CLIPS, SOUND, MEMORY, PIXELS, SENTENCES, LANGUAGE, TAGGING)
MODELS = tuple(sorted({name for task in TASKS for name in task.models}))
LOSSES = tuple(dict.fromkeys(name for task in TASKS for name in task.losses))


def task_of(model: str | None, name: str = "") -> Task:
    """What the network of that name is trained for; one that is not known gives a class for every image.

    name: of the set, for a network that has several tasks; a folder holds images for it.
    """
    tasks = [task for task in TASKS if model in task.models] or [CLASSIFICATION]
    kinds = data.SOURCES[name].kinds if name in data.SOURCES else (CLASSIFICATION.kind,)
    return next((task for task in tasks if task.kind in kinds), tasks[0])


def shown(name: str, value: float) -> str:
    """A figure in words: accuracy 93.21%, iou 0.8512."""
    return f"{name} {value:.2%}" if name == "accuracy" else f"{name} {value:.4f}"
