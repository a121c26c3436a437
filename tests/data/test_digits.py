"""The embedded digits: the bytes of the card, the split of the card, and what happens when the file is not whole."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from minidil.data import cache, check, digits, download, get, path, registry
from minidil.data.splitting import in_first
from minidil.errors import DataError, OptionError

(FILE,) = registry.DIGITS.files


def test_both_parts_have_the_sizes_of_the_card() -> None:
    train, test = digits("train"), digits("test")
    assert (train.images.shape, test.images.shape) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    assert np.bincount(train.labels).tolist() == [142, 146, 142, 146, 145, 145, 145, 143, 139, 144]
    assert np.bincount(test.labels).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    assert train.classes == test.classes == tuple("0123456789")


def test_no_image_is_in_both_parts() -> None:
    train, test = ({image.tobytes() for image in digits(part).images} for part in ("train", "test"))
    assert len(train) == 1437
    assert len(test) == 360
    assert not train & test


def test_grey_levels_are_seventeen_from_black_to_white() -> None:
    levels = np.unique(digits("train").images)
    np.testing.assert_array_equal(levels, np.floor(np.arange(17) * 255 / 16 + 0.5))


def test_the_card_tells_the_checksum_and_size_of_the_file() -> None:
    folder = path("digits")
    content = (folder / "digits.npz").read_bytes()
    card = (folder / "digits.md").read_text(encoding="utf-8")
    sha256 = hashlib.sha256(content).hexdigest()
    assert f"sha256:{sha256}" == FILE.packed
    assert sha256 in card
    assert f"{len(content):,} bytes" in card
    assert len(content) == FILE.size
    assert "CC BY 4.0" in card
    assert "10.24432/C50P49" in card


def test_the_split_is_the_one_that_the_card_makes() -> None:
    card = (path("digits") / "digits.md").read_text(encoding="utf-8")
    (fraction,) = re.findall(r"in_first\(labels, ([\d.]+), seed=0\)", card)
    with np.load(path("digits") / "digits.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["in_test"], ~in_first(arrays["labels"], float(fraction), seed=0))


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(OptionError, match="digits: split must be 'train' or 'test', got 'all'"):
        digits("all")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the file, which the reader takes for the embedded one."""
    copied = tmp_path / "digits.npz"
    copied.write_bytes((path("digits") / "digits.npz").read_bytes())
    monkeypatch.setattr(cache, "path", lambda name: tmp_path)
    return copied


@pytest.mark.parametrize("kind", ["truncated", "flipped"])
def test_damage_is_always_seen(copy: Path, kind: str) -> None:
    whole = copy.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), size=50):
        damaged = bytearray(whole[:place] if kind == "truncated" else whole)
        if kind == "flipped":
            damaged[place] ^= 1
        copy.write_bytes(bytes(damaged))
        with pytest.raises(DataError, match=r"digits\.npz is damaged or not the published file: sha256"):
            digits("train")


def test_a_missing_file_belongs_to_the_installation(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="install minidil again"):
        download.fetch(FILE, tmp_path / "digits.npz", progress=False)
    assert not list(tmp_path.iterdir())


def test_it_is_there_without_fetching() -> None:
    assert get("digits") == [path("digits") / "digits.npz"]
    assert [status.state for status in check("digits")] == ["ok"]
