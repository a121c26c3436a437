"""Experiments with networks that give a class to a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from minidil import data, models, text
from minidil.array import Array
from minidil.cli.experiment import Answer, Experiment, Wanted
from minidil.cli.images import likeliest
from minidil.cli.settings import Settings
from minidil.cli.table import table
from minidil.deploy.prune.widths import Widths
from minidil.errors import CheckpointError, DataError, OptionError
from minidil.nn import Module
from minidil.random import default_rng, seed
from minidil.tasks import sentiment
from minidil.terminal import fill
from minidil.train import RunFolder, evaluate
from minidil.train.folder import CONFIG
from minidil.train.rules import TEXT, Rule, listed, shown, whole

_EVALUATION_BATCH = 100


@dataclass(frozen=True)
class Sentences(Experiment):
    """shape: (words of the longest sentence to learn from,). vocabulary: the words that the network knows."""

    vocabulary: text.Vocabulary

    FACTS: ClassVar[Mapping[str, Rule]] = {"shape": listed(whole(1), 1), "vocabulary": listed(TEXT)}

    @staticmethod
    def training(settings: Settings) -> tuple[data.TextDataset, data.TextDataset | None]:
        """A known set to learn from, and its own part to validate on; or a seeded split of four fifths of a table.

        With a validation share of 0 there is nothing to validate on.
        """
        if settings.data in data.NAMES:
            return data.load(settings.data, "train"), data.load(settings.data, "dev") if settings.validation else None
        learn, _ = _divided(settings)
        if not settings.validation:
            return learn, None
        return data.split(learn, 1 - settings.validation, settings.seed)

    @staticmethod
    def testing(settings: Settings) -> data.TextDataset:
        """The test set, which training never looks at."""
        return data.load(settings.data, "test") if settings.data in data.NAMES else _divided(settings)[1]

    @classmethod
    def on(cls, settings: Settings, learn: data.TextDataset, widths: Widths | None = None) -> Self:
        """The experiment with these settings on the texts `learn`."""
        longest = max(len(text.words(sentence)) for sentence in learn.texts)
        return cls(settings, learn.classes, (max(longest, 1),), sentiment.vocabulary(learn))

    @classmethod
    def from_facts(cls, settings: Settings, config: Mapping[str, Any], path: Path) -> Self:
        """The experiment of a config.json."""
        try:
            vocabulary = text.Vocabulary(config["vocabulary"])
        except OptionError as error:
            raise CheckpointError(f"{path}: vocabulary: {error}") from error
        return cls(settings, tuple(config["classes"]), tuple(config["shape"]), vocabulary)

    def facts(self) -> dict[str, Any]:
        """What `from_facts` reads."""
        return {"shape": list(self.shape), "vocabulary": list(self.vocabulary.words)}

    def check(self, items: data.TextDataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if these are no texts of the classes that config.json tells."""
        if items.classes != self.classes:
            raise CheckpointError(
                f"{folder.path / CONFIG}: classes is {shown(self.classes)}, and that of the sentences of {self.settings.data} "
                f"is {shown(items.classes)}"
            )

    def check_learnt(self, learn: data.TextDataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if the run was not made with these texts: their words tell them apart."""
        self.check(learn, folder)
        now = sentiment.vocabulary(learn)
        if now != self.vocabulary:
            raise CheckpointError(
                f"{folder.path / CONFIG}: vocabulary has {len(self.vocabulary.words):,} words, and those of the sentences to "
                f"learn from are {len(now.words):,} or others; data, seed or validation were changed, or the sentences"
            )

    def options(self) -> dict[str, Any]:
        """What the builder of the network is called with, as the settings ask for."""
        settings, options = self.settings, dict[str, Any]()
        if settings.widths is not None:
            names = ("vector", "width") if settings.model != "dilated_cnn" else ("vector",)
            if len(settings.widths) > len(names):
                raise OptionError(
                    f"--widths: {settings.model} takes {' and '.join(names)}, so {len(names)} of them, not {len(settings.widths)}"
                )
            options |= zip(names, settings.widths, strict=False)
        if settings.dilations is not None:
            if settings.model != "dilated_cnn":
                raise OptionError(f"--dilations: {settings.model} has no dilations; dilated_cnn has")
            options["dilations"] = tuple(each for stage in settings.dilations for each in stage)
        return options

    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed."""
        options = self.options()
        seed(self.settings.seed)
        build = models.SENTENCES[self.settings.model]
        return build(len(self.vocabulary), len(self.classes), rng=default_rng(), **options)

    def learning(self, items: data.TextDataset) -> text.BucketLoader:
        """Shuffled batches of sentences of like lengths."""
        settings = self.settings
        options: dict[str, Any] = {"drop_last": settings.drop_last, "seed": settings.seed}
        return text.BucketLoader(self.encoded(items), settings.batch_size, shuffle=True, **options)

    def measuring(self, items: data.TextDataset) -> text.BucketLoader:
        """All sentences in their order."""
        return text.BucketLoader(self.encoded(items), _EVALUATION_BATCH)

    def encoded(self, items: data.TextDataset) -> list[tuple[Any, int]]:
        """(numbers, label) of every sentence."""
        return sentiment.encoded(items, self.vocabulary)

    def report(self, model: Module, items: data.TextDataset, content: dict[str, Any]) -> None:
        """Print the accuracy, and that of the control on the same sentences, with McNemar's test; on those of validation, too."""
        learn, validate = self.training(self.settings)
        parts = {"test": items} if validate is None else {"validation": validate, "test": items}
        control = sentiment.BagOfWords.fitted(learn, validate) if len(self.classes) == 2 else None
        rows = [
            ("part", "sentences", "loss", "accuracy", *["tf-idf", "network alone", "tf-idf alone", "p"] * bool(control))
        ]
        for part, chosen in parts.items():
            said: list[Array] = []

            def note(logits: Array, _: Array, said: list[Array] = said) -> None:
                said.append(logits.argmax(axis=1))

            figures = evaluate(model, self.measuring(chosen), note)
            found = {"loss": figures.loss, "accuracy": figures.accuracy}
            cells = [f"{figures.loss:.4f}", f"{figures.accuracy:.2%}"]
            if control:
                right = np.concatenate(said) == chosen.labels
                other = control.predict(chosen.texts) == chosen.labels
                test = sentiment.mcnemar(right, other)
                found |= {
                    "control": float(other.mean()),
                    "network_alone": test.first,
                    "control_alone": test.second,
                    "p": test.p,
                }
                cells += [f"{other.mean():.2%}", f"{test.first}", f"{test.second}", f"{test.p:.3f}"]
            content[part] = {"sentences": len(chosen), **found}
            rows.append((part, f"{len(chosen):,}", *cells))
        print("\n".join(table(rows, "<" + ">" * (len(rows[0]) - 1))))
        if control:
            content["control"] = {"strength": control.strength}
            print(
                fill(
                    f"tf-idf: logistic regression of words and pairs of words, C = {control.strength:g}; alone: sentences on "
                    "which one of the two is right; p: McNemar's exact test that neither is better"
                )
            )

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """The most probable classes of a sentence, and the words of it that are not known."""
        words = text.words(source)
        if not words:
            raise DataError(f"{source!r}: there is no word in it")
        unknown = sorted({word for word in words if word not in self.vocabulary})
        note = f"; not in the vocabulary: {', '.join(unknown)}" if unknown else ""
        return self._answer(model, self.vocabulary.encode(words), wanted, note, unknown)

    def _answer(self, model: Module, ids: Array, wanted: Wanted, note: str, unknown: list[str]) -> Answer:
        said, classes = likeliest(self, model, ids[None], wanted.top)
        return Answer(said + note, {"classes": classes, "unknown": unknown})


def _divided(settings: Settings) -> tuple[data.TextDataset, data.TextDataset]:
    """A table in four fifths to learn from and one to test on, by the seed."""
    return data.split(data.text_file(settings.data), 0.8, settings.seed)
