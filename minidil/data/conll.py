"""CoNLL files: one token a line with its tag, and a blank line between sentences."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minidil.data.tag_schemes import check_scheme, scheme_of, to_bio
from minidil.data.tagged import OUTSIDE, TaggedDataset
from minidil.errors import DataError, OptionError

_TAG = re.compile(r"[BIESLU]-\S+")
_DOCUMENT = "-DOCSTART-"


def conll(
    path: str | Path,
    *,
    scheme: str | None = None,
    types: Sequence[str] | None = None,
    token_column: int = 0,
    tag_column: int = -1,
    encoding: str = "utf-8",
) -> TaggedDataset:
    """Read sentences with entities; the tags come out as BIO, whatever the file has.

    A line has a token and its tag in two of its columns, all lines the same number of them, between tabs if the first line has
    one, else between blanks. A line that is empty but for blanks ends a sentence, and one that begins with -DOCSTART- a document.

    Args:
        scheme: of the tags, one of "BIO", "IOB1", "IOBES" and "BILOU"; None finds it out.
        types: those that entities may have, such as the training set's. None: those in the file, sorted.
        token_column, tag_column: which columns they are, from 0, or from -1 backwards.
        encoding: of the file. A byte order mark of UTF-8 is passed over.
    Raises: OptionError for another scheme or encoding; DataError, naming file and line, for a file that is missing or without a
        sentence, bytes of another encoding, columns that differ in number or are empty, tags that are none of the scheme, of
        another type, or where they cannot be.
    """
    check_scheme(scheme)
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"conll: {path} cannot be read: {error.strerror}") from error
    return parsed(
        content,
        path,
        scheme=scheme,
        types=types,
        token_column=token_column,
        tag_column=tag_column,
        encoding=encoding,
    )


@dataclass(frozen=True)
class _Sentence:
    """Tokens and tags as they stand in the file, with the lines that they stand in."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    lines: tuple[int, ...]
    document: int


def parsed(
    content: bytes,
    path: Path,
    *,
    scheme: str | None = None,
    types: Sequence[str] | None = None,
    token_column: int = 0,
    tag_column: int = -1,
    encoding: str = "utf-8",
) -> TaggedDataset:
    """What `conll` reads, of bytes that are there already; path: for messages and the name."""
    found = _sentences(_lines(content, path, encoding), path, (token_column, tag_column))
    if not found:
        raise DataError(f"conll: {path} holds no sentence")
    known = None if types is None else set(types)
    for sentence in found:
        for line, tag in zip(sentence.lines, sentence.tags, strict=True):
            if tag != OUTSIDE and not _TAG.fullmatch(tag):
                raise DataError(f"conll: {path}, line {line}: {tag!r} is no tag, which is O, or a letter, - and a type")
            if known is not None and tag != OUTSIDE and tag[2:] not in known:
                raise DataError(
                    f"conll: {path}, line {line}: {tag} is of a type that is not known; there are {', '.join(sorted(known))}"
                )

    def where(sentence: int, token: int) -> str:
        return f"{path}, line {found[sentence].lines[token]}"

    used = scheme or scheme_of([each.tags for each in found], where)
    bio = tuple(to_bio(each.tags, used, lambda at, n=n: where(n, at)) for n, each in enumerate(found))  # type: ignore[misc]
    here = sorted({tag[2:] for tags in bio for tag in tags if tag != OUTSIDE})
    return TaggedDataset(
        path.stem,
        tuple(each.tokens for each in found),
        bio,
        tuple(here if types is None else types),
        tuple(each.document for each in found),
    )


def _lines(content: bytes, path: Path, encoding: str) -> list[str]:
    """The lines, each decoded by itself, so that the one at fault can be told.

    Only a line feed ends one: among the tokens may be what Unicode calls a separator of lines.
    """
    lines = list[str]()
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(line.decode(encoding).removesuffix("\r"))
        except UnicodeDecodeError as error:
            raise DataError(
                f"conll: {path}, line {number}: byte 0x{line[error.start]:02x} is not {encoding}; say what the file is in, as "
                'encoding="cp1252", or make all of it UTF-8'
            ) from error
        except LookupError as error:
            raise OptionError(f"conll: {error}") from error
    return lines


def _sentences(lines: list[str], path: Path, columns: tuple[int, int]) -> list[_Sentence]:
    found, current = list[_Sentence](), list[tuple[str, str, int]]()
    split, width, document = None, None, 0
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip(" \t"):
            if current:
                tokens, tags, where = zip(*current, strict=True)
                found.append(_Sentence(tokens, tags, where, document))
                current = []
            continue
        if line.startswith(_DOCUMENT):
            document += bool(found)
            continue
        split = split or re.compile("\t" if "\t" in line else " +")
        values = split.split(line.strip(" ") if split.pattern != "\t" else line)
        width = width or len(values)
        if len(values) != width:
            raise DataError(
                f"conll: {path}, line {number}: there are {len(values)} columns, and {width} in the lines before"
            )
        if width < 2 or not all(-width <= column < width for column in columns):
            raise DataError(
                f"conll: {path}, line {number}: there are {width} columns, and of token and tag the numbers are {columns}"
            )
        token, tag = (values[column] for column in columns)
        for name, value in (("token", token), ("tag", tag)):
            if not value.strip(" "):
                raise DataError(f"conll: {path}, line {number}: the {name} is empty")
        current.append((token, tag, number))
    return found
