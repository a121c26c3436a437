"""Spectrograms beside SciPy's, mu-law to its bound, and what is moved stays in the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidil as md
from minidil import deploy, models
from minidil.data import DataLoader, TensorDataset
from minidil.errors import DataError, OptionError, ShapeError
from minidil.tasks import sound
from minidil.tasks.sound.heard import heard
from minidil.tasks.sound.shaken import Shaken


def test_a_thousand_hertz_are_a_thousand_mel_and_back() -> None:
    assert sound.mel(1000.0) == pytest.approx(1000, abs=0.02)
    assert sound.mel(0.0) == 0
    f = np.linspace(0, 4000, 17)
    np.testing.assert_allclose(sound.hertz(sound.mel(f)), f, atol=1e-9)


def test_filters_are_triangles_that_share_out_what_lies_between_two_tops() -> None:
    filters = sound.mel_filters(8, 512, 8000)
    corners = sound.hertz(np.linspace(0, sound.mel(4000.0), 10))
    frequencies = np.arange(257) * 8000 / 512
    for band, row in enumerate(filters):
        inside = (frequencies > corners[band]) & (frequencies < corners[band + 2])
        assert (row > 0).tolist() == inside.tolist()
        assert row.max() <= 1
    between = (frequencies >= corners[1]) & (frequencies <= corners[-2])
    np.testing.assert_allclose(filters[:, between].sum(axis=0), 1, atol=1e-12)
    with pytest.raises(OptionError, match=r"band 0 of 60 lies between two frequencies of the spectrum, 62\.5 Hz apart"):
        sound.mel_filters(60, 128, 8000)


@given(st.integers(0, 99), st.integers(200, 1500))
def test_log_mel_is_that_of_scipys_spectra(seed: int, length: int) -> None:
    from scipy.signal import stft  # takes a second, so that collecting the tests does not import it

    waves = np.random.default_rng(seed).normal(size=(2, length)).astype(np.float32)
    found = sound.log_mel(waves, 8000)
    assert (found.dtype, found.shape) == (np.float32, (2, 40, 1 + (length - 200) // 80))
    for wave, row in zip(waves.astype(np.float64), found, strict=True):
        # SciPy divides by the sum of the window, which the maximum takes out again
        spectra = stft(wave, window="hann", nperseg=200, noverlap=120, nfft=512, boundary=None, padded=False)[2]
        power = sound.mel_filters(40, 512, 8000) @ np.abs(spectra) ** 2
        decibels = 10 * np.log10(power / power.max())
        np.testing.assert_allclose(row, np.maximum(1 + decibels / 60, 0), atol=1e-4)


def test_loudness_does_not_count_and_silence_is_nothing() -> None:
    wave = np.random.default_rng(0).normal(size=(1, 800)).astype(np.float32)
    np.testing.assert_allclose(sound.log_mel(wave, 8000), sound.log_mel(wave / 64, 8000), atol=1e-6)
    np.testing.assert_array_equal(sound.log_mel(0 * wave, 8000), 0)
    wave[:, 400:] = 0
    np.testing.assert_array_equal(sound.log_mel(wave, 8000)[:, :, 5:], 0)
    with pytest.raises(
        ShapeError, match=r"log_mel: waves must be \(N, L\) with L >= 200, a window of 0.025 s, not \(1, 199\)"
    ):
        sound.log_mel(wave[:, :199], 8000)


def test_what_is_mean_free_does_not_tell_the_microphone() -> None:
    wave = np.random.default_rng(0).normal(size=4000)
    waves = np.stack([wave, np.convolve(wave, [1, -0.9], "same"), np.convolve(wave, [1, 0.6, 0.3], "same")])
    heard_by = sound.log_mel(waves.astype(np.float32), 8000)
    free = sound.mean_free(heard_by)
    assert (free.dtype, free.shape) == (np.float32, heard_by.shape)
    np.testing.assert_allclose(free.mean(axis=2), 0, atol=1e-6)
    for other in (1, 2):
        told, left = (np.sqrt(np.square(each[other] - each[0]).mean()) for each in (heard_by, free))
        assert told > 0.05
        assert left < told / 25


def test_what_is_steady_is_not_heard_when_it_is_mean_free() -> None:
    tone = np.sin(2 * np.pi * 800 * np.arange(800) / 8000).astype(np.float32)
    np.testing.assert_allclose(sound.mean_free(sound.log_mel(tone[None], 8000)), 0, atol=1e-3)


def test_a_tone_is_loudest_in_the_band_of_its_pitch() -> None:
    corners = sound.hertz(np.linspace(0, sound.mel(4000.0), 42))
    for band in (9, 20, 33):
        tone = np.sin(2 * np.pi * corners[band + 1] * np.arange(800) / 8000).astype(np.float32)
        assert (sound.log_mel(tone[None], 8000)[0].argmax(axis=0) == band).all()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20), st.sampled_from([2, 16, 256]))
def test_mu_law_comes_back_within_its_bound(values: list[float], levels: int) -> None:
    x, mu = np.array(values), levels - 1
    level = sound.mu_law(x, levels)
    assert level.min() >= 0
    assert level.max() <= mu
    back = sound.from_mu_law(level, levels).astype(np.float64)
    bound = (1 + mu * np.abs(x)) * ((1 + mu) ** (1 / mu) - 1) / mu
    assert (np.abs(back - x) <= bound + 1e-6).all()
    np.testing.assert_array_equal(sound.mu_law(back, levels), level)


def test_mu_law_at_its_ends_and_its_mistakes() -> None:
    assert sound.mu_law(np.array([-1, 0, 1, -7, 7])).tolist() == [0, 128, 255, 0, 255]
    np.testing.assert_allclose(sound.from_mu_law(np.array([0, 255])), [-1, 1])
    with pytest.raises(DataError, match=r"mu_law: sample \[1\] is NaN"):
        sound.mu_law(np.array([0, np.nan]))
    with pytest.raises(DataError, match=r"from_mu_law: 16 levels are 0\.\.15, and there are 3\.\.16"):
        sound.from_mu_law(np.array([3, 16]), 16)
    with pytest.raises(OptionError, match="levels must be at least 2, got 1"):
        sound.mu_law(np.zeros(2), 1)


def test_levels_of_one_byte_are_the_same_wave() -> None:
    levels = np.arange(256)
    np.testing.assert_array_equal(sound.as_input(levels.astype(np.uint8)), sound.as_input(levels))
    np.testing.assert_array_equal(sound.from_mu_law(levels.astype(np.uint8)), sound.from_mu_law(levels))


def test_a_wave_is_moved_by_samples_and_silence_comes_in() -> None:
    x = np.arange(1, 8, dtype=np.float32)[None, None].repeat(50, axis=0)
    ((moved, _),) = Shaken(DataLoader(TensorDataset(x, np.zeros(50, np.int64)), 50), frames=3).batches(0)
    wide, seen = np.pad(x[0, 0], 3), {tuple(each) for each in moved[:, 0]}
    assert seen == {tuple(wide[start : start + 7]) for start in range(7)}


def test_the_next_sample_stands_at_the_step_before_it() -> None:
    x, y = sound.next_samples(np.array([[0, 255, 51]]))
    np.testing.assert_array_equal(x, np.array([[[-1, 1]]], np.float32), strict=True)
    assert y.tolist() == [[255, 51]]
    with pytest.raises(ShapeError, match=r"levels must be \(N, L\) with L >= 2, not \(1, 1\)"):
        sound.next_samples(np.array([[0]]))


def test_a_wave_is_heard_alike_however_loud_and_silence_stays_silent() -> None:
    waves = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    waves[1] = 0
    x = heard(waves, 8000, "wave")
    assert (x.dtype, x.shape) == (np.float32, (2, 1, 300))
    assert np.square(x[0]).mean() == pytest.approx(1, rel=1e-5)
    np.testing.assert_array_equal(x[1], 0)
    np.testing.assert_array_equal(heard(waves, 8000), sound.log_mel(waves, 8000))
    np.testing.assert_array_equal(heard(waves, 8000, "mean-free"), sound.mean_free(sound.log_mel(waves, 8000)))
    with pytest.raises(OptionError, match="heard: hears must be one of log-mel, mean-free, wave, not 'mel'"):
        heard(waves, 8000, "mel")


def test_shaken_moves_each_by_its_own_way_and_the_same_for_the_same_numbers() -> None:
    x = np.zeros((6, 5, 8), np.float32)
    x[:, 2, 4] = np.arange(1, 7)
    inner = DataLoader(TensorDataset(x, np.arange(6)), 4, seed=3)
    loader = Shaken(inner, 1, 2)
    assert len(loader) == 2
    places = set()
    for epoch in range(20):
        for moved, labels in loader.batches(epoch):
            assert moved.shape[1:] == (5, 8)
            for image, label in zip(moved, labels, strict=True):
                (place,) = np.argwhere(image)
                assert image[tuple(place)] == label + 1
                places.add(tuple(place - (2, 4)))
    assert places == {(i, j) for i in (-1, 0, 1) for j in (-2, -1, 0, 1, 2)}
    (last,) = loader.batches(7, start=1)
    np.testing.assert_array_equal(last[0], list(loader.batches(7))[1][0])
    still = next(iter(Shaken(inner).batches(0)))[0]
    np.testing.assert_array_equal(still, x[:4])
    with pytest.raises(OptionError, match="Shaken: bands and frames must be at least 0, got -1 and 0"):
        Shaken(inner, -1)


def test_a_generator_draws_the_same_sound_from_a_stream_and_from_the_whole_wave() -> None:
    model = models.wavenet_generator(256, width=4, dilations=(1, 2, 4), rng=np.random.default_rng(0)).eval()
    stream, heard_so_far = deploy.stream(model), list[np.ndarray]()

    def anew(new: np.ndarray) -> np.ndarray:
        heard_so_far.append(new)
        with md.no_grad():
            return model(md.tensor(np.concatenate(heard_so_far, axis=1)[None])).numpy()[0]

    first = np.array([128, 3, 250])
    drawn = [sound.generate(push, first, 40, rng=np.random.default_rng(1)) for push in (stream.push, anew)]
    np.testing.assert_array_equal(*drawn)
    assert (drawn[0].dtype, drawn[0].shape, stream.seen) == (np.int64, (40,), 42)


def test_levels_are_drawn_as_probable_as_the_network_says() -> None:
    logits = np.log(
        np.array([[0.5], [0.0], [0.3], [0.2]]), where=np.array([[1], [0], [1], [1]]) > 0, out=np.full((4, 1), -np.inf)
    )
    drawn = sound.generate(lambda new: logits, np.array([0]), 4000, rng=np.random.default_rng(0))
    shares = np.bincount(drawn, minlength=4) / 4000
    assert shares[1] == 0
    np.testing.assert_allclose(shares, [0.5, 0, 0.3, 0.2], atol=4 * np.sqrt(0.25 / 4000))  # four standard deviations


@pytest.mark.parametrize(
    ("first", "count", "error", "told"),
    [
        (np.array([], np.int64), 1, ShapeError, r"generate: first must be levels \(n,\) with n >= 1, not \(0,\)"),
        (np.array([[1]]), 1, ShapeError, r"not \(1, 1\)"),
        (np.array([1]), 0, OptionError, "generate: count must be at least 1, got 0"),
    ],
)
def test_a_generator_hears_something_and_says_something(
    first: np.ndarray, count: int, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        sound.generate(lambda new: np.zeros((4, 1)), first, count)
