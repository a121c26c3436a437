"""Test-time augmentation: asking the model about several views of the same image."""

from minidil import functional as F
from minidil.errors import OptionError
from minidil.nn import Module
from minidil.tensor import Tensor

LEVELS = (0, 1, 2)


class AveragedViews(Module):
    """The mean of the logits that a model gives to several views of each image.

    level: 0, the image alone; 1, the image and its mirror image, with weight 1/2 each; 2, half the weight on these two,
        and the other half on the same two, shifted one pixel up and left, and down and right. What a shift uncovers is
        filled by reflection, as in training. The cost is that of 1, 2 or 6 evaluations.

    `evaluate(AveragedViews(model, 1), loader)` measures with it. The parameters are those of `model`, under the name "model".
    Shapes: x (N, C, H, W), H and W at least 2 for level 2 -> as the model's.
    Raises: OptionError for another level.
    Source: Jordan 2024, arXiv:2404.00498 (level 2 is its multi-crop evaluation).
    """

    def __init__(self, model: Module, level: int) -> None:
        super().__init__()
        if level not in LEVELS:
            raise OptionError(f"AveragedViews: level must be one of {', '.join(map(str, LEVELS))}, not {level!r}")
        self.model = model
        self.level = level

    def forward(self, x: Tensor) -> Tensor:
        if self.level == 0:
            return self.model(x)
        if self.level == 1:
            return self._both_ways(x)
        shifted = self._both_ways(_shifted(x, 1)) + self._both_ways(_shifted(x, -1))
        return (self._both_ways(x) + shifted * 0.5) * 0.5

    def _both_ways(self, x: Tensor) -> Tensor:
        return (self.model(x) + self.model(x[:, :, :, ::-1])) * 0.5


def _shifted(x: Tensor, by: int) -> Tensor:
    """Move (N, C, H, W) by one pixel down and right (by=1) or up and left (by=-1), reflecting at the border."""
    for axis in (2, 3):
        before = (slice(None),) * axis
        if by > 0:
            parts = x[(*before, slice(1, 2))], x[(*before, slice(None, -1))]
        else:
            parts = x[(*before, slice(1, None))], x[(*before, slice(-2, -1))]
        x = F.concatenate(parts, axis=axis)
    return x
