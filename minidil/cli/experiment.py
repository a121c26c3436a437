"""An experiment: settings, and the facts about the data that a model needs wherever it goes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

import minidil.schedule as schedules
from minidil import analysis, data, models, optim
from minidil.array import Array
from minidil.cli.config import checked
from minidil.cli.settings import Settings
from minidil.data import transforms
from minidil.deploy.prune.widths import Widths, narrowed
from minidil.errors import CheckpointError, OptionError
from minidil.nn import BatchNorm, Module, Parameter
from minidil.random import default_rng, seed
from minidil.train import (
    AveragedViews,
    Callback,
    FreezeAfter,
    GradualUnfreezing,
    RunFolder,
    Schedule,
    WeightAverage,
    freeze,
    layer_groups,
)
from minidil.train.folder import CONFIG
from minidil.train.rules import shown

_EVALUATION_BATCH = 256
_WHITENING_IMAGES = 5000


@dataclass(frozen=True)
class Start:
    """Weights that a model begins with. name: as config.json has it. settings, classes: of their training, where known.

    widths: of the layers, if they are of a pruned network.
    """

    name: str
    settings: Settings | None
    classes: tuple[str, ...] | None
    state: Mapping[str, Array]
    widths: Widths | None = None


@dataclass(frozen=True)
class Experiment:
    """What config.json holds. shape: (C, H, W) of an image; mean, std: (C,) of the training images, white being 1.

    widths: of the layers of a network that was pruned, see `deploy.prune.widths`; None if it is as it was built.
    """

    settings: Settings
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    widths: Widths | None = None

    @classmethod
    def on(cls, settings: Settings, learn: data.Dataset, widths: Widths | None = None) -> Self:
        """The experiment with these settings on the images `learn`."""
        channels, height, width = learn.images.shape[1:]
        # A channel that is the same everywhere has no deviation to divide by.
        std = tuple(value or 1.0 for value in learn.std().tolist())
        return cls(settings, learn.classes, (channels, height, width), tuple(learn.mean().tolist()), std, widths)

    @classmethod
    def of(cls, folder: RunFolder) -> Self:
        """Read the config.json of a run. Raises: CheckpointError if it is missing, or one of its values is wrong."""
        config = folder.config()
        settings = checked(config, folder.path / CONFIG)
        channels, height, width = config["shape"]
        mean, std = (tuple(config[name]) for name in ("mean", "std"))
        return cls(settings, tuple(config["classes"]), (channels, height, width), mean, std, config.get("widths"))

    def check_images(self, images: data.Dataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if these are no images of the shape and classes that config.json tells."""
        told = {"shape": self.shape, "classes": self.classes}
        for name, found in {"shape": images.images.shape[1:], "classes": images.classes}.items():
            if told[name] != found:
                raise CheckpointError(
                    f"{folder.path / CONFIG}: {name} is {shown(told[name])}, and that of the images of "
                    f"{self.settings.data} is {shown(found)}"
                )

    def check_learnt(self, learn: data.Dataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if the run was not made with these images: their mean and deviation tell them apart."""
        self.check_images(learn, folder)
        now = type(self).on(self.settings, learn)
        for name in ("mean", "std"):
            if not np.allclose(getattr(self, name), getattr(now, name), rtol=1e-5, atol=0):
                raise CheckpointError(
                    f"{folder.path / CONFIG}: {name} is {shown(getattr(self, name))}, and that of the images to learn from "
                    f"is {shown(getattr(now, name))}; data, seed or validation were changed, or the images"
                )

    def config(self) -> dict[str, Any]:
        """What `of` reads."""
        return {
            "settings": self.settings.to_json(),
            "classes": list(self.classes),
            "shape": list(self.shape),
            "mean": list(self.mean),
            "std": list(self.std),
            **({"widths": self.widths} if self.widths else {}),
        }

    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed."""
        settings, options = self.settings, dict[str, Any]()
        if settings.widths is not None:
            options["widths"] = settings.widths
        if settings.dilations is not None:
            # A stage of a residual network has one dilation, a stage of a VGG one for each of its layers.
            single = settings.model == "resnet_small"
            if single and any(len(stage) > 1 for stage in settings.dilations):
                raise OptionError(f"--dilations: {settings.model} takes one number per stage, such as 1 1 2")
            options["dilations"] = [stage[0] for stage in settings.dilations] if single else settings.dilations
        seed(settings.seed)
        model = models.build(settings.model, len(self.classes), self.shape[0], rng=default_rng(), **options)
        if settings.output_stride is not None:
            try:
                model = analysis.dilate(model, settings.output_stride, self.shape).model
            except OptionError as error:
                raise OptionError(f"--output-stride {settings.output_stride}: {error}") from error
        return narrowed(model, self.widths) if self.widths else model

    def untrained(self, learn: data.Dataset, start: Start | None = None) -> tuple[Module, tuple[str, ...]]:
        """A model before its first step, and in words what of it is not as in `start`.

        It has the weights of `start`, or freshly drawn ones with all that follows from the training images and not from training;
        and what is never to learn is frozen.
        Raises: OptionError for a pattern that fits nothing, or if nothing is left to train; CheckpointError for weights of
            other shapes.
        """
        model, notes = self.model(), tuple[str, ...]()
        if start:
            try:
                notes = models.start_from(model, start.state, start.classes in (None, self.classes))
            except CheckpointError as error:
                raise CheckpointError(f"--init {start.name}: {error}") from error
        elif isinstance(model, models.WhitenedVGG):
            images = np.divide(learn.images[:_WHITENING_IMAGES], 255, dtype=np.float32)
            model.whiten_by(self.normalize()(images, np.random.default_rng(0)))
        for pattern in self._frozen():
            freeze(model, pattern)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise OptionError(f"--freeze {' '.join(self._frozen())} leaves nothing of {self.settings.model} to train")
        return model, notes

    def _frozen(self) -> list[str]:
        """The patterns of what never learns."""
        return [pattern for pattern, epochs in self.settings.freeze if epochs == 0]

    def viewed(self, model: Module, tta: int | None = None) -> Module:
        """The model, or what asks it about several views of each image. tta: in place of the one in the settings."""
        level = self.settings.tta if tta is None else tta
        return AveragedViews(model, level) if level else model

    def trained(self, folder: RunFolder, tta: int | None = None) -> Module:
        """The model with the best weights of the run in `folder`, in evaluation mode, `viewed`.

        Raises: CheckpointError if there are none or they do not fit.
        """
        with blaming(folder):
            model = self.model()
        folder.load_best(model)
        return self.viewed(model, tta).eval()

    def normalize(self) -> transforms.Normalize:
        """What every image goes through before the model."""
        return transforms.Normalize(self.mean, self.std)

    def learning(self, images: data.Dataset) -> data.DataLoader:
        """Shuffled, augmented batches."""
        settings = self.settings
        flip = transforms.AlternatingFlip(settings.seed) if settings.flip_rule == "alternating" else transforms.Flip()
        return data.DataLoader(
            images,
            settings.batch_size,
            shuffle=True,
            drop_last=settings.drop_last,
            seed=settings.seed,
            transforms=[
                self.normalize(),
                *([transforms.PadCrop(settings.crop, settings.crop_fill)] if settings.crop else []),
                *([flip] if settings.flip else []),
                *([transforms.Cutout(settings.cutout)] if settings.cutout else []),
            ],
        )

    def measuring(self, images: data.Dataset) -> data.DataLoader:
        """All images in their order, as they are."""
        return data.DataLoader(images, _EVALUATION_BATCH, transforms=[self.normalize()])

    def optimizer(self, model: Module) -> optim.Optimizer:
        """The optimizer of all that is trained; SGD has Nesterov momentum."""
        settings, groups = self.settings, self._groups(model)
        if settings.optimizer == "sgd":
            momentum = settings.momentum
            return optim.SGD(groups, settings.lr, momentum, weight_decay=settings.weight_decay, nesterov=momentum > 0)
        kind = {"adam": optim.Adam, "adamw": optim.AdamW}[settings.optimizer]
        return kind(groups, settings.lr, weight_decay=settings.weight_decay)

    def _groups(self, model: Module) -> list[dict[str, Any]]:
        """All that is trained, by layer if these have rates of their own; the biases of batch norm apart, if they have one."""
        settings, scale = self.settings, self.settings.norm_bias_lr
        groups: list[dict[str, Any]] = [
            {"params": [parameter for parameter in model.parameters() if parameter.requires_grad]}
        ]
        if settings.lr_layers != 1:
            groups = layer_groups(model, settings.lr, settings.lr_layers)
        if scale == 1:
            return groups
        norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
        faster = {id(norm.bias) for norm in norms if norm.bias is not None}
        # A step decays by the product of rate and weight decay: a faster group needs less of the one for as much of both.
        decay = settings.weight_decay / scale if scale else 0.0
        parts: list[dict[str, Any]] = []
        for group in groups:
            rate = group.get("lr", settings.lr) * scale
            others: list[Parameter] = [each for each in group["params"] if id(each) not in faster]
            biases: list[Parameter] = [each for each in group["params"] if id(each) in faster]
            parts += [{**group, "params": others}] if others else []
            parts += [{"params": biases, "lr": rate, "weight_decay": decay}] if biases else []
        return parts

    def callbacks(self, model: Module) -> list[Callback]:
        """What else happens while the model trains. Raises: OptionError if it lacks a part that is to be frozen."""
        settings = self.settings
        return [
            *([WeightAverage(settings.average_every)] if settings.average_every else []),
            *([GradualUnfreezing(model, settings.unfreeze_every)] if settings.unfreeze_every else []),
            *(FreezeAfter(model, pattern, epochs) for pattern, epochs in settings.freeze if epochs),
        ]

    def schedule(self, optimizer: optim.Optimizer, batches: int) -> Schedule:
        """The learning-rate schedule over all planned steps; batches: in an epoch."""
        steps = self.settings.epochs * batches
        if self.settings.schedule == "constant":
            return schedules.Constant(optimizer)
        if self.settings.schedule == "cosine":
            return schedules.Cosine(optimizer, steps)
        if self.settings.schedule == "triangular":
            return schedules.Triangular(optimizer, steps)
        return schedules.OneCycle(optimizer, max(steps, 2))


@contextmanager
def blaming(folder: RunFolder | None) -> Iterator[None]:
    """Around what follows from the config.json of a run: options that do not go together are then a fault of the file."""
    try:
        yield
    except OptionError as error:
        if folder is None:
            raise
        raise CheckpointError(f"{folder.path / CONFIG}: the settings make no run: {error}") from error


def training_images(settings: Settings) -> tuple[data.Dataset, data.Dataset | None]:
    """(to learn from, to validate on): a seeded split of the training set, every class in the same proportion.

    With a validation share of 0, all images are to learn from and there is nothing to validate on.
    """
    images, labels = _part(settings, "train"), settings.labels_per_class
    if labels is not None:
        try:
            images = data.few(images, labels, settings.seed)
        except OptionError as error:
            raise OptionError(f"--labels-per-class {labels}: {error}") from error
    return data.split(images, 1 - settings.validation, settings.seed) if settings.validation else (images, None)


def testing_images(settings: Settings) -> data.Dataset:
    """The test set, which training never looks at."""
    return _part(settings, "test")


def _part(settings: Settings, part: str) -> data.Dataset:
    """A known set by name; or a folder, with `train` and `test` inside it, or else split four to one by the seed."""
    if settings.data in data.NAMES:
        return data.load(settings.data, part)
    path, size = Path(settings.data), settings.size
    if not path.is_dir():
        raise OptionError(f"--data {path}: neither a known set ({', '.join(data.NAMES)}) nor a folder of images")
    if (path / "train").is_dir() and (path / "test").is_dir():
        classes = data.folder(path / "train", size).classes if part == "test" else None
        return data.folder(path / part, size, classes)
    first, second = data.split(data.folder(path, size), 0.8, settings.seed)
    return first if part == "train" else second
