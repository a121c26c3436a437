"""learn: training in five lines. All the rest of this room is what one wants to know, to limit and to keep while it runs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from minidil.array import Array
from minidil.tensor import Tensor, tensor


class Stepping(Protocol):
    """What follows the gradients: an optimizer, or what does more than one at every step."""

    def zero_grad(self) -> None: ...
    def step(self) -> None: ...


def learn(
    model: Callable[[Tensor], Tensor],
    batches: Iterable[tuple[Array, Array]],
    loss: Callable[[Tensor, Any], Tensor],
    optimizer: Stepping,
) -> Iterator[tuple[Array, Array, float]]:
    """A step of gradient descent on every batch (inputs, targets): theta <- theta - lr dL/dtheta, if the optimizer is SGD.

    Yields: what the model gave, the targets, and the loss, after each step.
    """
    for inputs, targets in batches:
        optimizer.zero_grad()
        outputs = model(tensor(inputs))
        value = loss(outputs, targets)
        value.backward()
        optimizer.step()
        yield outputs.numpy(), targets, float(value.item())
