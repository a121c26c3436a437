"""The Dataset itself, and dividing one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil.data import Dataset, few, split
from minidil.errors import DataError, DtypeError, OptionError, ShapeError


def made(labels: list[int], classes: int = 3) -> Dataset:
    """One image a label, all of whose pixels say which image it is."""
    images = np.broadcast_to(np.arange(len(labels), dtype=np.uint8)[:, None, None, None], (len(labels), 2, 3, 4))
    return Dataset("made", images, np.array(labels, dtype=np.int64), tuple(f"class {i}" for i in range(classes)))


def numbers(dataset: Dataset) -> list[int]:
    return dataset.images[:, 0, 0, 0].tolist()


def test_length_and_repr() -> None:
    assert len(made([0, 1, 2, 0])) == 4
    assert repr(made([0, 1, 2, 0])) == "Dataset('made': 4 images of 2x3x4 in 3 classes)"


def test_an_item_is_an_image_and_its_label_and_a_slice_is_a_set() -> None:
    dataset = made([0, 1, 2, 0])
    for index in (1, np.int64(1), -3):
        image, label = dataset[index]
        np.testing.assert_array_equal(image, np.ones((2, 3, 4), np.uint8), strict=True)
        assert (label, type(label)) == (1, int)
        with pytest.raises(ValueError, match="read-only"):
            image[0] = 9
    assert numbers(dataset[1:3]) == [1, 2]
    assert repr(dataset[::-1]) == repr(dataset)
    assert numbers(dataset[[3, 0]]) == [3, 0]
    assert numbers(dataset[dataset.labels == 0]) == [0, 3]
    assert [(int(image[0, 0, 0]), label) for image, label in dataset] == [(0, 0), (1, 1), (2, 2), (3, 0)]
    for outside in (4, -5):
        with pytest.raises(IndexError, match=rf"Dataset made has 4 items, and none at index {outside}"):
            dataset[outside]
    with pytest.raises(TypeError):
        dataset[1.0]


def test_float_images_keep_their_units() -> None:
    images = np.random.default_rng(0).normal(3, 2, size=(50, 2, 3, 3)).astype(np.float32)
    dataset = Dataset("floats", images, np.zeros(50, np.int64), ("only",))
    np.testing.assert_allclose(dataset.mean(), images.mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(dataset.std(), images.std(axis=(0, 2, 3)), rtol=1e-5)
    assert dataset.mean().dtype == np.float32
    assert repr(dataset) == "Dataset('floats': 50 float32 images of 2x3x3 in 1 classes)"
    np.testing.assert_array_equal(dataset[7][0], images[7], strict=True)


def test_nothing_can_be_written_into_a_set_and_the_callers_arrays_stay_writable() -> None:
    images, labels = np.zeros((2, 1, 3, 3), dtype=np.uint8), np.zeros(2, dtype=np.int64)
    dataset = Dataset("mine", images, labels, ("only",))
    with pytest.raises(ValueError, match="read-only"):
        dataset.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        dataset.labels[0] = 1
    images[0] = 1


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (np.zeros((2, 1, 3, 3)), np.zeros(2, np.int64), DtypeError, "images must be uint8 or float32, got float64"),
        (np.zeros((2, 1, 3, 3), np.uint8), np.zeros(2, np.int32), DtypeError, "labels must be int64, got int32"),
        (np.zeros((2, 3, 3), np.uint8), np.zeros(2, np.int64), ShapeError, r"must be \(N, C, H, W\), got \(2, 3, 3\)"),
        (np.zeros((2, 1, 3, 3), np.uint8), np.zeros(3, np.int64), ShapeError, r"2 images need labels of shape \(2,\)"),
        (np.zeros((2, 1, 3, 3), np.uint8), np.array([0, 2]), DataError, r"label 2 of image 1 .* labels 0\.\.1"),
        (np.zeros((2, 1, 3, 3), np.uint8), np.array([-1, 0]), DataError, "label -1 of image 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    images: np.ndarray, labels: np.ndarray, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Dataset("mine", images, labels, ("a", "b"))


def test_subset_by_integers_slice_and_mask() -> None:
    dataset = made([0, 1, 2, 0, 1])
    assert numbers(dataset.subset([3, 0, 3])) == [3, 0, 3]
    assert dataset.subset([3, 1]).labels.tolist() == [0, 1]
    assert numbers(dataset.subset(slice(1, None, 2))) == [1, 3]
    assert numbers(dataset.subset(dataset.labels == 1)) == [1, 4]
    assert numbers(dataset.subset([])) == []
    assert dataset.subset([2]).classes == dataset.classes


@pytest.mark.parametrize("indices", [[5], [-6], np.ones(4, dtype=np.bool_)])
def test_an_index_outside_the_set_is_refused(indices: list[int]) -> None:
    with pytest.raises(OptionError, match="made has 5 images"):
        made([0, 1, 2, 0, 1]).subset(indices)


@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 9), st.integers(0, 999))
def test_mean_and_std_are_numpys(n: int, channels: int, side: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, size=(n, channels, side, side), dtype=np.uint8)
    dataset = Dataset("drawn", images, np.zeros(n, dtype=np.int64), ("only",))
    values = images.astype(np.float64) / 255
    np.testing.assert_allclose(dataset.mean(), values.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(dataset.std(), values.std(axis=(0, 2, 3)), rtol=1e-6, atol=1e-7)
    assert dataset.mean().dtype == dataset.std().dtype == np.float32


def test_mean_and_std_over_more_than_one_block_of_white() -> None:
    dataset = Dataset("white", np.full((3000, 1, 4, 4), 255, np.uint8), np.zeros(3000, np.int64), ("only",))
    assert dataset.mean().tolist() == [1.0]
    assert dataset.std().tolist() == [0.0]


def test_an_empty_set_has_no_mean() -> None:
    with pytest.raises(DataError, match="an empty set has no mean"):
        made([0]).subset([]).mean()


@given(st.lists(st.integers(0, 2), min_size=2, max_size=60), st.floats(0.01, 0.99), st.integers(0, 99))
def test_split_divides_every_class_alike(labels: list[int], fraction: float, seed: int) -> None:
    dataset = made(labels)
    total = int(fraction * len(labels) + 1e-9)
    if not 0 < total < len(labels):
        with pytest.raises(OptionError, match="neither may be empty"):
            split(dataset, fraction, seed)
        return
    first, second = split(dataset, fraction, seed)
    assert len(first) == total
    assert sorted(numbers(first) + numbers(second)) == list(range(len(labels)))
    assert numbers(first) == sorted(numbers(first))
    assert numbers(second) == sorted(numbers(second))
    for label in range(3):
        count, share = labels.count(label), first.labels.tolist().count(label)
        assert abs(share - fraction * count) < 1
    assert [labels[i] for i in numbers(first)] == first.labels.tolist()


def test_split_is_seeded_and_takes_a_fraction_for_what_it_says() -> None:
    dataset = made([0, 1] * 50)
    assert len(split(dataset, 0.29, seed=0)[0]) == 29  # though 0.29 * 100 is 28.999999999999996
    assert numbers(split(dataset, 0.5, seed=1)[0]) == numbers(split(dataset, 0.5, seed=1)[0])
    assert numbers(split(dataset, 0.5, seed=1)[0]) != numbers(split(dataset, 0.5, seed=2)[0])


@pytest.mark.parametrize(("fraction", "seed"), [(0.0, 0), (1.0, 0), (-0.5, 0), (float("nan"), 0), (0.5, -1)])
def test_split_refuses_what_is_no_fraction_or_seed(fraction: float, seed: int) -> None:
    with pytest.raises(OptionError, match=r"split: (fraction|seed) must"):
        split(made([0, 1, 2, 0]), fraction, seed)


def test_few_takes_so_many_of_every_class_and_more_are_the_same_and_others() -> None:
    dataset = made([0, 1, 2, 0, 1, 2, 0, 0, 1, 2, 2, 1], classes=4)  # the fourth class does not occur
    two, three = few(dataset, 2, seed=5), few(dataset, 3, seed=5)
    assert np.bincount(two.labels).tolist() == [2, 2, 2]
    assert np.bincount(three.labels).tolist() == [3, 3, 3]
    assert set(numbers(two)) < set(numbers(three))
    assert numbers(two) == sorted(numbers(two)) == numbers(few(dataset, 2, seed=5))
    assert numbers(two) != numbers(few(dataset, 2, seed=6))


@pytest.mark.parametrize(("count", "seed"), [(0, 0), (-1, 0), (1.5, 0), (True, 0), (1, -1)])
def test_few_counts(count: int, seed: int) -> None:
    with pytest.raises(OptionError, match="few: per_class must be an int >= 1 and seed >= 0"):
        few(made([0, 1, 2]), count, seed)


def test_few_names_the_class_that_has_less() -> None:
    with pytest.raises(OptionError, match=r"few: 3 items of every class were asked for, and class '.*' has 2"):
        few(made([0, 0, 0, 1, 1]), 3, seed=0)
