"""One step of a recurrent layer, and its gradient, as launches of the elementwise kernels.

The formulas are derived in `minidil.kernels.reference.recurrent`. A step has few numbers, and its products take most of its time.
"""

from __future__ import annotations

from minidil.kernels.cuda.copy import concatenate, take_slice
from minidil.kernels.cuda.device import Array
from minidil.kernels.cuda.elementwise import add, multiply, sigmoid, subtract, tanh


def lstm_cell(sums: Array, cell: Array) -> tuple[Array, Array, Array]:
    """The gates i, f, g, o side by side, the new cell and the new hidden state."""
    i, f, g, o = _parts(sums, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    after = add(multiply(f, cell), multiply(i, g))
    return concatenate([i, f, g, o], axis=1), after, multiply(o, tanh(after))


def lstm_cell_grad(
    grad_hidden: Array, grad_cell: Array, gates: Array, before: Array, after: Array
) -> tuple[Array, Array]:
    """The gradients of the sums and of the cell before."""
    i, f, g, o = _parts(gates, 4)
    bent = tanh(after)
    slope = add(grad_cell, multiply(multiply(grad_hidden, o), _tanh_slope(bent)))
    sums = (
        multiply(multiply(slope, g), _sigmoid_slope(i)),
        multiply(multiply(slope, before), _sigmoid_slope(f)),
        multiply(multiply(slope, i), _tanh_slope(g)),
        multiply(multiply(grad_hidden, bent), _sigmoid_slope(o)),
    )
    return concatenate(sums, axis=1), multiply(slope, f)


def gru_cell(from_x: Array, from_hidden: Array, hidden: Array) -> tuple[Array, Array]:
    """The gates r, z, n side by side, and the new hidden state."""
    (x_r, x_z, x_n), (h_r, h_z, h_n) = _parts(from_x, 3), _parts(from_hidden, 3)
    r, z = sigmoid(add(x_r, h_r)), sigmoid(add(x_z, h_z))
    n = tanh(add(x_n, multiply(r, h_n)))
    return concatenate([r, z, n], axis=1), add(n, multiply(z, subtract(hidden, n)))


def gru_cell_grad(grad: Array, gates: Array, from_hidden: Array, hidden: Array) -> tuple[Array, Array, Array]:
    """The gradients of from_x, of from_hidden, and of the hidden state before where it enters the sum directly."""
    r, z, n = _parts(gates, 3)
    h_n = _parts(from_hidden, 3)[2]
    slope = multiply(multiply(grad, subtract(1.0, z)), _tanh_slope(n))
    slope_r = multiply(multiply(slope, h_n), _sigmoid_slope(r))
    slope_z = multiply(multiply(grad, subtract(hidden, n)), _sigmoid_slope(z))
    return (
        concatenate([slope_r, slope_z, slope], axis=1),
        concatenate([slope_r, slope_z, multiply(slope, r)], axis=1),
        multiply(grad, z),
    )


def _parts(x: Array, count: int) -> list[Array]:
    """x (N, count H) in parts of (N, H)."""
    size = x.shape[1] // count
    return [take_slice(x, (slice(None), slice(i * size, (i + 1) * size))) for i in range(count)]


def _sigmoid_slope(s: Array) -> Array:
    return multiply(s, subtract(1.0, s))


def _tanh_slope(t: Array) -> Array:
    return subtract(1.0, multiply(t, t))
