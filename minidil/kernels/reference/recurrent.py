"""One step of a recurrent layer, and its gradient. What the steps have in common, the products, is in `minidil.ops.recurrent`."""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.kernels.reference.elementwise import sigmoid


def lstm_cell(sums: Array, cell: Array) -> tuple[Array, Array, Array]:
    """The gates i, f, g, o side by side, the new cell f c + i g and the new hidden state o tanh(c').

    sums: (N, 4 H), what the gates take: the sigmoid for i, f and o, tanh for g. cell: (N, H).
    Source: Hochreiter & Schmidhuber 1997, "Long short-term memory", with the forget gate of Gers et al. 2000.
    """
    i, f, g, o = np.split(sums, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    after = f * cell + i * g
    return np.concatenate([i, f, g, o], axis=1), after, o * np.tanh(after)


def lstm_cell_grad(
    grad_hidden: Array, grad_cell: Array, gates: Array, before: Array, after: Array
) -> tuple[Array, Array]:
    """The gradients of the sums (N, 4 H) and of the cell before, from those of the new hidden state and of the new cell."""
    # h = o tanh(c'):                dL/do = G tanh(c'),     dL/dc' = grad_cell + G o (1 - tanh(c')^2)
    # c' = f c + i g:                dL/di = g dL/dc',  dL/df = c dL/dc',  dL/dg = i dL/dc',  dL/dc = f dL/dc'
    # the slope of s = sigmoid(x) is s (1 - s), that of g = tanh(x) is 1 - g^2
    i, f, g, o = np.split(gates, 4, axis=1)
    bent = np.tanh(after)
    slope = grad_cell + grad_hidden * o * (1 - bent * bent)
    sums = (
        slope * g * i * (1 - i),
        slope * before * f * (1 - f),
        slope * i * (1 - g * g),
        grad_hidden * bent * o * (1 - o),
    )
    return np.concatenate(sums, axis=1), slope * f


def gru_cell(from_x: Array, from_hidden: Array, hidden: Array) -> tuple[Array, Array]:
    """The gates r, z, n side by side, and the new hidden state (1 - z) n + z h.

    from_x, from_hidden: (N, 3 H), what the gates take: r and z the sigmoid of their sum, n the tanh of x_n + r h_n.
    Source: Cho et al. 2014, arXiv:1406.1078, with r applied after the product, as in PyTorch and cuDNN.
    """
    (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(from_x, 3, axis=1), np.split(from_hidden, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    return np.concatenate([r, z, n], axis=1), n + z * (hidden - n)


def gru_cell_grad(grad: Array, gates: Array, from_hidden: Array, hidden: Array) -> tuple[Array, Array, Array]:
    """The gradients of from_x, of from_hidden, and of the hidden state before where it enters the sum directly: z G."""
    # h' = (1 - z) n + z h:          dL/dz = G (h - n),      dL/dn = G (1 - z),      dL/dh = G z
    # n = tanh(x_n + r h_n):         with a = dL/dn (1 - n^2):  dL/dx_n = a,  dL/dh_n = a r,  dL/dr = a h_n
    r, z, n = np.split(gates, 3, axis=1)
    h_n = np.split(from_hidden, 3, axis=1)[2]
    slope = grad * (1 - z) * (1 - n * n)
    slope_r, slope_z = slope * h_n * r * (1 - r), grad * (hidden - n) * z * (1 - z)
    return (
        np.concatenate([slope_r, slope_z, slope], axis=1),
        np.concatenate([slope_r, slope_z, slope * r], axis=1),
        grad * z,
    )
