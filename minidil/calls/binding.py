"""How a function of tensors is called: what binds to which parameter of its op, and what `help` says of it.

An op's signature tells its operands (positional or keyword, before the star) from its options (keyword-only, behind it). Its
function of tensors takes both kinds either way, in the order of the signature: `conv(x, weight=w, bias=b)`,
`conv(x, w, b, 1, 1)`, `softmax(x, 1)`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from minidil.calls.words import own_names
from minidil.errors import CallError, DtypeError


class Call:
    """The parameters of an op, and what a call binds to them.

    order: the parameters in the order in which the function takes them, if it is not the op's own.
    by_position: how many may be given by position, if not all: from there on PyTorch's positions mean something else.
    """

    def __init__(
        self, op: Callable[..., Any], order: Sequence[str] | None = None, by_position: int | None = None
    ) -> None:
        signature = inspect.signature(op)
        parameters = signature.parameters
        self.name = op.__name__
        self.operands = [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.options = frozenset(name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY)
        annotations = {name: str(p.annotation) for name, p in parameters.items()}
        self._optional = [name for name in self.operands if annotations[name].endswith("| None")]
        self._annotations = {name: annotations[name] for name in self.options}
        self._order = list(order or (name for name, p in parameters.items() if p.kind is not p.VAR_POSITIONAL))
        self._any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
        self._defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
        self._by_position = len(self._order) if by_position is None else by_position
        # A call of operands by position and options by name is bound as it stands, without looking at each.
        leading = self._order[: len(self.operands)] == self.operands
        self._least = sum(name not in self._defaults for name in self.operands)
        self._needed = self.options - self._defaults.keys()
        placed = min(len(self.operands), self._by_position)
        self._plain = float("inf") if self._any_number else placed if leading else 0
        # So is one of operands and options by position alone, if there are as many as must be given.
        musts = [place for place, name in enumerate(self._order) if name not in self._defaults]
        self._complete = max(musts, default=-1) + 1 if leading and not self._any_number else len(self._order) + 1
        self.signature = self._signature(parameters)

    def _signature(self, parameters: Mapping[str, inspect.Parameter]) -> inspect.Signature:
        """What `help` shows. Options are keyword-only where their position would not do, or a default stands before them."""
        required = [name not in self._defaults for name in self._order]
        by_name = self._any_number or required != sorted(required, reverse=True)
        shown = [
            parameters[name].replace(
                kind=inspect.Parameter.KEYWORD_ONLY
                if place >= self._by_position or (by_name and name in self.options)
                else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation="Operand" if name in self.operands else parameters[name].annotation,
            )
            for place, name in enumerate(self._order)
        ]
        several = [p.replace(annotation="Operand") for p in parameters.values() if p.kind is p.VAR_POSITIONAL]
        return inspect.Signature([*several, *shown], return_annotation="Tensor")

    def bind(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
        """The operands in order, and the options by name.

        Raises: CallError if an argument is missing, unknown, or given twice, or there are too many.
        """
        if not named and self._least <= len(given) <= self._plain and not self._needed:
            return given, named
        if self._least <= len(given) <= self._plain and self._needed <= named.keys() <= self.options:
            return given, named
        if not named and self._complete <= len(given) <= self._by_position:
            count = len(self.operands)
            return given[:count], dict(zip(self._order[count:], given[count:], strict=False))
        named = own_names(self.name, self._order, next(iter(self.operands), None), named, self._takes)
        if len(given) > len(self._order) and not self._any_number:
            raise CallError(f"{self.name}: takes {self._takes}, and got {len(given)} arguments by position")
        bound = {} if self._any_number else dict(zip(self._order, given, strict=False))
        if len(bound) > self._by_position:
            first = self._order[self._by_position]
            raise CallError(
                f"{self.name}: from {first} on, arguments are given by name, as in {first}=, since PyTorch has another order; "
                f"it takes {self._takes}"
            )
        for name in bound:
            if name in named:
                raise CallError(f"{self.name}: {name} is given twice, by position and by name")
        bound |= named
        if self._any_number:
            return given, bound
        missing = [name for name in self._order if name not in bound and name not in self._defaults]
        if missing:
            raise CallError(f"{self.name}: {' and '.join(missing)} must be given; it takes {self._takes}")
        last = max((i for i, name in enumerate(self.operands) if name in bound), default=-1)
        operands = [bound.get(name, self._defaults.get(name)) for name in self.operands[: last + 1]]
        return operands, {name: value for name, value in bound.items() if name in self.options}

    def optional(self, place: int) -> bool:
        """Whether the operand in this place may be None."""
        return place < len(self.operands) and self.operands[place] in self._optional

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options. Raises: DtypeError where one is a float, or an array or None, and something else is given.

        Which it is, and whether an int is one, the op looks at.
        """
        for name, value in options.items():
            kind = self._annotations[name]
            if value is None and kind.endswith(" | None"):
                continue
            if kind == "Array | None" and not hasattr(value, "shape"):
                raise DtypeError(f"{self.name}: {name} must be an array or a tensor, not {type(value).__name__}")
            number = isinstance(value, int | float) or getattr(value, "shape", None) == ()
            if kind.removesuffix(" | None") in ("float", "Scalar") and not number:
                raise DtypeError(f"{self.name}: {name} must be a number, not {type(value).__name__}")
        return options

    def operand_name(self, place: int) -> str:
        """What messages call the operand in this place: nothing, if there can be any number."""
        return self.operands[place] if place < len(self.operands) else ""

    @cached_property
    def _takes(self) -> str:
        shown = (name if name not in self._defaults else f"{name}={self._defaults[name]!r}" for name in self._order)
        return f"({', '.join(shown)})"


def documentation(op: Callable[..., Any]) -> str:
    """An op's docstring as that of its function of tensors, which returns one tensor and no vjps."""
    text = inspect.getdoc(op) or ""
    return re.sub(r"^Returns: .*\n(?: .*\n)*", "", text, flags=re.MULTILINE)
