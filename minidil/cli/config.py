"""config.json of a run that `minidil train` made: every value of it is checked here, before any of them is used."""

import typing
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

from minidil.cli.settings import Settings
from minidil.cli.tasks import task_of
from minidil.errors import CheckpointError
from minidil.train.goal import Goal
from minidil.train.rules import MAPPING, TEXT, Rule, listed, named, number, optional, shown, whole

_FACTS = {"classes": listed(TEXT), "settings": MAPPING}


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
}
_TWICE = ("epochs", "clip_norm", "patience", "label_smoothing", "optimizer", "schedule", "backend")
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text", "NoneType": "null"}


def checked(config: dict[str, Any], path: Path, facts: Mapping[str, Rule]) -> Settings:
    """The settings in `config`, which was read from `path`. facts: what it must hold beside them and the classes.

    Raises: CheckpointError that names the file, the key and its value, if one is missing, of another type or out of range,
        or if what is written twice, as a setting and as what was done, is not the same.
    """
    rules = {**facts, **_FACTS}
    if missing := [name for name in rules if name not in config]:
        raise CheckpointError(
            f"{path} has no {', '.join(missing)}: it was not made by `minidil train`, or a part of it is lost"
        )
    named(config, rules, f"{path}: ")
    for field, hint in typing.get_type_hints(Settings).items():
        if field in config["settings"] and not _fits(config["settings"][field], hint):
            value = shown(config["settings"][field])
            raise CheckpointError(f"{path}: settings.{field} must be {_wanted(hint)}, not {value}")
    try:
        settings = Settings.from_json(config["settings"])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    _check_fit(config.get("fit", {}), settings, path)
    return settings


def _check_fit(fit: Any, settings: Settings, path: Path) -> None:
    """What fit says that it did is what the settings asked for."""
    MAPPING.check(fit, f"{path}: fit")
    goal = task_of(settings.model, settings.data).goal(settings.loss)  # what the command line always trains for
    rules = _FIT | {name: _exactly(value) for name, value in Goal.of(**goal).description.items()}
    named(fit, {name: rule for name, rule in rules.items() if name in fit}, f"{path}: fit.")
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
