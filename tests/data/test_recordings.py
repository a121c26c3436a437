"""Recordings in memory, and the spoken digits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import tiny_spoken_digits

from minidil.data import Recordings, load, registry, split, spoken_digits
from minidil.errors import DataError, OptionError, ShapeError


def made(count: int = 6) -> Recordings:
    """Wave i has i + 1 samples, all of them i; two classes and two speakers."""
    waves = [np.full(number + 1, number, np.float32) for number in range(count)]
    numbers = np.arange(count)
    return Recordings("made", waves, numbers % 2, ("a", "b"), 100, numbers * 2 // count, ("x", "y"))


def test_an_item_is_a_wave_and_its_label_and_a_slice_keeps_all_that_belongs_to_it() -> None:
    clips = made()
    wave, label = clips[-2]
    assert (wave.tolist(), label, len(clips)) == ([4] * 5, 0, 6)
    part = clips[[5, 0]]
    assert [len(wave) for wave in part.waves] == [6, 1]
    assert (part.labels.tolist(), part.speakers.tolist(), part.rate) == ([1, 0], [1, 0], 100)
    assert clips.subset(clips.speakers == 1).labels.tolist() == [1, 0, 1]
    assert [label for _, label in clips] == [0, 1] * 3
    assert repr(clips) == "Recordings('made': 6 sounds, 0 s at 100 Hz, 2 classes)"
    with pytest.raises(ValueError, match="read-only"):
        wave[0] = 1
    with pytest.raises(OptionError, match=r"Recordings\.subset: made has 6 sounds"):
        clips.subset([6])


def test_fixed_keeps_the_middle_of_what_is_longer_and_fills_what_is_shorter() -> None:
    clips = Recordings(
        "made", [np.arange(1, 8, dtype=np.float32), np.ones(2, np.float32)], np.zeros(2, int), ("a",), 100
    )
    np.testing.assert_array_equal(clips.fixed(4), np.array([[2, 3, 4, 5], [1, 1, 0, 0]], np.float32), strict=True)
    with pytest.raises(OptionError, match="length must be at least 1, got 0"):
        clips.fixed(0)


def test_a_split_takes_every_class_in_the_same_proportion() -> None:
    first, second = split(made(8), 0.5, seed=0)
    assert np.bincount(first.labels).tolist() == np.bincount(second.labels).tolist() == [2, 2]
    assert sorted(len(wave) for wave in (*first.waves, *second.waves)) == list(range(1, 9))


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"waves": [np.zeros(3, np.float32)] * 5}, ShapeError, "5 waves need as many labels, got 6"),
        ({"labels": np.array([0, 1, 2, 0, 1, 0])}, DataError, "label 2 of wave 2 names none of the 2"),
        ({"speakers": np.full(6, -1)}, DataError, "speaker -1 of wave 0 names none of the 2"),
        ({"waves": [np.zeros((3, 2), np.float32)] * 6}, ShapeError, r"wave 0 must be \(n,\), got \(3, 2\)"),
        ({"waves": [np.zeros(0, np.float32)] * 6}, DataError, "wave 0 is empty"),
        ({"waves": [np.array([0, np.nan], np.float32)] * 6}, DataError, "wave 0 has a sample that is not finite"),
    ],
)
def test_clips_that_do_not_go_together(change: dict[str, object], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=f"Recordings made: {told}"):
        replace(made(), **change)


def test_spoken_digits_by_takes_and_by_speakers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny_spoken_digits(tmp_path)
    monkeypatch.setattr(registry, "SPOKEN_DIGITS", source)
    monkeypatch.setitem(registry.SOURCES, "spoken_digits", source)
    train, test = (load("spoken_digits", part, tmp_path) for part in ("train", "test"))
    assert (len(train), len(test), train.rate, train.classes) == (60, 60, 8000, tuple("0123456789"))
    np.testing.assert_array_equal(test.waves[1], np.array([5, 6, 7, 8], np.float32) * 8 / 32768)  # take 2 of the file
    assert np.bincount(test.labels).tolist() == [6] * 10
    for part, wanted in (("train", {0, 1, 2, 3, 5}), ("test", {4})):
        clips = spoken_digits(part, tmp_path, left_out="theo")
        assert set(clips.speakers.tolist()) == wanted
        assert len(clips) == 20 * len(wanted)
    with pytest.raises(OptionError, match=r"spoken_digits: left_out must be one of george, jackson, .*, got 'bob'"):
        spoken_digits("test", tmp_path, left_out="bob")
    (tmp_path / "fsdd.npz").write_bytes(b"other")
    with pytest.raises(DataError, match=r"fsdd\.npz is damaged or not the published file: sha256"):
        spoken_digits("test", tmp_path)
