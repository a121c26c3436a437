"""What a value read from a file must be, as words and as a test in one."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minidil.errors import CheckpointError

_MOST = 2**63 - 1


@dataclass(frozen=True)
class Rule:
    """wanted: in words, as in "must be a whole number, at least 1". holds: whether a value is that."""

    wanted: str
    holds: Callable[[Any], bool]

    def check(self, value: Any, place: str) -> None:
        """Raises: CheckpointError that names the place, what must be there and what is."""
        if not self.holds(value):
            raise CheckpointError(f"{place} must be {self.wanted}, not {shown(value)}")


def shown(value: Any) -> str:
    """A value in the few words that a message has for it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def whole(least: int = 0, most: int = _MOST) -> Rule:
    """An int, and no bool."""
    bounds = f"at least {least}" + (f" and at most {most}" if most != _MOST else "")
    return Rule(f"a whole number, {bounds}", lambda value: type(value) is int and least <= value <= most)


def number(least: float = -math.inf, most: float = math.inf, *, or_nan: bool = False) -> Rule:
    """A finite int or float, and no bool; or_nan: NaN will do as well."""
    bounds = [f"{word} {bound:g}" for word, bound in (("at least", least), ("at most", most)) if math.isfinite(bound)]
    wanted = " and ".join(["a finite number", *bounds]) + (", or NaN" if or_nan else "")

    def holds(value: Any) -> bool:
        if type(value) is float and math.isnan(value):
            return or_nan
        return type(value) in (int, float) and abs(value) < math.inf and least <= value <= most

    return Rule(wanted, holds)


def optional(rule: Rule) -> Rule:
    """None, or what the rule says."""
    return Rule(f"null or {rule.wanted}", lambda value: value is None or rule.holds(value))


def listed(rule: Rule, length: int | None = None) -> Rule:
    """A list, with something in it, of which every entry is what the rule says."""
    size = "" if length is None else f" of {length}"

    def holds(value: Any) -> bool:
        if not isinstance(value, list) or not value or len(value) != (length or len(value)):
            return False
        return all(map(rule.holds, value))

    return Rule(f"a list{size}, each {rule.wanted}", holds)


def named(value: Any, rules: Mapping[str, Rule], place: str) -> None:
    """Check what is in a dict under the names of the rules. Raises: CheckpointError."""
    for name, rule in rules.items():
        rule.check(value[name], f"{place}{name}")


TEXT = Rule("a text", lambda value: isinstance(value, str) and value != "")
MAPPING = Rule("named values", lambda value: isinstance(value, dict))


def differences(now: Mapping[str, Any], then: Mapping[str, Any], file: str, place: str = "") -> list[str]:
    """What of named values is not what it was when `file` was made, by the names of all that it stands in: settings.lr."""
    found: list[str] = []
    for name in dict.fromkeys([*then, *now]):
        present, before = now.get(name, _ABSENT), then.get(name, _ABSENT)
        if isinstance(present, dict) and isinstance(before, dict):
            found += differences(present, before, file, f"{place}{name}.")
        elif not _alike(present, before):
            words = ["missing" if value is _ABSENT else shown(value) for value in (present, before)]
            found.append(f"{place}{name} is {words[0]}, and was {words[1]} when {file} was made")
    return found


_ABSENT = object()


def _alike(a: Any, b: Any) -> bool:
    """Whether JSON means the same by them: 3 is 3.0, and neither is true; NaN is NaN."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return bool(a == b) or (a != a and b != b)
