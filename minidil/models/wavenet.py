"""WaveNet: gated causal convolutions of growing dilation, which name what was heard or tell the next sample of a wave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidil.models.tcn import check_settings
from minidil.nn import BatchNorm1d, Conv1d, Flatten, Gate, GlobalAvgPool, Linear, ReLU, Residual, Sequential


def gated_block(width: int, kernel_size: int, dilation: int, *, rng: np.random.Generator | None = None) -> Residual:
    """x + V (tanh(F * x) sigmoid(G * x)): F and G are dilated and causal, and one convolution; V looks at each step alone.

    Shapes: x (N, width, L), alike out.
    Source: van den Oord et al. 2016, arXiv:1609.03499, equation 2 and figure 4. The paper adds up what all blocks say by
        convolutions of its own, their skip connections; here the sum is the last block's output, x + the V z of every block.
    """
    pair = Conv1d(width, 2 * width, kernel_size, padding="causal", dilation=dilation, rng=rng)
    return Residual(Sequential(pair, Gate(), Conv1d(width, width, 1, rng=rng)))


def wavenet(
    num_classes: int,
    *,
    in_channels: int = 1,
    width: int = 32,
    kernel_size: int = 3,
    dilations: Sequence[int] = (1, 2, 4, 8, 16),
    stem: int = 1,
    stem_stride: int = 1,
    rng: np.random.Generator | None = None,
) -> Sequential:
    """Name a sound: a causal stem, a gated block for each dilation, the mean over all steps, and a vote.

    Shapes: (N, in_channels, L) -> logits (N, num_classes), of any length L >= 1; a row is a band of a spectrogram, or the wave
        itself. A step before the mean sees stem + stem_stride (kernel_size - 1) sum(dilations) samples.
    stem, stem_stride: taps and step of the first convolution, which shortens a wave. Batch norm follows it and every block.
    Raises: OptionError for settings that are not ints >= 1, or no dilation.
    Source: van den Oord et al. 2016, arXiv:1609.03499, section 3.4, where the mean over time is; the batch norm is not theirs.
    """
    counts = {"width": width, "kernel_size": kernel_size, "stem": stem, "stem_stride": stem_stride}
    check_settings("wavenet", dilations, **counts)
    model = Sequential(Conv1d(in_channels, width, stem, stem_stride, padding="causal", rng=rng), BatchNorm1d(width))
    for d in dilations:
        model.extend([gated_block(width, kernel_size, d, rng=rng), BatchNorm1d(width)])
    model.extend([ReLU(), Conv1d(width, width, 1, rng=rng), ReLU()])
    return model.extend([GlobalAvgPool(), Flatten(), Linear(width, num_classes, rng=rng)])


def wavenet_generator(
    levels: int = 256,
    *,
    width: int = 24,
    kernel_size: int = 2,
    dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128),
    rng: np.random.Generator | None = None,
) -> Sequential:
    """Tell the next sample of a wave from all before it, as logits of its levels (`tasks.sound.mu_law`); `deploy.stream` runs it.

    Shapes: the wave after mu-law, from -1 to 1, (N, 1, L) -> (N, levels, L): what stands at step t is of sample t + 1.
    Raises: OptionError for settings that are not ints >= 1, or no dilation.
    Source: van den Oord et al. 2016, arXiv:1609.03499, sections 2.1 and 2.2; here a sample comes in as one number.
    """
    check_settings("wavenet_generator", dilations, levels=levels, width=width, kernel_size=kernel_size)
    model = Sequential(Conv1d(1, width, kernel_size, padding="causal", rng=rng))
    model.extend([gated_block(width, kernel_size, d, rng=rng) for d in dilations])
    return model.extend([ReLU(), Conv1d(width, width, 1, rng=rng), ReLU(), Conv1d(width, levels, 1, rng=rng)])
