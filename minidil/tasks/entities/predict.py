"""Tags of new sentences, and how they are shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from minidil.graph import no_grad
from minidil.models.tagger import Tagger
from minidil.tasks.entities.features import Features
from minidil.tasks.entities.spans import spans
from minidil.tensor import tensor
from minidil.text import pad, present

_TOKEN = re.compile(r"(?:https?:|www\.)\S+|[@#]\w+|\d+(?:[.,:]\d+)+|\w+(?:[-&]\w+)*|'\w+|[^\w\s]")


def tokens_of(sentence: str) -> list[str]:
    """The words of a sentence as people write it, with their case: addresses, @names, #topics, words, and signs one by one."""
    return _TOKEN.findall(sentence)


def tagged(
    model: Tagger, features: Features, sentences: Sequence[Sequence[str]], batch_size: int = 64
) -> list[tuple[str, ...]]:
    """The BIO tags of sentences, each a list of words, in their order; those of like lengths go through the model together.

    model: in evaluation mode.
    """
    found = list[tuple[str, ...]](() for _ in sentences)
    order = np.argsort([len(sentence) for sentence in sentences], kind="stable").tolist()
    with no_grad():
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            ids, _ = pad([features.encode(sentences[number]) for number in chosen])
            paths = model.decode(model(tensor(ids)).numpy(), present(ids[..., 0]))
            for number, path in zip(chosen, paths, strict=True):
                found[number] = tuple(features.classes[tag] for tag in path)
    return found


def marked(tokens: Sequence[str], tags: Sequence[str]) -> str:
    """A sentence with its entities in brackets: [Ada Lovelace person] in [London location]."""
    parts, at = list[str](), 0
    for start, stop, type in spans(tags):
        parts += [*tokens[at:start], f"[{' '.join(tokens[start:stop])} {type}]"]
        at = stop
    return " ".join([*parts, *tokens[at:]])
