"""Functions of tensors: every op, lifted. Tensors come by position, options by keyword; the formulas stand in `minidil.ops`.

Arithmetic with integers wraps around where their type ends, as in NumPy; what would hide that refuses them and names astype
(the rule stands in `minidil.ops.common`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidil.errors import ShapeError
from minidil.operand import Operand
from minidil.ops import activation as _activation
from minidil.ops import conv as _conv
from minidil.ops import elementwise as _elementwise
from minidil.ops import linear as _linear
from minidil.ops import loss as _loss
from minidil.ops import norm as _norm
from minidil.ops import pool as _pool
from minidil.ops import reduce as _reduce
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
max_pool = lift(_pool.max_pool)
avg_pool = lift(_pool.avg_pool)
adaptive_avg_pool = lift(_pool.adaptive_avg_pool)

relu = lift(_activation.relu)
leaky_relu = lift(_activation.leaky_relu)
sigmoid = lift(_activation.sigmoid)
tanh = lift(_activation.tanh)
silu = lift(_activation.silu)
gelu = lift(_activation.gelu)
softmax = lift(_activation.softmax)
log_softmax = lift(_activation.log_softmax)
dropout = lift(_activation.dropout)

batch_norm = lift(_norm.batch_norm)
layer_norm = lift(_norm.layer_norm)

mse_loss = lift(_loss.mse_loss)
l1_loss = lift(_loss.l1_loss)
huber_loss = lift(_loss.huber_loss)

_where = lift(_elementwise.where)
_concatenate = lift(_shape.concatenate)
_stack = lift(_shape.stack)
_cross_entropy = lift(_loss.cross_entropy)
_binary_cross_entropy = lift(_loss.binary_cross_entropy_with_logits)


def where(condition: Any, a: Operand, b: Operand) -> Tensor:
    """a where the condition (bools) holds, b elsewhere."""
    return _where(a, b, condition=condition)


def concatenate(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors joined along an existing axis; all other sizes must agree."""
    return _concatenate(*tensors, axis=axis)


def stack(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    return _stack(*tensors, axis=axis)


def cross_entropy(logits: Operand, target: Any, **options: Any) -> Tensor:
    return _cross_entropy(logits, target=target, **options)


def binary_cross_entropy_with_logits(x: Operand, target: Any, **options: Any) -> Tensor:
    return _binary_cross_entropy(x, target=target, **options)


cross_entropy.__doc__ = _loss.cross_entropy.__doc__
binary_cross_entropy_with_logits.__doc__ = _loss.binary_cross_entropy_with_logits.__doc__


def global_avg_pool(x: Tensor) -> Tensor:
    """The mean over all spatial axes: (N, C, *S) -> (N, C, 1, ..., 1).

    Source: Lin, Chen & Yan 2014, arXiv:1312.4400, section 3.2.
    """
    if x.ndim < 3:
        raise ShapeError(f"global_avg_pool: x must be (N, C, *S) with at least one spatial axis, not {x.shape}")
    return mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)
