"""An experiment: settings, and the facts about the data that a model needs wherever it goes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

import minidil.schedule as schedules
from minidil import data, models, optim
from minidil.cli.config import checked
from minidil.cli.settings import Settings
from minidil.data import transforms
from minidil.errors import CheckpointError, OptionError
from minidil.nn import BatchNorm, Module, Parameter
from minidil.random import default_rng, seed
from minidil.train import AveragedViews, Callback, FreezeAfter, RunFolder, Schedule, WeightAverage
from minidil.train.folder import CONFIG
from minidil.train.rules import shown

_EVALUATION_BATCH = 256
_WHITENING_IMAGES = 5000


@dataclass(frozen=True)
class Experiment:
    """What config.json holds. shape: (C, H, W) of an image; mean, std: (C,) of the training images, white being 1."""

    settings: Settings
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def on(cls, settings: Settings, learn: data.Dataset) -> Self:
        """The experiment with these settings on the images `learn`."""
        channels, height, width = learn.images.shape[1:]
        # A channel that is the same everywhere has no deviation to divide by.
        std = tuple(value or 1.0 for value in learn.std().tolist())
        return cls(settings, learn.classes, (channels, height, width), tuple(learn.mean().tolist()), std)

    @classmethod
    def of(cls, folder: RunFolder) -> Self:
        """Read the config.json of a run. Raises: CheckpointError if it is missing, or one of its values is wrong."""
        config = folder.config()
        settings = checked(config, folder.path / CONFIG)
        channels, height, width = config["shape"]
        facts = (tuple(config[name]) for name in ("mean", "std"))
        return cls(settings, tuple(config["classes"]), (channels, height, width), *facts)

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
        return models.build(settings.model, len(self.classes), self.shape[0], rng=default_rng(), **options)

    def untrained(self, learn: data.Dataset) -> Module:
        """A freshly initialised model, with all that follows from the training images and not from training."""
        model = self.model()
        if isinstance(model, models.WhitenedVGG):
            images = np.divide(learn.images[:_WHITENING_IMAGES], 255, dtype=np.float32)
            model.whiten_by(self.normalize()(images, np.random.default_rng(0)))
        return model

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
        """All that is trained; the biases of batch norm apart if they have a learning rate of their own."""
        learning, faster = [parameter for parameter in model.parameters() if parameter.requires_grad], list[Parameter]()
        scale = self.settings.norm_bias_lr
        if scale != 1:
            norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
            faster = [norm.bias for norm in norms if norm.bias is not None and norm.bias.requires_grad]
            apart = set(map(id, faster))
            learning = [parameter for parameter in learning if id(parameter) not in apart]
        # A step decays by the product of rate and weight decay: a faster group needs less of the one for as much of both.
        decay = self.settings.weight_decay / scale if scale else 0.0
        rate = self.settings.lr * scale
        return [{"params": learning}, *([{"params": faster, "lr": rate, "weight_decay": decay}] if faster else [])]

    def callbacks(self, model: Module) -> list[Callback]:
        """What else happens while the model trains. Raises: OptionError if it lacks a part that is to be frozen."""
        settings = self.settings
        return [
            *([WeightAverage(settings.average_every)] if settings.average_every else []),
            *(FreezeAfter(model, prefix, epochs) for prefix, epochs in settings.freeze),
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
    images = _part(settings, "train")
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
