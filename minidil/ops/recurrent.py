"""Recurrent layers over whole sequences, with backpropagation through time by hand.

Padding. A mask says where there is data: at all other steps of a sequence its state stands still, its output is 0, and no
gradient passes. So padding may stand behind a sequence, before it or between, and more of it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.errors import DtypeError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Vjp, Vjps, check_floating, once


def lstm(
    x: Array,
    hidden: Array | None,
    cell: Array | None,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    *,
    mask: Array | None = None,
    reverse: bool = False,
) -> tuple[Array, Vjps]:
    """Long short-term memory: the hidden states of all steps, then the last hidden state, then the last cell.

        (i, f, g, o) = W_ih x_t + b_ih + W_hh h + b_hh;  c' = sigmoid(f) c + sigmoid(i) tanh(g);  h' = sigmoid(o) tanh(c')

    Shapes: x (T, N, I), hidden and cell (N, H), weight_ih (4 H, I), weight_hh (4 H, H), biases (4 H,) -> (T + 2, N, H).
    hidden, cell: the state before the first step; zeros if None.
    mask: (T, N) of bools, true where there is data; see above. reverse: begin with the last step.
    Raises: ShapeError or DtypeError if the arrays do not fit together.
    Source: Hochreiter & Schmidhuber 1997, "Long short-term memory"; gates in PyTorch's order.
    """
    k = active()
    walk = _Walk(k, "lstm", 4, x, weight_ih, weight_hh, (bias_ih, bias_hh), mask, reverse)
    h, c = walk.state("hidden", hidden), walk.state("cell", cell)
    inputs, turned = walk.projected(weight_ih), k.transpose(weight_hh)
    bias = bias_ih if bias_hh is None else bias_hh if bias_ih is None else k.add(bias_ih, bias_hh)
    outputs, hidden_before = walk.room(), walk.room()
    kept: dict[int, tuple[Array, Array, Array]] = {}  # the gates, and the cell before and after
    for t in walk.order:
        sums = k.add(k.matmul(h, turned), k.take(inputs, t))
        gates, new_cell, new_hidden = k.lstm_cell(sums if bias is None else k.add(sums, bias), c)
        hidden_before[t], kept[t] = h, (gates, c, new_cell)
        outputs[t] = walk.where_data(t, new_hidden)
        h, c = walk.where_data(t, new_hidden, h), walk.where_data(t, new_cell, c)

    # h_t acts through the output and through step t + 1, which takes it by W_hh; so, going back from the last step,
    #   dL/dh_t = G_t + W_hh^T dL/da_(t+1),
    # where a_t are the sums of the gates; `lstm_cell_grad` leads from dL/dh_t and dL/dc_t to dL/da_t and dL/dc_(t-1).
    # The parameters act at every step alike:
    #   dL/dW_ih = sum_t dL/da_t x_t^T,   dL/dW_hh = sum_t dL/da_t h_(t-1)^T,   dL/db = sum_t dL/da_t,
    # and dL/dx_t = W_ih^T dL/da_t: with all a_t side by side, each is one product. At padding dL/da_t = 0, and what comes
    # from the step behind goes on to the step before.
    def through_time(grad: Array) -> tuple[Array, Array, Array]:
        grad_h, grad_c = k.take(grad, walk.steps), k.take(grad, walk.steps + 1)
        slopes = walk.room()
        for t in reversed(walk.order):
            slope, before = k.lstm_cell_grad(k.add(k.take(grad, t), grad_h), grad_c, *kept[t])
            slopes[t] = walk.where_data(t, slope)
            grad_h = walk.where_data(t, k.matmul(slopes[t], weight_hh), grad_h)
            grad_c = walk.where_data(t, before, grad_c)
        return walk.stacked(slopes, 4), grad_h, grad_c

    shared = once(through_time)
    grad_bias = walk.grad_bias(lambda grad: shared(grad)[0])
    return k.stack([*outputs, h, c]), (
        lambda grad: walk.linear(shared(grad)[0], weight_ih),
        None if hidden is None else lambda grad: shared(grad)[1],
        None if cell is None else lambda grad: shared(grad)[2],
        lambda grad: walk.grad_weight(shared(grad)[0], walk.x),
        lambda grad: walk.grad_weight(shared(grad)[0], walk.stacked(hidden_before, 1)),
        None if bias_ih is None else grad_bias,
        None if bias_hh is None else grad_bias,
    )


def gru(
    x: Array,
    hidden: Array | None,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    *,
    mask: Array | None = None,
    reverse: bool = False,
) -> tuple[Array, Vjps]:
    """Gated recurrent units: the hidden states of all steps, then the last one.

        with (x_r, x_z, x_n) = W_ih x_t + b_ih and (h_r, h_z, h_n) = W_hh h + b_hh:
        r = sigmoid(x_r + h_r);  z = sigmoid(x_z + h_z);  n = tanh(x_n + r h_n);  h' = (1 - z) n + z h

    Shapes: x (T, N, I), hidden (N, H), weight_ih (3 H, I), weight_hh (3 H, H), biases (3 H,) -> (T + 1, N, H).
    hidden, mask, reverse, Raises: as for `lstm`.
    Source: Cho et al. 2014, arXiv:1406.1078; r multiplies h_n with its bias, as in PyTorch.
    """
    k = active()
    walk = _Walk(k, "gru", 3, x, weight_ih, weight_hh, (bias_ih, bias_hh), mask, reverse)
    h = walk.state("hidden", hidden)
    inputs, turned = walk.projected(weight_ih), k.transpose(weight_hh)
    outputs, hidden_before = walk.room(), walk.room()
    kept: dict[int, tuple[Array, Array, Array]] = {}  # the gates, what the hidden state gave them, and the state
    for t in walk.order:
        from_x, recurrent = k.take(inputs, t), k.matmul(h, turned)
        from_x = from_x if bias_ih is None else k.add(from_x, bias_ih)
        recurrent = recurrent if bias_hh is None else k.add(recurrent, bias_hh)
        gates, new_hidden = k.gru_cell(from_x, recurrent, h)
        hidden_before[t], kept[t] = h, (gates, recurrent, h)
        outputs[t] = walk.where_data(t, new_hidden)
        h = walk.where_data(t, new_hidden, h)

    # As in lstm; but n takes x and h by different ways, so that there are two gradients of sums, that of W_ih x_t + b_ih and
    # that of W_hh h + b_hh, and h_(t-1) acts on h_t directly as well:  dL/dh_(t-1) = G_(t-1) + W_hh^T dL/d(W_hh h) + z dL/dh_t.
    def through_time(grad: Array) -> tuple[Array, Array, Array]:
        grad_h = k.take(grad, walk.steps)
        slopes_x, slopes_h = walk.room(), walk.room()
        for t in reversed(walk.order):
            slope_x, slope_h, direct = k.gru_cell_grad(k.add(k.take(grad, t), grad_h), *kept[t])
            slopes_x[t], slopes_h[t] = walk.where_data(t, slope_x), walk.where_data(t, slope_h)
            grad_h = walk.where_data(t, k.add(k.matmul(slopes_h[t], weight_hh), direct), grad_h)
        return walk.stacked(slopes_x, 3), walk.stacked(slopes_h, 3), grad_h

    shared = once(through_time)
    return k.stack([*outputs, h]), (
        lambda grad: walk.linear(shared(grad)[0], weight_ih),
        None if hidden is None else lambda grad: shared(grad)[2],
        lambda grad: walk.grad_weight(shared(grad)[0], walk.x),
        lambda grad: walk.grad_weight(shared(grad)[1], walk.stacked(hidden_before, 1)),
        None if bias_ih is None else walk.grad_bias(lambda grad: shared(grad)[0]),
        None if bias_hh is None else walk.grad_bias(lambda grad: shared(grad)[1]),
    )


class _Walk:
    """What the two have in common: checks, the order of the steps, padding, and the products over all steps at once."""

    def __init__(
        self,
        k: Kernels,
        op: str,
        gates: int,
        x: Array,
        weight_ih: Array,
        weight_hh: Array,
        biases: tuple[Array | None, Array | None],
        mask: Array | None,
        reverse: bool,
    ) -> None:
        check_floating(op, x=x)
        if x.ndim != 3 or weight_ih.ndim != 2 or weight_hh.ndim != 2:
            raise ShapeError(
                f"{op}: x {x.shape} must be (T, N, I), weight_ih {weight_ih.shape} ({gates} H, I) and weight_hh "
                f"{weight_hh.shape} ({gates} H, H)"
            )
        self.k, self.op = k, op
        self.steps, self.batch, self.inputs = x.shape
        self.size = weight_hh.shape[1]
        rows = gates * self.size
        wanted = {
            "weight_ih": (rows, self.inputs),
            "weight_hh": (rows, self.size),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }
        for (name, shape), array in zip(wanted.items(), (weight_ih, weight_hh, *biases), strict=True):
            if array is not None and array.shape != shape:
                raise ShapeError(
                    f"{op}: {name} must be {shape}, for {gates} gates of {self.size} units and x {x.shape}, not {array.shape}"
                )
        self.data = None if mask is None else k.reshape(self._checked(mask), (self.steps, self.batch, 1))
        # 0 in the place of padding: whatever stands there, an infinity even, would meet the gradient 0 in a product
        self.x = x if self.data is None else k.where(self.data, x, k.constant(0, like=x))
        self.order = range(self.steps)[:: -1 if reverse else 1]

    def _checked(self, mask: Array) -> Array:
        if getattr(mask, "dtype", None) != np.dtype(bool):
            kind = getattr(mask, "dtype", type(mask).__name__)
            raise DtypeError(f"{self.op}: mask must be an array of bools, true where there is data, not {kind}")
        if mask.shape != (self.steps, self.batch):
            raise ShapeError(f"{self.op}: mask must be (T, N) = {(self.steps, self.batch)}, not {mask.shape}")
        return mask

    def state(self, name: str, given: Array | None) -> Array:
        shape = (self.batch, self.size)
        if given is None:
            return self.k.constant(np.zeros(shape), like=self.x)
        if given.shape != shape:
            raise ShapeError(f"{self.op}: {name} must be (N, H) = {shape}, not {given.shape}")
        return given

    def room(self) -> list[Any]:
        """A place for the array of every step."""
        return [None] * self.steps

    def where_data(self, t: int, new: Array, old: Array | None = None) -> Array:
        """`new` for the sequences that have data at step t; for the others `old`, or 0."""
        if self.data is None:
            return new
        return self.k.where(self.k.take(self.data, t), new, self.k.constant(0, like=new) if old is None else old)

    def stacked(self, arrays: list[Array], gates: int) -> Array:
        """One array per step -> rows (T N, gates H)."""
        rows = (self.steps * self.batch, gates * self.size)
        return self.k.reshape(self.k.stack(arrays), rows) if arrays else self.k.constant(np.zeros(rows), like=self.x)

    def projected(self, weight: Array) -> Array:
        """weight x_t for all steps, in one product: (T, N, gates H). Biases are added step by step, to what is in the cache."""
        y = self.k.matmul(self.k.reshape(self.x, (self.steps * self.batch, self.inputs)), self.k.transpose(weight))
        return self.k.reshape(y, (self.steps, self.batch, weight.shape[0]))

    def linear(self, slopes: Array, weight_ih: Array) -> Array:
        """dL/dx (T, N, I)."""
        return self.k.reshape(self.k.matmul(slopes, weight_ih), (self.steps, self.batch, self.inputs))

    def grad_weight(self, slopes: Array, taken: Array) -> Array:
        """The sum over all steps of dL/d(weight taken) taken^T."""
        rows = self.k.reshape(taken, (self.steps * self.batch, taken.shape[-1]))
        return self.k.matmul(self.k.transpose(slopes), rows)

    def grad_bias(self, slopes: Callable[[Array], Array]) -> Vjp:
        return lambda grad: self.k.sum(slopes(grad), axis=0)
