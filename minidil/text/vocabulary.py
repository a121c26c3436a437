"""Vocabulary: a number for every word, and for what is no word."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minidil.errors import DataError, OptionError
from minidil.storage.files import atomic_write

PADDING, UNKNOWN = 0, 1  # the numbers of what fills up a batch, and of a word that the vocabulary does not have
_NAMES = ("<padding>", "<unknown>")
_FORMAT = 1


class Vocabulary:
    """Words with the numbers 2, 3, ... in the order given; 0 is padding and 1 any other word.

    No word has the number of padding, whatever it is: encode(["<padding>"]) is unknown unless that stands in `words`.
    Attributes: words, a tuple. len(vocabulary) counts padding and unknown: it is the rows that an embedding needs.
    Raises: OptionError for what is no word, or is there twice.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = tuple(words)
        for word in self.words:
            if not isinstance(word, str):
                raise OptionError(f"Vocabulary: words are str, not {word!r}")
        self._numbers = {word: number for number, word in enumerate(self.words, len(_NAMES))}
        if len(self._numbers) < len(self.words):
            twice = next(word for word, count in Counter(self.words).items() if count > 1)
            raise OptionError(f"Vocabulary: the word {twice!r} is there twice")

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]], *, min_count: int = 1) -> "Vocabulary":
        """Of the words that occur at least min_count times, the most frequent first, equally frequent ones by the alphabet.

        sentences: lists of words, as `words` gives them; of the training set alone, or it is no test of unknown words.
        Raises: OptionError unless min_count is an int >= 1, or for a sentence that is not cut into words.
        """
        if not isinstance(min_count, int) or isinstance(min_count, bool) or min_count < 1:
            raise OptionError(f"Vocabulary: min_count must be an int >= 1, not {min_count!r}")
        counts: Counter[str] = Counter()
        for sentence in sentences:
            _check_cut(sentence)
            counts.update(sentence)
        return cls(
            sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
        )

    def __len__(self) -> int:
        return len(_NAMES) + len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and other.words == self.words

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vocabulary({len(self.words):,} words, {' '.join(self.words[:5])} ...)"

    def encode(self, sentence: Sequence[str]) -> npt.NDArray[np.int64]:
        """The numbers of the words of one sentence, int64 (T,); of none, (0,). Raises: OptionError for a str."""
        _check_cut(sentence)
        return np.array([self._numbers.get(word, UNKNOWN) for word in sentence], np.int64)

    def decode(self, ids: Iterable[Any]) -> list[str]:
        """The words of these numbers. Raises: OptionError for a number that has none."""
        names = _NAMES + self.words
        numbers = [int(number) for number in ids]
        for number in numbers:
            if not 0 <= number < len(names):
                raise OptionError(f"Vocabulary: {number} is no number of a word; they are 0..{len(names) - 1}")
        return [names[number] for number in numbers]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON: {"format": 1, "words": [...]}. Raises: StorageError if the disk refuses."""
        with atomic_write(path) as file:
            file.write(json.dumps({"format": _FORMAT, "words": self.words}, indent=0).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Vocabulary":
        """Read what `save` wrote. Raises: DataError, naming the file, if it is missing or something else."""
        try:
            content = json.loads(Path(path).read_bytes())
            if (
                not isinstance(content, dict)
                or content.get("format") != _FORMAT
                or not isinstance(content["words"], list)
            ):
                raise OptionError(f'it must be an object with "format": {_FORMAT} and a list of "words"')
            return cls(content["words"])
        except FileNotFoundError as error:
            raise DataError(f"{path} does not exist; a vocabulary is written by Vocabulary.save") from error
        except (OSError, ValueError, KeyError, RecursionError) as error:
            raise DataError(f"{path} is not a vocabulary: {error}") from error


def _check_cut(sentence: object) -> None:
    if isinstance(sentence, str):
        raise OptionError(f"Vocabulary: takes lists of words, not the text {sentence[:40]!r}; cut it with text.words")
