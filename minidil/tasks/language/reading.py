"""What an encoder makes of many sentences, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from minidil.errors import OptionError
from minidil.graph import no_grad
from minidil.models.bert import Bert
from minidil.text import pad

_PIECES = 1024  # of a batch, padding included

States = list[npt.NDArray[np.floating]]


def states(
    bert: Bert, sentences: Sequence[Sequence[int]], depths: Sequence[int], dtype: npt.DTypeLike = np.float32
) -> list[States]:
    """For each of `depths`, the vectors (T, H) of the pieces of each sentence after so many layers; nothing drops out.

    sentences: numbers of pieces, as `WordPiece.encode` gives them. depths: rising, (6,) for what comes out of six layers.
    dtype: float16 halves what they take, and keeps three digits.
    Raises: OptionError for depths that do not rise or that the model does not have, or a sentence without a piece; ShapeError
        for one that is too long for the model.
    """
    most = len(bert.layers)
    if not depths or list(depths) != sorted(set(depths)) or not 0 <= depths[0] <= depths[-1] <= most:
        raise OptionError(
            f"states: depths must rise from 0 at least to {most} at most, the layers there are, not {depths}"
        )
    if empty := [number for number, sentence in enumerate(sentences) if not len(sentence)]:
        raise OptionError(f"states: sentence {empty[0]} has no pieces, not even those that WordPiece.encode sets")
    found: list[States] = [[np.empty(0, dtype)] * len(sentences) for _ in depths]
    order = sorted(range(len(sentences)), key=lambda number: len(sentences[number]))  # little padding
    training = bert.training
    bert.eval()
    try:
        with no_grad():
            while order:
                size = max(1, _PIECES // len(sentences[order[-1]]))
                batch, order = order[-size:], order[:-size]
                ids, _ = pad([sentences[number] for number in batch])
                x, counts = bert.embedded(ids)
                for made, (first, end) in zip(found, pairwise([0, *depths]), strict=True):
                    x = bert.through(x, counts, first, end)
                    for number, rows in zip(batch, x.numpy(), strict=True):
                        made[number] = rows[: len(sentences[number])].astype(dtype)
    finally:
        bert.train(training)
    return found
