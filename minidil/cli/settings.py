"""The settings of `minidil train` and, for each data set, the recipe that they default to."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from minidil import data
from minidil.errors import CheckpointError, OptionError

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("one-cycle", "cosine", "constant")


@dataclass(frozen=True)
class Settings:
    """One training run as asked for: every field is an option of `minidil train`, and all of them stand in config.json.

    The defaults here are for photographs; `RECIPES` says what is different for each known set.
    """

    data: str
    model: str = "vgg_small"
    widths: tuple[int, ...] | None = None
    dilations: tuple[tuple[int, ...], ...] | None = None
    epochs: int = 20
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    weight_decay: float = 5e-4
    schedule: str = "one-cycle"
    label_smoothing: float = 0.1
    clip_norm: float | None = None
    patience: int | None = None
    crop: int = 4
    flip: bool = True
    cutout: int = 0
    validation: float = 0.1
    size: int = 32
    seed: int = 0
    backend: str = "numba"

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """The settings that were given, the rest from the recipe of the data set.

        Raises: OptionError if `data` is neither a known set nor a folder, or a number is out of its range.
        """
        name = given.get("data", "digits")
        if name not in data.NAMES:
            if not Path(name).is_dir():
                raise OptionError(
                    f"--data {name}: neither a known set ({', '.join(data.NAMES)}) nor a folder of images"
                )
            given = given | {"data": str(Path(name).resolve())}
        recipe = RECIPES.get(name, {})
        if given.get("model", cls.model) != cls.model:
            recipe = {field: value for field, value in recipe.items() if field not in ("widths", "dilations")}
        values: dict[str, Any] = {"data": name} | recipe | given
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
        }
        for option, (value, least, most) in limits.items():
            if value is not None and (value < least or (most is not None and value > most)):
                raise OptionError(
                    f"{option} {value}: must be at least {least}" + (f" and at most {most}" if most else "")
                )
        if not 0 < self.validation < 1:
            raise OptionError(f"--validation {self.validation}: the share of training images must lie between 0 and 1")


def _tuples(value: Any) -> Any:
    """JSON has lists only; settings are values that nobody changes."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# Written strokes are sharp and none is another's mirror image.
_GREY: dict[str, Any] = {"label_smoothing": 0.0, "flip": False}

RECIPES: dict[str, dict[str, Any]] = {
    "digits": _GREY
    | {"epochs": 30, "batch_size": 64, "lr": 0.05, "crop": 1, "widths": (32, 64), "dilations": ((1, 2), (1, 2))},
    "mnist": _GREY | {"epochs": 3, "crop": 2, "widths": (32, 64, 128)},
    "fashion_mnist": _GREY | {"epochs": 10, "crop": 2, "flip": True, "widths": (32, 64, 128)},
    "cifar10": {},
    "cifar100": {},
}
