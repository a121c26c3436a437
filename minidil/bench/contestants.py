"""The contestants: a differentiable function in one library, with its data there, ready to be called over and over.

Every contestant gets its data in the memory order it likes best. PyTorch runs in both of its orders, and the better one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from minidil.array import Array
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.kernels.threads import num_threads
from minidil.tensor import Tensor, tensor

Function = Callable[..., Any]  # from tensors of one library to a tensor of that library

LIBRARIES = ("numba", "numpy", "torch", "torch channels-last", "mygrad")


def installed(names: Sequence[str] = LIBRARIES) -> list[str]:
    """Those of the names whose library is installed."""
    return [name for name in names if name == "numpy" or find_spec(name.split()[0])]


def family(library: str) -> str:
    """In whose words a library is spoken to: "minidil", "torch" or "mygrad"."""
    first = library.split()[0]
    return first if first in ("torch", "mygrad") else "minidil"


class Work(Protocol):
    """A function, its inputs and the gradient of its result, ready to be run over and over."""

    def forward(self) -> Any:
        """Without recording anything for a backward pass."""

    def both(self) -> tuple[Array, ...]:
        """Forward and backward: y, and dL/dx of every input."""


def work(library: str, spelled: Mapping[str, Function | None], inputs: Sequence[Array], grad: Array) -> Work | None:
    """The function that `spelled` has for the library's family, or None where it has none.

    inputs: images or features first, then parameters. grad: dL/dy.
    """
    function = spelled[family(library)]
    if function is None:
        return None
    if family(library) == "torch":
        return _Torch(function, inputs, grad, order="channels-last" if "channels" in library else "contiguous")
    if family(library) == "mygrad":
        return _MyGrad(function, inputs, grad)
    return _Minidil(function, inputs, grad, backend=library)


def deviations(works: Mapping[str, Work], exact: Work) -> dict[str, tuple[float, float]]:
    """For each work the error of y, and the largest of those of y and all gradients, relative to the largest value of each."""
    wanted = exact.both()
    errors = {}
    for name, own in works.items():
        found = [relative(a, b) for a, b in zip(own.both(), wanted, strict=True)]
        errors[name] = (found[0], max(found))
    return errors


def relative(found: Array, wanted: Array) -> float:
    """The largest deviation, as a share of the largest value."""
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def in_torch(array: Array, order: str) -> Any:
    """The array as a tensor of PyTorch, in aligned memory of its own. Without two or three spatial axes there is one order."""
    import torch

    torch.set_num_threads(num_threads())
    formats = {4: torch.channels_last, 5: torch.channels_last_3d} if order == "channels-last" else {}
    return torch.as_tensor(array).clone(memory_format=formats.get(array.ndim, torch.contiguous_format))


class _Minidil:
    def __init__(self, function: Function, inputs: Sequence[Array], grad: Array, backend: str) -> None:
        order = _channels_last if backend == "numba" else np.asarray
        first, *parameters = inputs
        self.backend, self.function, self.grad = backend, function, Tensor.of(order(grad))
        self.inputs = [tensor(array, requires_grad=True) for array in (order(first), *parameters)]

    def forward(self) -> Any:
        with use(self.backend), no_grad():
            return self.function(*self.inputs)

    def both(self) -> tuple[Array, ...]:
        for x in self.inputs:
            x.grad = None
        with use(self.backend):
            y = self.function(*self.inputs)
            y.backward(gradient=self.grad)
        return (y.numpy(), *(_value(x.grad) for x in self.inputs))


class _Torch:
    def __init__(self, function: Function, inputs: Sequence[Array], grad: Array, order: str) -> None:
        import torch

        self.function, self.no_grad, self.grad = function, torch.no_grad, in_torch(grad, order)
        self.inputs = [in_torch(array, order).requires_grad_() for array in inputs]

    def forward(self) -> Any:
        with self.no_grad():
            return self.function(*self.inputs)

    def both(self) -> tuple[Array, ...]:
        for x in self.inputs:
            x.grad = None
        y = self.function(*self.inputs)
        y.backward(self.grad)
        return (y.detach().numpy(), *(x.grad.numpy() for x in self.inputs))


class _MyGrad:
    def __init__(self, function: Function, inputs: Sequence[Array], grad: Array) -> None:
        import mygrad

        self.function, self.no_grad, self.grad = function, mygrad.no_autodiff, grad
        self.inputs = [mygrad.tensor(array) for array in inputs]

    def forward(self) -> Any:
        with self.no_grad:
            return self.function(*self.inputs)

    def both(self) -> tuple[Array, ...]:
        y = self.function(*self.inputs)
        y.backward(self.grad)
        return (y.data, *(x.grad for x in self.inputs))


def _channels_last(x: Array) -> Array:
    """The same array, with the channels last in memory that begins at a cache line; one without spatial axes as it is."""
    from minidil.kernels.cpu import memory  # brings Numba, which the processes of other libraries can do without

    if x.ndim < 3:
        return x
    moved = np.moveaxis(x, 1, -1)
    aligned = memory.empty(moved.shape, x.dtype)
    aligned[...] = moved
    return np.moveaxis(aligned, -1, 1)


def _value(grad: Tensor | None) -> Array:
    return np.zeros(0) if grad is None else grad.numpy()
