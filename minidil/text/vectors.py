"""Vectors of words that were learnt elsewhere, from a file: rows for an embedding that is not trained."""

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minidil.errors import DataError, OptionError
from minidil.text.vocabulary import Vocabulary

_SPECIAL = 2  # rows of zeros, for padding and for unknown words


def read_vectors(path: str | Path) -> tuple[Vocabulary, npt.NDArray[np.float32]]:
    """The words of a file, and a row for each of their numbers, float32 (len(vocabulary), D): 0 for padding and unknown words.

    An .npz holds the arrays `words` (V,) and `vectors` (V, D); any other file is text as GloVe and word2vec write it, in UTF-8:
    a word and its D numbers a line, with blanks between them. A first line of just two numbers, the sizes, is passed over.
    Raises: DataError, naming the file, and the line where it is text, for what is missing, no number, or there twice.
    """
    path = Path(path)
    try:
        words, vectors = _packed(path) if path.suffix == ".npz" else _lines(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if not words or vectors.ndim != 2 or len(words) != len(vectors) or not np.isfinite(vectors).all():
        raise DataError(
            f"{path}: {len(words):,} words need as many vectors of finite numbers, (V, D), and there are {vectors.shape}"
        )
    try:
        vocabulary = Vocabulary(words)
    except OptionError as error:
        raise DataError(f"{path}: {error}") from error
    zeros = np.zeros((_SPECIAL, vectors.shape[1]), np.float32)
    return vocabulary, np.concatenate([zeros, vectors.astype(np.float32)])


def _packed(path: Path) -> tuple[list[str], npt.NDArray[np.floating]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["words"].tolist(), arrays["vectors"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no words and vectors: {error}") from error


def _lines(path: Path) -> tuple[list[str], npt.NDArray[np.floating]]:
    words, rows = list[str](), list[npt.NDArray[np.float32]]()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                word, *values = line.decode().rstrip().split(" ")
                if number == 1 and len(values) == 1:
                    continue
                row = np.array(values, np.float32)
            except ValueError as error:
                raise DataError(f"{path}, line {number}: {error}") from error
            if rows and row.shape != rows[0].shape:
                raise DataError(f"{path}, line {number}: {row.size} numbers, and {rows[0].size} in the lines before")
            words.append(word)
            rows.append(row)
    return words, np.stack(rows) if rows else np.zeros((0, 0), np.float32)
