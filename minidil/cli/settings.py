"""The settings of `minidil train`, and the recipes that they default to."""

import argparse
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from minidil import data
from minidil.cli.option import Option, declarations, declared, flag
from minidil.cli.parser import nearest
from minidil.cli.recipes import DATA_DEFAULTS, RECIPES
from minidil.cli.tasks import LOSSES, MODELS, TASKS, task_of
from minidil.data.spoken_digits import SPEAKERS
from minidil.data.transforms import FILLS
from minidil.errors import CheckpointError, OptionError
from minidil.tasks.sound.heard import HEARS
from minidil.train.views import LEVELS

# Settings that a file of an older minidil does not have: it did what their defaults say.
_LATER = (
    *("init", "output_stride", "unfreeze_every", "lr_layers", "labels_per_class"),
    *("loss", "normalize", "zoom", "tile", "turn"),
    *("frames", "vectors", "length", "left_out", "hears", "batch_norm", "permuted"),
)
NORMALIZE = ("set", "image")
FLIP_RULES = ("random", "alternating")
BATCH_NORMS = ("local", "synchronised")
_BACKENDS = ("numpy", "numba", "cuda")


def _dilations(word: str) -> tuple[int, ...]:
    """The dilations of the layers of one stage, written as 1,2."""
    try:
        return tuple(map(int, word.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is not a list of numbers such as 1,2") from None


def _freeze(word: str) -> tuple[str, int]:
    """(pattern, epochs), written as pattern:epochs, or as pattern for 0 epochs."""
    name, colon, epochs = word.rpartition(":")
    name, epochs = (name, epochs) if colon else (word, "0")
    if not name or not epochs.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{word!r} is not a name, such as features.*, or one and a number of epochs such as whiten:3"
        )
    return name, int(epochs)


@dataclass(frozen=True)
class Settings:
    """One training run as asked for: every field is an option of `minidil train`, and all of them stand in config.json.

    The defaults here are for photographs; `DATA_DEFAULTS` says what is different for each known set, and `RECIPES` what is
    different in a recipe that was asked for.
    """

    data: str = declared(
        "digits",
        f"{', '.join(data.NAMES)}, or a folder with one folder of images, clips or sounds per class, or with images/ and "
        "masks/ or annotations.json; or a .csv or .tsv with the columns text and label; or a .conll of tagged words, or a "
        "folder with train.conll",
        metavar="SET",
    )
    recipe: str = declared(
        "standard", "fast: ten epochs of large batches, made for CIFAR-10", choices=tuple(sorted(RECIPES))
    )
    model: str = declared("vgg_small", "which network", choices=MODELS)
    init: str | None = declared(
        None,
        "begin with these weights, of minidil, a run or a file (.safetensors, .npz); a head for other classes is new",
        metavar="WEIGHTS",
        usual="none, freshly drawn ones",
    )
    output_stride: int | None = declared(
        None,
        "no map coarser than 1/N of the image: strides become dilations",
        kind=int,
        least=1,
        usual="that of the model",
    )
    widths: tuple[int, ...] | None = declared(
        None, "channels of each stage of the network", kind=int, many=True, least=1, usual="of the model"
    )
    dilations: tuple[tuple[int, ...], ...] | None = declared(
        None,
        "of the layers of each stage: 1,2 1,2 1,4",
        kind=int,
        read=_dilations,
        metavar="N,N",
        many=True,
        least=1,
        usual="of the model",
    )
    epochs: int = declared(20, "passes over the training images", kind=int, least=1)
    batch_size: int = declared(128, "images per step", kind=int, least=1)
    drop_last: bool = declared(False, "leave out a smaller last batch", kind=bool)
    optimizer: str = declared("sgd", "sgd has Nesterov momentum", choices=("sgd", "adam", "adamw"))
    momentum: float = declared(0.9, "of sgd", kind=float, least=0, below=1)
    lr: float = declared(0.1, "learning rate, the highest of the schedule", kind=float, above=0)
    norm_bias_lr: float = declared(1.0, "multiple of it for the biases of batch norm", kind=float, least=0)
    weight_decay: float = declared(5e-4, "strength of the pull of the weights towards zero", kind=float, least=0)
    schedule: str = declared(
        "one-cycle", "of the learning rate", choices=("one-cycle", "triangular", "cosine", "constant")
    )
    average_every: int = declared(0, "steps between two averages of weights", kind=int, least=0, usual="0, never")
    freeze: tuple[tuple[str, int], ...] = declared(
        (),
        "parameters that do not learn, or not after N epochs: features.* stem:3",
        read=_freeze,
        metavar="PATTERN[:N]",
        many=True,
        usual="none",
    )
    unfreeze_every: int = declared(
        0,
        "train the last layer alone for N epochs, then one more every N",
        kind=int,
        least=0,
        usual="0, all at once",
    )
    lr_layers: float = declared(
        1.0, "the rate of each layer as a multiple of that of the next one", kind=float, above=0, most=1
    )
    loss: str | None = declared(None, "what is lowered", choices=LOSSES, usual="cross-entropy; for masks with dice")
    label_smoothing: float = declared(0.1, "share of the target spread over all classes", kind=float, least=0, most=1)
    clip_norm: float | None = declared(
        None, "largest global norm of the gradient", kind=float, above=0, usual="no limit"
    )
    patience: int | None = declared(None, "stop after N epochs without a better one", kind=int, least=1, usual="never")
    normalize: str = declared(
        "set",
        "mean and deviation to normalise by: of the training set, or of each image, with dark ground",
        choices=NORMALIZE,
    )
    zoom: float = declared(1.0, "scale by a random factor of at most X either way", kind=float, least=1, most=4)
    tile: int = declared(0, "learn from squares of N pixels cut out at random", kind=int, least=0, usual="0, do not")
    turn: bool = declared(False, "turn by 0, 90, 180 or 270 degrees at random", kind=bool)
    crop: int = declared(4, "pad by N pixels and crop at random; 0: do not", kind=int, least=0)
    crop_fill: str = declared("zeros", "what to pad with", choices=tuple(sorted(FILLS)))
    flip: bool = declared(True, "mirror half of the images", kind=bool)
    flip_rule: str = declared("random", "alternating: the other half in every second epoch", choices=FLIP_RULES)
    cutout: int = declared(0, "blank a square of N pixels", kind=int, least=0, usual="0, do not")
    validation: float = declared(0.1, "share of the training images to validate on", kind=float, least=0, below=1)
    tta: int = declared(
        0,
        "views of an image whose answers are averaged: 0, the image; 1, its mirror image too; 2, both also shifted",
        kind=int,
        choices=LEVELS,
    )
    labels_per_class: int | None = declared(
        None,
        "take only N training images of each class, those to validate on among them",
        kind=int,
        least=1,
        usual="all",
    )
    vectors: str | None = declared(
        None,
        "vectors of words for a tagger to begin with: .npz of words and vectors, or text as GloVe has it",
        metavar="FILE",
        usual="none, learnt ones",
    )
    size: int = declared(32, "scale the images of a folder to N x N", kind=int, least=1)
    permuted: bool = declared(False, "tcn, lstm: read the pixels of all images in one mixed order", kind=bool)
    frames: int | None = declared(
        None, "take N frames of every clip of a folder, evenly spread", kind=int, least=2, usual="all"
    )
    length: int = declared(1, "samples of a sound, or steps to remember", kind=int, least=1, usual="of the set")
    left_out: str | None = declared(
        None, "test on this speaker of spoken_digits and train on the others", choices=SPEAKERS, usual="none"
    )
    hears: str = declared(
        "log-mel",
        "what a network is given of a sound; mean-free: less the mean of each band, for speech",
        choices=HEARS,
    )
    batch_norm: str = declared(
        "local", "with mpiexec: statistics of each rank's part of a batch, or of the whole one", choices=BATCH_NORMS
    )
    seed: int = declared(0, "of everything that is random", kind=int, least=0)
    backend: str = declared("numba", "what computes", choices=_BACKENDS, usual="numba where it is installed")

    @classmethod
    def of(cls, given: dict[str, Any], network: dict[str, Any] | None = None) -> Self:
        """The settings that were given, then those of the recipe, then those for the data set, and the defaults.

        network: settings that say which network the weights to begin with are of; they come before those of the recipe.

        Raises: OptionError if `data` is neither a known set nor a folder, or a number is out of its range.
        """
        name = given.get("data", cls.data)
        given = given | {"data": placed(name)}
        if given.get("vectors"):
            given["vectors"] = str(Path(given["vectors"]).resolve())
        recipe, network = RECIPES[given.get("recipe", cls.recipe)], network or {}
        usual = DATA_DEFAULTS.get(name, {})
        model = (recipe | network | given).get("model") or usual.get("model", cls.model)
        task = task_of(model, name)
        # A set may be good for other tasks than its usual one.
        suits = task_of(usual.get("model", cls.model), name) is task
        usual = {**task.usual, **task.idle, **(_for_model(model, usual) if suits else {})}
        values: dict[str, Any] = {"data": name} | usual | _for_model(model, recipe) | network | given | {"model": model}
        if "tta" not in given and not values.get("flip", cls.flip):
            values["tta"] = 0  # a mirror image that training never shows is no view to ask about
        settings = cls(**values)
        settings.check()
        return settings

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Read what `to_json` gave. Raises: CheckpointError if a setting is missing, unknown or out of its range."""
        known = {field.name for field in fields(cls)}
        if isinstance(values, dict):
            values = {name: getattr(cls, name) for name in _LATER} | values
        if not isinstance(values, dict) or values.keys() != known:
            raise CheckpointError(f"config.json: 'settings' must hold exactly {', '.join(sorted(known))}")
        settings = cls(**{key: tuples(value) for key, value in values.items()})
        try:
            settings.check()
        except (OptionError, TypeError) as error:
            raise CheckpointError(f"config.json: 'settings' holds a value that makes no sense: {error}") from error
        return settings

    def to_json(self) -> dict[str, Any]:
        """Plain values for config.json, where tuples become lists."""
        return asdict(self)

    def check(self) -> None:
        """Raises: OptionError that names the option of a value that makes no sense."""
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None or each.default is not None:
                each.metadata["option"].check(each.name, value)
        self._check_task()
        if self.patience is not None and not self.validation:
            raise OptionError(
                f"--patience {self.patience} waits for a better validation accuracy; --validation 0 has none"
            )

    def _check_task(self) -> None:
        """Raises: OptionError for a setting that the network has no use for."""
        task, source = task_of(self.model, self.data), data.SOURCES.get(self.data)
        if source and task.kind not in source.kinds:
            fitting = [each for each in TASKS if each.kind in source.kinds]
            has, names = (
                dict.fromkeys(each.answers for each in fitting),
                sorted(name for each in fitting for name in each.models),
            )
            raise OptionError(
                f"--model {self.model} gives {task.answers}, and {self.data} has {' and '.join(has)}; "
                f"choose from {', '.join(names)}"
            )
        if self.loss and self.loss not in task.losses:
            raise OptionError(
                f"--loss {self.loss}: {self.model}, which gives {task.answers}, has {', '.join(task.losses)}"
            )
        for name, idle in task.idle.items():
            if getattr(self, name) != idle:
                users = [each for each in TASKS if name not in each.idle]
                answers = dict.fromkeys(each.answers for each in users)
                why = f"{' or '.join(answers)}, and {self.model} gives {task.answers}"
                if task.answers in answers:  # another way to them
                    why = (
                        f"{', '.join(sorted(name for each in users for name in each.models))}, and not for {self.model}"
                    )
                raise OptionError(f"{flag(name)} is for {why}; leave it out")


def placed(name: str) -> str:
    """The name of a known set, or the whole path of a folder or file. Raises: OptionError if it is neither."""
    if name in data.NAMES:
        return name
    if not Path(name).exists():
        near = f"; did you mean {nearest(name, data.NAMES)[0]!r}?" if nearest(name, data.NAMES) else ""
        raise OptionError(f"--data {name}: neither a known set ({', '.join(data.NAMES)}) nor a folder of images{near}")
    return str(Path(name).resolve())


def options() -> dict[str, Option]:
    """The option of every setting; the defaults in its words are those for photographs."""
    return dict(declarations(Settings))


def as_typed(values: dict[str, Any]) -> str:
    """Settings as somebody would ask for them, numbers to four digits: --epochs 30 --no-flip."""
    known, words = options(), list[str]()
    for name, value in values.items():
        if isinstance(value, bool):
            words.append(flag(name) if value else flag(f"no_{name}"))
        else:
            words.append(
                f"{flag(name)} {known[name].typed(float(f'{value:.4g}') if isinstance(value, float) else value)}"
            )
    return " ".join(words)


def _for_model(model: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults without those that speak of the parts of a model, if they were made for another one."""
    if model == defaults.get("model", Settings.model):
        return defaults
    return {field: value for field, value in defaults.items() if field not in ("widths", "dilations", "freeze")}


def tuples(value: Any) -> Any:
    """JSON has lists only; settings are values that nobody changes."""
    return tuple(map(tuples, value)) if isinstance(value, list) else value
