"""Experiments with networks that name a sound."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from minidil import data, models
from minidil.array import Array
from minidil.cli.experiment import Answer, Experiment, Wanted
from minidil.cli.images import likeliest
from minidil.cli.settings import Settings
from minidil.cli.table import table
from minidil.deploy.prune.widths import Widths
from minidil.errors import CheckpointError, OptionError
from minidil.nn import Module
from minidil.random import default_rng, seed
from minidil.tasks.sound.heard import NETWORK, heard
from minidil.tasks.sound.shaken import Shaken
from minidil.terminal import fill
from minidil.train import RunFolder, evaluate
from minidil.train.folder import CONFIG
from minidil.train.metrics import Loader
from minidil.train.rules import Rule, listed, number, shown, whole

_EVALUATION_BATCH = 100
# How far at most while learning: of a spectrogram two bands and 40 ms, of a wave with 8,000 samples a second 50 ms.
_SPECTROGRAM = {"bands": 2, "frames": 4}
_MOVED = {"log-mel": _SPECTROGRAM, "mean-free": _SPECTROGRAM, "wave": {"frames": 400}}


@dataclass(frozen=True)
class Sounds(Experiment):
    """shape: (rows, steps) of what the network hears. rate: samples a second. power: mean square of the sounds learnt from."""

    shape: tuple[int, int]
    rate: int
    power: float

    FACTS: ClassVar[Mapping[str, Rule]] = {
        "shape": listed(whole(1), 2),
        "rate": whole(1),
        "power": number(0),
    }

    @staticmethod
    def training(settings: Settings) -> tuple[data.Recordings, data.Recordings | None]:
        """A seeded split of the sounds to train on, every class in the same proportion."""
        sounds = _part(settings, "train")
        return data.split(sounds, 1 - settings.validation, settings.seed) if settings.validation else (sounds, None)

    @staticmethod
    def testing(settings: Settings) -> data.Recordings:
        """The sounds to test on."""
        return _part(settings, "test")

    @classmethod
    def on(cls, settings: Settings, learn: data.Recordings, widths: Widths | None = None) -> Self:
        """The experiment with these settings on the sounds `learn`."""
        rows, steps = heard(learn[:1].fixed(settings.length), learn.rate, settings.hears).shape[1:]
        return cls(settings, learn.classes, (rows, steps), learn.rate, _power(learn))

    @classmethod
    def from_facts(cls, settings: Settings, config: Mapping[str, Any], path: Path) -> Self:
        """The experiment of a config.json."""
        rate, classes = config["rate"], tuple(config["classes"])
        shape = heard(np.zeros((1, settings.length), np.float32), rate, settings.hears).shape[1:]
        if tuple(config["shape"]) != shape:
            raise CheckpointError(
                f"{path}: shape is {shown(config['shape'])}, and {settings.length} samples at {rate} a second make {shape}"
            )
        return cls(settings, classes, shape, rate, config["power"])

    def facts(self) -> dict[str, Any]:
        """What `from_facts` reads."""
        return {"shape": list(self.shape), "rate": self.rate, "power": self.power}

    def check(self, items: data.Recordings, folder: RunFolder) -> None:
        """Raises: CheckpointError if these are no sounds of the classes and rate that config.json tells."""
        for name, told, found in (
            ("classes", self.classes, items.classes),
            ("rate", self.rate, items.rate),
        ):
            if told != found:
                raise CheckpointError(
                    f"{folder.path / CONFIG}: {name} is {shown(told)}, and that of the sounds of {self.settings.data} is "
                    f"{shown(found)}"
                )

    def check_learnt(self, learn: data.Recordings, folder: RunFolder) -> None:
        """Raises: CheckpointError if the run was not made with these sounds: their mean square tells them apart."""
        self.check(learn, folder)
        if not np.isclose(self.power, now := _power(learn), rtol=1e-5, atol=0):
            raise CheckpointError(
                f"{folder.path / CONFIG}: power is {self.power:g}, and that of the sounds to learn from is {now:g}; data, seed "
                "or validation were changed, or the sounds"
            )

    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed."""
        settings = self.settings
        options = NETWORK[settings.hears] | one_stage(settings)
        seed(settings.seed)
        return models.wavenet(len(self.classes), rng=default_rng(), **options)

    def learning(self, items: data.Recordings) -> Loader:
        """Shuffled batches, each sound moved a little at random."""
        settings = self.settings
        loader = data.DataLoader(
            self._heard(items), settings.batch_size, shuffle=True, drop_last=settings.drop_last, seed=settings.seed
        )
        return Shaken(loader, **_MOVED[settings.hears])

    def measuring(self, items: data.Recordings) -> Loader:
        """All sounds in their order, as they are."""
        return data.DataLoader(self._heard(items), _EVALUATION_BATCH)

    def _heard(self, items: data.Recordings) -> data.TensorDataset:
        waves = items.fixed(self.settings.length)
        return data.TensorDataset(heard(waves, items.rate, self.settings.hears), items.labels)

    def report(self, model: Module, items: data.Recordings, content: dict[str, Any]) -> None:
        """Loss and accuracy, and the accuracy of every class and every speaker."""
        said: list[Array] = []
        metrics = evaluate(model, self.measuring(items), lambda logits, _: said.append(logits.argmax(axis=1)))
        right = np.concatenate(said) == items.labels
        content |= {"loss": metrics.loss, "accuracy": metrics.accuracy, "classes": [], "speakers": []}
        rows = []
        kinds = [("class", "classes", items.labels, items.classes)]
        if items.speakers is not None:
            kinds.append(("speaker", "speakers", items.speakers, items.speaker_names))
        for kind, place, numbers, names in kinds:
            for at, name in enumerate(names):
                of_it = right[numbers == at]
                if of_it.size:
                    content[place].append({kind: name, "right": int(of_it.sum()), "sounds": of_it.size})
                    rows.append((name, f"{of_it.sum():5d} of {of_it.size:5d} right", f"{of_it.mean():7.2%}"))
        print("\n".join(table(rows, "<<<", (1,))))
        print(fill(f"test loss {metrics.loss:.4f}, test accuracy {metrics.accuracy:.2%} on {len(items):,} sounds"))

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """The most probable classes of a WAV file."""
        wave, length = data.wave_of(source, self.rate), self.settings.length
        sound = data.Recordings(source, [wave], np.zeros(1, np.int64), self.classes, self.rate)
        batch = heard(sound.fixed(length), self.rate, self.settings.hears)
        words, classes = likeliest(self, model, batch, wanted.top)
        changes = []
        if len(wave) > length:
            changes.append(f"its middle {length / self.rate:.2f} of {len(wave) / self.rate:.2f} s")
        if not wave.any():
            changes.append("it is silent")
        told = f"  ({', '.join(changes)})" if changes else ""
        return Answer(words + told, {"classes": classes, "changes": changes})


def one_stage(settings: Settings) -> dict[str, Any]:
    """The options of a network with one width and one list of dilations. Raises: OptionError for more."""
    options: dict[str, Any] = {}
    if settings.widths is not None:
        if len(settings.widths) > 1:
            raise OptionError(f"--widths: {settings.model} has one for all of its layers, such as 16")
        options["width"] = settings.widths[0]
    if settings.dilations is not None:
        if len(settings.dilations) > 1:
            raise OptionError(f"--dilations: {settings.model} dilates one stage, as in 1,2,4")
        options["dilations"] = settings.dilations[0]
    return options


def _part(settings: Settings, part: str) -> data.Recordings:
    """A known set by name; or a folder, with `train` and `test` inside it, or else split four to one by the seed."""
    if settings.data == "spoken_digits":
        return data.spoken_digits(part, left_out=settings.left_out)
    if settings.left_out is not None:
        raise OptionError(f"--left-out {settings.left_out}: only spoken_digits says who speaks")
    path = Path(settings.data)
    if not path.is_dir():
        raise OptionError(f"--data {path}: neither spoken_digits nor a folder with one sub-folder of WAV files a class")
    if (path / "train").is_dir() and (path / "test").is_dir():
        classes = data.sound_folder(path / "train").classes if part == "test" else None
        return data.sound_folder(path / part, classes=classes)
    first, second = data.split(data.sound_folder(path), 0.8, settings.seed)
    return first if part == "train" else second


def _power(sounds: data.Recordings) -> float:
    """The mean square of all samples."""
    return float(sum(np.square(wave, dtype=np.float64).sum() for wave in sounds.waves) / sum(map(len, sounds.waves)))
