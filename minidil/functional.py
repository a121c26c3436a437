"""Functions of tensors: every op, lifted. Arguments come by position or by name; the formulas stand in `minidil.ops`.

PyTorch's names work here or say what to write: `minidil.names` has the tables.

Arithmetic with integers wraps around where their type ends, as in NumPy; what would hide that refuses them and names astype
(the rule stands in `minidil.ops.common`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.calls.found import Found
from minidil.calls.words import understood
from minidil.errors import CallError, ShapeError
from minidil.kernels.geometry import Ints, Padding
from minidil.names import lookup
from minidil.operand import Operand
from minidil.ops import activation as _activation
from minidil.ops import attention as _attention
from minidil.ops import columns as _columns
from minidil.ops import conv as _conv
from minidil.ops import einsum as _einsum_op
from minidil.ops import elementwise as _elementwise
from minidil.ops import interpolate as _interpolate
from minidil.ops import linear as _linear
from minidil.ops import loss as _loss
from minidil.ops import norm as _norm
from minidil.ops import places as _places
from minidil.ops import pool as _pool
from minidil.ops import rearrange as _rearrange
from minidil.ops import reduce as _reduce
from minidil.ops import roi_align as _roi_align
from minidil.ops import scan as _scan
from minidil.ops import select as _select
from minidil.ops import shape as _shape
from minidil.ops import spacing as _spacing
from minidil.ops.common import Axis
from minidil.tensor import Tensor, as_tensor, lift

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
var = lift(_reduce.var, by_position=2)
amax = lift(_reduce.amax)
amin = lift(_reduce.amin)
logsumexp = lift(_reduce.logsumexp)

one_hot = lift(_select.one_hot)

std = lift(_reduce.std, by_position=2)
norm = lift(_reduce.norm)
argmax = lift(_places.argmax)
argmin = lift(_places.argmin)
any = lift(_places.any)
all = lift(_places.all)
prod = lift(_scan.prod)
cumsum = lift(_scan.cumsum)

squeeze = lift(_rearrange.squeeze)
unsqueeze = lift(_rearrange.unsqueeze)
expand = lift(_rearrange.expand)
repeat = lift(_rearrange.repeat)
flip = lift(_rearrange.flip)
reshape = lift(_shape.reshape)
transpose = lift(_shape.transpose)
flatten = lift(_shape.flatten)
getitem = lift(_shape.getitem)
pad = lift(_shape.pad, by_position=2)
insert_zeros = lift(_shape.insert_zeros)

matmul = lift(_linear.matmul)
linear = lift(_linear.linear)

conv = lift(_conv.conv)
conv_transpose = lift(_conv.conv_transpose)
place_taps = lift(_spacing.place_taps)
unfold = lift(_columns.unfold)
fold = lift(_columns.fold)
avg_pool = lift(_pool.avg_pool)
adaptive_avg_pool = lift(_pool.adaptive_avg_pool)
interpolate = lift(_interpolate.interpolate)
roi_align = lift(_roi_align.roi_align)

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

scaled_dot_product_attention = lift(_attention.scaled_dot_product_attention, by_position=4)

batch_norm = lift(_norm.batch_norm, by_position=1)
layer_norm = lift(_norm.layer_norm, order=("x", "normalized_shape", "weight", "bias", "eps"))

mse_loss = lift(_loss.mse_loss, by_position=2)
l1_loss = lift(_loss.l1_loss, by_position=2)
huber_loss = lift(_loss.huber_loss)
focal_loss = lift(_loss.focal_loss, by_position=2)

cross_entropy = lift(_loss.cross_entropy, by_position=3)
dice_loss = lift(_loss.dice_loss)
binary_cross_entropy_with_logits = lift(_loss.binary_cross_entropy_with_logits, by_position=2)

where = lift(_elementwise.where, order=("condition", "a", "b"))
_concatenate = lift(_shape.concatenate)
_stack = lift(_shape.stack)
_einsum = lift(_einsum_op.einsum)
_max_pool = lift(_pool.max_pool)
nll_loss = lift(_loss.nll_loss, by_position=3)


@understood
def concatenate(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors joined along an existing axis; all other sizes must agree."""
    return _concatenate(*_several("concatenate", tensors), axis=axis)


@understood
def stack(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    return _stack(*_several("stack", tensors), axis=axis)


def einsum(subscripts: str, *operands: Operand) -> Tensor:
    return _einsum(*operands, subscripts=subscripts)


@understood
def split(x: Operand, sizes: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x in parts along an axis: of one size (the last may be smaller), or of these sizes."""
    return as_tensor(x).split(sizes, axis)


@understood
def chunk(x: Operand, chunks: int, axis: int = 0) -> list[Tensor]:
    """x in this number of parts along an axis, all but the last of one size."""
    return as_tensor(x).chunk(chunks, axis)


@understood
def max(
    x: Operand, dim: Any = None, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False, other: Any = None
) -> Any:
    return as_tensor(x).max(dim, keepdim, axis=axis, keepdims=keepdims, other=other)


@understood
def min(
    x: Operand, dim: Any = None, keepdim: bool = False, *, axis: Axis = None, keepdims: bool = False, other: Any = None
) -> Any:
    return as_tensor(x).min(dim, keepdim, axis=axis, keepdims=keepdims, other=other)


max.__doc__, min.__doc__ = Tensor.max.__doc__, Tensor.min.__doc__


@understood
def sort(x: Operand, axis: int = -1, descending: bool = False) -> Found[Tensor]:
    """The elements in order along an axis, and where each came from."""
    return as_tensor(x).sort(axis, descending)


@understood
def topk(x: Operand, k: int, axis: int = -1, largest: bool = True) -> Found[Tensor]:
    """The k largest (or smallest) elements along an axis, in order, and where each stands."""
    return as_tensor(x).topk(k, axis, largest)


def _several(name: str, tensors: Sequence[Operand]) -> Sequence[Operand]:
    if not isinstance(tensors, list | tuple):
        raise CallError(f"{name}: takes a list or tuple of tensors, not one {type(tensors).__name__}")
    return tensors


@understood
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
    return y, Tensor.of(np.asarray(indices[0]).astype(np.int64))


einsum.__doc__ = _einsum_op.einsum.__doc__


@understood
def global_avg_pool(x: Operand) -> Tensor:
    """The mean over all spatial axes: (N, C, *S) -> (N, C, 1, ..., 1).

    Source: Lin, Chen & Yan 2014, arXiv:1312.4400, section 3.2.
    """
    x = as_tensor(x)
    if x.ndim < 3:
        raise ShapeError(f"global_avg_pool: x must be (N, C, *S) with at least one spatial axis, not {x.shape}")
    return mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)


def __getattr__(name: str) -> Any:
    return lookup.of_room("functional", name, sys.modules[__name__])
