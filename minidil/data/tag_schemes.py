"""How tags mark entities: IOB1, BIO, IOBES and BILOU, told apart, checked, and turned into BIO.

    tokens   Ms.     Ada      Lovelace  ,  London      Paris
    BIO      O       B-per    I-per     O  B-loc       B-loc
    IOB1     O       I-per    I-per     O  I-loc       B-loc       B- only right behind an entity of the same type
    IOBES    O       B-per    E-per     O  S-loc       S-loc       E- ends an entity, S- is one by itself; in BILOU L- and U-

Source: Ramshaw & Marcus 1995, arXiv:cmp-lg/9505040 (IOB1); Ratinov & Roth 2009 (BILOU).
"""

from collections.abc import Callable, Sequence

from minidil.data.tagged import OUTSIDE
from minidil.errors import DataError, OptionError

SCHEMES = ("BIO", "IOB1", "IOBES", "BILOU")

Where = Callable[[int, int], str]
"""(sentence, token) -> where it stands, for messages."""


def scheme_of(sentences: Sequence[Sequence[str]], where: Where) -> str:
    """Which of `SCHEMES` the tags are in.

    Only IOBES has E- and S-, and only BILOU L- and U-. In BIO no entity begins with I-, and in IOB1 none with B- but right behind
    one of its type. Where there is neither they are the same.
    Raises: DataError if both occur.
    """
    letters = {tag[0] for tags in sentences for tag in tags}
    for scheme, own in (("IOBES", "ES"), ("BILOU", "LU")):
        if letters & set(own):
            return scheme
    begun: dict[str, str] = {}
    for number, tags in enumerate(sentences):
        for at, (before, tag) in enumerate(zip((OUTSIDE, *tags), tags, strict=False)):
            if tag != OUTSIDE and before[1:] != tag[1:]:
                begun.setdefault(tag[0], f"{where(number, at)} ({tag} after {before})")
    if len(begun) == 2:
        raise DataError(
            f"conll: entities begin with B- in {begun['B']}, as in BIO, and with I- in {begun['I']}, as in IOB1; mend the "
            'tags, or read them with scheme="IOB1", in which both begin one'
        )
    return "IOB1" if "I" in begun else "BIO"


def to_bio(tags: Sequence[str], scheme: str, where: Callable[[int], str]) -> tuple[str, ...]:
    """The tags of a sentence in BIO.

    In IOB1 any B- begins an entity, and any I- that has no tag of its type before it.
    Raises: DataError, naming the token, for a letter that the scheme does not have, or a tag that cannot follow the one before or
        be the last.
    """
    letters = {"BIO": "BI", "IOB1": "BI", "IOBES": "BIES", "BILOU": "BILU"}[scheme]
    found, before = list[str](), OUTSIDE
    for at, tag in enumerate([*tags, OUTSIDE]):
        letter, kind = tag[0], tag[1:]
        if tag != OUTSIDE and letter not in letters:
            raise DataError(f"conll: {where(at)}: {tag} is no tag of {scheme}, which has {', '.join(letters)} and O")
        goes_on = before != OUTSIDE and before[1:] == kind and before[0] not in "ELSU"
        inside = letter in "IEL" and tag != OUTSIDE
        strict = scheme != "IOB1"
        if strict and inside and not goes_on:
            raise DataError(
                f"conll: {where(at)}: {tag} follows {before}, and goes on with an entity that has not begun; mend it"
                + (', or read it with scheme="IOB1", in which it begins one' if scheme == "BIO" else "")
            )
        if scheme in ("IOBES", "BILOU") and before[0] in "BI" and not (inside and goes_on):
            end = f"{'E' if scheme == 'IOBES' else 'L'}{before[1:]}"
            raise DataError(f"conll: {where(at - 1)}: an entity ends with {before}, and in {scheme} with {end}")
        found.append(tag if tag == OUTSIDE else ("I" if inside and goes_on else "B") + kind)
        before = tag
    return tuple(found[:-1])


def check_scheme(scheme: str | None) -> None:
    """Raises: OptionError for one that is not known."""
    if scheme is not None and scheme not in SCHEMES:
        raise OptionError(f"conll: scheme must be one of {', '.join(SCHEMES)}, or None to find it out, not {scheme!r}")
