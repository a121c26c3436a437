"""Parameter: a tensor that a module owns and an optimizer trains."""

from __future__ import annotations

from minidil.array import Array
from minidil.tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor with requires_grad=True. Assigned to a module's attribute, it is found by `parameters()`.

    data: a floating-point array of any shape; copied.
    """

    __slots__ = ()

    def __init__(self, data: Array | Tensor, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype}, requires_grad={self.requires_grad})"
