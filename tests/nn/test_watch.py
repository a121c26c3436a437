"""Watching the calls of a model's modules."""

from typing import Any

import numpy as np
import pytest

from minidil import nn
from minidil.errors import ShapeError
from minidil.tensor import tensor


def test_calls_come_in_the_order_of_the_computation() -> None:
    inner = nn.Sequential(nn.ReLU(), nn.Tanh())
    model = nn.Sequential(nn.Linear(2, 2), inner)
    seen: list[tuple[str, nn.Module]] = []
    shapes: list[tuple[int, ...]] = []

    def look(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen.append((name, module))
        shapes.append((*inputs[0].shape, *output.shape))

    with nn.watch(model, look):
        model(tensor(np.zeros((3, 2), np.float32)))
    model(tensor(np.zeros((3, 2), np.float32)))
    assert [name for name, _ in seen] == ["0", "1.0", "1.1", "1", ""]
    assert seen[3][1] is inner
    assert set(shapes) == {(3, 2, 3, 2)}


def test_only_modules_of_the_model_are_reported_and_watching_nests() -> None:
    first, second = nn.ReLU(), nn.Tanh()
    model = nn.Sequential(first, second)
    outer: list[str] = []
    inner: list[str] = []
    with nn.watch(model, lambda name, *_: outer.append(name)), nn.watch(second, lambda name, *_: inner.append(name)):
        model(tensor([1.0]))
    assert outer == ["0", "1", ""]
    assert inner == [""]


def test_an_error_ends_the_watching() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 3))
    seen: list[str] = []
    with pytest.raises(ShapeError), nn.watch(model, lambda name, *_: seen.append(name)):
        model(tensor([1.0]))
    model[0](tensor([1.0]))
    assert seen == ["0"]
