"""Experiments with a language model that others trained, of which the last layers learn."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from minidil import data, models, text
from minidil.cli.experiment import Answer, Start, Wanted
from minidil.cli.sentences import Sentences
from minidil.cli.settings import Settings
from minidil.deploy.prune.widths import Widths
from minidil.errors import CheckpointError, DataError, OptionError
from minidil.nn import Module
from minidil.random import default_rng, seed
from minidil.tasks import language
from minidil.tasks.language.minilm import PACKAGE
from minidil.train import RunFolder


@dataclass(frozen=True)
class WordPieces(Sentences):
    """shape: (pieces of the longest sentence to learn,). vocabulary: the pieces, so a run answers without the package."""

    vocabulary: text.WordPiece  # type: ignore[assignment]  # it stands in the place of the words

    @classmethod
    def on(cls, settings: Settings, learn: data.TextDataset, widths: Widths | None = None) -> Self:
        """The experiment with these settings on the texts `learn`. Raises: OptionError if the package is not installed."""
        pieces = language.vocabulary()
        return cls(settings, learn.classes, _longest(learn, pieces), pieces)

    @classmethod
    def from_facts(cls, settings: Settings, config: Mapping[str, Any], path: Path) -> Self:
        """The experiment of a config.json."""
        try:
            pieces = text.WordPiece(config["vocabulary"])
        except OptionError as error:
            raise CheckpointError(f"{path}: vocabulary: {error}") from error
        return cls(settings, tuple(config["classes"]), tuple(config["shape"]), pieces)

    def facts(self) -> dict[str, Any]:
        """What `from_facts` reads."""
        return {"shape": list(self.shape), "vocabulary": list(self.vocabulary.vocabulary)}

    def check_learnt(self, learn: data.TextDataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if the run was not made with these texts: their longest tells them apart, as a rule."""
        self.check(learn, folder)
        if (now := _longest(learn, self.vocabulary)) != self.shape:
            raise CheckpointError(
                f"{folder.path}: the longest sentence to learn from had {self.shape[0]} pieces, and now has {now[0]}; data, seed "
                "or validation were changed, or the sentences"
            )

    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed.

        Its head is linear, or one of dilated convolutions, of --widths channels, if the settings have dilations.
        """
        settings, classes = self.settings, len(self.classes)
        widths = settings.widths or ()
        dilations = tuple(each for stage in settings.dilations or () for each in stage)
        if len(widths) > 1 or (widths and not dilations):
            raise OptionError("--widths: minilm takes one, the channels of its convolutions, beside --dilations")
        seed(settings.seed)
        rng = default_rng()
        bert = models.minilm(rng=rng)
        if not dilations:
            return language.SentenceClassifier(bert, language.MeanHead(bert.hidden_size, classes, 0.1, rng=rng))
        channels = widths[0] if widths else 64
        head = language.ConvHead(bert.hidden_size, classes, channels, dilations, 0.3, rng=rng)
        return language.SentenceClassifier(bert, head)

    def untrained(self, learn: Any, start: Start | None = None) -> tuple[Module, tuple[str, ...]]:
        """A model before its first step, with the weights of the package, or of `start`."""
        if start is None:
            bert, _ = language.pretrained()
            state = {f"bert.{name}": array for name, array in bert.state_dict().items()}
            start = Start(PACKAGE, None, self.classes, self.model().state_dict() | state)
        return super().untrained(learn, start)

    def encoded(self, items: data.TextDataset) -> list[tuple[Any, int]]:
        """(numbers of the pieces, label) of every sentence."""
        return [(self.vocabulary.encode(sentence), label) for sentence, label in items]

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """The most probable classes of a sentence, and the words of it that have no pieces."""
        unknown = sorted({word for word in text.wordpiece.words(source) if "[UNK]" in self.vocabulary.pieces(word)})
        ids = np.array(self.vocabulary.encode(source))
        if len(ids) == 2:
            raise DataError(f"{source!r}: there is no word in it")
        note = f"; without pieces: {', '.join(unknown)}" if unknown else ""
        return self._answer(model, ids, wanted, note, unknown)


def _longest(learn: data.TextDataset, pieces: text.WordPiece) -> tuple[int]:
    return (max(len(pieces.encode(sentence)) for sentence in learn.texts),)
