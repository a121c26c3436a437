"""Experiments on clips, each of which has one class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from minidil import data, models
from minidil.cli.experiment import Answer, Experiment, Wanted
from minidil.cli.images import LARGEST, by_class, divided, likeliest, part_of
from minidil.cli.settings import Settings
from minidil.data import pictures
from minidil.data.clip_folder import read_clip
from minidil.data.clip_set import by_frame
from minidil.data.transforms import Normalize
from minidil.deploy.prune.widths import Widths
from minidil.errors import CheckpointError, OptionError
from minidil.nn import Module
from minidil.random import default_rng, seed
from minidil.storage.files import atomic_write
from minidil.tasks.video import contact_sheet
from minidil.terminal import fill
from minidil.train import RunFolder, evaluate
from minidil.train.folder import CONFIG
from minidil.train.rules import Rule, listed, number, shown, whole

_EVALUATION_BATCH = 50
_FRAME = 64  # pixels of a frame on a contact sheet, at least


@dataclass(frozen=True)
class Clips(Experiment):
    """shape: (C, T, H, W) of a clip; mean, std: (C,) of the training clips, white being 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    FACTS: ClassVar[Mapping[str, Rule]] = {
        "shape": listed(whole(1, LARGEST), 4),
        "mean": listed(number(0, 1)),
        "std": listed(Rule("above 0 and at most 1", lambda value: number(0, 1).holds(value) and value > 0)),
    }

    @staticmethod
    def training(settings: Settings) -> tuple[Any, Any]:
        """A seeded split of the training clips, every class in the same proportion."""
        return divided(_part(settings, "train"), settings)

    @staticmethod
    def testing(settings: Settings) -> data.Clips:
        """The test clips, which training never looks at."""
        return _part(settings, "test")

    @classmethod
    def on(cls, settings: Settings, learn: data.Clips, widths: Widths | None = None) -> Self:
        """The experiment with these settings on the clips `learn`."""
        std = tuple(value or 1.0 for value in learn.std().tolist())
        return cls(settings, learn.classes, learn.shape, tuple(learn.mean().tolist()), std)

    @classmethod
    def from_facts(cls, settings: Settings, config: Mapping[str, Any], path: Path) -> Self:
        """The experiment of a config.json."""
        shape, mean, std = (tuple(config[name]) for name in ("shape", "mean", "std"))
        for name, values in (("mean", mean), ("std", std)):
            if len(values) != shape[0]:
                raise CheckpointError(f"{path}: {name} has {len(values)} values for the {shape[0]} channels of shape")
        dilations = tuple(each for stage in settings.dilations or () for each in stage)
        for name, numbers, largest in (("widths", settings.widths or (), LARGEST), ("dilations", dilations, shape[1])):
            if any(not 1 <= each <= largest for each in numbers):
                raise CheckpointError(f"{path}: settings.{name} must be from 1 to {largest} each, not {shown(numbers)}")
        return cls(settings, tuple(config["classes"]), shape, mean, std)

    def facts(self) -> dict[str, Any]:
        """What `from_facts` reads."""
        return {name: list(getattr(self, name)) for name in self.FACTS}

    def check(self, items: data.Clips, folder: RunFolder) -> None:
        """Raises: CheckpointError if these are no clips of the shape and classes that config.json tells."""
        self._same(folder, shape=items.shape, classes=items.classes)

    def check_learnt(self, learn: data.Clips, folder: RunFolder) -> None:
        """Raises: CheckpointError if the run was not made with these clips: their mean and deviation tell them apart."""
        self.check(learn, folder)
        now = type(self).on(self.settings, learn)
        if not np.allclose([self.mean, self.std], [now.mean, now.std], rtol=1e-5, atol=0):
            self._same(folder, mean=now.mean, std=now.std)

    def _same(self, folder: RunFolder, **found: Sequence[Any]) -> None:
        for name, value in found.items():
            if getattr(self, name) != value:
                raise CheckpointError(
                    f"{folder.path / CONFIG}: {name} is {shown(getattr(self, name))}, and that of the clips of "
                    f"{self.settings.data} is {shown(value)}"
                )

    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed."""
        settings = self.settings
        options: dict[str, Any] = {} if settings.widths is None else {"widths": settings.widths}
        if settings.dilations is not None:
            if any(len(stage) > 1 for stage in settings.dilations):
                raise OptionError(f"--dilations: {settings.model} takes one number per layer, such as 1 2 4 8")
            options["dilations"] = [stage[0] for stage in settings.dilations]
        seed(settings.seed)
        return models.build(settings.model, len(self.classes), self.shape[0], rng=default_rng(), **options)

    def learning(self, items: data.Clips) -> data.DataLoader:
        """Shuffled batches of normalised clips."""
        settings = self.settings
        return data.DataLoader(
            items.normalized(self.mean, self.std),
            settings.batch_size,
            shuffle=True,
            drop_last=settings.drop_last,
            seed=settings.seed,
        )

    def measuring(self, items: data.Clips) -> data.DataLoader:
        """All clips in their order."""
        return data.DataLoader(items.normalized(self.mean, self.std), _EVALUATION_BATCH)

    def report(self, model: Module, items: data.Clips, content: dict[str, Any]) -> None:
        """The accuracy of every class, and what is left of it without motion and without order."""
        by_class(self, model, items, content)
        last = self.shape[1] - 1
        controls = {"last frame alone": items.stilled(last), "frames shuffled": items.shuffled()}
        content["controls"] = {
            name: evaluate(model, self.measuring(clips)).accuracy for name, clips in controls.items()
        }
        print(fill(", ".join(f"{name} {value:.2%}" for name, value in content["controls"].items())))

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """Draws the frames in a folder side by side, with the most probable classes above them, as NAME-clip.png."""
        path = Path(source)
        channels, frames, height, width = self.shape
        clip = read_clip(path, (height, width), frames, grey=channels == 1)
        clip = 255 - clip if wanted.invert else clip
        batch = by_frame(Normalize(self.mean, self.std), np.divide(clip, 255, dtype=np.float32))
        words, classes = likeliest(self, model, batch[None], wanted.top)
        file = wanted.out / f"{path.name}-clip.png"
        with atomic_write(file) as stream:
            sheet = pictures.image_of(contact_sheet(clip, least=_FRAME))
            pictures.captioned(sheet, words).save(stream, format="png")
        return Answer(f"{words}; drawn: {file}", {"classes": classes, "sheet": str(file)})


def _part(settings: Settings, part: str) -> Any:
    return part_of(
        settings, part, lambda path, size, classes=None: data.clip_folder(path, size, settings.frames, classes)
    )
