"""An option of the command line, declared once: its flag, its help, its default and the check of its value follow from that."""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from minidil.errors import OptionError

_METAVARS = {int: "N", float: "X", str: "WORD"}


@dataclass(frozen=True)
class Option:
    """What there is to say about one option.

    help: what it is, for `--help`, without range and default, which are added.
    kind: int, float, str, or bool for a switch that has a --no- as well; what each number or word in the value must be.
    read: what makes a value of one word, if that is not `kind`. metavar: how help calls a word.
    choices: all there is to choose from. many: the value is a tuple, of one word each.
    above, least, below, most: where the numbers of a value lie; `above` and `below` are excluded themselves.
    usual: the default, in the words of `--help`; None says nothing.
    """

    help: str
    kind: type = str
    read: Callable[[str], Any] | None = None
    metavar: str | None = None
    choices: tuple[Any, ...] = ()
    many: bool = False
    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    usual: str | None = None

    @property
    def range(self) -> str:
        """As in "must be > 0": the bounds in words, or nothing."""
        bounds = {">": self.above, ">=": self.least, "<": self.below, "<=": self.most}
        return " and ".join(f"{sign} {bound}" for sign, bound in bounds.items() if bound is not None)

    def add_to(self, parser: argparse._ActionsContainer, name: str) -> None:
        """Declare the flag of `name`, as in batch_size for --batch-size. What is not given is None."""
        notes = "; ".join(filter(None, [self.range, f"default: {self.usual}" if self.usual else ""]))
        how: dict[str, Any] = {"help": f"{self.help} ({notes})" if notes else self.help, "default": None}
        if self.kind is bool:
            how["action"] = argparse.BooleanOptionalAction
        elif self.choices:
            how |= {"type": self.kind, "choices": self.choices}
        else:
            how |= {"type": self.read or self.kind, "metavar": self.metavar or _METAVARS[self.kind]}
        if self.many:
            how["nargs"] = "+"
        parser.add_argument(flag(name), **how)

    def check(self, name: str, value: Any) -> None:
        """Raises: OptionError that names the option, if the value is not of its kind, choices or range."""
        if self.choices and value not in self.choices:
            known = ", ".join(map(str, self.choices))
            raise OptionError(f"{flag(name)} must be one of {known}, got {value}")
        if isinstance(value, tuple) != self.many or not all(map(self._reads, value if self.many else (value,))):
            wanted = f"as in {self.metavar}" if self.read else _WANTED[self.kind]
            raise OptionError(f"{flag(name)} must be {'a list, each ' * self.many}{wanted}, got {value!r}")
        if not all(self._holds(number) for number in _leaves(value) if isinstance(number, int | float)):
            raise OptionError(f"{flag(name)} must be {self.range or 'a finite number'}, got {self.typed(value)}")

    def typed(self, value: Any) -> str:
        """A value of this option as somebody types it: 1,2 1,4 for ((1, 2), (1, 4))."""
        return " ".join(map(_typed, value)) if self.many else _typed(value)

    def _reads(self, part: Any) -> bool:
        """Whether the command line could have given this value, or this part of a tuple."""
        if self.read is None:
            return _is(part, self.kind)
        try:
            return bool(self.read(_typed(part)) == part)
        except argparse.ArgumentTypeError:
            return False

    def _holds(self, number: float) -> bool:
        return (
            math.isfinite(number)
            and (self.above is None or number > self.above)
            and (self.least is None or number >= self.least)
            and (self.below is None or number < self.below)
            and (self.most is None or number <= self.most)
        )


def declared(default: Any, help: str, **facts: Any) -> Any:
    """A field of a dataclass that is an option with this default; facts are those of `Option`."""
    return field(default=default, metadata={"option": Option(help, **facts)})


def declarations(cls: Any) -> Iterator[tuple[str, Option]]:
    """The declared fields of a dataclass, and their options with the default in words."""
    for each in fields(cls):
        option: Option = each.metadata["option"]
        words = option.usual if option.usual or each.default in (None, ()) else option.typed(each.default)
        yield each.name, replace(option, usual=words)


def flag(name: str) -> str:
    """The option of a field: --batch-size of batch_size."""
    return "--" + name.replace("_", "-")


_WANTED = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of that kind: a whole number is a number, but neither true nor false is one."""
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _typed(value: Any) -> str:
    """One word: whiten:3 for ("whiten", 3), 1,2 for (1, 2), 3 for 3.0, no for False."""
    if isinstance(value, tuple):
        return (":" if any(isinstance(part, str) for part in value) else ",").join(map(_typed, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
