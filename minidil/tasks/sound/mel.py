"""What a wave sounds like: its loudness in bands of pitch, many times a second."""

import math

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Floats
from minidil.errors import OptionError, ShapeError

Doubles = npt.NDArray[np.float64]

BANDS, WINDOW, HOP, RANGE = 40, 0.025, 0.010, 60.0


def mel(frequency: Doubles | float) -> Doubles:
    """The pitch, in mel, of a frequency in hertz: 2595 log10(1 + f / 700), so that 1,000 Hz are 1,000 mel.

    Below 700 Hz it grows nearly in proportion, above like the logarithm, as people hear.
    Source: O'Shaughnessy 1987, Speech Communication, Human and Machine, page 150.
    """
    return 2595 * np.log10(1 + np.asarray(frequency, np.float64) / 700)


def hertz(pitch: Doubles | float) -> Doubles:
    """The frequency, in hertz, of a pitch in mel: the inverse of `mel`."""
    return 700 * (10 ** (np.asarray(pitch, np.float64) / 2595) - 1)


def mel_filters(bands: int, size: int, rate: int) -> Doubles:
    """How much each frequency of a spectrum counts in each band, (bands, size // 2 + 1).

    bands + 2 pitches evenly apart from 0 to rate / 2 are the corners of triangles: band b rises from 0 at corner b to 1 at corner
    b + 1 and falls to 0 at corner b + 2. size: samples of the window.
    Raises: OptionError if a band is so narrow that no frequency of the spectrum lies in it.
    """
    corners = hertz(np.linspace(0, mel(rate / 2), bands + 2))
    low, top, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    frequencies = np.arange(size // 2 + 1) * (rate / size)
    filters = np.clip(np.minimum((frequencies - low) / (top - low), (high - frequencies) / (high - top)), 0, None)
    empty = np.flatnonzero(filters.sum(axis=1) == 0)
    if empty.size:
        raise OptionError(
            f"mel_filters: band {empty[0]} of {bands} lies between two frequencies of the spectrum, {rate / size:.4g} Hz apart; "
            "take fewer bands or a longer window"
        )
    return filters


def log_mel(
    waves: Floats, rate: int, *, bands: int = BANDS, window: float = WINDOW, hop: float = HOP, range: float = RANGE
) -> Floats:
    """Loudness by band and time, float32 (N, bands, frames), from 0 to 1: 1 the loudest of the sound, 0 silence.

    A frame is `window` seconds under a Hann window, each `hop` seconds after the one before; none hangs over the end, so that
    there are 1 + (L - size) // step of them: a convolution with that stride, whose filters are sines and cosines. Its spectrum is
    taken over a power of two of samples, half as many again or more, the powers |X|^2 are summed by `mel_filters`, and of a sum P
        y = max(0, 1 + 10 log10(P / max P) / range),
    with the maximum over the sound: how loud it was recorded is left out, and what is `range` decibels below the loudest is none.
    A sound of zeros is silent all over.
    Shapes: waves (N, L) of `rate` samples a second.
    Raises: ShapeError if waves are no rows or shorter than a window; OptionError for bands that are too narrow.
    """
    size, step = round(window * rate), round(hop * rate)
    if waves.ndim != 2 or waves.shape[1] < size:
        raise ShapeError(f"log_mel: waves must be (N, L) with L >= {size}, a window of {window:g} s, not {waves.shape}")
    points = 2 ** math.ceil(math.log2(1.5 * size))
    filters = mel_filters(bands, points, rate)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    made = np.empty((len(waves), bands, 1 + (waves.shape[1] - size) // step), np.float32)
    for row, wave in zip(made, waves, strict=True):  # one by one: all spectra at once would be large
        frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::step]
        power = np.abs(np.fft.rfft(frames * hann, points)) ** 2 @ filters.T
        loudest = power.max()
        share = (
            np.maximum(power / loudest, 10 ** (-range / 10)) if loudest else np.full_like(power, 10 ** (-range / 10))
        )
        row[...] = 1 + 10 * np.log10(share.T) / range
    return made


def mean_free(loudness: Floats) -> Floats:
    """`log_mel`, (N, bands, frames), less the mean of each band over time: what the microphone and the room add is left out.

    They filter the wave. A filter that is short beside the window multiplies the spectrum of every frame by the same numbers,
    which adds a constant to each band of the logarithm, where nothing is cut off as silent, and so to its mean. What goes is all
    that is steady: words are told by what changes, and two pure tones can no longer be told apart.
    Source: Atal 1974, Journal of the Acoustical Society of America 55 (6), pages 1304 to 1312, section VI, for cepstra.
    """
    return loudness - loudness.mean(axis=2, keepdims=True)
