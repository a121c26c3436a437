"""Arguments of plain functions, methods and classes, in minidil's words or PyTorch's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, TypeVar, cast

from minidil.errors import CallError
from minidil.names.arguments import advice, goes_without_saying, own_word
from minidil.names.lookup import nearest

F = TypeVar("F", bound=Callable[..., Any])


def own_names(
    function: str, own: Sequence[str], first: str | None, named: dict[str, Any], takes: str
) -> dict[str, Any]:
    """The arguments given by name, under our names. What says nothing that is not so anyway is left out.

    own: our names. first: the first of them, which PyTorch calls input. takes: what the message says that there is.
    Raises: CallError if there is no such argument, or it is given under two names.
    """
    bound: dict[str, Any] = {}
    for theirs, value in named.items():
        name = theirs if theirs in own else own_word(function, theirs, own)
        if name is None and theirs in ("input", "tensor", "self") and first is not None:
            name = first
        if name is None and goes_without_saying(function, theirs, value):
            continue
        if name is None:
            said = advice(function, theirs)
            hint = f": {said}" if said else nearest(theirs, own)
            raise CallError(f"{function}: there is no argument {theirs!r}{hint}; it takes {takes}")
        if name in bound:
            raise CallError(f"{function}: {name} is given twice, under two names")
        bound[name] = value
    return bound


class Signature:
    """The parameters of a plain function, and what a call binds to them."""

    def __init__(self, function: Callable[..., Any], name: str, method: bool = False) -> None:
        parameters = list(inspect.signature(function).parameters.values())
        self.name = name
        self.signature = inspect.Signature(parameters)
        shown = parameters[1:] if method else parameters
        self.takes = str(inspect.Signature([p.replace(annotation=p.empty) for p in shown]))
        self.own = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        self.spread = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        placed = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        self._least = sum(p.default is p.empty for p in placed)
        by_name = all(p.name in self.own for p in parameters)
        self._placed = len(placed) if by_name else -1
        self._needed = [p.name for p in parameters if p.name in self.own and p.default is p.empty]
        self._most: float = float("inf") if self.spread else len(placed)
        if any(p.default is p.empty for p in parameters if p.kind is p.KEYWORD_ONLY):
            self._most = -1  # no call by position alone is complete
        self.first = self.own[0] if self.own else None

    def bind(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments as the function itself takes them. Raises: CallError if they do not fit."""
        if not named and self._least <= len(given) <= self._most:
            return given, named
        if len(given) <= self._placed:  # what `signature.bind` finds out takes it five times as long
            free = self.own[len(given) :]
            if all(name in free for name in named) and all(name in named for name in self._needed if name in free):
                return given, named
        if self.spread and len(given) == self._least:
            for theirs, value in named.items():
                if self.spread in (theirs, own_word(self.name, theirs, (self.spread,))):
                    given, named = (*given, value), {name: kept for name, kept in named.items() if name != theirs}
                    break
        named = own_names(self.name, self.own, self.first, named, self.takes)
        try:
            bound = self.signature.bind(*given, **named)
        except TypeError as error:
            raise CallError(f"{self.name}: {error}; it takes {self.takes}") from None
        return bound.args, bound.kwargs


def understood(function: F, name: str | None = None, method: bool = False) -> F:
    """The function, which understands PyTorch's words for its arguments, and refuses others as minidil does."""
    signature = Signature(function, name or function.__name__, method)

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        given, named = signature.bind(given, named)
        return function(*given, **named)

    return cast(F, call)


@cache
def of_class(cls: type) -> Signature:
    """The signature of a class: that of its __init__, with self."""
    return Signature(cls.__init__, cls.__name__, method=True)  # type: ignore[misc]
