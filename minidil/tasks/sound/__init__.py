"""Sound: waves come in, what was said or the next sample goes out; from a spectrogram, or from the wave itself.

x = sound.log_mel(sounds.fixed(5200), sounds.rate)     # (N, 40, 63), for models.wavenet(10, in_channels=40)
levels = sound.mu_law(wave)                            # 0..255; sound.from_mu_law(levels) is the wave again, nearly
"""

from minidil.tasks.sound.generate import generate
from minidil.tasks.sound.mel import hertz, log_mel, mean_free, mel, mel_filters
from minidil.tasks.sound.mu_law import as_input, from_mu_law, mu_law, next_samples

__all__ = [
    "as_input",
    "from_mu_law",
    "generate",
    "hertz",
    "log_mel",
    "mean_free",
    "mel",
    "mel_filters",
    "mu_law",
    "next_samples",
]
