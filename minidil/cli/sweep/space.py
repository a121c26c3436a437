"""What a setting is tried with: some values, a range of numbers, or the dilation schedules of a number of layers."""

import argparse
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from minidil.analysis import has_holes
from minidil.cli.option import Option
from minidil.cli.parser import meant
from minidil.cli.settings import tuples
from minidil.errors import OptionError

_MOST_SCHEDULES = 10_000


class Trial(Protocol):
    """What draws: a trial of Optuna's, whose methods these are."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...


@dataclass(frozen=True)
class Choice:
    """One of some values. A study stores numbers and words; what is neither is stored as one types it."""

    values: tuple[Any, ...]
    option: Option

    def draw(self, trial: Trial, name: str) -> Any:
        """The value for a trial."""
        stored = self.stored()
        return stored[trial.suggest_categorical(name, list(stored))]

    def stored(self) -> dict[Any, Any]:
        """The values, by what a study knows them as."""
        return {
            value if isinstance(value, int | float | str) else self.option.typed(value): value for value in self.values
        }

    def ends(self) -> Sequence[Any]:
        """What stands for all in a check."""
        return self.values

    def described(self) -> Any:
        """For JSON."""
        return [self.option.typed(value) for value in self.values]

    def __str__(self) -> str:
        shown = [self.option.typed(value) for value in self.values[:4]]
        return " | ".join([*shown, f"... {len(self.values):,} in all"] if len(self.values) > 4 else shown)


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; on a logarithmic scale, or in steps from low."""

    low: float
    high: float
    log: bool
    step: float | None
    option: Option

    def draw(self, trial: Trial, name: str) -> float:
        """The value for a trial."""
        if self.option.kind is int:
            return trial.suggest_int(name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def ends(self) -> Sequence[Any]:
        """What stands for all in a check."""
        return self.low, self.high

    def described(self) -> Any:
        """For JSON."""
        return {"low": self.low, "high": self.high, "log": self.log, "step": self.step}

    def __str__(self) -> str:
        how = ", logarithmic" * self.log + (f" in steps of {self.step:g}" if self.step else "")
        return f"{self.low:g} to {self.high:g}{how}"


Space: TypeAlias = Choice | Range


def setting(name: str, option: Option, value: Any) -> Any:
    """A value of a setting as TOML has it, or, if it is of several words, as one types it: "1,2 1,4".

    Raises: OptionError that names the option.
    """
    if option.many and isinstance(value, str):
        try:
            value = tuple(map(option.read or option.kind, value.split()))
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise OptionError(f"{value!r} cannot be read: {error}") from error
    value = tuples(value)
    option.check(name, value)
    return value


def space(name: str, option: Option, given: Any) -> Space:
    """What [space] says of a setting. Raises: OptionError for what is no space, or has values that the option has not."""
    if isinstance(given, list) and given:
        values = tuple(setting(name, option, value) for value in given)
        if len(set(values)) < len(values):
            raise OptionError("a value stands in it twice")
        return Choice(values, option)
    if isinstance(given, dict):
        return _schedules(option, given) if name == "dilations" else _range(name, option, given)
    tables = ", or { layers = [2, 2], rates = [1, 2, 4] }" if name == "dilations" else ""
    raise OptionError(
        f"a space is a list of values, or {{ low = ..., high = ... }} for numbers{tables}; {given!r} is none, and one value "
        "alone belongs into [settings]"
    )


def _range(name: str, option: Option, given: Mapping[str, Any]) -> Range:
    if option.many or option.choices or option.kind not in (int, float):
        raise OptionError("has no numbers to range over; list the values")
    check_keys(given, ("low", "high"), ("log", "step"))
    low, high, log, step = given["low"], given["high"], given.get("log", False), given.get("step")
    for end in (low, high):
        option.check(name, end)
    if not low < high:
        raise OptionError(f"low must be less than high, got {low} and {high}")
    if not isinstance(log, bool):
        raise OptionError(f"log must be true or false, got {log!r}")
    if log and (low <= 0 or step is not None):
        raise OptionError(f"a logarithmic range has low > 0 and no step, got low {low} and step {step}")
    if step is not None:
        if isinstance(step, bool) or not isinstance(step, int if option.kind is int else int | float) or not step > 0:
            raise OptionError(f"step must be a {'whole ' * (option.kind is int)}number > 0, got {step!r}")
        if not math.isclose((high - low) / step, round((high - low) / step), abs_tol=1e-9):
            raise OptionError(f"steps of {step} from {low} do not end at {high}")
    return Range(low, high, log, step, option)


def _schedules(option: Option, given: Mapping[str, Any]) -> Choice:
    """All schedules of so many layers with these rates; without_holes: those of which every stage sees all of its field."""
    check_keys(given, ("layers", "rates"), ("without_holes", "kernel"))
    layers, rates = given["layers"], given["rates"]
    layers = [layers] if isinstance(layers, int) else layers
    kernel, without = given.get("kernel", 3), given.get("without_holes", False)
    for key, numbers in (("layers", layers), ("rates", rates), ("kernel", [kernel])):
        if not isinstance(numbers, list) or not numbers or not all(type(each) is int and each >= 1 for each in numbers):
            raise OptionError(f"{key} must be whole numbers >= 1, got {given.get(key)!r}")
    if not isinstance(without, bool):
        raise OptionError(f"without_holes must be true or false, got {without!r}")
    if len(set(rates)) ** sum(layers) > _MOST_SCHEDULES:
        raise OptionError(
            f"{len(set(rates))} rates for {sum(layers)} layers make {len(set(rates)) ** sum(layers):,} schedules, and at most "
            f"{_MOST_SCHEDULES:,} can be compared; take fewer rates, or list schedules"
        )
    stages = [
        [
            stage
            for stage in itertools.product(sorted(set(rates)), repeat=count)
            if not (without and has_holes(stage, kernel))
        ]
        for count in layers
    ]
    if not all(stages):
        raise OptionError(
            f"no schedule of the rates {rates} is without holes: the first layer has dilation 1 in each of them"
        )
    return Choice(tuple(itertools.product(*stages)), option)


def check_keys(given: Mapping[str, Any], needed: Sequence[str], more: Sequence[str]) -> None:
    """Raises: OptionError for a key that is missing, or unknown, with what was probably meant."""
    known = (*needed, *more)
    for key in given:
        if key not in known:
            raise OptionError(f"there is no {key!r}{meant(key, known)}")
    for key in needed:
        if key not in given:
            raise OptionError(f"{key} is missing")
