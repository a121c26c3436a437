"""Training of vgg_small: a step on one batch, and steps on batches that a loader prepares meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidil import functional as F
from minidil.array import Array
from minidil.bench.contestants import family, in_torch
from minidil.bench.results import Row, Subject, measure
from minidil.data.dataset import Dataset
from minidil.data.loader import DataLoader
from minidil.data.transforms import Flip, Normalize, PadCrop
from minidil.kernels.backend import use
from minidil.models import vgg_small
from minidil.optim import SGD
from minidil.tensor import tensor

Dilations = tuple[tuple[int, ...], ...]
Learn = Callable[[Array, Array], float]

_DILATIONS: Dilations = ((1, 2), (1, 2), (1, 2))
_SGD: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}


def bench_step(
    libraries: Sequence[str], batch: int = 128, rounds: int = 9, dilations: Dilations = _DILATIONS
) -> list[Row]:
    """One training step of vgg_small on images of 32x32, always the same batch, in each library but MyGrad."""
    calls = {name: training_step(name, batch, dilations) for name in libraries if name != "mygrad"}
    return measure(Subject(f"vgg_small, batch {batch}", "training step", calls, {"images": batch}), rounds)


def bench_train(
    libraries: Sequence[str],
    batch: int = 128,
    steps: int = 8,
    rounds: int = 3,
    dilations: Dilations = _DILATIONS,
) -> list[Row]:
    """Training as it is: images per second over `steps` steps of vgg_small, with everything from the stored bytes on.

    Measured is one short epoch on steps x batch random images of 32x32 (uint8, as CIFAR-10 is kept): shuffling, picking the
    batch, pixel / 255, Normalize, PadCrop(4) and Flip by minidil's DataLoader, which prepares two batches ahead on a thread of
    its own; then forward, cross-entropy, backward and a step of Nesterov SGD with weight decay. Every library gets its batches
    from a loader of the same seed, so that the augmentation is NumPy's, on the same draws, for all; only the network is the
    library's. What is left out: measuring a validation set, printing, saving.
    """
    calls = {name: _epochs(learner(name, dilations), batch, steps) for name in libraries if name != "mygrad"}
    case = f"vgg_small, batch {batch}, steps {steps}"
    return measure(Subject(case, "training", calls, {"images": steps * batch}), rounds)


def training_step(library: str, batch: int, dilations: Dilations) -> Callable[[], float]:
    """One step of vgg_small on images (batch, 3, 32, 32), ready to be run over and over; returns the loss."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, 3, 32, 32), dtype=np.float32)
    labels = rng.integers(0, 10, batch)
    learn = learner(library, dilations)
    return lambda: learn(images, labels)


def learner(library: str, dilations: Dilations) -> Learn:
    """Forward, cross-entropy, backward, Nesterov SGD on a batch of NumPy arrays in channels-first order; returns the loss."""
    if family(library) == "torch":
        return _torch_learner(dilations, order="channels-last" if "channels" in library else "contiguous")
    model = vgg_small(10, dilations=dilations, rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), **_SGD)

    def learn(images: Array, labels: Array) -> float:
        with use(library):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(tensor(images)), labels)
            loss.backward()
            optimizer.step()
        return float(loss.item())

    return learn


def _torch_learner(dilations: Dilations, order: str) -> Learn:
    import torch
    from torch import nn

    model = torch_network(dilations, order)
    optimizer = torch.optim.SGD(model.parameters(), **_SGD)

    def learn(images: Array, labels: Array) -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(in_torch(images, order)), torch.as_tensor(labels))
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return learn


def torch_network(dilations: Dilations, order: str) -> Any:
    """vgg_small in PyTorch, with the seed 0."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: list[Any] = []
    channels = 3
    for stage, (width, of_stage) in enumerate(zip((64, 128, 256), dilations, strict=True)):
        layers += [nn.MaxPool2d(2)] * (stage > 0)
        for d in of_stage:
            convolution = nn.Conv2d(channels, width, 3, padding=d, dilation=d, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]
    formats = {"channels-last": torch.channels_last, "contiguous": torch.contiguous_format}
    return nn.Sequential(*layers).to(memory_format=formats[order])


def _epochs(learn: Learn, batch: int, steps: int) -> Callable[[], list[float]]:
    """A call is an epoch of `steps` batches; returns the losses."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (steps * batch, 3, 32, 32), dtype=np.uint8)
    classes = tuple(map(str, range(10)))
    made = Dataset("random images", images, rng.integers(0, 10, len(images)), classes)
    transforms = (Normalize((0.5,) * 3, (0.25,) * 3), PadCrop(4), Flip())
    loader = DataLoader(made, batch, shuffle=True, transforms=transforms)
    return lambda: [learn(*arrays) for arrays in loader]
