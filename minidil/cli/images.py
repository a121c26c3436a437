"""Experiments on images, each of which has one class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

import minidil.functional as F
from minidil import analysis, data, models
from minidil.array import Array
from minidil.cli.experiment import Answer, Experiment, Start, Wanted
from minidil.cli.settings import Settings
from minidil.cli.table import table
from minidil.cli.tasks import DETECTION, SEGMENTATION
from minidil.data import pictures, transforms
from minidil.data.coco import FILE
from minidil.data.mask_folder import PARTS
from minidil.deploy.prune.widths import Widths, is_widths, narrowed
from minidil.errors import CheckpointError, DataError, OptionError
from minidil.graph import no_grad
from minidil.nn import Module
from minidil.random import default_rng, seed
from minidil.tensor import tensor
from minidil.terminal import fill
from minidil.train import AveragedViews, RunFolder, evaluate
from minidil.train.folder import CONFIG
from minidil.train.rules import Rule, listed, number, shown, whole

LARGEST = 16_384  # channels or pixels: more than any image or network that fits into memory
_EVALUATION_BATCH = 256
_WHITENING_IMAGES = 5000
_WIDTHS = Rule("two whole numbers for each layer", is_widths)


@dataclass(frozen=True)
class Images(Experiment):
    """shape: (C, H, W) of an image; mean, std: (C,) of the training images, white being 1.

    widths: of the layers of a network that was pruned, see `deploy.prune.widths`; None if it is as it was built.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    widths: Widths | None = None

    FACTS: ClassVar[Mapping[str, Rule]] = {
        "shape": listed(whole(1, LARGEST), 3),
        "mean": listed(number(0, 1)),
        "std": listed(Rule("above 0 and at most 1", lambda value: number(0, 1).holds(value) and value > 0)),
    }

    @staticmethod
    def training(settings: Settings) -> tuple[data.Dataset, data.Dataset | None]:
        """A seeded split of the training set, every class in the same proportion.

        With a validation share of 0, all images are to learn from and there is nothing to validate on.
        """
        images, labels = part_of(settings, "train", data.folder), settings.labels_per_class
        if labels is not None:
            try:
                images = data.few(images, labels, settings.seed)
            except OptionError as error:
                raise OptionError(f"--labels-per-class {labels}: {error}") from error
        return divided(images, settings)

    @staticmethod
    def testing(settings: Settings) -> data.Dataset:
        """The test set, which training never looks at."""
        return part_of(settings, "test", data.folder)

    @classmethod
    def on(cls, settings: Settings, learn: data.Dataset, widths: Widths | None = None) -> Self:
        """The experiment with these settings on the images `learn`."""
        channels, height, width = learn.images.shape[1:]
        # A channel that is the same everywhere has no deviation to divide by.
        std = tuple(value or 1.0 for value in learn.std().tolist())
        return cls(settings, learn.classes, (channels, height, width), tuple(learn.mean().tolist()), std, widths)

    @classmethod
    def from_facts(cls, settings: Settings, config: Mapping[str, Any], path: Path) -> Self:
        """The experiment of a config.json."""
        channels, height, width = config["shape"]
        for name in ("mean", "std"):
            if len(config[name]) != channels:
                raise CheckpointError(
                    f"{path}: {name} has {len(config[name])} values for the {channels} channels of shape"
                )
        if "widths" in config:
            _WIDTHS.check(config["widths"], f"{path}: widths")
        longest = max(height, width)
        for name, largest in {"crop": longest, "tile": longest, "cutout": LARGEST, "size": LARGEST}.items():
            if getattr(settings, name) > largest:
                raise CheckpointError(
                    f"{path}: settings.{name} must be at most {largest}, not {getattr(settings, name)}"
                )
        for name, largest in {"widths": LARGEST, "dilations": cls.farthest(height, width)}.items():
            if any(each < 1 or each > largest for each in _numbers(getattr(settings, name) or ())):
                raise CheckpointError(
                    f"{path}: settings.{name} must be from 1 to {largest} each, not {shown(getattr(settings, name))}"
                )
        mean, std = (tuple(config[name]) for name in ("mean", "std"))
        return cls(settings, tuple(config["classes"]), (channels, height, width), mean, std, config.get("widths"))

    @staticmethod
    def farthest(height: int, width: int) -> int:
        """The largest dilation that makes sense."""
        return max(height, width)

    def facts(self) -> dict[str, Any]:
        """What `from_facts` reads."""
        facts = {name: list(getattr(self, name)) for name in ("shape", "mean", "std")}
        return facts | ({"widths": self.widths} if self.widths else {})

    def check(self, items: data.Dataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if these are no images of the shape and classes that config.json tells."""
        told = {"shape": self.shape, "classes": self.classes}
        for name, found in {"shape": items.images.shape[1:], "classes": items.classes}.items():
            if told[name] != found:
                raise CheckpointError(
                    f"{folder.path / CONFIG}: {name} is {shown(told[name])}, and that of the images of "
                    f"{self.settings.data} is {shown(found)}"
                )

    def check_learnt(self, learn: data.Dataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if the run was not made with these images: their mean and deviation tell them apart."""
        self.check(learn, folder)
        now = type(self).on(self.settings, learn)
        for name in ("mean", "std"):
            if not np.allclose(getattr(self, name), getattr(now, name), rtol=1e-5, atol=0):
                raise CheckpointError(
                    f"{folder.path / CONFIG}: {name} is {shown(getattr(self, name))}, and that of the images to learn from "
                    f"is {shown(getattr(now, name))}; data, seed or validation were changed, or the images"
                )

    def options(self) -> dict[str, Any]:
        """What the builder of the network is called with, as the settings ask for."""
        settings = self.settings
        options: dict[str, Any] = {"num_classes": len(self.classes), "in_channels": self.shape[0]}
        if settings.widths is not None:
            options |= self._widths(settings.widths)
        if settings.dilations is not None:
            options |= self._dilations(settings.dilations)
        return options

    def _widths(self, widths: tuple[int, ...]) -> dict[str, Any]:
        return {"widths": widths}

    def _dilations(self, stages: tuple[tuple[int, ...], ...]) -> dict[str, Any]:
        """As the network takes them: one a stage of a residual network, one a layer of a VGG."""
        if self.settings.model != "resnet_small":
            return {"dilations": stages}
        if any(len(stage) > 1 for stage in stages):
            raise OptionError(f"--dilations: {self.settings.model} takes one number per stage, such as 1 1 2")
        return {"dilations": [stage[0] for stage in stages]}

    def _built(self, options: dict[str, Any]) -> Module:
        return models.build(self.settings.model, rng=default_rng(), **options)

    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed."""
        settings, options = self.settings, self.options()
        seed(settings.seed)
        model = self._built(options)
        if settings.output_stride is not None:
            try:
                model = analysis.dilate(model, settings.output_stride, self.shape).model
            except OptionError as error:
                raise OptionError(f"--output-stride {settings.output_stride}: {error}") from error
        return narrowed(model, self.widths) if self.widths else model

    def untrained(self, learn: data.Dataset, start: Start | None = None) -> tuple[Module, tuple[str, ...]]:
        """A model before its first step; the whitening of a fresh one follows from the training images."""
        model, notes = super().untrained(learn, start)
        if start is None and isinstance(model, models.WhitenedVGG):
            images = np.divide(learn.images[:_WHITENING_IMAGES], 255, dtype=np.float32)
            model.whiten_by(self.normalize()(images, np.random.default_rng(0)))
        return model, notes

    def viewed(self, model: Module, tta: int | None = None) -> Module:
        """The model, or what asks it about several views of each image. tta: in place of the one in the settings."""
        level = self.settings.tta if tta is None else tta
        return AveragedViews(model, level) if level else model

    def normalize(self) -> transforms.Transform:
        """What every image goes through before the model."""
        if self.settings.normalize == "image":
            return transforms.Standardize(dark_ground=True)
        return transforms.Normalize(self.mean, self.std)

    def learning(self, items: data.Dataset) -> data.DataLoader:
        """Shuffled, augmented batches. Raises: OptionError if an image cannot be cut or turned as the settings ask for."""
        settings, (_, height, width) = self.settings, self.shape
        if settings.tile > min(height, width):
            raise OptionError(f"--tile {settings.tile}: the images have {height}x{width} pixels")
        if settings.turn and not settings.tile and height != width:
            raise OptionError(f"--turn: images of {height}x{width} do not fit when turned; cut out squares with --tile")
        flip = transforms.AlternatingFlip(settings.seed) if settings.flip_rule == "alternating" else transforms.Flip()
        return data.DataLoader(
            items,
            settings.batch_size,
            shuffle=True,
            drop_last=settings.drop_last,
            seed=settings.seed,
            transforms=[
                self.normalize(),
                *([transforms.Zoom(settings.zoom)] if settings.zoom > 1 else []),
                *([transforms.Crop(settings.tile)] if settings.tile else []),
                *([transforms.Turn()] if settings.turn else []),
                *([transforms.PadCrop(settings.crop, settings.crop_fill)] if settings.crop else []),
                *([flip] if settings.flip else []),
                *([transforms.Cutout(settings.cutout)] if settings.cutout else []),
            ],
        )

    def measuring(self, items: data.Dataset) -> data.DataLoader:
        """All images in their order, as they are."""
        return data.DataLoader(items, _EVALUATION_BATCH, transforms=[self.normalize()])

    def report(self, model: Module, items: data.Dataset, content: dict[str, Any]) -> None:
        """Loss and accuracy, and the accuracy of every class."""
        by_class(self, model, items, content)

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """The most probable classes of an image file."""
        pixels, changes = read_image(Path(source), self.shape, wanted.invert)
        words, classes = likeliest(self, model, self.batch_of(pixels), wanted.top)
        return Answer(words + in_words(changes), {"classes": classes, "changes": changes})

    def batch_of(self, pixels: Array) -> Array:
        """The batch (1, C, H, W) of one image (C, H, W) of uint8, as the network takes it."""
        image = pixels[None].astype(np.float32) / np.float32(255)
        return self.normalize()(image, np.random.default_rng(0))


def by_class(experiment: Experiment, model: Module, items: Any, content: dict[str, Any]) -> None:
    """Print the accuracy of every class of items with one class each, and loss and accuracy of all; put them into content."""
    right = np.zeros(len(experiment.classes), dtype=int)

    def collect(logits: Array, labels: Array) -> None:
        right[:] += np.bincount(labels[logits.argmax(axis=1) == labels], minlength=len(right))

    metrics = evaluate(model, experiment.measuring(items), collect)
    total = np.bincount(items.labels, minlength=len(right))
    content |= {"loss": metrics.loss, "accuracy": metrics.accuracy, "classes": []}
    rows = []
    for name, correct, count in zip(experiment.classes, right.tolist(), total.tolist(), strict=True):
        content["classes"].append({"class": name, "right": correct, experiment.task.items: count})
        rows.append((name, f"{correct:5d} of {count:5d} right", f"{correct / count:7.2%}" if count else ""))
    print("\n".join(table(rows, "<<<", (1,))))
    print(
        fill(
            f"test loss {metrics.loss:.4f}, test accuracy {metrics.accuracy:.2%} on {len(items):,} {experiment.task.items}"
        )
    )


def likeliest(experiment: Experiment, model: Module, batch: Array, top: int) -> tuple[str, list[dict[str, Any]]]:
    """The most probable classes of the one item in a batch, in words and for JSON."""
    with no_grad():
        probabilities = F.softmax(model(tensor(batch))).numpy()[0]
    best = np.argsort(-probabilities, kind="stable")[:top]
    answers = [(experiment.classes[index], float(probabilities[index])) for index in best]
    words = ", ".join(f"{name} {share:.1%}" for name, share in answers)
    return words, [{"class": name, "probability": share} for name, share in answers]


def in_words(changes: list[str]) -> str:
    """What had to be changed of an image, behind the answer."""
    return f"  ({', '.join(changes)})" if changes else ""


def as_images(experiment: Experiment, command: str) -> Images:
    """The experiment, if it is of images. Raises: OptionError that says which command is for images only."""
    if not isinstance(experiment, Images) or experiment.task.kind == "boxes":
        raise OptionError(
            f"{command} is for networks of images, and {experiment.settings.model} gives {experiment.task.answers}"
        )
    return experiment


def divided(images: data.Dataset, settings: Settings) -> tuple[data.Dataset, data.Dataset | None]:
    """(to learn from, to validate on), by the seed."""
    return data.split(images, 1 - settings.validation, settings.seed) if settings.validation else (images, None)


def part_of(settings: Settings, part: str, read: Callable[..., Any]) -> Any:
    """A known set by name; or a folder, with `train` and `test` inside it, or else split four to one by the seed.

    read: (folder, size, classes) -> set.
    """
    if settings.data in data.NAMES:
        return data.load(settings.data, part)
    path, size = Path(settings.data), settings.size
    if not path.is_dir():
        raise OptionError(f"--data {path}: neither a known set ({', '.join(data.NAMES)}) nor a folder of images")
    halves = [half for half in ("train", "test") if (path / half).is_dir()]
    if len(halves) == 1 and read in (data.masked_folder, data.boxed_folder) and not (path / PARTS[0]).is_dir():
        raise OptionError(
            f"--data {path}: holds {halves[0]}/ alone of train/ and test/; make both, or put {PARTS[0]}/ into it, and it is "
            "divided"
        )
    parts = len(halves) == 2
    whole_set = path / "train" if parts else path
    if read is data.folder and all((whole_set / name).is_dir() for name in PARTS):
        raise OptionError(
            f"--data {path}: holds {' and '.join(PARTS)}, a class for every pixel, and --model {settings.model} gives one for "
            f"every image; choose from {', '.join(sorted(SEGMENTATION.models))}"
        )
    if read is data.folder and (whole_set / FILE).is_file():
        raise OptionError(
            f"--data {path}: holds {FILE}, boxes around objects, and --model {settings.model} gives a class for every image; "
            f"choose from {', '.join(sorted(DETECTION.models))}"
        )
    if parts:
        classes = read(whole_set, size).classes if part == "test" else None
        return read(path / part, size, classes)
    first, second = data.split(read(path, size), 0.8, settings.seed)
    return first if part == "train" else second


def read_image(
    path: Path, shape: tuple[int, int, int], invert: bool = False, whole: bool = False
) -> tuple[Array, list[str]]:
    """Read an image as a model takes it: (pixels uint8 (C, H, W), what had to be changed for that, in words).

    An image of other proportions fills the shape and is cut off evenly on both sides; whole: it keeps the size that it has.
    Raises: DataError if Pillow is missing or cannot read or show the file; OSError if there is no such file.
    """
    channels, height, width = shape
    mode = {1: "L", 3: "RGB"}.get(channels)
    if mode is None:
        raise DataError(f"{path}: the model takes {channels} channels, and image files have 1 or 3")
    image, changes = pictures.opened(path)
    if image.mode != mode:
        changes.append("made grey" if mode == "L" else "made RGB")
        image = image.convert(mode)
    if not whole and image.size != (width, height):
        changes.append(f"scaled from {image.height}x{image.width} to {height}x{width}")
        image = pictures.fitted(image, height, width)
    if invert:
        changes.append("inverted")
        image = pictures.inverted(image)
    return pictures.pixels(image), changes


def _numbers(value: Any) -> list[int]:
    return [inner for each in value for inner in _numbers(each)] if isinstance(value, tuple) else [value]
