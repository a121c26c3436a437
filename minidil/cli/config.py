"""config.json of a run that `minidil train` made: every value of it is checked here, before any of them is used."""

import typing
from pathlib import Path
from types import UnionType
from typing import Any

from minidil.cli.settings import Settings
from minidil.deploy.prune.widths import is_widths
from minidil.errors import CheckpointError
from minidil.train.rules import MAPPING, TEXT, Rule, listed, named, number, optional, shown, whole

_LARGEST = 16_384  # channels or pixels: more than any image or network that fits into memory

_FACTS = {
    "shape": listed(whole(1, _LARGEST), 3),
    "classes": listed(TEXT),
    "mean": listed(number(0, 1)),
    "std": listed(Rule("above 0 and at most 1", lambda value: number(0, 1).holds(value) and value > 0)),
    "settings": MAPPING,
}

_WIDTHS = Rule("two whole numbers for each layer", is_widths)


def _exactly(wanted: Any) -> Rule:
    return Rule(repr(wanted), lambda value: type(value) is type(wanted) and value == wanted)


_FIT = {
    "epochs": whole(1),
    "batches": whole(1),
    "optimizer": TEXT,
    "schedule": optional(TEXT),
    "backend": TEXT,
    "threads": whole(1),
    "clip_norm": optional(number(0)),
    "patience": optional(whole(1)),
    "label_smoothing": number(0, 1),
    # what the command line always trains with
    "loss": _exactly("cross_entropy"),
    "metrics": _exactly(["accuracy"]),
    "best": _exactly("max accuracy"),
}
_TWICE = ("epochs", "clip_norm", "patience", "label_smoothing", "optimizer", "schedule", "backend")
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text", "NoneType": "null"}


def checked(config: dict[str, Any], path: Path) -> Settings:
    """The settings in `config`, which was read from `path`.

    Raises: CheckpointError that names the file, the key and its value, if one is missing, of another type or out of range,
        or if what is written twice, as a setting and as what was done, is not the same.
    """
    if missing := [name for name in _FACTS if name not in config]:
        raise CheckpointError(
            f"{path} has no {', '.join(missing)}: it was not made by `minidil train`, or a part of it is lost"
        )
    named(config, _FACTS | ({"widths": _WIDTHS} if "widths" in config else {}), f"{path}: ")
    channels, height, width = config["shape"]
    for name in ("mean", "std"):
        if len(config[name]) != channels:
            raise CheckpointError(f"{path}: {name} has {len(config[name])} values for the {channels} channels of shape")
    for field, hint in typing.get_type_hints(Settings).items():
        if field in config["settings"] and not _fits(config["settings"][field], hint):
            value = shown(config["settings"][field])
            raise CheckpointError(f"{path}: settings.{field} must be {_wanted(hint)}, not {value}")
    try:
        settings = Settings.from_json(config["settings"])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    for name, largest in {"crop": max(height, width), "cutout": _LARGEST, "size": _LARGEST}.items():
        if getattr(settings, name) > largest:
            raise CheckpointError(f"{path}: settings.{name} must be at most {largest}, not {getattr(settings, name)}")
    for name, largest in {"widths": _LARGEST, "dilations": max(height, width)}.items():
        if any(number < 1 or number > largest for number in _numbers(getattr(settings, name) or ())):
            raise CheckpointError(
                f"{path}: settings.{name} must be from 1 to {largest} each, not {shown(getattr(settings, name))}"
            )
    _check_fit(config.get("fit", {}), settings, path)
    return settings


def _check_fit(fit: Any, settings: Settings, path: Path) -> None:
    """What fit says that it did is what the settings asked for."""
    MAPPING.check(fit, f"{path}: fit")
    named(fit, {name: rule for name, rule in _FIT.items() if name in fit}, f"{path}: fit.")
    for name in _TWICE:
        asked = getattr(settings, name)
        if name in fit and _plain(fit[name]) != _plain(asked):
            raise CheckpointError(f"{path}: fit.{name} is {fit[name]!r} and settings.{name} {asked!r}; one was changed")


def _plain(value: Any) -> Any:
    """OneCycle and one-cycle are the same."""
    return value.replace("-", "").lower() if isinstance(value, str) else value


def _fits(value: Any, hint: Any) -> bool:
    """Whether JSON gave what a field of that type is made of."""
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        if not isinstance(value, list):
            return False
        if kinds[-1] is Ellipsis:
            return all(_fits(each, kinds[0]) for each in value)
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if hint is float:
        return number().holds(value)
    if hint is int:
        return whole(-(2**63)).holds(value)
    return type(value) is hint


def _wanted(hint: Any) -> str:
    if isinstance(hint, UnionType):
        return " or ".join(map(_wanted, reversed(typing.get_args(hint))))
    if typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        if kinds[-1] is Ellipsis:
            return f"a list, each {_wanted(kinds[0])}"
        return f"a list of {' and '.join(map(_wanted, kinds))}"
    return _WORDS[hint.__name__]


def _numbers(value: Any) -> list[int]:
    return [number for each in value for number in _numbers(each)] if isinstance(value, tuple) else [value]
