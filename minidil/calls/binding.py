"""How a function of tensors is called: what binds to which parameter of its op, and what `help` says of it.

An op's signature tells its operands (positional or keyword, before the star) from its options (keyword-only, behind it). Its
function of tensors takes both kinds either way, in the order of the signature: `conv(x, weight=w, bias=b)`,
`conv(x, w, b, 1, 1)`, `softmax(x, 1)`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minidil.errors import CallError
from minidil.names.arguments import KEYWORDS
from minidil.names.lookup import nearest


class Call:
    """The parameters of an op, and what a call binds to them.

    order: the parameters in the order in which the function takes them, if it is not the op's own.
    by_name: why options may be given by name only; None if their position will do. For a function whose positions mean
        something else in PyTorch.
    """

    def __init__(self, op: Callable[..., Any], order: Sequence[str] | None = None, by_name: str | None = None) -> None:
        signature = inspect.signature(op)
        parameters = signature.parameters
        self.name = op.__name__
        self.operands = [name for name, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.options = frozenset(name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY)
        self._order = list(order or (name for name, p in parameters.items() if p.kind is not p.VAR_POSITIONAL))
        self._any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
        self._defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
        self._by_name = by_name
        # A call of operands by position and options by name is bound as it stands, without looking at each.
        leading = self._order[: len(self.operands)] == self.operands
        self._least = sum(name not in self._defaults for name in self.operands)
        self._needed = self.options - self._defaults.keys()
        self._plain = float("inf") if self._any_number else len(self.operands) if leading else 0
        self.signature = self._signature(parameters)

    def _signature(self, parameters: Mapping[str, inspect.Parameter]) -> inspect.Signature:
        """What `help` shows. Options are keyword-only where their position would not do, or a default stands before them."""
        required = [name not in self._defaults for name in self._order]
        by_name = self._by_name or self._any_number or required != sorted(required, reverse=True)
        shown = [
            parameters[name].replace(
                kind=inspect.Parameter.KEYWORD_ONLY
                if by_name and name in self.options
                else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation="Operand" if name in self.operands else parameters[name].annotation,
            )
            for name in self._order
        ]
        several = [p.replace(annotation="Operand") for p in parameters.values() if p.kind is p.VAR_POSITIONAL]
        return inspect.Signature([*several, *shown], return_annotation="Tensor")

    def bind(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
        """The operands in order, and the options by name.

        Raises: CallError if an argument is missing, unknown, or given twice, or there are too many.
        """
        if self._least <= len(given) <= self._plain and self._needed <= named.keys() <= self.options:
            return given, named
        named = {self._own_name(name): value for name, value in named.items()}
        if len(given) > len(self._order) and not self._any_number:
            raise CallError(f"{self.name}: takes {self._takes()}, and got {len(given)} arguments by position")
        bound = {} if self._any_number else dict(zip(self._order, given, strict=False))
        for name in bound:
            if self._by_name and name in self.options:
                raise CallError(f"{self.name}: {self._by_name}")
            if name in named:
                raise CallError(f"{self.name}: {name} is given twice, by position and by name")
        bound |= named
        if self._any_number:
            return given, bound
        missing = [name for name in self._order if name not in bound and name not in self._defaults]
        if missing:
            raise CallError(f"{self.name}: {' and '.join(missing)} must be given; it takes {self._takes()}")
        last = max((i for i, name in enumerate(self.operands) if name in bound), default=-1)
        operands = [bound.get(name, self._defaults.get(name)) for name in self.operands[: last + 1]]
        return operands, {name: value for name, value in bound.items() if name in self.options}

    def _own_name(self, name: str) -> str:
        """The op's word for an argument that may have come under PyTorch's."""
        if name in self._order:
            return name
        for candidate in (KEYWORDS.get((self.name, name)), KEYWORDS.get(("", name))):
            if candidate in self._order:
                return str(candidate)
        if name == "input" and self.operands:
            return self.operands[0]
        hint = nearest(name, self._order)
        raise CallError(f"{self.name}: there is no argument {name!r}{hint}; it takes {self._takes()}")

    def _takes(self) -> str:
        shown = (name if name not in self._defaults else f"{name}={self._defaults[name]!r}" for name in self._order)
        return f"({', '.join(shown)})"


def documentation(op: Callable[..., Any]) -> str:
    """An op's docstring as that of its function of tensors, which returns one tensor and no vjps."""
    text = inspect.getdoc(op) or ""
    return re.sub(r"^Returns: .*\n(?: .*\n)*", "", text, flags=re.MULTILINE)
