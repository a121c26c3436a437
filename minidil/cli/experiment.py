"""An experiment: settings, and the facts about the data that a model needs wherever it goes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import minidil.schedule as schedules
from minidil import data, models, optim
from minidil.cli.settings import Settings
from minidil.data import transforms
from minidil.errors import CheckpointError, OptionError
from minidil.nn import Module
from minidil.random import default_rng, seed
from minidil.train import RunFolder, Schedule

_EVALUATION_BATCH = 256


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
        """Read the config.json of a run. Raises: CheckpointError if it is missing, damaged or incomplete."""
        config = folder.config()
        try:
            channels, height, width = map(int, config["shape"])
            mean, std = (tuple(map(float, config[name])) for name in ("mean", "std"))
            return cls(
                Settings.from_json(config["settings"]),
                tuple(map(str, config["classes"])),
                (channels, height, width),
                mean,
                std,
            )
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(
                f"{folder.path} was not made by `minidil train`, or its config.json is incomplete: {error!r}"
            ) from error

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

    def trained(self, folder: RunFolder) -> Module:
        """The model with the best weights of the run in `folder`, in evaluation mode.

        Raises: CheckpointError if there are none or they do not fit.
        """
        tree, model = folder.best(), self.model()
        if not isinstance(tree, dict) or not isinstance(tree.get("model"), dict):
            raise CheckpointError(f"{folder.path}: best.npz is a checkpoint, but not of a model's weights")
        model.load_state_dict(tree["model"])
        return model.eval()

    def normalize(self) -> transforms.Normalize:
        """What every image goes through before the model."""
        return transforms.Normalize(self.mean, self.std)

    def learning(self, images: data.Dataset) -> data.DataLoader:
        """Shuffled, augmented batches."""
        settings = self.settings
        return data.DataLoader(
            images,
            settings.batch_size,
            shuffle=True,
            seed=settings.seed,
            transforms=[
                self.normalize(),
                *([transforms.PadCrop(settings.crop)] if settings.crop else []),
                *([transforms.Flip()] if settings.flip else []),
                *([transforms.Cutout(settings.cutout)] if settings.cutout else []),
            ],
        )

    def measuring(self, images: data.Dataset) -> data.DataLoader:
        """All images in their order, as they are."""
        return data.DataLoader(images, _EVALUATION_BATCH, transforms=[self.normalize()])

    def optimizer(self, model: Module) -> optim.Optimizer:
        """The optimizer; SGD has Nesterov momentum 0.9."""
        settings, parameters = self.settings, list(model.parameters())
        if settings.optimizer == "sgd":
            return optim.SGD(parameters, settings.lr, momentum=0.9, nesterov=True, weight_decay=settings.weight_decay)
        kind = {"adam": optim.Adam, "adamw": optim.AdamW}[settings.optimizer]
        return kind(parameters, settings.lr, weight_decay=settings.weight_decay)

    def schedule(self, optimizer: optim.Optimizer, batches: int) -> Schedule:
        """The learning-rate schedule over all planned steps; batches: in an epoch."""
        steps = self.settings.epochs * batches
        if self.settings.schedule == "constant":
            return schedules.Constant(optimizer)
        if self.settings.schedule == "cosine":
            return schedules.Cosine(optimizer, steps)
        return schedules.OneCycle(optimizer, max(steps, 2))


def training_images(settings: Settings) -> tuple[data.Dataset, data.Dataset]:
    """(to learn from, to validate on): a seeded split of the training set, every class in the same proportion."""
    return data.split(_part(settings, "train"), 1 - settings.validation, settings.seed)


def testing_images(settings: Settings) -> data.Dataset:
    """The test set, which training never looks at."""
    return _part(settings, "test")


def _part(settings: Settings, part: str) -> data.Dataset:
    """A known set by name; or a folder, with `train` and `test` inside it, or else split four to one by the seed."""
    if settings.data in data.NAMES:
        return data.load(settings.data, part)
    path, size = Path(settings.data), settings.size
    if (path / "train").is_dir() and (path / "test").is_dir():
        classes = data.folder(path / "train", size).classes if part == "test" else None
        return data.folder(path / part, size, classes)
    first, second = data.split(data.folder(path, size), 0.8, settings.seed)
    return first if part == "train" else second
