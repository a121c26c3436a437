"""Experiments with networks of sequences that read images pixel by pixel."""

from dataclasses import dataclass
from typing import Any

from minidil.cli.images import Images
from minidil.cli.memory import of_sequences
from minidil.models import Pixelwise
from minidil.nn import Module
from minidil.random import default_rng

_TAPS = 7  # of each convolution, as those of `models.tcn`
_ORDER = 0  # the seed of the one order in which all images are read with --permuted, whatever that of the run


@dataclass(frozen=True)
class Pixels(Images):
    """As `Images`: what is read pixel by pixel has been cut, moved and normalised as an image."""

    @staticmethod
    def farthest(height: int, width: int) -> int:
        """The largest distance between two pixels, along the sequence."""
        return height * width

    def options(self) -> dict[str, Any]:
        """What the builder of the network is called with; without --dilations, a TCN sees as far as the first pixel."""
        options = {"num_classes": len(self.classes), "in_channels": self.shape[0], "answers": "last"}
        if self.settings.model == "tcn":
            options |= {"kernel_size": _TAPS, "dilations": _doubling(self.shape[1] * self.shape[2])}
        return options | of_sequences(self.settings)

    def _built(self, options: dict[str, Any]) -> Module:
        network = self.task.models[self.settings.model](rng=default_rng(), **options)
        return Pixelwise(network, _ORDER if self.settings.permuted else None)


def _doubling(steps: int) -> tuple[int, ...]:
    """Dilations 1, 2, 4, .. of as few blocks of two convolutions as see so many steps."""
    dilations = [1]
    while 1 + 2 * (_TAPS - 1) * sum(dilations) < steps:
        dilations.append(2 * dilations[-1])
    return tuple(dilations)
