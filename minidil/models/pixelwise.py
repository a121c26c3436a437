"""Networks of sequences that are given images: a picture is read pixel by pixel, and named after its last one."""

from __future__ import annotations

import minidil.functional as F
from minidil.data.sequential import pixel_order
from minidil.models.tcn import LastStep, last_answer
from minidil.nn import Module, Sequential
from minidil.nn.checks import check_rank
from minidil.tensor import Tensor


class Pixelwise(Module):
    """A network of (N, C, H W), such as `tcn` or `lstm`, that is given images (N, C, H, W): its sequences are their lines.

    permuted: a seed that mixes the pixels, as in `data.sequential`.
    While it trains, a `tcn` that answers at the last step computes what this answer depends on and nothing else: `last_answer`.
    Source: Le, Jaitly & Hinton 2015, arXiv:1504.00941, section 4.2.
    """

    def __init__(self, network: Module, permuted: int | None = None) -> None:
        super().__init__()
        self.network = network
        self.permuted = permuted

    def forward(self, x: Tensor) -> Tensor:
        check_rank("Pixelwise", x.shape, 2)
        images, channels, height, width = x.shape
        pixels = F.reshape(x, (images, channels, height * width))
        if self.permuted is not None:
            pixels = pixels[:, :, pixel_order(height * width, self.permuted)]
        network = self.network
        if self.training and isinstance(network, Sequential) and isinstance(network[-1], LastStep):
            return last_answer(network, pixels)
        return network(pixels)
