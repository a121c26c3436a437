"""Which submissions are nearly the same? Programs as multisets of runs of tokens, as in MOSS (Schleimer, Wilkerson, Aiken 2003).

Before they are compared, comments and docstrings are dropped, and all names but Python's own and those behind a dot become one
word: renaming, re-commenting and moving functions changes nothing. What the exercise itself supplies does not count. Two who
write the same three lines by themselves look alike, too, so short programs are never named, and a share is no verdict.
"""

import builtins
import io
import keyword
import tokenize
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

RUN = 5  # tokens
LEAST = 80  # runs that both must have
SHARE = 0.85  # from which a pair is named
_OWN = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "np", "numpy", "md", "minidil"})
_LONGEST = 200_000  # characters of a source that are looked at


def runs(source: str) -> dict[str, int]:
    """How often each run of tokens occurs, by the checksum of the run."""
    words = list(_words(source[:_LONGEST]))
    found = Counter(str(zlib.crc32(" ".join(words[at : at + RUN]).encode())) for at in range(len(words) - RUN + 1))
    return dict(found)


def without(own: Mapping[str, int], given: Mapping[str, int]) -> dict[str, int]:
    """What a student has added to what the exercise supplies."""
    return dict(Counter(own) - Counter(given))


def share(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """What two programs have in common, between 0 and 1: twice the common runs through all runs; 0 if one is short."""
    sizes = sum(one.values()), sum(other.values())
    if min(sizes) < LEAST:
        return 0.0
    return 2 * sum(min(count, other.get(run, 0)) for run, count in one.items()) / sum(sizes)


def pairs(programs: Mapping[str, Mapping[str, int]], least: float = SHARE) -> list[tuple[str, str, float]]:
    """The pairs of names whose programs share that much, the most alike first."""
    found = [(a, b, share(programs[a], programs[b])) for a, b in combinations(sorted(programs), 2)]
    return sorted((pair for pair in found if pair[2] >= least), key=lambda pair: (-pair[2], pair[:2]))


def _words(source: str) -> Iterable[str]:
    """The tokens, normalised; up to where a source stops being Python."""
    lines = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()) + "\n"
    before, alone = "", True  # whether a string that begins here would be a statement: a docstring
    try:
        for token in tokenize.generate_tokens(io.StringIO(lines).readline):
            kind, text = token.type, token.string
            if kind in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER):
                alone = alone or kind == tokenize.NEWLINE
                continue
            if kind in (tokenize.INDENT, tokenize.DEDENT):
                yield "{" if kind == tokenize.INDENT else "}"
                continue
            if kind == tokenize.STRING:
                if not alone:
                    yield "text"
            elif kind == tokenize.NAME and text not in _OWN and before != ".":
                yield "name"
            else:
                yield text
            before, alone = text, False
    except (tokenize.TokenError, SyntaxError, ValueError):
        return
