"""Batches of like lengths: all items once, little padding, the same for the same numbers, and training with them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tiny_runs import StopAt

import minidil as md
from minidil import nn, optim, text, train
from minidil.errors import OptionError

LENGTHS = np.random.default_rng(0).integers(0, 30, 503)
ITEMS = [(np.full(length, 2 + number), number % 2) for number, length in enumerate(LENGTHS)]


def numbers(ids: np.ndarray) -> list[int]:
    """Which items these are; -1 for those without words."""
    return (ids.max(axis=1) - 2).clip(-1).tolist()


def test_an_epoch_has_every_item_once_and_little_padding() -> None:
    loader = text.BucketLoader(ITEMS, 10, shuffle=True, seed=3)
    batches = list(loader.batches(0))
    assert [len(labels) for _, labels in batches] == [10] * 50 + [3]
    found = sorted(number for ids, _ in batches for number in numbers(ids) if number >= 0)
    assert found == np.flatnonzero(LENGTHS).tolist()
    assert sum(ids.size for ids, _ in batches) < 1.1 * LENGTHS.sum() < 0.6 * 503 * LENGTHS.max()
    firsts = [ids.shape[1] for ids, _ in batches]
    assert firsts != sorted(firsts)  # the short ones do not come first


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    loader = text.BucketLoader(ITEMS, 10, shuffle=True, seed=3)
    first = [ids for ids, _ in loader.batches(1)]
    for start in (0, 17, 50, 51):
        again = [ids for ids, _ in text.BucketLoader(ITEMS, 10, shuffle=True, seed=3, prefetch=0).batches(1, start)]
        assert len(again) == 51 - start
        for found, expected in zip(again, first[start:], strict=True):
            assert_array_equal(found, expected)
    for other in (loader.batches(0), text.BucketLoader(ITEMS, 10, shuffle=True, seed=4).batches(1)):
        assert numbers(next(other)[0]) != numbers(first[0])


def test_without_shuffle_answers_stand_where_their_sentences_do() -> None:
    loader = text.BucketLoader(ITEMS, 10)
    assert [label for _, labels in loader for label in labels] == [number % 2 for number in range(503)]


def test_fewer_items_than_a_batch_and_lengths_of_ones_own() -> None:
    ((ids, labels),) = text.BucketLoader(ITEMS[:3], 10, shuffle=True)
    assert sorted(numbers(ids)) == [0, 1, 2]
    assert len(labels) == 3
    pairs = [([[1, 2]] * length, 0) for length in (3, 1, 2, 1)]
    loader = text.BucketLoader(pairs, 2, shuffle=True, lengths=[3, 1, 2, 1])
    assert sorted(ids.shape for ids, _ in loader) == [(2, 1, 2), (2, 3, 2)]
    with pytest.raises(OptionError, match=r"4 items need as many lengths, got \(3,\)"):
        text.BucketLoader(pairs, 2, lengths=[1, 1, 1])
    with pytest.raises(OptionError, match="batch_size must be an int of at least 1, got 0"):
        text.BucketLoader(pairs, 0)


class Bag(nn.Module):
    """Mean of word vectors: enough to tell whether words of one kind outnumber the other."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.embedding = nn.Embedding(12, 4, text.PADDING, sparse=True, rng=rng)
        self.dropout, self.head = nn.Dropout(0.2), nn.Linear(4, 2, rng=rng)

    def forward(self, ids: md.Tensor) -> md.Tensor:
        words = self.embedding(ids).transpose(0, 2, 1)
        return self.head(self.dropout(text.mean_over_time(words, text.present(ids))))


def sentences(count: int) -> list[tuple[np.ndarray, int]]:
    rng, items = np.random.default_rng(1), []
    for number in range(count):
        label = number % 2
        items.append((2 + 5 * label + rng.integers(0, 5, rng.integers(1, 9)), label))
    return items


def learn(out, *callbacks, resume=False):
    md.seed(5)
    model = Bag()
    loader = text.BucketLoader(sentences(44), 8, shuffle=True, seed=2)
    adam = optim.Adam(model.parameters(), 0.1)
    options = {"out": out, "save_every": 0 if out else 60, "progress": False, "resume": resume, "clip_norm": 1.0}
    history = train.fit(model, loader, text.BucketLoader(sentences(20), 8), adam, None, 4, callbacks, **options)
    return model.state_dict(), history


@pytest.mark.slow
def test_fit_learns_from_them_and_resumes_in_the_middle_of_an_epoch_bit_for_bit(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(train.RunFolder, "draw", lambda folder, history: None)
    whole, history = learn(None)
    assert history.rows[-1]["val_accuracy"] == 1.0
    with pytest.raises(ZeroDivisionError):
        learn(tmp_path / "parts", StopAt(8))
    resumed, again = learn(tmp_path / "parts", resume=True)
    assert again.rows == history.rows
    for name, value in whole.items():
        assert_array_equal(resumed[name], value)
    assert not whole["embedding.weight"][text.PADDING].any()
