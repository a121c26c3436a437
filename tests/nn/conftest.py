"""What the tests of layers share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minidil.nn import Module
from minidil.tensor import Tensor
from minidil.testing import check_gradients


@pytest.fixture
def check_layer() -> Callable[..., None]:
    """check_layer(layer, *input_shape): the gradients of a layer in its input and all its parameters are right."""

    def check(layer: Module, *input_shape: int, **options: Any) -> None:
        layer.astype(np.float64)
        places = [
            (module, name) for module in layer.modules() for name in module.own_parameters()
        ]  # all parts of these layers are distinct
        values = [vars(module)[name].data for module, name in places]

        def run(x: Tensor, *parameters: Tensor) -> Tensor:
            for (module, name), parameter in zip(places, parameters, strict=True):
                vars(module)[name] = parameter
            return layer(x)

        x = np.random.default_rng(1).standard_normal(input_shape)
        check_gradients(run, x, *values, **options)

    return check
