"""How well entities are found: precision, recall and F1, over entities and not over words.

    precision = right / said       recall = right / true       F1 = 2 right / (said + true), their harmonic mean

An entity is right if its first word, its last word and its type are those of a true one. In the overall figures all entities
count alike ("micro"). A figure without anything to divide by is 0.
Source: Tjong Kim Sang & De Meulder 2003, arXiv:cs/0306050.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from minidil.errors import ShapeError
from minidil.tasks.entities.spans import spans

Tags = Sequence[str]


@dataclass(frozen=True)
class Score:
    """Numbers of entities: right ones, said ones, and true ones."""

    right: int
    said: int
    true: int

    @property
    def precision(self) -> float:
        """The share of what was said that is right."""
        return self.right / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        """The share of what is true that was found."""
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.right / (self.said + self.true) if self.said + self.true else 0.0


@dataclass(frozen=True)
class Scores:
    """all: over all entities. types: of each type that was said or is true, in order."""

    all: Score
    types: dict[str, Score]

    @classmethod
    def of(cls, said: Sequence[Tags], true: Sequence[Tags], *, strict: bool = False) -> Self:
        """Compare the BIO tags of sentences; strict: for tags that were said, as in `spans`.

        Raises: ShapeError if there are not as many sentences, or tags in one.
        """
        counts = {name: Counter[str]() for name in ("right", "said", "true")}
        if len(said) != len(true):
            raise ShapeError(
                f"Scores: there are {len(said)} sentences with tags that were said and {len(true)} with true ones"
            )
        for number, (ours, theirs) in enumerate(zip(said, true, strict=True)):
            if len(ours) != len(theirs):
                raise ShapeError(
                    f"Scores: sentence {number} has {len(ours)} tags that were said and {len(theirs)} true ones"
                )
            found, wanted = spans(ours, strict=strict), spans(theirs, strict=strict)
            for name, entities in (("right", set(found) & set(wanted)), ("said", found), ("true", wanted)):
                counts[name].update(each.type for each in entities)
        types = sorted(counts["said"] | counts["true"])
        by_type = {type: Score(*(counts[name][type] for name in counts)) for type in types}
        return cls(Score(*(counts[name].total() for name in counts)), by_type)
