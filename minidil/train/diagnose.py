"""Where a loss that is no longer finite comes from."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.errors import TrainingError
from minidil.graph import no_grad
from minidil.nn import Module, watch
from minidil.random import default_rng
from minidil.tensor import Tensor, tensor


def explain(model: Module, inputs: Array, generator_state: Any, loss: float, where: str) -> TrainingError:
    """The error for a loss that is NaN or infinite: it names what was first not finite on the way to it.

    The forward pass is run again, watched. generator_state: of the process-wide generator before the first time, so that
    dropout drops the same. where: the place in the run, for the message.
    """
    default_rng().bit_generator.state = generator_state
    return TrainingError(f"train: the loss is {loss} {where}: {_first_fault(model, inputs)}")


def _first_fault(model: Module, inputs: Array) -> str:
    if bad := _not_finite(inputs):
        return f"the inputs of the batch hold {bad}; check the data and its transforms"
    faults: list[str] = []

    def look(name: str, module: Module, given: tuple[Any, ...], output: Any) -> None:
        if faults or not isinstance(output, Tensor) or not (bad := _not_finite(output.numpy())):
            return
        fault = f"'{name}' ({type(module).__name__}), whose output {output.shape} holds {bad}"
        # Weights that are broken themselves tell that the cause lies a step back.
        broken = [own for own, parameter in module.own_parameters().items() if _not_finite(parameter.numpy())]
        faults.append(fault + (f", as its {' and '.join(broken)} did before" if broken else ""))

    with no_grad(), watch(model, look):
        model(tensor(inputs))
    if faults:
        return f"the first layer whose output is not finite is {faults[0]}; use a lower learning rate or clip_norm"
    return "the outputs of all layers are finite, so it is the loss itself that overflows; use a lower learning rate"


def _not_finite(array: Array) -> str:
    """How many values are NaN or infinite, in words; empty if all are finite."""
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    return f"{bad:,} of {array.size:,} values that are not finite" if bad else ""
