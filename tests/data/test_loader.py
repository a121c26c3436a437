"""Batches: every image once, the same for the same seed, resumable at any place, and no thread left behind."""

import threading
import time
import traceback
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidil as md
from minidil.data import Batch, DataLoader, Dataset, TensorDataset
from minidil.data.prefetch import ahead
from minidil.data.transforms import AlternatingFlip, Cutout, Flip, Floats, PadCrop, Transform
from minidil.errors import DtypeError, OptionError, ShapeError


def made(n: int) -> Dataset:
    """Images of noise, with a label that says which one it is."""
    images = np.random.default_rng(0).integers(0, 256, size=(n, 3, 8, 8), dtype=np.uint8)
    return Dataset("made", images, np.arange(n), tuple(str(i) for i in range(n)))


def loader_threads() -> int:
    return sum(thread.name == "minidil-loader" for thread in threading.enumerate())


def same(left: list[Batch], right: list[Batch]) -> bool:
    return len(left) == len(right) and all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(left, right, strict=True)
    )


@given(st.integers(1, 40), st.integers(1, 45), st.booleans(), st.integers(0, 3))
def test_every_image_comes_once_in_an_epoch(n: int, batch_size: int, shuffle: bool, prefetch: int) -> None:
    dataset = made(n)
    loader = DataLoader(dataset, batch_size, shuffle=shuffle, prefetch=prefetch)
    batches = list(loader)
    assert len(batches) == len(loader) == -(-n // batch_size)
    assert all(len(images) == len(labels) == batch_size for images, labels in batches[:-1])
    labels = np.concatenate([labels for _, labels in batches])
    assert sorted(labels.tolist()) == list(range(n))
    assert shuffle or labels.tolist() == list(range(n))
    images = np.concatenate([images for images, _ in batches])
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, (dataset.images[labels] / 255).astype(np.float32))


def test_black_is_exactly_0_and_white_exactly_1() -> None:
    images = np.array([0, 255], dtype=np.uint8).reshape(1, 1, 1, 2)
    ((batch, _),) = DataLoader(Dataset("two", images, np.zeros(1, np.int64), ("only",)), 1)
    assert batch.ravel().tolist() == [0.0, 1.0]


def test_drop_last_leaves_out_the_short_batch() -> None:
    loader = DataLoader(made(10), 4, drop_last=True)
    assert [len(labels) for _, labels in loader] == [4, 4]
    assert len(loader) == 2
    assert len(DataLoader(made(8), 4, drop_last=True)) == len(DataLoader(made(8), 4)) == 2


@pytest.mark.slow
@given(st.integers(0, 5), st.integers(0, 9), st.integers(0, 7), st.integers(0, 2))
def test_an_epoch_resumed_anywhere_is_the_rest_of_the_whole_one(
    epoch: int, seed: int, start: int, prefetch: int
) -> None:
    augment = (PadCrop(2), Flip(), AlternatingFlip(), Cutout(3))
    whole = DataLoader(made(20), 3, shuffle=True, transforms=augment, seed=seed)
    resumed = DataLoader(made(20), 3, shuffle=True, transforms=augment, seed=seed, prefetch=prefetch)
    assert same(list(whole.batches(epoch))[start:], list(resumed.batches(epoch, start)))


def test_iterating_uses_and_then_advances_the_epoch() -> None:
    loader = DataLoader(made(20), 5, shuffle=True, transforms=[Flip()])
    first, second = list(loader), list(loader)
    assert loader.epoch == 2
    assert not same(first, second)
    assert same(first, list(loader.batches(0)))
    assert same(second, list(loader.batches(1)))
    assert loader.epoch == 2
    loader.epoch = 0
    assert same(first, list(loader))
    iter(loader)  # advances at once, not when the first batch is taken
    assert loader.epoch == 2


def test_seed_and_epoch_change_the_order_and_shuffle_can_be_off() -> None:
    def order(seed: int, epoch: int, shuffle: bool = True) -> list[int]:
        return [int(labels[0]) for _, labels in DataLoader(made(30), 1, shuffle=shuffle, seed=seed).batches(epoch)]

    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
    assert order(0, 3, shuffle=False) == list(range(30))


def test_the_same_batch_is_augmented_differently_in_another_epoch() -> None:
    loader = DataLoader(made(20), 20, transforms=[PadCrop(3)])
    (first,), (second,) = list(loader), list(loader)
    assert not np.array_equal(first[0], second[0])


@given(st.integers(0, 3), st.booleans())
def test_a_placed_transform_is_told_the_epoch_and_the_numbers_of_the_images(epoch: int, shuffle: bool) -> None:
    class Stamp:
        """Writes its place into every image."""

        def at(self, epoch: int, indices: np.ndarray) -> Transform:
            places = (1000 * epoch + indices).astype(np.float32)[:, None, None, None]
            return lambda images, rng: np.broadcast_to(places, images.shape).copy()

    loader = DataLoader(made(10), 4, shuffle=shuffle, transforms=[PadCrop(1), Stamp()])
    for images, labels in loader.batches(epoch):
        np.testing.assert_array_equal(images[:, 0, 0, 0], 1000 * epoch + labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an int of at least 1, got 0"),
        ({"batch_size": 4, "seed": -1}, "seed must be an int of at least 0, got -1"),
        ({"batch_size": 4, "prefetch": -1}, "prefetch must be an int of at least 0, got -1"),
        ({"batch_size": 11, "drop_last": True}, "10 items in batches of 11 with drop_last=True make no batch"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        DataLoader(made(10), **options)


@pytest.mark.parametrize(("epoch", "start"), [(-1, 0), (0, -1), (0, 4)])
def test_batches_refuses_what_is_outside_the_epoch_at_once(epoch: int, start: int) -> None:
    loader = DataLoader(made(10), 4)
    assert list(loader.batches(0, 3)) == []
    with pytest.raises(OptionError, match=rf"start in 0\.\.3, got epoch {epoch}, start {start}"):
        loader.batches(epoch, start)


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_an_error_comes_out_where_the_batch_was_wanted_with_its_traceback(prefetch: int) -> None:
    seen = []

    def third_fails(images: Floats, rng: np.random.Generator) -> Floats:
        seen.append(len(images))
        if len(seen) == 3:
            raise ZeroDivisionError("in the transform")
        return images

    batches = iter(DataLoader(made(10), 2, transforms=[third_fails], prefetch=prefetch))
    next(batches)
    next(batches)
    with pytest.raises(ZeroDivisionError, match="in the transform") as error:
        next(batches)
    assert "third_fails" in "".join(traceback.format_exception(error.value))
    assert loader_threads() == 0


@pytest.mark.parametrize(
    ("transform", "error", "message"),
    [
        (lambda images, rng: images.astype(np.float64), DtypeError, "returned float64"),
        (lambda images, rng: images[:-1], ShapeError, r"returned the shape \(4, 3, 8, 8\); .* keep \(5, C, H, W\)"),
        (lambda images, rng: images[:, 0], ShapeError, r"returned the shape \(5, 8, 8\)"),
    ],
)
def test_what_a_transform_returns_is_checked(transform: Transform, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        list(DataLoader(made(5), 5, transforms=[transform]))


def test_a_transform_may_change_the_size_of_the_images() -> None:
    ((images, _),) = DataLoader(made(5), 5, transforms=[lambda images, rng: images[:, :, 2:6, 2:6]])
    assert images.shape == (5, 3, 4, 4)


def test_float_images_come_as_they_are() -> None:
    images = np.array([-2.5, 300.0], dtype=np.float32).reshape(2, 1, 1, 1)
    dataset = Dataset("floats", images, np.zeros(2, np.int64), ("only",))
    ((batch, _),) = DataLoader(dataset, 2, transforms=[lambda images, rng: images + 1])
    assert batch.ravel().tolist() == [-1.5, 301.0]
    assert images.ravel().tolist() == [-2.5, 300.0]
    ((batch, _),) = DataLoader(dataset, 2)
    batch[:] = 0  # a copy, as it is of pixels
    assert dataset.images.ravel().tolist() == [-2.5, 300.0]


@pytest.mark.slow
@given(st.integers(1, 30), st.integers(1, 7), st.integers(0, 4), st.integers(0, 2))
def test_arrays_and_items_are_shuffled_and_resumed_as_images_are(n: int, size: int, seed: int, prefetch: int) -> None:
    x, y = np.arange(3 * n, dtype=np.float32).reshape(n, 3), np.arange(n)
    options = {"shuffle": True, "seed": seed, "prefetch": prefetch}
    order = np.concatenate([labels for _, labels in DataLoader(made(n), size, **options).batches(2)])
    for dataset in (
        TensorDataset(x, y),
        [(x[i], i) for i in range(n)],
        [(list(map(float, x[i])), i) for i in range(n)],
    ):
        loader = DataLoader(dataset, size, **options)
        whole = list(loader.batches(2))
        assert len(whole) == len(loader) == -(-n // size)
        for start in (0, len(loader) // 2):
            rest = list(loader.batches(2, start))
            assert same(rest, whole[start:])
        inputs, targets = (np.concatenate(part) for part in zip(*whole, strict=True))
        np.testing.assert_array_equal(inputs, x[order], strict=True)
        np.testing.assert_array_equal(targets, order, strict=True)


def test_a_list_of_single_arrays_makes_plain_batches() -> None:
    (batch,) = DataLoader([np.ones(3), np.zeros(3)], 2)
    np.testing.assert_array_equal(batch, [[1, 1, 1], [0, 0, 0]])
    (batch,) = DataLoader(np.eye(3), 3)
    np.testing.assert_array_equal(batch, np.eye(3), strict=True)


def test_sequences_of_several_lengths_need_a_collate() -> None:
    words = [(np.arange(length), length) for length in (3, 5, 2, 2)]
    with pytest.raises(ShapeError) as error:
        list(DataLoader(words, 3))
    assert str(error.value) == (
        "DataLoader: item 1[0] has the shape (5,), but item 0[0], the first of its batch, has (3,); "
        "give DataLoader collate=, a function that makes one batch of a list of items"
    )

    def pad(items: list[tuple[np.ndarray, int]]) -> tuple[np.ndarray, list[int]]:
        lengths = [length for _, length in items]
        return np.stack([np.pad(item, (0, max(lengths) - len(item))) for item, _ in items]), lengths

    (first, one), (second, two) = DataLoader(words, 3, collate=pad)
    assert first.tolist() == [[0, 1, 2, 0, 0], [0, 1, 2, 3, 4], [0, 1, 0, 0, 0]]
    assert (one, second.tolist(), two) == ([3, 5, 2], [[0, 1]], [2])


def test_collate_gets_the_items_of_any_set() -> None:
    batches = list(DataLoader(made(3), 2, collate=lambda items: [(image.shape, label) for image, label in items]))
    assert batches == [[((3, 8, 8), 0), ((3, 8, 8), 1)], [((3, 8, 8), 2)]]
    pairs = DataLoader(TensorDataset(np.arange(4), np.arange(4) > 1), 4, collate=lambda items: items)
    assert [[(int(x), bool(y)) for x, y in items] for items in pairs] == [
        [(0, False), (1, False), (2, True), (3, True)]
    ]


@pytest.mark.parametrize(
    "dataset",
    [iter([1]), {0: 1}, {1, 2}, "text", b"text", 3, None, np.array(1.0), (x for x in [1])],
    ids=lambda each: type(each).__name__,
)
def test_what_is_no_data_set_is_refused_when_the_loader_is_built(dataset: object) -> None:
    name = type(dataset).__name__
    with pytest.raises(OptionError, match=rf"DataLoader: takes a Dataset, .* got {name}; of arrays make TensorDataset"):
        DataLoader(dataset, 1)


@pytest.mark.parametrize("dataset", [TensorDataset(np.zeros((2, 1, 4, 4)), np.zeros((2, 4, 4))), [(1, 2), (3, 4)]])
def test_transforms_are_for_the_images_of_a_dataset(dataset: object) -> None:
    with pytest.raises(OptionError, match=r"would leave what belongs to them, such as a mask, behind"):
        DataLoader(dataset, 1, transforms=[Flip()])
    with pytest.raises(OptionError, match=r"change the items of Dataset\('made'.* or in collate"):
        DataLoader(made(2), 1, transforms=[Flip()], collate=list)


def test_a_set_that_computes_its_items_does_so_with_the_callers_settings() -> None:
    class Computed:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> tuple[str, bool]:
            doubled = md.tensor([1.0], requires_grad=True) * 2
            return md.backend(), doubled.requires_grad

    for backend in ("numpy", "numba"):
        with md.use(backend), md.no_grad():
            assert list(DataLoader(Computed(), 2, collate=list)) == [[(backend, False)] * 2]


def test_repr_tells_the_set_and_the_batches() -> None:
    inner = "Dataset('made': 10 images of 3x8x8 in 10 classes)"
    assert repr(DataLoader(made(10), 4)) == f"DataLoader({inner}: 3 batches of 4, seed=0)"
    loader = DataLoader(made(10), 4, shuffle=True, drop_last=True, transforms=[Flip()], seed=3)
    assert repr(loader) == (
        f"DataLoader({inner}: 2 batches of 4, shuffle=True, drop_last=True, transforms=(Flip(p=0.5),), seed=3)"
    )
    assert repr(DataLoader([1, 2, 3], 2)) == "DataLoader(list of 3 items: 2 batches of 2, seed=0)"


@pytest.mark.parametrize("prefetch", [1, 2, 5])
@pytest.mark.parametrize("taken", [1, 2, 10, 20])
def test_no_thread_is_left_when_the_loop_is_left(prefetch: int, taken: int) -> None:
    for position, _ in enumerate(DataLoader(made(20), 1, prefetch=prefetch)):
        if position + 1 == taken:
            break
    deadline = time.monotonic() + 5
    while loader_threads() and time.monotonic() < deadline:
        time.sleep(0.001)  # breaking out drops the iterator, which ends its thread; not every Python does so at once
    assert loader_threads() == 0


def test_no_thread_is_left_when_the_consumer_fails_or_never_starts() -> None:
    batches = iter(DataLoader(made(20), 1))
    assert loader_threads() == 0  # nothing is prepared before the first batch is asked for
    next(batches)
    assert loader_threads() == 1
    batches.close()
    assert loader_threads() == 0


def test_the_thread_runs_ahead_but_not_away() -> None:
    made_so_far: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made_so_far.append(number)
            yield number

    stream = ahead(items(), 3)
    assert next(stream) == 0
    deadline = time.monotonic() + 5
    while len(made_so_far) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(made_so_far) == 5  # one taken, three waiting, one in work
    assert list(stream) == list(range(1, 100))


def test_two_iterations_at_once_do_not_disturb_each_other() -> None:
    loader = DataLoader(made(12), 3, shuffle=True, transforms=[Flip()])
    together = list(zip(loader.batches(0), loader.batches(1), strict=True))
    assert same([pair[0] for pair in together], list(loader.batches(0)))
    assert same([pair[1] for pair in together], list(loader.batches(1)))
