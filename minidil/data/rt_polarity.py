"""Sentences of film reviews, positive or negative: Pang and Lee's sentence polarity set. Its card is datasets/rt_polarity.md."""

from dataclasses import replace
from pathlib import Path

from minidil.data import archive, cache, registry
from minidil.data.dataset import check_split
from minidil.data.texts import TextDataset, parsed

SPLITS = ("train", "dev", "test")


def rt_polarity(split: str, root: str | Path | None = None) -> TextDataset:
    """Sentences of film reviews in 2 classes, negative and positive, half each: 8,530 to "train", 1,066 each in "dev" and "test".

    They are in small letters and cut into at most 59 words with spaces between.

    Looks for rt-polarity.tsv below `root` (default: `data.root()`), which must be the one of the card to the byte.

    Source: Pang & Lee 2005, "Seeing stars", arXiv:cs/0506075; sentence polarity v1.0. The split is ours.
    Raises: OptionError for another split; DataError for a file that is missing or damaged.
    """
    check_split(split, "rt_polarity", SPLITS)
    path = cache.get("rt_polarity", root)[0]
    content = archive.read_packed(path, registry.RT_POLARITY.files[0])
    return replace(parsed(path, content, split, ("0", "1")), name="rt_polarity", classes=("negative", "positive"))
