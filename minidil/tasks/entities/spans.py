"""Entities from tags, and tags from what a network said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """An entity: the words start..stop-1 of its sentence, and its type."""

    start: int
    stop: int
    type: str


def spans(tags: Sequence[str], *, strict: bool = False) -> list[Span]:
    """The entities that BIO tags mark, in their order.

    An I- that goes on with no entity of its type begins one, as in CoNLL's evaluation; with strict it marks nothing, and neither
    do those that follow it.
    """
    found, start, kind = list[Span](), 0, ""  # kind: of the entity that is open, if one is
    for at, tag in enumerate([*tags, "O"]):
        letter, _, type = tag.partition("-")
        if letter == "I" and type == kind:
            continue
        if kind:
            found.append(Span(start, at, kind))
        start, kind = at, type if letter == "B" or (letter == "I" and not strict) else ""
    return found
