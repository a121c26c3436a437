"""What a tagger lowers while it learns, and what chooses its best epoch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import minidil.functional as F
from minidil.array import Array
from minidil.models.tagger import Tagger
from minidil.tasks.entities.spans import spans
from minidil.tensor import Tensor
from minidil.text import IGNORED


class TaggingLoss:
    """The surprise at the true tags, in nats for each word: a loss for `train.fit`, of the emissions and of tags (N, T).

    Of a tagger without a CRF it is cross-entropy; of one with a CRF, minus the log-likelihood of whole sentences, over the number
    of words. Of several rounds it is the mean. Tags that are IGNORED are padding.
    """

    def __init__(self, model: Tagger) -> None:
        self.model = model

    def __call__(self, emissions: Tensor, tags: Array) -> Tensor:
        if emissions.ndim == 4:
            return F.mean(F.stack([self(each, tags) for each in emissions]))
        if self.model.crf is None:
            return F.cross_entropy(emissions.transpose(0, 2, 1), tags)
        mask = tags != IGNORED
        total: Tensor = self.model.crf(emissions, np.where(mask, tags, 0), mask, reduction="sum")
        return total / max(self.count(tags), 1)

    @staticmethod
    def count(tags: Array) -> int:
        """How many words the mean is over."""
        return int(np.count_nonzero(tags != IGNORED))


class EntityF1:
    """F1 over entities: a metric for `train.fit`.

    2 right / (said + true) is a mean: over every entity that was said and every true one, of whether it has a partner. So the
    mean over an epoch is the F1 over all of its entities, however it is cut into batches.
    """

    def __init__(self, model: Tagger, classes: tuple[str, ...]) -> None:
        self.model, self.classes = model, classes

    def __call__(self, emissions: Array, tags: Array) -> npt.NDArray[np.bool_]:
        mask = np.asarray(tags) != IGNORED
        said = self.model.decode(emissions if emissions.ndim == 3 else emissions[-1], mask)
        partners = list[bool]()
        for ours, theirs, data in zip(said, np.asarray(tags), mask, strict=True):
            found, wanted = (set(spans([self.classes[tag] for tag in row])) for row in (ours, theirs[data].tolist()))
            partners += [each in wanted for each in found] + [each in found for each in wanted]
        return np.array(partners, bool)
