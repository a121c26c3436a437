"""A labelled set of texts in memory, and reading one from a table: a CSV or TSV file with a column of text and one of labels."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from minidil.data.dataset import Indices, Labels, picked, read_only, which
from minidil.errors import DataError, DtypeError, OptionError, ShapeError

_DIALECTS = {".csv": {"delimiter": ",", "strict": True}, ".tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE}}


@dataclass(frozen=True, eq=False, repr=False)
class TextDataset:
    """Texts with one class label each.

    texts: str, N of them. labels: int64 (N,), values 0..len(classes)-1, kept as a read-only view.
    `dataset[3]` is the text and its label; `dataset[:100]` is a TextDataset, as `subset` gives it.
    Raises: ShapeError, DtypeError or DataError for labels that do not go with them.
    """

    name: str
    texts: tuple[str, ...]
    labels: Labels
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", tuple(self.texts))
        object.__setattr__(self, "classes", tuple(self.classes))
        if self.labels.dtype != np.int64:
            raise DtypeError(f"TextDataset {self.name}: labels must be int64, got {self.labels.dtype}")
        if self.labels.shape != (len(self.texts),):
            raise ShapeError(
                f"TextDataset {self.name}: {len(self.texts)} texts need as many labels, got {self.labels.shape}"
            )
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= len(self.classes)))
        if wrong.size:
            raise DataError(
                f"TextDataset {self.name}: label {self.labels[wrong[0]]} of text {wrong[0]} names no class; "
                f"{len(self.classes)} classes have the labels 0..{len(self.classes) - 1}"
            )
        object.__setattr__(self, "labels", read_only(self.labels))

    @property
    def strata(self) -> Labels:
        """What `split` shares out in the same proportion, int64 (N,): the classes."""
        return self.labels

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        return f"TextDataset({self.name!r}: {len(self):,} texts in {len(self.classes)} classes)"

    def __getitem__(self, index: int | Indices) -> tuple[str, int] | Self:
        """Text `index` and its label, or for a slice, a mask or many indices the `subset` that they pick."""
        at = which(index, f"TextDataset {self.name}", len(self))
        return (self.texts[at], int(self.labels[at])) if isinstance(at, int) else self.subset(at)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return zip(self.texts, self.labels.tolist(), strict=True)

    def subset(self, indices: Indices) -> Self:
        """The texts that `indices` (integers, a slice or a boolean mask) picks, in that order, with the same classes.

        Raises: OptionError if an index is outside the set or a mask has another length.
        """
        try:
            places = np.arange(len(self))[picked(indices)]
        except IndexError as error:
            raise OptionError(f"TextDataset.subset: {self.name} has {len(self)} texts: {error}") from error
        return replace(self, texts=tuple(self.texts[place] for place in places), labels=self.labels[places])


def text_file(
    path: str | Path,
    split: str | None = None,
    classes: Sequence[str] | None = None,
    *,
    text: str = "text",
    label: str = "label",
) -> TextDataset:
    """Read a table of texts and labels, UTF-8, whose first line names its columns, in the order of its lines.

    A .csv is separated by commas, and a text with a comma, a quotation mark or a line break stands in quotation marks, each
    within doubled (RFC 4180). A .tsv is separated by tabs and has no quoting: what stands between two tabs is taken as it is.
    Columns beside the two are passed over.

    Args:
        split: take the lines alone whose column "split" says so. None: all.
        classes: the labels in the order of their numbers. None: all that occur, sorted. Pass the training set's `classes` when
            reading a test set, so that a label means the same in both.
        text, label: the names of the two columns.
    Raises: OptionError for another suffix. DataError, naming the file and the line: if it is missing, empty or not UTF-8, a
        column is missing, a line has fewer or more fields than the first, a text or label is empty, or a label is none of the
        classes.
    """
    path = Path(path)
    if path.suffix.lower() not in _DIALECTS:
        raise OptionError(
            f"text_file: {path} must end in {' or '.join(_DIALECTS)}, which tells how its columns are divided"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise DataError(f"text_file: {path} {reason}") from error
    return parsed(path, content, split, classes, text=text, label=label)


def parsed(
    path: Path,
    content: bytes,
    split: str | None,
    classes: Sequence[str] | None,
    *,
    text: str = "text",
    label: str = "label",
) -> TextDataset:
    """What `text_file` returns for these bytes of the file."""
    rows = _rows(path, content)
    _, head = next(rows, (1, []))
    wanted = [text, label] + ["split"] * (split is not None)
    for name in wanted:
        if head.count(name) != 1:
            found = f"{name!r} twice" if name in head else f"{', '.join(map(repr, head)) or 'nothing'}"
            raise _wrong(
                path, 1, f"the first line must name the columns {', '.join(map(repr, wanted))}, and has {found}"
            )
    places = [head.index(name) for name in wanted]
    texts, names, known = list[str](), list[str](), None if classes is None else set(classes)
    for line, fields in rows:
        if len(fields) != len(head):
            raise _wrong(path, line, f"{len(fields)} fields where the first line names {len(head)} columns")
        chosen = [fields[place].strip() for place in places]
        if split is not None and chosen[2] != split:
            continue
        for name, value in zip((text, label), chosen[:2], strict=True):
            if not value:
                raise _wrong(path, line, f"the column {name!r} is empty; take the line out")
        if known is not None and chosen[1] not in known:
            raise _wrong(path, line, f"the label {chosen[1]!r} is none of {', '.join(map(repr, classes or ()))}")
        texts.append(chosen[0])
        names.append(chosen[1])
    if not texts:
        raise DataError(f"{path}: no text" + (f" of split {split!r}" if split is not None else " below its first line"))
    ordered = tuple(sorted(set(names)) if classes is None else classes)
    numbers = {name: number for number, name in enumerate(ordered)}
    return TextDataset(path.stem, tuple(texts), np.array([numbers[name] for name in names], np.int64), ordered)


def _rows(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of its first line."""
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{content[error.start]:02x}"
        raise _wrong(
            path, line, f"{byte} is not UTF-8; save the file as UTF-8, for instance from Windows-1252"
        ) from error
    reader, line = csv.reader(io.StringIO(decoded, newline=""), **_DIALECTS[path.suffix.lower()]), 1  # type: ignore[arg-type]
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise _wrong(path, line, str(error)) from error


def _wrong(path: Path, line: int, what: str) -> DataError:
    return DataError(f"{path}, line {line}: {what}")
