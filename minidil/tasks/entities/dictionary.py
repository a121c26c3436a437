"""The control that needs no network: the entities of the training set, found again wherever their words stand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from minidil.data.tagged import TaggedDataset
from minidil.tasks.entities.spans import spans


class Dictionary:
    """Knows the entities of a set by their words, whatever their case, each with its most frequent type."""

    def __init__(self, dataset: TaggedDataset) -> None:
        counts = defaultdict[tuple[str, ...], Counter[str]](Counter)
        for tokens, tags in dataset:
            for start, stop, type in spans(tags):
                counts[_lower(tokens[start:stop])][type] += 1
        self.types = {words: max(sorted(found), key=found.__getitem__) for words, found in counts.items()}
        self.longest = max(map(len, self.types), default=0)

    def tag(self, tokens: Sequence[str]) -> tuple[str, ...]:
        """BIO tags: from the left, the longest entity that begins here."""
        tags, at = list[str](), 0
        while at < len(tokens):
            stops = range(min(at + self.longest, len(tokens)), at, -1)
            stop = next((stop for stop in stops if _lower(tokens[at:stop]) in self.types), None)
            if stop is None:
                tags.append("O")
                at += 1
                continue
            type = self.types[_lower(tokens[at:stop])]
            tags += [f"B-{type}"] + [f"I-{type}"] * (stop - at - 1)
            at = stop
        return tuple(tags)


def _lower(tokens: Sequence[str]) -> tuple[str, ...]:
    return tuple(token.lower() for token in tokens)
