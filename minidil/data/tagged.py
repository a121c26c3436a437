"""Sentences with a tag for every token."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minidil.data.dataset import Indices, picked, which
from minidil.errors import DataError, OptionError, ShapeError

OUTSIDE = "O"


def tag_names(types: tuple[str, ...]) -> tuple[str, ...]:
    """The tags by their numbers: O, then B- and I- of every type."""
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in types for prefix in "BI"))


@dataclass(frozen=True, eq=False, repr=False)
class TaggedDataset:
    """Sentences of tokens, with the entities in them: a tag for every token.

    tokens, tags: of every sentence, a tuple of words each. Tags are BIO: B-person begins an entity, I-person goes on with it,
        O is outside of any. types: of the entities, without prefix. documents: the number of the document of each sentence.

    `dataset[3]` is a sentence, (tokens, tags); `dataset[:100]` a TaggedDataset, as `subset` gives it.
    Raises: ShapeError if lengths differ; DataError for a tag that is none, or an I- that goes on with nothing.
    """

    name: str
    tokens: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    types: tuple[str, ...]
    documents: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.documents:
            object.__setattr__(self, "documents", (0,) * len(self.tokens))
        if not len(self.tokens) == len(self.tags) == len(self.documents):
            raise ShapeError(
                f"TaggedDataset {self.name}: there are tokens of {len(self.tokens)} sentences, tags of {len(self.tags)} and "
                f"documents of {len(self.documents)}"
            )
        known = set(self.classes)
        for number, (tokens, tags) in enumerate(zip(self.tokens, self.tags, strict=True)):
            where = f"TaggedDataset {self.name}: sentence {number}"
            if len(tokens) != len(tags):
                raise ShapeError(f"{where} has {len(tokens)} tokens and {len(tags)} tags")
            for before, tag in zip((OUTSIDE, *tags), tags, strict=False):
                if tag not in known:
                    raise DataError(f"{where}: tag {tag!r} is none of {', '.join(self.classes)}")
                if tag[0] == "I" and before[1:] != tag[1:]:
                    raise DataError(f"{where}: {tag} follows {before}, and begins an entity as B{tag[1:]} would")

    @property
    def classes(self) -> tuple[str, ...]:
        """The tags by their numbers."""
        return tag_names(self.types)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int | Indices) -> Any:
        """Sentence `index`, (tokens, tags), or for a slice, a mask or many indices the `subset` that they pick."""
        at = which(index, f"TaggedDataset {self.name}", len(self))
        return (self.tokens[at], self.tags[at]) if isinstance(at, int) else self.subset(at)

    def __iter__(self) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        return zip(self.tokens, self.tags, strict=True)

    def subset(self, indices: Indices) -> "TaggedDataset":
        """The sentences that `indices` (integers, a slice or a boolean mask) picks, in that order, with the same types.

        Raises: OptionError if an index is outside the set or a mask has another length.
        """
        try:
            chosen = np.arange(len(self))[picked(indices)].tolist()
        except IndexError as error:
            raise OptionError(f"TaggedDataset.subset: {self.name} has {len(self)} sentences: {error}") from error
        return replace(
            self,
            tokens=tuple(self.tokens[at] for at in chosen),
            tags=tuple(self.tags[at] for at in chosen),
            documents=tuple(self.documents[at] for at in chosen),
        )

    def __repr__(self) -> str:
        tokens = sum(map(len, self.tokens))
        return f"TaggedDataset({self.name!r}: {len(self):,} sentences, {tokens:,} tokens; {', '.join(self.types)})"
