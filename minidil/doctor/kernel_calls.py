"""Calls of single kernels, for what no op in `cases` reaches: integers and bools, other shapes, versions that ops do not pick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.kernels.backend import active, use
from minidil.kernels.geometry import Window

_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and")
_KINDS = (np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.bool_))
_INT, _BOOL = _KINDS[1:]


@dataclass(frozen=True)
class KernelCall:
    """kernel(*arguments, **options), where arrays among the arguments are first brought to where the backend computes."""

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    @property
    def shapes(self) -> str:
        """The shapes and number types of the arrays, to print."""
        arrays = [value for value in self.arguments if isinstance(value, np.ndarray)]
        return ", ".join(f"{'x'.join(map(str, array.shape))} {array.dtype}" for array in arrays[:2])

    def run(self, backend: str) -> list[Array]:
        """What the kernel returns there, on the host."""
        with use(backend):
            kernels = active()
            placed = [kernels.place(value) if isinstance(value, np.ndarray) else value for value in self.arguments]
            found: Any = getattr(kernels, self.name)(*placed, **self.options)
        several = found if isinstance(found, tuple) else (found,)
        return [np.asarray(array) for array in several if array is not None]


def kernel_calls() -> list[KernelCall]:
    """All of them. A test holds them, with `cases`, against the kernels that the CUDA backend declares."""
    return [*_elementwise(), *_reductions(), *_others()]


def _call(name: str, *arguments: Any, **options: Any) -> KernelCall:
    return KernelCall(name, arguments, options)


def _numbers(dtype: np.dtype[Any], *shape: int, seed: int = 0) -> Array:
    """Small numbers of both signs, so that some are equal and none overflows."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def _elementwise() -> Iterator[KernelCall]:
    for shape in ((5, 33), (33,)):  # of one shape, and broadcasting
        for name in ("add", "subtract", "multiply", "maximum", "minimum"):
            yield _call(name, _numbers(_INT, 5, 33), _numbers(_INT, *shape, seed=1))
        for kind in _KINDS:
            for name in _COMPARISONS:
                yield _call(name, _numbers(kind, 5, 33), _numbers(kind, *shape, seed=1))
        for kind in (_INT, _BOOL):
            yield _call("where", _numbers(_BOOL, 5, 33), _numbers(kind, 5, 33), _numbers(kind, *shape, seed=1))
        yield _call("power", np.abs(_numbers(_KINDS[0], 5, 33)), _numbers(_KINDS[0], *shape) % 3)
        for name in ("relu_grad", "gelu_grad", "silu_grad", "sigmoid_grad"):
            yield _call(name, _numbers(_KINDS[0], 5, 33), np.abs(_numbers(_KINDS[0], *shape)))
    yield _call("erf", _numbers(_KINDS[0], 257))
    for name in ("negative", "absolute"):
        yield _call(name, _numbers(_INT, 257))
    for kind in _KINDS:
        for other in _KINDS:
            if kind != other:
                yield _call("astype", _numbers(kind, 257), dtype=other)


def _reductions() -> Iterator[KernelCall]:
    for kind, names in ((_KINDS[0], ("max", "min")), (_INT, ("sum", "max", "min"))):
        for name in names:
            yield _call(name, _numbers(kind, 33, 40), axis=1)
            yield _call(name, _numbers(kind, 2, 3001), axis=1)  # rows that several blocks share
            yield _call(name, _numbers(kind, 40, 33), axis=0)


def _others() -> Iterator[KernelCall]:
    for kind in (_INT, _BOOL):
        yield _call("transpose", _numbers(kind, 3, 5, 7), (1, 0, 2))
        yield _call("pad", _numbers(kind, 5, 7), ((1, 0), (0, 2)))
        yield _call("take", _numbers(kind, 7, 5), [3, 3, 0])
        yield _call("one_hot", np.array([0, 4, 2], np.int32), 5, kind)
    yield _call("max_pool", _numbers(_INT, 2, 3, 9, 8), Window.of((9, 8), 3, stride=2, padding=1))
    yield _call("one_hot", np.array([0, 4, 2], np.int32), 5, _KINDS[0])
    yield _call("softmax", _numbers(_KINDS[0], 65, 33), axis=0)
    yield _call("log_softmax", _numbers(_KINDS[0], 33, 65), axis=1)
    plain = {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.01, "nesterov": False}
    yield _call("sgd_update", _numbers(_KINDS[0], 257), _numbers(_KINDS[0], 257, seed=1), None, **plain)
