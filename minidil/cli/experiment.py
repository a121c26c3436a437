"""An experiment: settings, and the facts about the data that a model needs wherever it goes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

import minidil.schedule as schedules
from minidil import models, optim
from minidil.array import Array
from minidil.cli.config import checked
from minidil.cli.settings import Settings
from minidil.cli.tasks import Task, task_of
from minidil.deploy.prune.widths import Widths
from minidil.errors import CheckpointError, OptionError
from minidil.nn import BatchNorm, Module, Parameter, Summary
from minidil.train import (
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
from minidil.train.metrics import Loader
from minidil.train.rules import Rule


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
class Wanted:
    """How `minidil predict` is to answer. top: classes to name. invert: swap dark and bright. out: where pictures are drawn."""

    top: int
    invert: bool
    out: Path


@dataclass(frozen=True)
class Answer:
    """What a network says of one thing. words: for people, without the name of the thing. content: the same for JSON."""

    words: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Experiment(ABC):
    """What config.json holds: settings, classes, the shape of one item; and, in the kinds of experiments, more facts of the data.

    A kind says how its sets are read, made into batches, measured, and answered for; the table of tasks names it. What does not
    depend on the data is here: the optimizer, its schedule, freezing, and the weights that a run begins or ends with.
    """

    settings: Settings
    classes: tuple[str, ...]
    shape: tuple[int, ...]  # of one item, as the network takes it

    FACTS: ClassVar[Mapping[str, Rule]] = {}  # what config.json must hold beside settings and classes

    @property
    def task(self) -> Task:
        """What the network is for."""
        return task_of(self.settings.model, self.settings.data)

    # --- what a kind says of its data

    @staticmethod
    @abstractmethod
    def training(settings: Settings) -> tuple[Any, Any]:
        """(to learn from, to validate on or None): a seeded split of the training set."""

    @staticmethod
    @abstractmethod
    def testing(settings: Settings) -> Any:
        """The test set, which training never looks at."""

    @classmethod
    @abstractmethod
    def on(cls, settings: Settings, learn: Any, widths: Widths | None = None) -> Self:
        """The experiment with these settings on the set `learn`. widths: of a network that was pruned, if it was."""

    @classmethod
    @abstractmethod
    def from_facts(cls, settings: Settings, config: Mapping[str, Any], path: Path) -> Self:
        """The experiment of a config.json, in which FACTS hold. Raises: CheckpointError if they do not go together."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What `from_facts` reads, beside settings and classes."""

    @abstractmethod
    def check(self, items: Any, folder: RunFolder) -> None:
        """Raises: CheckpointError if these are no items of the kind that config.json tells of."""

    @abstractmethod
    def check_learnt(self, learn: Any, folder: RunFolder) -> None:
        """Raises: CheckpointError if the run was not made with these items."""

    @abstractmethod
    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed."""

    @abstractmethod
    def learning(self, items: Any) -> Loader:
        """Shuffled batches, changed at random as the settings ask for."""

    @abstractmethod
    def measuring(self, items: Any) -> Loader:
        """All items in their order, as they are."""

    @abstractmethod
    def report(self, model: Module, items: Any, content: dict[str, Any]) -> None:
        """Print what `minidil eval` says of the model on these items, and put it into `content` for JSON."""

    @abstractmethod
    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """What the model says of a file, folder or text. Raises: DataError or OSError if it cannot be read."""

    # --- what they share

    @staticmethod
    def of(folder: RunFolder) -> "Experiment":
        """Read the config.json of a run. Raises: CheckpointError if it is missing, or one of its values is wrong."""
        config, path = folder.config(), folder.path / CONFIG
        asked = config.get("settings")
        model, name = (str(asked.get(key)) if isinstance(asked, dict) else "" for key in ("model", "data"))
        kind = kind_of(model, name)
        settings = checked(config, path, kind.FACTS)
        return kind.from_facts(settings, config, path)

    def config(self) -> dict[str, Any]:
        """What `of` reads."""
        return {"settings": self.settings.to_json(), "classes": list(self.classes), **self.facts()}

    def goal(self, model: Module) -> dict[str, Any]:
        """The arguments of `train.fit` that say what the run is for."""
        return self.task.goal(self.settings.loss)

    def summary(self, model: Module) -> Summary:
        """The layers, for one item."""
        return model.summary(self.shape)

    def untrained(self, learn: Any, start: Start | None = None) -> tuple[Module, tuple[str, ...]]:
        """A model before its first step, and in words what of it is not as in `start`.

        It has the weights of `start`, or freshly drawn ones, and what is never to learn is frozen.
        Raises: OptionError for a pattern that fits nothing, or if nothing is left to train; CheckpointError for weights of
            other shapes.
        """
        model, notes = self.model(), tuple[str, ...]()
        if start:
            try:
                notes = models.start_from(model, start.state, start.classes in (None, self.classes))
            except CheckpointError as error:
                raise CheckpointError(f"--init {start.name}: {error}") from error
        for pattern in self._frozen():
            freeze(model, pattern)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise OptionError(f"--freeze {' '.join(self._frozen())} leaves nothing of {self.settings.model} to train")
        return model, notes

    def _frozen(self) -> list[str]:
        """The patterns of what never learns."""
        return [pattern for pattern, epochs in self.settings.freeze if epochs == 0]

    def viewed(self, model: Module, tta: int | None = None) -> Module:
        """The model, or what asks it about several views of each item. tta: in place of the one in the settings."""
        level = self.settings.tta if tta is None else tta
        if level:
            raise OptionError(
                f"--tta {level}: {self.settings.model} gives {self.task.answers}, of which views have no mean; leave it out"
            )
        return model

    def trained(self, folder: RunFolder, tta: int | None = None) -> Module:
        """The model with the best weights of the run in `folder`, in evaluation mode, `viewed`.

        Raises: CheckpointError if there are none or they do not fit.
        """
        with blaming(folder):
            model = self.model()
        folder.load_best(model)
        return self.viewed(model, tta).eval()

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

    def lesson(self, model: Module, learn: Any) -> dict[str, Any]:
        """The arguments of `train.fit` that follow from the settings: all but what to validate on and where to keep the run."""
        settings, batches, optimizer = self.settings, self.learning(learn), self.optimizer(model)
        return {
            "model": model,
            "train": batches,
            "optimizer": optimizer,
            "schedule": self.schedule(optimizer, len(batches)),
            "epochs": settings.epochs,
            "callbacks": self.callbacks(model),
            "config": self.config(),
            "clip_norm": settings.clip_norm,
            "patience": settings.patience,
            "label_smoothing": settings.label_smoothing,
            **self.goal(model),
        }

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


def kind_of(model: str, name: str = "") -> type[Experiment]:
    """The experiments with the network of that name on that set; those of an unknown one are of images."""
    module, cls = task_of(model, name).kept_by.split(":")
    kind: type[Experiment] = getattr(import_module(module), cls)
    return kind


def training_set(settings: Settings) -> tuple[Any, Any]:
    """(to learn from, to validate on or None), as the settings ask for."""
    return kind_of(settings.model, settings.data).training(settings)


def testing_set(settings: Settings) -> Any:
    """The test set, which training never looks at."""
    return kind_of(settings.model, settings.data).testing(settings)
