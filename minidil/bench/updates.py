"""What a training step does beside the network: the optimizers' updates, and the augmentation of a batch.

Nothing is differentiated here, so one call is all there is to measure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.bench.cases import LayerCase
from minidil.bench.contestants import family, in_torch, relative
from minidil.bench.results import Subject
from minidil.data.transforms import Flip, PadCrop
from minidil.kernels.backend import use
from minidil.nn import Parameter
from minidil.optim import SGD, Adam, AdamW, Optimizer
from minidil.tensor import tensor

# The arrays of the case's shape that must be read or written: the images twice; the parameter and each moving average twice,
# the gradient once.
AROUND = {"sgd": 5, "adam": 7, "adamw": 7, "augment": 2}
_KINDS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
_STEPS = 3  # after which the error of an update is taken: from the second on, the averages count


def around(case: LayerCase, libraries: Sequence[str]) -> Subject:
    """The case, of a kind in `AROUND`, in each library but MyGrad, which has none of them."""
    able = [library for library in libraries if library != "mygrad"]
    moved = {"gbytes": 4 * AROUND[case.kind] * np.prod(case.shape, dtype=float) / 1e9}
    if case.kind == "augment":
        images = np.random.default_rng(0).random(case.shape, dtype=np.float32)
        return Subject(case.name, "augmentation", {library: augmentation(library, images) for library in able}, moved)
    theta, grad = np.random.default_rng(0).standard_normal((2, *case.shape), dtype=np.float32)

    def after_steps(step: Callable[[], Array]) -> Array:
        return [step() for _ in range(_STEPS)][-1].copy()

    wanted = after_steps(update("numpy", case.kind, theta.astype(np.float64), grad.astype(np.float64)))
    errors = {name: relative(after_steps(update(name, case.kind, theta, grad)), wanted) for name in able}
    return Subject(case.name, "update", {name: update(name, case.kind, theta, grad) for name in able}, moved, errors)


def update(library: str, kind: str, theta: Array, grad: Array) -> Callable[[], Array]:
    """A step of SGD with Nesterov momentum and weight decay ("sgd"), of Adam or of AdamW; returns theta.

    The gradient is always the same.
    """
    options: dict[str, Any] = {"lr": 1e-3}
    if kind == "sgd":
        options |= {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
    if family(library) == "torch":
        import torch

        order = "channels-last" if "channels" in library else "contiguous"
        variable = torch.nn.Parameter(in_torch(theta, order).clone())
        variable.grad = in_torch(grad, order)
        torch_optimizer = getattr(torch.optim, _KINDS[kind].__name__)([variable], **options)

        def torch_step() -> Array:
            torch_optimizer.step()
            return np.asarray(variable.detach().numpy())

        return torch_step

    parameter = Parameter(theta)
    parameter.grad = tensor(grad)
    optimizer = _KINDS[kind]([parameter], **options)

    def step() -> Array:
        with use(library):
            optimizer.step()
        return parameter.numpy()

    return step


def augmentation(library: str, images: Array) -> Callable[[], Any]:
    """Pad by 4 and crop anywhere, flip half of the images: the same draws in every library."""
    rng = np.random.default_rng(0)
    if family(library) != "torch":
        crop, flip = PadCrop(4), Flip()

        def augment() -> Array:
            with use(library):
                return flip(crop(images, rng), rng)

        return augment

    import torch

    own = in_torch(images, "channels-last" if "channels" in library else "contiguous")
    n, _, height, width = images.shape

    def torch_augment() -> Any:
        top, left = torch.as_tensor(rng.integers(0, 9, size=(2, n)))
        mirrored = torch.as_tensor(rng.random(n) < 0.5)[:, None, None, None]
        crops = torch.nn.functional.pad(own, (4, 4, 4, 4)).unfold(2, height, 1).unfold(3, width, 1)
        cropped = crops[torch.arange(n), :, top, left]
        return torch.where(mirrored, cropped.flip(3), cropped)

    return torch_augment
