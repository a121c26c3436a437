"""A folder of images/ and masks/: what is read, and what is refused with the name of the file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from minidil.data import masked_folder, pictures
from minidil.errors import DataError, OptionError


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if mode == "P":
        image = Image.fromarray(pixels, "L").convert("P")
        image.putdata(pixels.ravel().tolist())
    image.save(path)
    return pixels


def pair(root: Path, name: str, mask: np.ndarray, suffix: str = ".png") -> np.ndarray:
    """An image that tells its name, and its mask."""
    pixels = np.full((*mask.shape, 3), ord(name[0]), np.uint8)
    save(root / "images" / f"{name}.bmp", pixels)
    return save(root / "masks" / f"{name}{suffix}", mask.astype(np.uint8))


def drawn(*values: int, shape: tuple[int, int] = (5, 4)) -> np.ndarray:
    return np.resize(np.array(values, np.uint8), shape)


def test_pairs_are_read_by_name_whatever_their_suffix(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    masks = {name: pair(root, name, drawn(0, k, 2, 1), ".gif" if k else ".tif") for k, name in enumerate("ba")}
    (root / "masks" / "notes.txt").write_text("no mask")
    dataset = masked_folder(root)
    assert repr(dataset) == "MaskedDataset('cells': 2 images of 3x5x4 in 3 classes)"
    assert dataset.classes == ("background", "class 1", "class 2")
    assert dataset.images[:, 0, 0, 0].tolist() == [ord("a"), ord("b")]
    np.testing.assert_array_equal(dataset.masks, np.stack([masks["a"], masks["b"]]), strict=True)


def test_black_and_white_is_two_classes_in_whatever_form(tmp_path: Path) -> None:
    black_and_white = drawn(0, 255, 255)
    pair(tmp_path, "grey", black_and_white)
    pair(tmp_path, "one", black_and_white)
    save(tmp_path / "masks" / "one.png", black_and_white > 0)  # one bit a pixel
    pair(tmp_path, "three", black_and_white)
    save(tmp_path / "masks" / "three.png", np.repeat(black_and_white[:, :, None], 3, axis=2))
    pair(tmp_path, "empty", np.zeros((5, 4)))
    dataset = masked_folder(tmp_path)
    assert dataset.classes == ("background", "class 1")
    np.testing.assert_array_equal(dataset.masks, np.stack([np.zeros((5, 4)), *[black_and_white == 255] * 3]))
    assert masked_folder(tmp_path, classes=["ground", "nucleus"]).classes == ("ground", "nucleus")


def test_palettes_and_greys_among_colours(tmp_path: Path) -> None:
    """A palette's numbers are the classes, whatever colours they stand for; a grey image gets three channels."""
    pair(tmp_path, "colour", drawn(1, 0))
    save(tmp_path / "masks" / "colour.png", drawn(1, 0), "P")
    grey = save(tmp_path / "images" / "grey.png", drawn(7, 9, 200))
    save(tmp_path / "masks" / "grey.png", drawn(0, 1))
    dataset = masked_folder(tmp_path)
    np.testing.assert_array_equal(dataset.masks, np.stack([drawn(1, 0), drawn(0, 1)]))
    np.testing.assert_array_equal(dataset.images[1], np.stack([grey] * 3))


def test_a_scaled_mask_has_no_class_that_was_not_there(tmp_path: Path) -> None:
    """A disc: its mask is scaled as it is, its picture smoothly, about the same centre."""
    row, column = np.mgrid[:90, :120]
    disc = (np.hypot(row - 44.5, column - 59.5) < 30).astype(np.uint8)
    for number, name in ((1, "a"), (4, "d"), (2, "b"), (3, "c")):
        save(tmp_path / "masks" / f"{name}.png", disc * np.uint8(number))
        save(tmp_path / "images" / f"{name}.png", np.repeat(disc[:, :, None] * np.uint8(200), 3, axis=2))
    dataset = masked_folder(tmp_path, size=30)
    assert (dataset.images.shape, dataset.masks.shape) == ((4, 3, 30, 30), (4, 30, 30))
    assert [np.unique(mask).tolist() for mask in dataset.masks] == [[0, 1], [0, 2], [0, 3], [0, 4]]
    assert len(np.unique(dataset.images)) > 2
    for image, mask in zip(dataset.images, dataset.masks, strict=True):
        assert ((image[0] > 100) != (mask > 0)).mean() < 0.02


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 7), st.integers(0, 13))
def test_a_mask_enlarged_by_any_factor_and_made_small_again_is_what_it_was(
    high: int, wide: int, before: int, more: int
) -> None:
    """Each number is that of the pixel in which the middle of the new one lies; half a pixel off, it would wander."""
    after = before + more
    mask = np.random.default_rng(0).integers(0, 9, (1, high * before, wide * before), dtype=np.uint8)
    large = pictures.fitted(pictures.image_of(mask), high * after, wide * after, nearest=True)
    assert large.size == (wide * after, high * after)
    small = pictures.fitted(large, high * before, wide * before, nearest=True)
    np.testing.assert_array_equal(pictures.pixels(small), mask)


Fault = Callable[[Path], object]
FAULTS: dict[str, tuple[Fault, str]] = {
    "no masks": (lambda root: [path.unlink() for path in (root / "masks").iterdir()], r"masks holds no image"),
    "no folder": (lambda root: (root / "images").rename(root / "pictures"), r"images is not a folder"),
    "an image alone": (
        lambda root: (root / "masks" / "a.png").unlink(),
        r"images/a\.bmp has no counterpart in .*masks, such as a\.png",
    ),
    "a mask alone": (
        lambda root: (root / "images" / "b.bmp").unlink(),
        r"masks/b\.png has no counterpart in .*images, such as b\.png",
    ),
    "two of a name": (lambda root: save(root / "masks" / "a.bmp", drawn(0)), r"a\.bmp and .*a\.png have one name"),
    "another size": (
        lambda root: save(root / "masks" / "b.png", drawn(0, shape=(4, 5))),
        r"masks/b\.png is 4x5 but .*images/b\.bmp is 5x4 pixels high and wide",
    ),
    "an image of another size": (
        lambda root: pair(root, "b", drawn(0, 1, shape=(6, 6))),
        r"images/b\.bmp is 6x6 but .*images/a\.bmp is 5x4 .* size=\(5, 4\) for instance",
    ),
    "an unknown value": (
        lambda root: save(root / "masks" / "b.png", drawn(0, 137)),
        r"masks/b\.png holds the number 137, but no mask holds 2",
    ),
    "white beside numbers": (
        lambda root: save(root / "masks" / "b.png", drawn(0, 255)),
        r"masks/b\.png holds the number 255, but no mask holds 2",
    ),
    "colour": (
        lambda root: save(root / "masks" / "b.png", drawn(1, 2, 3, shape=(15, 4)).reshape(5, 4, 3)),
        r"masks/b\.png is no mask: it is of Pillow's mode RGB",
    ),
    "too large a number": (
        lambda root: save(root / "masks" / "b.png", drawn(0).astype(np.uint16) + 300),
        r"masks/b\.png is no mask: it holds the numbers 300\.\.300",
    ),
    "no image at all": (
        lambda root: (root / "masks" / "b.png").write_bytes(b"text"),
        r"masks/b\.png cannot be read as an image",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_with_their_file(tmp_path: Path, name: str) -> None:
    for each in "ab":
        pair(tmp_path, each, drawn(0, 1))
    assert len(masked_folder(tmp_path)) == 2
    fault, message = FAULTS[name]
    fault(tmp_path)
    with pytest.raises(DataError, match=message):
        masked_folder(tmp_path)


def test_more_numbers_than_classes(tmp_path: Path) -> None:
    pair(tmp_path, "a", drawn(0, 2))
    assert masked_folder(tmp_path, classes=["x", "y", "z"]).classes == ("x", "y", "z")
    with pytest.raises(
        DataError, match=r"a\.png holds the number 2, but the 2 classes \(x, y\) have the numbers 0\.\.1"
    ):
        masked_folder(tmp_path, classes=["x", "y"])
    with pytest.raises(OptionError, match="masked_folder: size must be at least 1, got 0"):
        masked_folder(tmp_path, size=0)
