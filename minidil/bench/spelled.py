"""The layers that are measured, in the words of each library: functions of what goes in and of the parameters.

Constants, such as labels, are in them. A library that lacks a layer has None.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minidil import functional as F
from minidil import nn
from minidil.array import Array
from minidil.bench.cases import LayerCase
from minidil.bench.contestants import Function


def shapes(case: LayerCase) -> list[tuple[int, ...]]:
    """What goes in, and the parameters that get a gradient of their own."""
    first, *rest = case.shape
    if case.kind == "linear":
        inputs, outputs = rest
        return [(first, inputs), (outputs, inputs), (outputs,)]
    if case.kind == "matmul":
        inputs, outputs = rest
        return [(first, inputs), (inputs, outputs)]
    if case.kind == "conv-transpose":
        channels, filters, *size = rest
        return [(first, channels, *size), (channels, filters, 4, 4)]
    if case.kind == "layer-norm":
        return [case.shape, (*rest,), (*rest,)]
    if case.kind == "embedding":
        return [(*rest,)]
    return [case.shape] * (2 if case.kind == "add" else 1)


def flops(case: LayerCase) -> int | None:
    """Operations of the forward pass, two per multiply-add, of a kind that is a matrix product; None of others."""
    products = {"linear": 1, "matmul": 1, "conv-transpose": 16}
    return 2 * products[case.kind] * int(np.prod(case.shape)) if case.kind in products else None


def minidil(case: LayerCase, dtype: type = np.float32) -> Function:
    """With parameters of its own, if there are any, of that number type."""
    layers: dict[str, Callable[[], Function]] = {
        "batch-norm": lambda: nn.Sequential(nn.BatchNorm2d(case.shape[1]), nn.ReLU()).astype(dtype),
        "layer-norm": lambda: lambda x, weight, bias: F.layer_norm(x, case.shape[1:], weight, bias),
        "max-pool": lambda: partial(F.max_pool, kernel_size=2),
        "avg-pool": lambda: partial(F.avg_pool, kernel_size=2),
        "interpolate": lambda: partial(F.interpolate, scale_factor=2, mode="bilinear"),
        "conv-transpose": lambda: partial(F.conv_transpose, stride=2, padding=1),
        "dropout": lambda: partial(F.dropout, p=0.5),
        "softmax": lambda: partial(F.softmax, axis=1),
        "cross-entropy": lambda: partial(F.cross_entropy, target=_numbers(case, case.shape[1])),
        "embedding": lambda: partial(F.getitem, index=(_numbers(case, case.shape[1]),)),
    }
    function: Function = layers[case.kind]() if case.kind in layers else getattr(F, case.kind)
    return function


def torch(case: LayerCase) -> Function:
    """The same in PyTorch."""
    import torch
    from torch.nn import functional

    layers: dict[str, Callable[[], Function]] = {
        "batch-norm": lambda: torch.nn.Sequential(torch.nn.BatchNorm2d(case.shape[1]), torch.nn.ReLU()),
        "layer-norm": lambda: lambda x, weight, bias: functional.layer_norm(x, case.shape[1:], weight, bias),
        "gelu": lambda: functional.gelu,
        "silu": lambda: functional.silu,
        "max-pool": lambda: partial(functional.max_pool2d, kernel_size=2),
        "avg-pool": lambda: partial(functional.avg_pool2d, kernel_size=2),
        "interpolate": lambda: partial(functional.interpolate, scale_factor=2, mode="bilinear"),
        "conv-transpose": lambda: partial(functional.conv_transpose2d, stride=2, padding=1),
        "dropout": lambda: partial(functional.dropout, p=0.5),
        "softmax": lambda: partial(functional.softmax, dim=1),
        "cross-entropy": lambda: partial(
            functional.cross_entropy, target=torch.as_tensor(_numbers(case, case.shape[1]))
        ),
        "linear": lambda: functional.linear,
        "embedding": lambda: partial(functional.embedding, torch.as_tensor(_numbers(case, case.shape[1]))),
    }
    function: Function = layers[case.kind]() if case.kind in layers else getattr(torch, case.kind)
    return function


def mygrad(case: LayerCase) -> Function | None:
    """MyGrad has few of them, and its windows must use up the image."""
    import mygrad
    from mygrad.nnet import activations, layers, losses

    def batch_norm() -> Function:
        scale, offset = mygrad.ones(case.shape[1], np.float32), mygrad.zeros(case.shape[1], np.float32)
        return lambda x: activations.relu(layers.batchnorm(x, gamma=scale, beta=offset, eps=1e-5))

    found: dict[str, Callable[[], Function]] = {
        "batch-norm": batch_norm,
        "max-pool": lambda: lambda x: layers.max_pool(x, (2, 2), 2),
        "cross-entropy": lambda: partial(losses.softmax_crossentropy, y_true=_numbers(case, case.shape[1])),
        "linear": lambda: lambda x, weight, bias: mygrad.matmul(x, weight.T) + bias,
    }
    odd = case.kind == "max-pool" and any(n % 2 for n in case.shape[2:])
    return found[case.kind]() if case.kind in found and not odd else None


def _numbers(case: LayerCase, below: int) -> Array:
    """A label, or a place in the table, for each of the batch."""
    return np.random.default_rng(0).integers(0, below, case.shape[0])


SPELLED: dict[str, Any] = {"minidil": minidil, "torch": torch, "mygrad": mygrad}
