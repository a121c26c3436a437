"""Images with boxes: what a box becomes when its image is moved, and the boxes around the instances of a mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil.data import BoxedDataset, DataLoader, MaskedDataset, Truth, boxed, few, split
from minidil.data.transforms import AlternatingFlip, Crop, Flip, Moving, PadCrop, Standardize, Turn, Zoom
from minidil.errors import DataError, DtypeError, OptionError

SIZE = 12


def painted(count: int, seed: int) -> MaskedDataset:
    """Rectangles that do not touch, one in each quarter of an image, each an instance of class 1 or 2 or none."""
    rng = np.random.default_rng(seed)
    masks, instances = np.zeros((2, count, SIZE, SIZE), np.uint8)
    for n in range(count):
        for k, (top, left) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6)]):
            (y1, x1), (high, wide) = rng.integers(0, 3, 2), rng.integers(0, 4, 2)
            part = (n, slice(top + y1, top + y1 + high), slice(left + x1, left + x1 + wide))
            masks[part], instances[part] = 1 + k % 2, 10 * k + 7
    images = np.repeat(instances[:, None], 3, axis=1)
    return MaskedDataset("painted", images, masks, ("ground", "a", "b"), np.arange(count) % 2, ("c", "d"), instances)


def rows(truth: Truth) -> list[tuple[float, ...]]:
    """Boxes and labels, in an order that does not depend on where they lie in the list."""
    return sorted((*box, label) for box, label in zip(truth.boxes.tolist(), truth.labels.tolist(), strict=True))


def test_an_instance_has_the_box_of_its_pixels_and_the_class_of_most() -> None:
    instances = np.zeros((2, 5, 8), np.uint16)
    instances[0, 1:4, 2:6] = 300
    instances[0, 0, 0] = instances[0, 4, 7] = 4  # of one object, though they do not touch
    masks = np.where(instances > 0, 1, 0).astype(np.uint8)
    masks[0, 1:4, 3:6] = 2
    dataset = MaskedDataset("two", np.zeros((2, 1, 5, 8), np.uint8), masks, ("ground", "a", "b"), instances=instances)
    found = boxed(dataset)
    assert repr(found) == "BoxedDataset('two': 2 images of 1x5x8 in 2 classes)"
    assert found.classes == ("a", "b")
    assert rows(found.labels[0]) == [(0, 0, 8, 5, 0), (2, 1, 6, 4, 1)]
    assert rows(found.labels[1]) == []
    assert rows(boxed(dataset, least=4).labels[0]) == [(0, 0, 8, 5, 0)]
    masks = np.where(instances == 4, 0, masks)
    with pytest.raises(DataError, match="instance 4 of image 0 of two is background in the mask"):
        boxed(MaskedDataset("two", dataset.images, masks, ("ground", "a", "b"), instances=instances))
    with pytest.raises(OptionError, match=r"boxed: two must tell .*\(instances\), and least=3 be >= 1"):
        boxed(MaskedDataset("two", dataset.images, masks, ("ground", "a", "b")))


@given(st.sampled_from([Flip(0.4), Turn(), Crop(SIZE), PadCrop(0), Zoom(1.0)]), st.integers(1, 4), st.integers(0, 99))
def test_the_boxes_of_the_moved_instances_are_the_moved_boxes(moving: Moving, n: int, seed: int) -> None:
    dataset = painted(n, seed)
    truths = boxed(dataset, least=1)
    move = moving.move(dataset.images.shape, np.random.default_rng(seed))
    moved = truths.moved(truths.targets(slice(None)), move, (SIZE, SIZE))
    masks, instances = (move(array[:, None])[:, 0] for array in (dataset.masks, dataset.instances))
    again = boxed(MaskedDataset("moved", dataset.images, masks, dataset.classes, instances=instances), least=1)
    for got, wanted in zip(moved, again.labels, strict=True):
        assert rows(got) == rows(wanted)
        assert not got.ignore.any()


@given(st.sampled_from([Crop(7), PadCrop(4)]), st.integers(1, 4), st.integers(0, 99))
def test_what_is_cut_off_a_rectangle_is_cut_off_its_box(moving: Moving, n: int, seed: int) -> None:
    """A rectangle's rest is a rectangle; one of which less than a quarter is left is to be ignored."""
    dataset = painted(n, seed)
    truths = boxed(dataset, least=1)
    move = moving.move(dataset.images.shape, np.random.default_rng(seed))
    masks, instances = (move(array[:, None])[:, 0] for array in (dataset.masks, dataset.instances))
    size = masks.shape[1:]
    again = boxed(MaskedDataset("moved", masks[:, None], masks, dataset.classes, instances=instances), least=1)
    for number, (got, wanted) in enumerate(zip(truths.moved(truths.labels, move, size), again.labels, strict=True)):
        assert rows(got) == rows(wanted)
        for box, ignored in zip(got.boxes.astype(int), got.ignore, strict=True):
            x1, y1, x2, y2 = box
            kind = instances[number, y1, x1]
            whole = (dataset.instances[number] == kind).sum()
            assert ignored == (4 * (x2 - x1) * (y2 - y1) < whole)


@given(st.floats(1, 2), st.integers(0, 99))
def test_zoom_scales_boxes_about_the_middle(most: float, seed: int) -> None:
    truth = Truth([[4, 5, 8, 7]], [3], crowd=[True])
    factor = most ** np.random.default_rng(seed).uniform(-1, 1, 1)[0]
    place = Zoom(most).move((1, 1, SIZE, SIZE), np.random.default_rng(seed)).places[0]
    moved = truth.moved(place, (SIZE, SIZE))
    np.testing.assert_allclose(moved.boxes, [[6 - 2 * factor, 6 - factor, 6 + 2 * factor, 6 + factor]])
    assert (moved.labels, moved.crowd, moved.ignore) == ([3], [True], [False])


def test_a_loader_moves_images_and_boxes_alike() -> None:
    """What lies in each box is of one instance, and in no box is nothing."""
    dataset = boxed(painted(9, 1), least=1)
    loader = DataLoader(dataset, 4, shuffle=True, transforms=[Turn(), AlternatingFlip(), Flip(), PadCrop(3)])
    for epoch in range(2):
        for images, truths in loader.batches(epoch):
            assert truths.shape == (len(images),)
            for image, truth in zip(images, truths, strict=True):
                outside = image[0].copy()
                for x1, y1, x2, y2 in truth.boxes.astype(int):
                    inside = image[0, y1:y2, x1:x2]
                    assert inside.min() == inside.max() > 0
                    outside[y1:y2, x1:x2] = 0
                assert not outside.any()
    again = [truths for _, truths in loader.batches(1, start=1)]
    wanted = [truths for _, truths in loader.batches(1)][1:]
    for got, other in zip(np.concatenate(again), np.concatenate(wanted), strict=True):
        assert rows(got) == rows(other)


def test_what_does_not_say_where_boxes_go_is_refused() -> None:
    dataset = boxed(painted(2, 0))
    with pytest.raises(OptionError, match="does not say what becomes of the boxes of painted"):
        DataLoader(dataset, 2, transforms=[lambda images, rng: images])
    loader = DataLoader(dataset, 2, transforms=[Standardize(), PadCrop(1, "reflect")], prefetch=0)
    with pytest.raises(OptionError, match="moves the images of painted does not say where their boxes go"):
        next(iter(loader))


def test_an_item_and_parts_of_a_set() -> None:
    dataset = boxed(painted(8, 2))
    image, truth = dataset[3]
    np.testing.assert_array_equal(image, dataset.images[3])
    assert truth is dataset.labels[3]
    first, second = split(dataset, 0.5, seed=0)
    assert isinstance(first, BoxedDataset)
    assert first.strata.tolist() == [0, 1, 0, 1]
    assert {id(each) for each in (*first.labels, *second.labels)} == {id(each) for each in dataset.labels}
    with pytest.raises(OptionError, match="few: counts images by their class, and those of painted have boxes"):
        few(dataset, 1, seed=0)
    assert BoxedDataset.of("plain", dataset.images, list(dataset.labels), ("a", "b")).strata.tolist() == [0] * 8


@pytest.mark.parametrize(
    ("truth", "error", "words"),
    [
        (Truth([[1, 1, 3, 3], [2, 2, 4, 5]], [0, 1]), DataError, "box 1 of image 1 has the label 1, and the 1 classes"),
        (Truth([[1, 1, 1, 3]]), DataError, r"box 0 of image 1 is \(1, 1, 1, 3\), which has no area"),
        (
            Truth([[1, 1, 6.5, 3]]),
            DataError,
            r"image 1 is \(1, 1, 6.5, 3\), and reaches beyond the image of 5x6 pixels",
        ),
        ([[1, 1, 3, 3]], DtypeError, r"labels\[1\] must be a Truth, not list"),
    ],
)
def test_what_does_not_go_together_is_refused(truth: Truth, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        BoxedDataset.of("wrong", np.zeros((2, 1, 5, 6), np.uint8), [Truth([]), truth], ("a",))
