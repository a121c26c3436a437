"""Functions of tensors: every op, lifted. Tensors come by position, options by keyword; the formulas stand in `minidil.ops`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidil.errors import ShapeError
from minidil.kernels.backend import Array
from minidil.kernels.geometry import Ints, Padding
from minidil.operand import Operand
from minidil.ops import activation as _activation
from minidil.ops import columns as _columns
from minidil.ops import conv as _conv
from minidil.ops import einsum as _einsum_op
from minidil.ops import elementwise as _elementwise
from minidil.ops import interpolate as _interpolate
from minidil.ops import linear as _linear
from minidil.ops import loss as _loss
from minidil.ops import norm as _norm
from minidil.ops import pool as _pool
from minidil.ops import reduce as _reduce
from minidil.ops import select as _select
from minidil.ops import shape as _shape
from minidil.tensor import Tensor, lift

add = lift(_elementwise.add)
subtract = lift(_elementwise.subtract)
multiply = lift(_elementwise.multiply)
divide = lift(_elementwise.divide)
power = lift(_elementwise.power)
negative = lift(_elementwise.negative)
exp = lift(_elementwise.exp)
log = lift(_elementwise.log)
sqrt = lift(_elementwise.sqrt)
absolute = lift(_elementwise.absolute)
clip = lift(_elementwise.clip)
maximum = lift(_elementwise.maximum)
minimum = lift(_elementwise.minimum)
astype = lift(_elementwise.astype)

sum = lift(_reduce.sum)
mean = lift(_reduce.mean)
var = lift(_reduce.var)
max = lift(_reduce.max)
min = lift(_reduce.min)
logsumexp = lift(_reduce.logsumexp)

one_hot = lift(_select.one_hot)

reshape = lift(_shape.reshape)
transpose = lift(_shape.transpose)
flatten = lift(_shape.flatten)
getitem = lift(_shape.getitem)
pad = lift(_shape.pad)
insert_zeros = lift(_shape.insert_zeros)

matmul = lift(_linear.matmul)
linear = lift(_linear.linear)

conv = lift(_conv.conv)
conv_transpose = lift(_conv.conv_transpose)
unfold = lift(_columns.unfold)
fold = lift(_columns.fold)
avg_pool = lift(_pool.avg_pool)
adaptive_avg_pool = lift(_pool.adaptive_avg_pool)
interpolate = lift(_interpolate.interpolate)

relu = lift(_activation.relu)
leaky_relu = lift(_activation.leaky_relu)
sigmoid = lift(_activation.sigmoid)
tanh = lift(_activation.tanh)
silu = lift(_activation.silu)
gelu = lift(_activation.gelu)
softplus = lift(_activation.softplus)
softmax = lift(_activation.softmax)
log_softmax = lift(_activation.log_softmax)
dropout = lift(_activation.dropout)

batch_norm = lift(_norm.batch_norm)
layer_norm = lift(_norm.layer_norm)

mse_loss = lift(_loss.mse_loss)
l1_loss = lift(_loss.l1_loss)
huber_loss = lift(_loss.huber_loss)

_einsum = lift(_einsum_op.einsum)
_where = lift(_elementwise.where)
_concatenate = lift(_shape.concatenate)
_stack = lift(_shape.stack)
_cross_entropy = lift(_loss.cross_entropy)
_max_pool = lift(_pool.max_pool)
_nll_loss = lift(_loss.nll_loss)
_binary_cross_entropy = lift(_loss.binary_cross_entropy_with_logits)


def where(condition: Any, a: Operand, b: Operand) -> Tensor:
    """a where the condition (bools) holds, b elsewhere."""
    return _where(a, b, condition=condition)


def einsum(subscripts: str, *operands: Operand) -> Tensor:
    return _einsum(*operands, subscripts=subscripts)


def concatenate(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors joined along an existing axis; all other sizes must agree."""
    return _concatenate(*tensors, axis=axis)


def stack(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    return _stack(*tensors, axis=axis)


def max_pool(
    x: Operand,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest of every window's taps; of equal ones the first, in row-major order, gets the gradient.

    Shapes: x (N, C, *S) -> (N, C, *O), O as for `conv`; also (C, *S) -> (C, *O), where kernel_size has one entry per axis, and
        (C, S) -> (C, O). Padding counts as minus infinity.
    ceil_mode: a last window that fits only in part is kept, if it begins on the input or the padding before it.
    return_indices: return (y, indices): a tensor of integers like y, the place of every winner in the flattened *S.
    Raises: ShapeError if the window overruns the padded input, or some window sees nothing but padding.
    """
    options = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    if not return_indices:
        return _max_pool(x, ceil_mode=ceil_mode, **options)
    indices: list[Array] = []
    y = _max_pool(x, ceil_mode=ceil_mode, observe=indices.append, **options)
    return y, Tensor.of(indices[0])


def cross_entropy(logits: Operand, target: Any, **options: Any) -> Tensor:
    return _cross_entropy(logits, target=target, **options)


def nll_loss(log_probs: Operand, target: Any, **options: Any) -> Tensor:
    return _nll_loss(log_probs, target=target, **options)


def binary_cross_entropy_with_logits(x: Operand, target: Any, **options: Any) -> Tensor:
    return _binary_cross_entropy(x, target=target, **options)


einsum.__doc__ = _einsum_op.einsum.__doc__
cross_entropy.__doc__ = _loss.cross_entropy.__doc__
nll_loss.__doc__ = _loss.nll_loss.__doc__
binary_cross_entropy_with_logits.__doc__ = _loss.binary_cross_entropy_with_logits.__doc__


def global_avg_pool(x: Tensor) -> Tensor:
    """The mean over all spatial axes: (N, C, *S) -> (N, C, 1, ..., 1).

    Source: Lin, Chen & Yan 2014, arXiv:1312.4400, section 3.2.
    """
    if x.ndim < 3:
        raise ShapeError(f"global_avg_pool: x must be (N, C, *S) with at least one spatial axis, not {x.shape}")
    return mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)
