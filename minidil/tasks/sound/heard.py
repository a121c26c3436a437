"""What a network is given of a sound: its spectrogram, that without what the microphone adds, or the wave itself."""

from typing import Any

import numpy as np

from minidil.data.dataset import Floats
from minidil.errors import OptionError
from minidil.tasks.sound.mel import BANDS, log_mel, mean_free

HEARS = ("log-mel", "mean-free", "wave")
# How `models.wavenet` takes each of them: rows of the input, and the first convolution. Of a wave it makes 500 steps a second.
NETWORK: dict[str, dict[str, Any]] = {
    "log-mel": {"in_channels": BANDS},
    "mean-free": {"in_channels": BANDS},
    "wave": {"in_channels": 1, "stem": 64, "stem_stride": 16},
}


def heard(waves: Floats, rate: int, hears: str = "log-mel") -> Floats:
    """The input of a network for waves (N, L): `log_mel`, `mean_free` of it, or waves (N, 1, L) of mean square 1 unless silent.

    Raises: OptionError for another word, or as `log_mel`.
    """
    if hears not in HEARS:
        raise OptionError(f"heard: hears must be one of {', '.join(HEARS)}, not {hears!r}")
    if hears != "wave":
        loudness = log_mel(waves, rate)
        return mean_free(loudness) if hears == "mean-free" else loudness
    power = np.sqrt((waves.astype(np.float64) ** 2).mean(axis=1, keepdims=True))
    return np.divide(waves, power, out=np.zeros_like(waves), where=power > 0, casting="same_kind")[:, None]
