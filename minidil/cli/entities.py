"""Experiments with networks that give a tag to every word."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from minidil import data, models
from minidil.cli.experiment import Answer, Experiment, Wanted
from minidil.cli.settings import Settings
from minidil.cli.table import table
from minidil.data.splitting import in_first
from minidil.data.tagged import tag_names
from minidil.deploy.prune.widths import Widths
from minidil.errors import CheckpointError, DataError, OptionError
from minidil.models.tagger import Tagger
from minidil.nn import Module
from minidil.random import default_rng, seed
from minidil.tasks import entities
from minidil.tasks.entities.features import LETTERS
from minidil.tasks.entities.predict import tokens_of
from minidil.terminal import fill
from minidil.text import BucketLoader, Vocabulary
from minidil.text.vectors import read_vectors
from minidil.train import RunFolder, evaluate
from minidil.train.folder import CONFIG
from minidil.train.rules import TEXT, Rule, listed, shown

_EVALUATION_BATCH = 64
_vectors = lru_cache(1)(read_vectors)
_SHOWN_LENGTH = 20  # words of the sentence that the layers are shown for


@dataclass(frozen=True)
class Entities(Experiment):
    """words, letters: those that are known, in order; of the words of a file of vectors, the SHA-256 of its bytes alone."""

    words: tuple[str, ...]
    letters: tuple[str, ...]

    FACTS: ClassVar[Mapping[str, Rule]] = {"words": listed(TEXT), "letters": listed(TEXT)}

    @staticmethod
    def training(settings: Settings) -> tuple[data.TaggedDataset, data.TaggedDataset | None]:
        """The set to learn from, and the one that comes with it to validate on, or a share of it, by the seed.

        With a validation share of 0 there is nothing to validate on, and what would have been is not learnt from.
        """
        learn, validate = _part(settings, "train"), _part(settings, "dev") if settings.validation else None
        if settings.validation and validate is None:
            return _divided(learn, 1 - settings.validation, settings.seed)
        return learn, validate

    @staticmethod
    def testing(settings: Settings) -> data.TaggedDataset:
        """The test set, which training never looks at."""
        found = _part(settings, "test")
        if found is None:
            raise OptionError(f"--data {settings.data}: there is no test.conll in it")
        return found

    @classmethod
    def on(cls, settings: Settings, learn: data.TaggedDataset, widths: Widths | None = None) -> Self:
        """The experiment with these settings on the sentences `learn`."""
        known = _vectors(settings.vectors)[0] if settings.vectors else None
        features = entities.Features.of(learn, known)
        words = (_digest(settings.vectors),) if settings.vectors else features.words.words
        return cls(settings, features.classes, (_SHOWN_LENGTH, 2 + LETTERS), words, features.letters.words)

    @classmethod
    def from_facts(cls, settings: Settings, config: Mapping[str, Any], path: Path) -> Self:
        """The experiment of a config.json."""
        classes = tuple(config["classes"])
        if classes != tag_names(tuple(each[2:] for each in classes[1::2])):
            raise CheckpointError(f"{path}: classes must be O, then B- and I- of every type, not {shown(classes)}")
        if settings.vectors and (now := _digest(settings.vectors)) != config["words"][0]:
            raise CheckpointError(
                f"{path}: the run was made with other vectors than {settings.vectors} now holds: SHA-256 {config['words'][0]}, "
                f"and now {now}"
            )
        words, letters = (tuple(config[name]) for name in ("words", "letters"))
        return cls(settings, classes, (_SHOWN_LENGTH, 2 + LETTERS), words, letters)

    def facts(self) -> dict[str, Any]:
        """What `from_facts` reads."""
        return {"words": list(self.words), "letters": list(self.letters)}

    @property
    def features(self) -> entities.Features:
        """How sentences become numbers."""
        known = _vectors(self.settings.vectors)[0] if self.settings.vectors else Vocabulary(self.words)
        return entities.Features(known, Vocabulary(self.letters), tuple(each[2:] for each in self.classes[1::2]))

    def check(self, items: data.TaggedDataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if these sentences have other types of entities than config.json tells."""
        if items.classes != self.classes:
            raise CheckpointError(
                f"{folder.path / CONFIG}: classes is {shown(self.classes)}, and that of the sentences of {self.settings.data} "
                f"is {shown(items.classes)}"
            )

    def check_learnt(self, learn: data.TaggedDataset, folder: RunFolder) -> None:
        """Raises: CheckpointError if the run was not made with these sentences: their words and letters tell them apart."""
        self.check(learn, folder)
        now = type(self).on(self.settings, learn)
        for name in ("words", "letters"):
            if getattr(self, name) != getattr(now, name):
                raise CheckpointError(
                    f"{folder.path / CONFIG}: {name} are not those of the sentences to learn from; data, seed or validation "
                    "were changed, or the sentences"
                )

    def model(self) -> Module:
        """A freshly initialised model; restarts the process-wide generator from the seed."""
        settings, options = self.settings, dict[str, Any]()
        if settings.widths is not None:
            if len(settings.widths) > 1:
                raise OptionError(f"--widths: {settings.model} has one, such as 100")
            options["hidden"] = settings.widths[0]
        if settings.dilations is not None:
            if len(settings.dilations) > 1 or not settings.model.startswith("idcnn"):
                raise OptionError(
                    "--dilations: idcnn has one block of dilated layers, as in 1,2,4,1, and the others none"
                )
            options["dilations"] = settings.dilations[0]
        if settings.vectors:
            options["vectors"] = _vectors(settings.vectors)[1]
        seed(settings.seed)
        return models.TAGGERS[settings.model](len(self.classes), self.features.sizes, rng=default_rng(), **options)

    def goal(self, model: Module) -> dict[str, Any]:
        """The arguments of `train.fit`: the loss and F1, which ask the model for its tags."""
        return self.task.goal(None) | {
            "loss": entities.TaggingLoss(model),  # type: ignore[arg-type]
            "metrics": {"f1": entities.EntityF1(model, self.classes)},  # type: ignore[arg-type]
        }

    def learning(self, items: data.TaggedDataset) -> BucketLoader:
        """Shuffled batches of sentences of like lengths."""
        settings, numbers = self.settings, self.features.items(items)
        return BucketLoader(
            numbers, settings.batch_size, shuffle=True, drop_last=settings.drop_last, seed=settings.seed
        )

    def measuring(self, items: data.TaggedDataset) -> BucketLoader:
        """All sentences in their order."""
        return BucketLoader(self.features.items(items), _EVALUATION_BATCH)

    def report(self, model: Module, items: data.TaggedDataset, content: dict[str, Any]) -> None:
        """Print precision, recall and F1 of every type and of all, beside F1 of a dictionary of the entities to learn from."""
        assert isinstance(model, Tagger)
        loss = evaluate(model, self.measuring(items), loss=self.goal(model)["loss"], metrics={}).loss
        found = entities.Scores.of(entities.tagged(model, self.features, items.tokens), items.tags)
        dictionary = entities.Dictionary(self.training(self.settings)[0])
        control = entities.Scores.of([dictionary.tag(tokens) for tokens in items.tokens], items.tags)
        rows: list[tuple[str, ...]] = [("type", "entities", "said", "precision", "recall", "F1", "dictionary's F1")]
        content |= {"loss": loss, "types": []}
        for name, score in [*found.types.items(), ("all", found.all)]:
            other = control.all if name == "all" else control.types.get(name, entities.Score(0, 0, 0))
            figures = {"precision": score.precision, "recall": score.recall, "f1": score.f1, "dictionary_f1": other.f1}
            counts = {"entities": score.true, "said": score.said}
            rows.append((name, *map(str, counts.values()), *(f"{value:.4f}" for value in figures.values())))
            if name == "all":
                content |= counts | figures
            else:
                content["types"].append({"type": name} | counts | figures)
        print("\n".join(table(rows, "<" + ">" * 6, (7, 3, 2))))
        print(fill(f"test loss {loss:.4f} a word on {len(items):,} sentences"))

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """Marks the entities of a sentence."""
        assert isinstance(model, Tagger)
        tokens = tokens_of(source)
        if not tokens:
            raise DataError(f"{source!r} is no sentence: there is no word in it")
        (tags,) = entities.tagged(model, self.features, [tokens])
        content = [
            {"type": type, "text": " ".join(tokens[start:stop]), "start": start, "stop": stop}
            for start, stop, type in entities.spans(tags)
        ]
        return Answer(entities.marked(tokens, tags), {"tokens": tokens, "tags": list(tags), "entities": content})


def _part(settings: Settings, part: str) -> Any:
    """A part of a known set; of a folder PART.conll, None if there is no such file; of one file its share, the test's a fifth."""
    if settings.data in data.NAMES:
        return data.load(settings.data, part)
    path = Path(settings.data)
    if path.is_dir():
        if not (path / "train.conll").is_file():
            raise OptionError(
                f"--data {path}: there is no train.conll in it, of which {settings.model} could learn; a folder has train.conll, "
                "test.conll and perhaps dev.conll"
            )
        if part == "train":
            return data.conll(path / "train.conll")
        file = path / f"{part}.conll"
        return data.conll(file, types=data.conll(path / "train.conll").types) if file.is_file() else None
    if part == "dev":
        return None
    return _divided(data.conll(path), 0.8, settings.seed)[part == "test"]


def _divided(
    sentences: data.TaggedDataset, fraction: float, number: int
) -> tuple[data.TaggedDataset, data.TaggedDataset]:
    """(a fraction of the sentences, the others), by the seed."""
    chosen = in_first(np.zeros(len(sentences), np.int64), fraction, number)
    return sentences.subset(chosen), sentences.subset(~chosen)


def _digest(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"--vectors {path} cannot be read: {error.strerror}") from error
