"""Tasks that are drawn: what they ask, what no memory costs, and that a batch depends on its numbers alone."""

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil import data
from minidil.data import Drawn, adding, copy_memory, memoryless
from minidil.errors import OptionError


def test_copy_memory_asks_for_what_was_told() -> None:
    heard, said = copy_memory(7)(np.random.default_rng(0), 50)
    assert (heard.dtype, heard.shape, said.dtype, said.shape) == (np.float32, (50, 1, 27), np.int64, (50, 27))
    np.testing.assert_array_equal(heard[:, 0, :10], said[:, -10:])
    assert set(np.unique(said[:, -10:])) == set(range(1, 9))
    assert not said[:, :-10].any()
    assert not heard[:, 0, 10:16].any()  # gap - 1 = 6 zeros, then the sign to speak, one step before the first symbol
    assert (heard[:, 0, 16:] == 9).all()


def test_memoryless_is_what_silence_and_a_guess_among_eight_cost() -> None:
    logits = np.full((4, 10, 33), -np.inf, np.float32)
    logits[:, 0, :-10] = 0
    logits[:, 1:9, -10:] = 0
    _, said = copy_memory(13)(np.random.default_rng(0), 4)
    assert F.cross_entropy(md.tensor(logits), said).item() == pytest.approx(memoryless(13), rel=1e-6)
    assert memoryless(500) == pytest.approx(10 * np.log(8) / 520)


def test_adding_is_the_sum_of_two_marked_numbers_one_in_either_half() -> None:
    for length in (2, 9):
        x, y = adding(length)(np.random.default_rng(0), 4000)
        assert (x.dtype, x.shape, y.dtype, y.shape) == (np.float32, (4000, 2, length), np.float32, (4000, 1))
        np.testing.assert_allclose((x[:, 0] * x[:, 1]).sum(axis=1, keepdims=True), y, rtol=1e-6)
        assert (x[:, 1, : length // 2].sum(axis=1) == 1).all()
        assert (x[:, 1, length // 2 :].sum(axis=1) == 1).all()
        assert ((y - 1) ** 2).mean() == pytest.approx(1 / 6, rel=0.06)


def test_a_batch_depends_on_seed_epoch_and_number_alone() -> None:
    loader = Drawn(adding(5), 3, 4, seed=2)
    assert len(loader) == 4
    whole, rest = list(loader.batches(1)), list(loader.batches(1, start=2))
    assert [len(x) for x, _ in whole] == [3] * 4
    for (x, y), (again, also) in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(x, again)
        np.testing.assert_array_equal(y, also)
    for other in (loader.batches(0), Drawn(adding(5), 3, 4, seed=3).batches(1)):
        assert not np.array_equal(next(iter(other))[0], whole[0][0])
    assert not np.array_equal(whole[0][0], whole[1][0])


def test_mistakes() -> None:
    with pytest.raises(OptionError, match="copy_memory: gap must be an int >= 1, got 0"):
        copy_memory(0)
    with pytest.raises(OptionError, match=r"adding: length must be an int >= 2, got 2\.5"):
        adding(2.5)
    with pytest.raises(OptionError, match="Drawn: needs batch_size >= 1, count >= 1 and seed >= 0, got 0, 100, 0"):
        Drawn(adding(5), 0)


@pytest.mark.parametrize("permuted", [None, 3])
def test_images_pixel_by_pixel(permuted: int | None) -> None:
    images = data.digits("test")[:5]
    rows = data.sequential(images, permuted)
    x, labels = rows[:]
    order = np.arange(64) if permuted is None else np.random.default_rng(permuted).permutation(64)
    np.testing.assert_array_equal(x, (images.images.reshape(5, 1, 64) / np.float32(255))[:, :, order])
    np.testing.assert_array_equal(labels, images.labels)
