"""Upsample: `functional.interpolate` as a layer."""

from __future__ import annotations

from collections.abc import Sequence

from minidil import functional as F
from minidil.kernels.geometry import Ints
from minidil.nn.module import Module
from minidil.tensor import Tensor


class Upsample(Module):
    """Resize the spatial axes to `size`, or by `scale_factor`: `functional.interpolate` says how, and what it refuses.

    Shapes: x (N, C, *S) -> (N, C, *size).
    """

    def __init__(
        self,
        size: Ints | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        wanted = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{wanted}, mode={self.mode!r}" + (", align_corners=True" if self.align_corners else "")
