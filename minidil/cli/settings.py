"""The settings of `minidil train`, and the recipes that they default to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from minidil import data
from minidil.data.transforms import FILLS
from minidil.errors import CheckpointError, OptionError
from minidil.train.views import LEVELS

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("one-cycle", "triangular", "cosine", "constant")
FLIP_RULES = ("random", "alternating")


@dataclass(frozen=True)
class Settings:
    """One training run as asked for: every field is an option of `minidil train`, and all of them stand in config.json.

    The defaults here are for photographs; `DATA_DEFAULTS` says what is different for each known set, and `RECIPES` what is
    different in a recipe that was asked for.
    """

    data: str
    recipe: str = "standard"
    model: str = "vgg_small"
    widths: tuple[int, ...] | None = None
    dilations: tuple[tuple[int, ...], ...] | None = None
    epochs: int = 20
    batch_size: int = 128
    drop_last: bool = False
    optimizer: str = "sgd"
    momentum: float = 0.9
    lr: float = 0.1
    norm_bias_lr: float = 1.0
    weight_decay: float = 5e-4
    schedule: str = "one-cycle"
    average_every: int = 0
    freeze: tuple[tuple[str, int], ...] = ()
    label_smoothing: float = 0.1
    clip_norm: float | None = None
    patience: int | None = None
    crop: int = 4
    crop_fill: str = "zeros"
    flip: bool = True
    flip_rule: str = "random"
    cutout: int = 0
    validation: float = 0.1
    tta: int = 0
    size: int = 32
    seed: int = 0
    backend: str = "numba"

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """The settings that were given, then those of the recipe, then those for the data set, and the defaults.

        Raises: OptionError if `data` is neither a known set nor a folder, or a number is out of its range.
        """
        name = given.get("data", "digits")
        if name not in data.NAMES:
            if not Path(name).is_dir():
                raise OptionError(
                    f"--data {name}: neither a known set ({', '.join(data.NAMES)}) nor a folder of images"
                )
            given = given | {"data": str(Path(name).resolve())}
        recipe, usual = RECIPES[given.get("recipe", cls.recipe)], DATA_DEFAULTS.get(name, {})
        model = (recipe | given).get("model", cls.model)
        values: dict[str, Any] = {"data": name} | _for_model(model, usual) | _for_model(model, recipe) | given
        if "tta" not in given and not values.get("flip", cls.flip):
            values["tta"] = 0  # a mirror image that training never shows is no view to ask about
        settings = cls(**values)
        settings._check()
        return settings

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Read what `to_json` gave. Raises: CheckpointError if a setting is missing, unknown or out of its range."""
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or values.keys() != known:
            raise CheckpointError(f"config.json: 'settings' must hold exactly {', '.join(sorted(known))}")
        settings = cls(**{key: _tuples(value) for key, value in values.items()})
        try:
            settings._check()
        except (OptionError, TypeError) as error:
            raise CheckpointError(f"config.json: 'settings' holds a value that makes no sense: {error}") from error
        return settings

    def to_json(self) -> dict[str, Any]:
        """Plain values for config.json, where tuples become lists."""
        return asdict(self)

    def _check(self) -> None:
        limits = {
            "--epochs": (self.epochs, 1, None),
            "--batch-size": (self.batch_size, 1, None),
            "--label-smoothing": (self.label_smoothing, 0, 1),
            "--crop": (self.crop, 0, None),
            "--cutout": (self.cutout, 0, None),
            "--size": (self.size, 1, None),
            "--seed": (self.seed, 0, None),
            "--patience": (self.patience, 1, None),
            "--average-every": (self.average_every, 0, None),
            "--norm-bias-lr": (self.norm_bias_lr, 0, None),
        }
        for option, (value, least, most) in limits.items():
            if value is not None and (value < least or (most is not None and value > most)):
                raise OptionError(
                    f"{option} {value}: must be at least {least}" + (f" and at most {most}" if most else "")
                )
        choices: dict[str, tuple[object, Sequence[object]]] = {
            "--recipe": (self.recipe, tuple(RECIPES)),
            "--optimizer": (self.optimizer, OPTIMIZERS),
            "--schedule": (self.schedule, SCHEDULES),
            "--crop-fill": (self.crop_fill, tuple(FILLS)),
            "--flip-rule": (self.flip_rule, FLIP_RULES),
            "--tta": (self.tta, LEVELS),
        }
        for option, (chosen, known) in choices.items():
            if chosen not in known:
                raise OptionError(f"{option} {chosen}: must be one of {', '.join(map(str, known))}")
        if not 0 <= self.validation < 1:
            raise OptionError(
                f"--validation {self.validation}: the share of training images must be at least 0 and below 1"
            )
        if self.patience is not None and not self.validation:
            raise OptionError(
                f"--patience {self.patience} waits for a better validation accuracy; --validation 0 has none"
            )


def _for_model(model: str, defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults without those that speak of the parts of a model, if they were made for another one."""
    if model == defaults.get("model", Settings.model):
        return defaults
    return {field: value for field, value in defaults.items() if field not in ("widths", "dilations", "freeze")}


def _tuples(value: Any) -> Any:
    """JSON has lists only; settings are values that nobody changes."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# Written strokes are sharp and none is another's mirror image.
_GREY: dict[str, Any] = {"label_smoothing": 0.0, "flip": False}

DATA_DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": _GREY
    | {"epochs": 30, "batch_size": 64, "lr": 0.05, "crop": 1, "widths": (32, 64), "dilations": ((1, 2), (1, 2))},
    "mnist": _GREY | {"epochs": 3, "crop": 2, "widths": (32, 64, 128)},
    "fashion_mnist": _GREY | {"epochs": 10, "crop": 2, "flip": True, "widths": (32, 64, 128)},
    "cifar10": {},
    "cifar100": {},
}

RECIPES: dict[str, dict[str, Any]] = {
    "standard": {},
    # airbench94 (Jordan 2024, arXiv:2404.00498), made for CIFAR-10. The paper sums the loss over the batch of 1,024 images
    # and has a rate of 11.5 / (1024 (1 + 1/(1 - 0.85))); the mean over the batch has the same gradient at 1,024 times that
    # rate, 11.5 / (1 + 1/0.15) = 1.5. It decays the weights by 0.0153 / (1 + 1/0.15) a step; SGD here multiplies by the
    # rate, so the strength is 0.0153 / 11.5. Other batch sizes want another rate: in proportion, to begin with.
    "fast": {
        "model": "vgg_fast",
        "epochs": 10,
        "batch_size": 1024,
        "drop_last": True,
        "optimizer": "sgd",
        "momentum": 0.85,
        "lr": 1.5,
        "norm_bias_lr": 64.0,
        "weight_decay": 0.0153 / 11.5,
        "schedule": "triangular",
        "average_every": 5,
        "freeze": (("whiten", 3),),
        "label_smoothing": 0.2,
        "crop": 2,
        "crop_fill": "reflect",
        "flip_rule": "alternating",
        "validation": 0.0,
        "tta": 2,
    },
}
