"""The same work, written for each library: a convolution with its gradients, and a training step of the same network.

Every contestant gets its data in the memory order it likes best. PyTorch runs in both of its orders, and the better one counts.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minidil import functional as F
from minidil.bench.cases import ConvCase
from minidil.kernels.backend import use
from minidil.kernels.threads import num_threads
from minidil.models import vgg_small
from minidil.optim import SGD
from minidil.tensor import Tensor, tensor

Array = NDArray[Any]

LIBRARIES = ("numba", "numpy", "torch", "torch channels-last", "mygrad")


def installed(names: tuple[str, ...] = LIBRARIES) -> list[str]:
    """Those of the names whose library is installed."""
    return [name for name in names if name == "numpy" or find_spec(name.split()[0])]


class Convolution(Protocol):
    """A convolution ready to be run over and over."""

    def forward(self) -> object:
        """Without recording anything for a backward pass."""

    def both(self) -> tuple[Array, Array, Array]:
        """Forward and backward: y, dL/dx and dL/dweight."""


def convolution(library: str, case: ConvCase, x: Array, weight: Array, grad: Array) -> Convolution | None:
    """The case in one library, or None where the library cannot do it."""
    if library.startswith("torch"):
        return _Torch(case, x, weight, grad, channels_last="channels" in library)
    if library == "mygrad":
        return _MyGrad(case, x, weight, grad) if case.groups == 1 else None
    return _Minidil(library, case, x, weight, grad)


class _Minidil:
    def __init__(self, backend: str, case: ConvCase, x: Array, weight: Array, grad: Array) -> None:
        order = _channels_last if backend == "numba" else np.ascontiguousarray
        self.backend, self.grad = backend, order(grad)
        self.x, self.weight = tensor(order(x), requires_grad=True), tensor(weight, requires_grad=True)
        self.options = {
            "stride": case.stride,
            "padding": case.padding,
            "dilation": case.dilation,
            "groups": case.groups,
        }

    def forward(self) -> Tensor:
        with use(self.backend):
            return F.conv(self.x.detach(), self.weight.detach(), **self.options)

    def both(self) -> tuple[Array, Array, Array]:
        with use(self.backend):
            self.x.grad = self.weight.grad = None
            y = F.conv(self.x, self.weight, **self.options)
            y.backward(gradient=self.grad)
        return y.numpy(), _value(self.x.grad), _value(self.weight.grad)


class _Torch:
    def __init__(self, case: ConvCase, x: Array, weight: Array, grad: Array, channels_last: bool) -> None:
        import torch

        torch.set_num_threads(num_threads())
        formats = {2: torch.channels_last, 3: torch.channels_last_3d}
        order = formats.get(len(case.size), torch.contiguous_format) if channels_last else torch.contiguous_format
        self.x, self.weight, self.grad = (torch.tensor(a).contiguous(memory_format=order) for a in (x, weight, grad))
        self.x.requires_grad_()
        self.weight.requires_grad_()
        self.no_grad = torch.no_grad
        functions = torch.nn.functional
        convolve = {1: functions.conv1d, 2: functions.conv2d, 3: functions.conv3d}[len(case.size)]
        self.convolve: Callable[[], Any] = lambda: convolve(
            self.x, self.weight, None, case.stride, case.padding, case.dilation, case.groups
        )

    def forward(self) -> object:
        with self.no_grad():
            return self.convolve()

    def both(self) -> tuple[Array, Array, Array]:
        self.x.grad = self.weight.grad = None
        y = self.convolve()
        y.backward(self.grad)
        return y.detach().numpy(), self.x.grad.numpy(), self.weight.grad.numpy()


class _MyGrad:
    def __init__(self, case: ConvCase, x: Array, weight: Array, grad: Array) -> None:
        import mygrad
        from mygrad.nnet.layers import conv_nd

        self.x, self.weight, self.grad = mygrad.tensor(x), mygrad.tensor(weight), grad
        self.no_grad = mygrad.no_autodiff
        options = {"stride": case.stride, "padding": case.padding, "dilation": case.dilation}
        self.convolve: Callable[[], Any] = lambda: conv_nd(self.x, self.weight, **options)

    def forward(self) -> object:
        with self.no_grad:
            return self.convolve()

    def both(self) -> tuple[Array, Array, Array]:
        y = self.convolve()
        y.backward(self.grad)
        return y.data, self.x.grad, self.weight.grad


def training_step(library: str, batch: int, dilations: tuple[tuple[int, ...], ...]) -> Callable[[], float]:
    """One step of vgg_small on images (batch, 3, 32, 32): forward, cross-entropy, backward, Nesterov SGD; returns the loss."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, 3, 32, 32), dtype=np.float32)
    labels = rng.integers(0, 10, batch)
    make = _torch_step if library.startswith("torch") else _minidil_step
    return make(library, images, labels, dilations)


def _minidil_step(library: str, images: Array, labels: Array, dilations: Any) -> Callable[[], float]:
    model = vgg_small(10, dilations=dilations, rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def step() -> float:
        with use(library):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(tensor(images)), labels)
            loss.backward()
            optimizer.step()
        return float(loss.item())

    return step


def _torch_step(library: str, images: Array, labels: Array, dilations: Any) -> Callable[[], float]:
    import torch
    from torch import nn

    torch.set_num_threads(num_threads())
    torch.manual_seed(0)
    order = torch.channels_last if "channels" in library else torch.contiguous_format
    layers: list[Any] = []
    channels = 3
    for stage, (width, of_stage) in enumerate(zip((64, 128, 256), dilations, strict=True)):
        layers += [nn.MaxPool2d(2)] * (stage > 0)
        for d in of_stage:
            convolution = nn.Conv2d(channels, width, 3, padding=d, dilation=d, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    model = nn.Sequential(*layers).to(memory_format=order)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    x, y = torch.tensor(images).contiguous(memory_format=order), torch.tensor(labels)

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def _channels_last(x: Array) -> Array:
    """The same array, with the channels last in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def _value(grad: Tensor | None) -> Array:
    return np.zeros(0) if grad is None else grad.numpy()
