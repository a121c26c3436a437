"""What the operators of ONNX are in minidil: each reader of `READERS` turns a node into a function of its inputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import minidil.functional as F
from minidil.deploy import onnx_window_readers
from minidil.deploy.onnx_reading import Reader, Reading, Run
from minidil.errors import ShapeError


def _simple(function: Run, least: int = 1, most: int | None = None) -> Reader:
    """A function of the inputs alone."""

    def read(r: Reading) -> Run:
        count = len(r.node.inputs)
        if not least <= count <= (least if most is None else most) or not all(map(r.given, range(count))):
            raise r.refuse(f"it has {count} inputs")
        r.learn_all()
        return function

    return read


def _folded(function: Run) -> Reader:
    def run(*inputs: Any) -> Any:
        total = inputs[0]
        for each in inputs[1:]:
            total = function(total, each)
        return total

    return _simple(run, 1, 1 << 16)


def _axis(function: Run) -> Reader:
    def read(r: Reading) -> Run:
        axis = r.attribute("axis", -1)
        return lambda x: function(x, axis=axis)

    return read


def _batch_norm(r: Reading) -> Run:
    for place in (1, 2, 3, 4):
        r.weight(place, 1)
    r.learnt -= {3, 4}
    r.counted |= {3, 4}
    eps = r.attribute("epsilon", 1e-5)
    r.only(training_mode=0)
    r.attribute("momentum", 0.9)
    return lambda x, weight, bias, mean, var: F.batch_norm(x, weight=weight, bias=bias, mean=mean, var=var, eps=eps)


def _layer_norm(r: Reading) -> Run:
    scale = r.weight(1)
    if r.given(2):
        r.weight(2)
    axis, eps = r.attribute("axis", -1), r.attribute("epsilon", 1e-5)
    r.attribute("stash_type", 1)

    def run(x: Any, weight: Any, bias: Any = None) -> Any:
        tail = x.shape[axis:]
        if scale.shape != tail:
            raise ShapeError(f"{r.node.place}: x {x.shape} does not end in the shape {scale.shape} of its weight")
        return F.layer_norm(x, tail, weight, bias, eps)

    return run


def _gemm(r: Reading) -> Run:
    alpha, beta = r.attribute("alpha", 1.0), r.attribute("beta", 1.0)
    left, right = r.attribute("transA", 0), r.attribute("transB", 0)
    r.learn_all()

    def run(a: Any, b: Any, c: Any = None) -> Any:
        if (alpha, beta, left, right) == (1.0, 1.0, 0, 1) and (c is None or c.shape == (b.shape[0],)):
            return F.linear(a, b, c)
        y = F.matmul(a.T if left else a, b.T if right else b) * alpha
        return y if c is None else y + c * beta

    return run


def _matmul(r: Reading) -> Run:
    r.learn_all()
    return F.matmul


def _gather(r: Reading) -> Run:
    axis = r.attribute("axis", 0)
    table, indices = r.constants[0], r.constants[1]
    if table is not None and table.dtype.kind == "f" and axis == 0 and indices is None:
        r.weight(0)

    def run(x: Any, at: Any) -> Any:
        rows = at.numpy()
        n = x.shape[axis]
        if rows.dtype.kind not in "iu" or (rows.size and not -n <= rows.min() <= rows.max() < n):
            raise ShapeError(f"{r.node.place}: indices must be whole numbers in {-n}..{n - 1}")
        return F.getitem(x, index=(*(slice(None),) * (axis % x.ndim), rows.astype(np.int64)))

    return run


def _reduction(function: Run) -> Reader:
    def read(r: Reading) -> Run:
        axes = r.numbers(1, "axes") if r.given(1) else r.attribute("axes", []) or None
        keepdims = bool(r.attribute("keepdims", 1))
        r.only(noop_with_empty_axes=0)
        return lambda x, *_: function(x, axis=None if axes is None else tuple(axes), keepdims=keepdims)

    return read


def _reshape(r: Reading) -> Run:
    sizes = r.numbers(1, "shape") or []
    r.only(allowzero=0)
    r.learn_all()

    def run(x: Any, _: Any) -> Any:
        if any(n == 0 and place >= x.ndim for place, n in enumerate(sizes)):
            raise ShapeError(f"{r.node.place}: x {x.shape} has not the axes that its shape {sizes} copies")
        return F.reshape(x, shape=tuple(x.shape[place] if n == 0 else n for place, n in enumerate(sizes)))

    return run


def _flatten(r: Reading) -> Run:
    axis = r.attribute("axis", 1)

    def run(x: Any) -> Any:
        place = axis % x.ndim if axis < 0 else axis
        return F.reshape(x, shape=(math.prod(x.shape[:place]), math.prod(x.shape[place:])))

    return run


def _transpose(r: Reading) -> Run:
    order = r.attribute("perm", [])
    return lambda x: F.transpose(x, axes=order or None)


def _squeeze(r: Reading) -> Run:
    axes = r.numbers(1, "axes")
    return lambda x, *_: F.squeeze(x, axis=None if axes is None else tuple(axes))


def _unsqueeze(r: Reading) -> Run:
    axes = r.numbers(1, "axes") or []

    def run(x: Any, _: Any) -> Any:
        for axis in sorted(each % (x.ndim + len(axes)) for each in axes):
            x = F.unsqueeze(x, axis=axis)
        return x

    return run


def _expand(r: Reading) -> Run:
    sizes = r.numbers(1, "shape") or []
    r.bounded(sizes)
    return lambda x, _: F.expand(x, shape=np.broadcast_shapes(x.shape, tuple(sizes)))


def _slice(r: Reading) -> Run:
    starts, stops = r.numbers(1, "starts") or [], r.numbers(2, "ends") or []
    axes = r.numbers(3, "axes")
    axes = list(range(len(starts))) if axes is None else axes
    steps = r.numbers(4, "steps") or [1] * len(starts)
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        raise r.refuse(f"its starts {starts}, ends {stops}, axes {axes} and steps {steps} do not go together")

    def run(x: Any, *_: Any) -> Any:
        index = [slice(None)] * x.ndim
        for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
            before = step < 0 and stop < -x.shape[axis]
            index[axis] = slice(start, None if before else stop, step)
        return F.getitem(x, index=tuple(index))

    return run


def _pad(r: Reading) -> Run:
    r.only(mode="constant")
    pads = r.numbers(1, "pads") or []
    value = r.constants[2] if r.given(2) else None
    if r.given(3) or len(pads) % 2 or (r.given(2) and (value is None or value.size != 1)):
        raise r.refuse("it takes pads of all axes and one number, all in the file")
    r.bounded(pads)
    half = len(pads) // 2
    width = list(zip(pads[:half], pads[half:], strict=True))
    filler = 0.0 if value is None else float(value.reshape(-1)[0])
    return lambda x, *_: F.pad(x, width=width, value=filler)


def _concat(r: Reading) -> Run:
    axis = r.attribute("axis", 0)
    return lambda *inputs: F.concatenate(inputs, axis=axis)


def _clip(r: Reading) -> Run:
    bounds: list[float | None] = []
    for place in (1, 2):
        array = r.constants[place] if r.given(place) else None
        if r.given(place) and (array is None or array.size != 1):
            raise r.refuse("its bounds must be numbers in the file")
        bounds.append(None if array is None else float(array.reshape(-1)[0]))
    low, high = bounds
    return lambda x, *_: x if low is high is None else F.clip(x, low=low, high=high)


def _where(r: Reading) -> Run:
    condition = r.constants[0]
    if condition is None or condition.dtype != bool:
        raise r.refuse("its condition must be an array of bools in the file")
    return lambda _, a, b: F.where(condition, a, b)


def _cast(r: Reading) -> Run:
    kinds = {1: np.float32, 7: np.int64, 11: np.float64, 6: np.int32}
    to = r.attribute("to", 0)
    if to not in kinds:
        raise r.refuse(f"the type {to} is not read")
    r.attribute("saturate", 1)
    return lambda x: F.astype(x, dtype=kinds[to])


def _gelu(r: Reading) -> Run:
    word = r.attribute("approximate", "none")
    if word not in ("none", "tanh"):
        raise r.refuse(f"approximate={word!r} is not read")
    return lambda x: F.gelu(x, approximate=word)


def _leaky(r: Reading) -> Run:
    slope = r.attribute("alpha", 0.01)
    return lambda x: F.leaky_relu(x, slope=slope)


def _dropout(r: Reading) -> Run:
    if r.given(2) and (r.constants[2] is None or bool(np.any(r.constants[2]))):
        raise r.refuse("it is one for training")
    r.attribute("seed", 0)
    return lambda x, *_: x


READERS: dict[str, Reader] = {
    **onnx_window_readers.READERS,
    "Abs": _simple(F.absolute),
    "Add": _simple(F.add, 2),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Div": _simple(F.divide, 2),
    "Dropout": _dropout,
    "Exp": _simple(F.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _simple(F.global_avg_pool),
    "Identity": _simple(lambda x: x),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _leaky,
    "Log": _simple(F.log),
    "LogSoftmax": _axis(F.log_softmax),
    "MatMul": _matmul,
    "Max": _folded(F.maximum),
    "Min": _folded(F.minimum),
    "Mul": _simple(F.multiply, 2),
    "Neg": _simple(F.negative),
    "Pad": _pad,
    "Pow": _simple(F.power, 2),
    "ReduceLogSumExp": _reduction(F.logsumexp),
    "ReduceMax": _reduction(F.amax),
    "ReduceMean": _reduction(F.mean),
    "ReduceMin": _reduction(F.amin),
    "ReduceSum": _reduction(F.sum),
    "Relu": _simple(F.relu),
    "Reshape": _reshape,
    "Sigmoid": _simple(F.sigmoid),
    "Slice": _slice,
    "Softmax": _axis(F.softmax),
    "Softplus": _simple(F.softplus),
    "Sqrt": _simple(F.sqrt),
    "Squeeze": _squeeze,
    "Sub": _simple(F.subtract, 2),
    "Tanh": _simple(F.tanh),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
