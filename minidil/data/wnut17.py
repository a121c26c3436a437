"""Names in messages of the web, from the shared task of W-NUT 2017. Their card is datasets/wnut17.md."""

from pathlib import Path

from minidil.data import archive, cache, registry
from minidil.data.conll import parsed
from minidil.data.dataset import check_split
from minidil.data.tagged import TaggedDataset

PARTS = ("train", "dev", "test")
TYPES = ("corporation", "creative-work", "group", "location", "person", "product")


def wnut17(split: str, root: str | Path | None = None) -> TaggedDataset:
    """Emerging and rare entities: 3,394 sentences for "train", 1,009 for "dev" and 1,287 for "test", with six types of them.

    1,975, 836 and 1,079 entities in 62,730, 15,733 and 23,394 tokens. The names are meant to be new: 24 of the test part's
    are among those to learn from. Messages as people write them, rude words included.

    Looks for train.conll, dev.conll and test.conll in wnut17/ below `root` (default: `data.root()`), which must be those of the
    card to the byte.

    Source: Derczynski, Nichols, van Erp & Limsopatham 2017, "Results of the WNUT2017 shared task on novel and emerging entity
        recognition", doi:10.18653/v1/W17-4418, CC BY 4.0.
    Raises: OptionError for another split; DataError for a file that is missing or damaged.
    """
    check_split(split, "wnut17", PARTS)
    number = PARTS.index(split)
    path = cache.get("wnut17", root)[number]
    return parsed(archive.read_packed(path, registry.WNUT17.files[number]), path, scheme="BIO", types=TYPES)
