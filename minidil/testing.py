"""Checks that need no second implementation: finite differences for gradients, the adjoint identity for linear maps.

A gradient check says that the backward pass belongs to the forward pass. It cannot say that the forward pass is right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.errors import MinidilError
from minidil.graph import no_grad
from minidil.tensor import Tensor, tensor

Float64 = NDArray[np.float64]


class CheckError(MinidilError, AssertionError):
    """A gradient or an adjoint that is not what it claims to be."""


def check_gradients(
    function: Callable[..., Tensor],
    *arrays: Float64,
    step: float = 1e-6,
    tolerance: float = 1e-5,
    directions: int = 2,
    entries: bool = False,
    rng: np.random.Generator | None = None,
    **options: Any,
) -> None:
    """Compare the gradients of `function(*tensors, **options)` with central differences in float64.

    With a random weighting u of the outputs, L = <u, f(x)>, and a random direction v of one input, the derivative of L along v
    is <dL/dx, v>; the central difference (L(x + h v) - L(x - h v)) / 2h agrees with it up to O(h^2) + O(eps |L| / h).

    arrays: the inputs, float64. step: h. directions: how many v per input.
    tolerance: the allowed error, relative to |dL/dx| |v| (or 1, if that is larger).
    entries: go through every entry of every input instead, and name the worst one (slow: two evaluations per entry).
    Raises: CheckError, an AssertionError, that names the input and both values. `function` must draw no random numbers.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    leaves = [tensor(array, requires_grad=True, dtype=np.float64) for array in arrays]
    output = function(*leaves, **options)
    weighting = rng.standard_normal(output.shape)
    output.backward(gradient=weighting)

    def loss(number: int, shift: Float64) -> float:
        moved = [leaf.numpy() + shift if i == number else leaf for i, leaf in enumerate(leaves)]
        with no_grad():
            return float(np.sum(weighting * function(*map(tensor, moved), **options).numpy()))

    for number, leaf in enumerate(leaves):
        gradient = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()

        def difference(direction: Float64, number: int = number) -> float:
            return (loss(number, step * direction) - loss(number, -step * direction)) / (2 * step)

        if gradient.shape != leaf.shape:
            raise CheckError(
                f"check_gradients: input {number} has shape {leaf.shape} but its gradient {gradient.shape}"
            )
        if entries:
            _check_entries(number, gradient, difference, tolerance)
        for _ in range(0 if entries else directions):
            direction = rng.standard_normal(leaf.shape)
            expected, found = difference(direction), float(np.sum(gradient * direction))
            allowed = tolerance * max(1.0, float(np.linalg.norm(gradient) * np.linalg.norm(direction)))
            if not abs(expected - found) <= allowed:
                raise CheckError(
                    f"check_gradients: along a random direction of input {number} {leaf.shape} the gradient gives "
                    f"{found:.9g} but the central difference {expected:.9g} (allowed error {allowed:.3g}); "
                    "entries=True finds the entry"
                )


def _check_entries(number: int, gradient: Float64, difference: Callable[[Float64], float], tolerance: float) -> None:
    numeric = np.empty(gradient.shape)
    for index in np.ndindex(*gradient.shape):
        direction = np.zeros(gradient.shape)
        direction[index] = 1
        numeric[index] = difference(direction)
    if not gradient.size:
        return
    errors = np.abs(numeric - gradient)
    errors[np.isnan(errors)] = np.inf
    worst = np.unravel_index(int(np.argmax(errors)), gradient.shape)
    allowed = tolerance * max(1.0, float(np.abs(gradient).max()))
    if errors[worst] > allowed:
        where = tuple(int(i) for i in worst)
        raise CheckError(
            f"check_gradients: entry {where} of input {number} {gradient.shape} is worst: the gradient says "
            f"{gradient[worst]:.9g} but the central difference {numeric[worst]:.9g} (allowed error {allowed:.3g})"
        )


def check_adjoint(
    forward: Callable[[Tensor], Tensor],
    x: Float64,
    *,
    tolerance: float = 1e-10,
    rng: np.random.Generator | None = None,
) -> None:
    """Check that backward is the adjoint of a linear map A: <A x, y> = <x, A^T y> for a random y, and that A is linear.

    Unlike a finite difference this has no step size: it holds to rounding error, also for large inputs.
    x: an input, float64. tolerance: the allowed error relative to |A x| |y|.
    Raises: CheckError, an AssertionError, with both inner products.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    leaf = tensor(x, requires_grad=True, dtype=np.float64)
    image = forward(leaf)
    y = rng.standard_normal(image.shape)
    image.backward(gradient=y)
    assert leaf.grad is not None  # backward has just filled it
    left, right = float(np.sum(image.numpy() * y)), float(np.sum(leaf.numpy() * leaf.grad.numpy()))
    allowed = tolerance * max(1.0, float(np.linalg.norm(image.numpy()) * np.linalg.norm(y)))
    if not abs(left - right) <= allowed:
        raise CheckError(f"check_adjoint: <A x, y> = {left:.15g} but <x, A^T y> = {right:.15g} (allowed {allowed:.3g})")
    doubled = forward(tensor(2 * leaf.numpy())).numpy()
    if not np.allclose(doubled, 2 * image.numpy(), rtol=tolerance, atol=allowed):
        raise CheckError("check_adjoint: A(2 x) is not 2 A(x), so this map is not linear and has no adjoint")
