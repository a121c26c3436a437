"""Experiments with networks that are to remember: their sequences are drawn, fresh in every epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from minidil import data
from minidil.cli.experiment import Answer, Experiment, Wanted
from minidil.cli.settings import Settings
from minidil.cli.sounds import one_stage
from minidil.data.drawn import TOLD
from minidil.deploy.prune.widths import Widths
from minidil.errors import OptionError
from minidil.nn import Module
from minidil.random import default_rng, seed
from minidil.terminal import fill
from minidil.train import RunFolder, evaluate

_BATCHES, _MEASURED = 100, 10  # batches of an epoch to learn from, and of 100 sequences to measure on
_SEEDS = {"train": 0, "validate": 10**6, "test": 2 * 10**6}  # far apart: no part has sequences of another
_KINDS: dict[str, dict[str, Any]] = {
    "copy_memory": {"num_classes": 10, "in_channels": 1, "answers": "every"},
    "adding": {"num_classes": 1, "in_channels": 2, "answers": "last"},
}


@dataclass(frozen=True)
class _Sequences:
    """The sequences of an epoch; their number is its length."""

    drawn: data.Drawn

    def __len__(self) -> int:
        return len(self.drawn) * self.drawn.batch_size


@dataclass(frozen=True)
class Memory(Experiment):
    """shape: (channels, steps) of a sequence."""

    shape: tuple[int, int]

    @staticmethod
    def training(settings: Settings) -> tuple[_Sequences, _Sequences | None]:
        """Fresh sequences for every epoch, and others to validate on, unless the share of those is 0."""
        learn = data.Drawn(_draw(settings), settings.batch_size, _BATCHES, _SEEDS["train"] + settings.seed)
        return _Sequences(learn), _measured(settings, "validate") if settings.validation else None

    @staticmethod
    def testing(settings: Settings) -> _Sequences:
        """A thousand sequences that training never draws."""
        return _measured(settings, "test")

    @classmethod
    def on(cls, settings: Settings, learn: _Sequences, widths: Widths | None = None) -> Self:
        """The experiment with these settings."""
        return cls.from_facts(settings, {}, Path())

    @classmethod
    def from_facts(cls, settings: Settings, config: Mapping[str, Any], path: Path) -> Self:
        """The experiment with these settings, from which all follows. Raises: OptionError if they fit no task."""
        kind = _KINDS[settings.data]
        wanted = "cross-entropy" if kind["answers"] == "every" else "mse"
        if (settings.loss or "cross-entropy") != wanted:
            raise OptionError(f"--loss {settings.loss}: {settings.data} is learnt with {wanted}")
        steps = settings.length + (2 * TOLD if kind["answers"] == "every" else 0)
        classes = tuple(map(str, range(kind["num_classes"]))) if kind["num_classes"] > 1 else ("sum",)
        return cls(settings, classes, (kind["in_channels"], steps))

    def facts(self) -> dict[str, Any]:
        """Nothing: the settings say all."""
        return {}

    def check(self, items: _Sequences, folder: RunFolder) -> None:
        """Sequences that are drawn as the settings say are always the right ones."""

    def check_learnt(self, learn: _Sequences, folder: RunFolder) -> None:
        """As `check`."""

    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed."""
        settings = self.settings
        options = of_sequences(settings)
        seed(settings.seed)
        return self.task.models[settings.model](rng=default_rng(), **_KINDS[settings.data], **options)

    def learning(self, items: _Sequences) -> data.Drawn:
        """Fresh sequences for every epoch."""
        return items.drawn

    def measuring(self, items: _Sequences) -> data.Drawn:
        """The same sequences each time."""
        return items.drawn

    def report(self, model: Module, items: _Sequences, content: dict[str, Any]) -> None:
        """Loss and share of right answers, beside the loss of the best answer without memory."""
        task, settings = self.task, self.settings
        found = evaluate(model, items.drawn, loss=task.loss(settings.loss), metrics=task.metrics)._asdict()
        without = data.memoryless(settings.length) if settings.data == "copy_memory" else 1 / 6
        content |= {**found, "without memory": without}
        words = f"test loss {found['loss']:.6f}, where the best answer without memory has {without:.6f}"
        print(fill(f"{words}; {found['right']:.2%} right, on {len(items):,} sequences"))

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """Raises: OptionError, since nobody has such sequences in a file."""
        raise OptionError(
            f"{self.settings.data} is drawn, and there is no file to answer for; minidil eval measures it"
        )


def of_sequences(settings: Settings) -> dict[str, Any]:
    """The options of a TCN or an LSTM that were asked for. Raises: OptionError for those that it does not have."""
    options = one_stage(settings)
    if settings.model == "lstm" and "dilations" in options:
        raise OptionError("--dilations: lstm has none; leave it out")
    return options


def _draw(settings: Settings) -> data.Draw:
    return {"copy_memory": data.copy_memory, "adding": data.adding}[settings.data](settings.length)


def _measured(settings: Settings, part: str) -> _Sequences:
    return _Sequences(data.Drawn(_draw(settings), 100, _MEASURED, _SEEDS[part] + settings.seed))
