"""Batch transforms, held against the same thing done image by image."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil.data.transforms import (
    AlternatingFlip,
    Crop,
    Cutout,
    Flip,
    Move,
    Moving,
    Normalize,
    PadCrop,
    Placed,
    Standardize,
    Transform,
    Turn,
    Zoom,
)
from minidil.errors import OptionError, ShapeError

SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


def batch(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(SHAPES)
def test_normalize(shape: tuple[int, ...]) -> None:
    images = batch(shape)
    mean, std = [0.5, 2.0, 0.25][: shape[1]], [0.5, 4.0, 0.125][: shape[1]]
    normal = Normalize(mean, std)(images, rng(0))
    for channel in range(shape[1]):
        np.testing.assert_allclose(normal[:, channel], (images[:, channel] - mean[channel]) / std[channel], rtol=1e-6)


def test_normalize_refuses_what_does_not_fit() -> None:
    with pytest.raises(OptionError, match="1 means but 2 deviations"):
        Normalize([0.5], [0.5, 0.5])
    with pytest.raises(OptionError, match="must be positive"):
        Normalize([0.5, 0.5], [0.5, 0.0])
    with pytest.raises(ShapeError, match=r"made for 3 channels, but the batch \(2, 1, 4, 4\) has 1"):
        Normalize([0.5] * 3, [0.5] * 3)(batch((2, 1, 4, 4)), rng(0))


@given(SHAPES, st.integers(0, 5), st.sampled_from(["zeros", "reflect"]), st.integers(0, 99))
def test_pad_crop_cuts_one_of_the_windows_of_each_padded_image(
    shape: tuple[int, ...], padding: int, fill: str, seed: int
) -> None:
    images = batch(shape)
    height, width = shape[2:]
    if fill == "reflect" and padding >= min(height, width):
        with pytest.raises(
            ShapeError, match=rf"reflects at most {min(height, width) - 1} pixels, not padding={padding}"
        ):
            PadCrop(padding, fill)(images, rng(seed))
        return
    crops = PadCrop(padding, fill)(images, rng(seed))
    for image, crop in zip(images, crops, strict=True):
        padded = surrounded(image, padding, fill)
        windows = [
            padded[:, y : y + height, x : x + width] for y in range(2 * padding + 1) for x in range(2 * padding + 1)
        ]
        assert any(np.array_equal(crop, window) for window in windows)


def surrounded(image: np.ndarray, padding: int, fill: str) -> np.ndarray:
    """A padded image, pixel by pixel: what lies beyond an edge is 0, or as far from the edge on the other side."""
    channels, height, width = image.shape
    padded = np.zeros((channels, height + 2 * padding, width + 2 * padding), dtype=np.float32)
    for row in range(-padding, height + padding):
        for column in range(-padding, width + padding):
            if fill == "reflect":
                y, x = (min(abs(place), 2 * (size - 1) - place) for place, size in ((row, height), (column, width)))
            else:
                y, x = row, column
            if 0 <= y < height and 0 <= x < width:
                padded[:, row + padding, column + padding] = image[:, y, x]
    return padded


def test_pad_crop_reaches_every_place_equally_often() -> None:
    images = np.zeros((9000, 1, 3, 3), dtype=np.float32)
    images[:, 0, 1, 1] = 1
    crops = PadCrop(1)(images, rng(0))
    np.testing.assert_allclose(crops.mean(axis=(0, 1)), np.full((3, 3), 1 / 9), atol=0.012)


@given(SHAPES, st.integers(0, 99))
def test_flip_mirrors_some_images_and_leaves_the_others(shape: tuple[int, ...], seed: int) -> None:
    images = batch(shape)
    for image, flipped in zip(images, Flip()(images, rng(seed)), strict=True):
        assert np.array_equal(flipped, image) or np.array_equal(flipped, image[:, :, ::-1])
    np.testing.assert_array_equal(Flip(0)(images, rng(seed)), images)
    np.testing.assert_array_equal(Flip(1)(images, rng(seed)), images[:, :, :, ::-1])


def test_flip_mirrors_with_the_given_probability() -> None:
    images = np.tile(np.array([0, 1], dtype=np.float32), (8000, 1, 1, 1))
    assert Flip(0.25)(images, rng(0))[:, 0, 0, 0].mean() == pytest.approx(0.25, abs=0.02)


@given(st.integers(0, 9), st.integers(0, 9), st.permutations(range(12)))
def test_alternating_flip_shows_every_image_both_ways_in_any_two_epochs(
    seed: int, epoch: int, order: list[int]
) -> None:
    images, flip = batch((12, 2, 3, 4)), AlternatingFlip(seed)
    first, second, third = (flip.at(epoch + later, np.arange(12))(images, rng(0)) for later in range(3))
    for image, one, other in zip(images, first, second, strict=True):
        mirrored = image[:, :, ::-1]
        assert (np.array_equal(one, mirrored) and np.array_equal(other, image)) or (
            np.array_equal(one, image) and np.array_equal(other, mirrored)
        )
    np.testing.assert_array_equal(first, third)
    # which images come together, and in which order, decides nothing
    chosen = np.array(order[:5])
    np.testing.assert_array_equal(flip.at(epoch, chosen)(images[chosen], rng(1)), first[chosen])


def test_alternating_flip_chooses_half_of_the_images_by_its_seed() -> None:
    images = np.tile(np.array([0, 1], dtype=np.float32), (8000, 1, 1, 1))
    flipped = [AlternatingFlip(seed).at(0, np.arange(8000))(images, rng(0))[:, 0, 0, 0] for seed in (0, 1)]
    assert [part.mean() for part in flipped] == pytest.approx([0.5, 0.5], abs=0.02)
    assert (flipped[0] != flipped[1]).mean() == pytest.approx(0.5, abs=0.02)
    assert AlternatingFlip().at(0, np.arange(0))(images[:0], rng(0)).shape == (0, 1, 1, 2)


def test_alternating_flip_is_placed_and_the_others_are_not() -> None:
    assert isinstance(AlternatingFlip(), Placed)
    assert not any(isinstance(transform, Placed) for transform in TRANSFORMS)
    assert eval(repr(AlternatingFlip(3))) == AlternatingFlip(3)
    with pytest.raises(OptionError, match="AlternatingFlip: seed must not be negative, got -1"):
        AlternatingFlip(-1)


@given(SHAPES, st.integers(1, 12), st.integers(0, 99))
def test_cutout_clears_one_square_that_may_hang_over_the_edge(shape: tuple[int, ...], size: int, seed: int) -> None:
    images = batch(shape)  # holds no zero
    height, width = shape[2:]
    for image, cut in zip(images, Cutout(size)(images, rng(seed)), strict=True):
        holes = []
        for y in range(height):
            for x in range(width):
                hole = image.copy()
                top, left = y - size // 2, x - size // 2
                hole[:, max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 0
                holes.append(hole)
        assert any(np.array_equal(cut, hole) for hole in holes)
        assert (cut == 0).any()  # the centre is always inside


TRANSFORMS = [
    Normalize([0.5, 0.5], [0.25, 0.25]),
    PadCrop(2),
    PadCrop(0),
    PadCrop(2, "reflect"),
    Flip(),
    Flip(1),
    Cutout(3),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_keeps_type_and_shape_and_input_and_is_a_function_of_the_generator(transform: Transform) -> None:
    images = batch((7, 2, 5, 6))
    before = images.copy()
    result = transform(images, rng(3))
    assert result.dtype == np.float32
    assert result.shape == images.shape
    assert not np.shares_memory(result, images)
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(transform(images, rng(3)), result)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_is_a_plain_value(transform: Transform) -> None:
    assert eval(repr(transform)) == transform
    assert hash(eval(repr(transform))) == hash(transform)


def test_normalize_takes_arrays() -> None:
    halves = np.array([0.5, 0.25], dtype=np.float32)
    assert Normalize(halves, halves) == Normalize([0.5, 0.25], (0.5, 0.25))


@pytest.mark.parametrize(
    "make", [lambda: PadCrop(-1), lambda: PadCrop(1, "edge"), lambda: Flip(1.5), lambda: Flip(-0.1), lambda: Cutout(0)]
)
def test_settings_that_make_no_sense_are_refused(make: Callable[[], Transform]) -> None:
    with pytest.raises(OptionError, match=r"(PadCrop|Flip|Cutout): "):
        make()


class Doubled(Moving):
    """A transform of a user's own: every pixel twice as wide and high."""

    def move(self, shape: tuple[int, ...], rng: np.random.Generator) -> Move:
        return lambda pixels: pixels.repeat(2, axis=2).repeat(2, axis=3)


MOVING = st.sampled_from(
    [Flip(0.4), Turn(), Crop(3), PadCrop(2), PadCrop(2, "reflect"), Zoom(1.0), Zoom(1.7), Doubled()]
)


@given(MOVING, st.integers(1, 5), st.integers(3, 8), st.integers(0, 99))
def test_the_transform_of_the_mask_is_the_mask_of_the_transform(moving: Moving, n: int, size: int, seed: int) -> None:
    classes = rng(seed).integers(0, 4, (n, 2, size, size))  # of whole numbers, which nothing mixes
    move = moving.move(classes.shape, rng(seed))
    np.testing.assert_array_equal(move(classes) == 3, move((classes == 3).astype(np.uint8)) == 1)
    assert move(classes).dtype == classes.dtype
    images = classes.astype(np.float32)
    if not (isinstance(moving, Zoom) and moving.most > 1):  # which mixes floats
        np.testing.assert_array_equal(moving(images, rng(seed)), move(classes).astype(np.float32), strict=True)


@given(st.integers(1, 4), st.integers(1, 7), st.integers(0, 99))
def test_turns_are_by_right_angles_and_each_as_likely(n: int, size: int, seed: int) -> None:
    images = batch((n, 2, size, size))
    for image, turned in zip(images, Turn()(images, rng(seed)), strict=True):
        assert any(np.array_equal(turned, np.rot90(image, k, axes=(1, 2))) for k in range(4))
    corner = Turn()(np.broadcast_to(batch((1, 1, 2, 2)), (4000, 1, 2, 2)), rng(seed))[:, 0, 0, 0]
    assert np.abs(np.bincount(corner.astype(int))[1:] - 1000).max() < 150


def test_crop_cuts_every_window_and_no_other() -> None:
    image = batch((1, 1, 4, 5))
    crops = Crop(3)(np.broadcast_to(image, (500, 1, 4, 5)), rng(0))
    windows = {image[0, 0, y : y + 3, x : x + 3].tobytes() for y in range(2) for x in range(3)}
    assert {np.ascontiguousarray(crop).tobytes() for crop in crops} == windows


@given(st.floats(1, 3), st.integers(2, 9), st.integers(0, 99))
def test_zoom_of_a_ramp_is_a_flatter_or_steeper_one(most: float, size: int, seed: int) -> None:
    """x - middle becomes (x - middle) / factor, as far as the image reaches, and its border goes on."""
    ramp = np.broadcast_to(np.arange(size, dtype=np.float32), (1, 1, size, size))
    factor = most ** rng(seed).uniform(-1, 1, 1)[0]
    middle = (size - 1) / 2
    wanted = np.clip((np.arange(size) - middle) / factor + middle, 0, size - 1)
    for moved in (ramp, ramp.transpose(0, 1, 3, 2)):
        got = Zoom(most)(moved, rng(seed))
        got = got if moved is ramp else got.transpose(0, 1, 3, 2)
        np.testing.assert_allclose(got, np.broadcast_to(wanted, (1, 1, size, size)), atol=1e-5)


def test_nearest_and_linear_differ_where_a_mask_would_get_classes_that_it_has_not() -> None:
    """Between classes 0 and 4 a mean would be class 2."""
    mask = np.repeat([0, 4], 4)[None, None, None].repeat(8, axis=2)
    move = Zoom(2.0).move(mask.shape, rng(1))
    assert set(np.unique(move(mask))) == {0, 4}
    assert len(np.unique(move(mask.astype(np.float32)))) > 2


@given(SHAPES, st.booleans(), st.integers(0, 99))
def test_standardize_measures_each_image_by_itself(shape: tuple[int, ...], dark_ground: bool, seed: int) -> None:
    images = rng(seed).random(shape, dtype=np.float32)
    for image, got in zip(images, Standardize(dark_ground)(images, rng(0)), strict=True):
        x = image.astype(np.float64)
        x = 1 - x if dark_ground and x.mean() > 0.5 else x
        np.testing.assert_allclose(got, (x - x.mean()) / (x.std() + 1e-3), atol=1e-3)
        assert got.dtype == np.float32


def test_moves_that_cannot_be() -> None:
    for make, words in (
        (lambda: Crop(0), "Crop: size must be at least 1, got 0"),
        (lambda: Zoom(0.5), r"Zoom: most is the largest factor, at least 1, got 0\.5"),
    ):
        with pytest.raises(OptionError, match=words):
            make()
    with pytest.raises(ShapeError, match="Crop: 5x5 pixels cannot be cut out of an image of 4x6"):
        Crop(5)(batch((1, 1, 4, 6)), rng(0))
    with pytest.raises(ShapeError, match="Turn: only square images keep their size when turned, not 4x6"):
        Turn()(batch((1, 1, 4, 6)), rng(0))
