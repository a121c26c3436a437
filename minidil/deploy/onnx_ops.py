"""What minidil's ops are called in ONNX: everything but sliding windows and resizing.

Each writer of `WRITERS` adds the nodes of one call and gives the name of its result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from minidil.deploy.onnx_calls import OpCall, Value
from minidil.deploy.onnx_writer import NoEquivalentError, Writer
from minidil.ops.common import axes_of, axis_of

Write: TypeAlias = Callable[[Writer, OpCall], str]

_SOFTPLUS_IS_LINEAR = 15.0  # from here on float32 cannot tell log(1 + e^z) from z


def of(call: OpCall, place: int = 0) -> Value:
    """An operand that is there."""
    value = call.operands[place]
    assert value is not None
    return value


def first(w: Writer, call: OpCall) -> str:
    """The name of the first operand, in the type of the result."""
    return w.of(call, of(call), call.dtype)


def plain(operator: str, **attributes: Any) -> Write:
    """One node, whose inputs are the operands in the type of the result."""
    return lambda w, call: w.add(operator, call, [w.of(call, each, call.dtype) for each in call.operands], **attributes)


def _reduction(operator: str) -> Write:
    def write(w: Writer, call: OpCall) -> str:
        dims = of(call).dims
        axes = axes_of(call.op, call.options.get("axis"), len(dims))
        kept = bool(call.options.get("keepdims", False))
        if operator == "ReduceMean" and kept and len(dims) > 2 and axes == tuple(range(2, len(dims))):
            return w.add("GlobalAveragePool", call, [first(w, call)])
        return w.add(operator, call, [first(w, call), w.ints(axes)], keepdims=int(kept))

    return write


def _clip(w: Writer, call: OpCall) -> str:
    bounds = [call.options.get(name) for name in ("low", "high")]
    return w.add(
        "Clip", call, [first(w, call), *("" if b is None else w.constant(b, dtype=call.dtype) for b in bounds)]
    )


def _where(w: Writer, call: OpCall) -> str:
    condition = w.of(call, call.options["condition"])
    return w.add("Where", call, [condition, *(w.of(call, each, call.dtype) for each in call.operands)])


def _reshape(w: Writer, call: OpCall) -> str:
    return w.reshaped(call, first(w, call), of(call).dims, call.dims)


def _flatten(w: Writer, call: OpCall) -> str:
    x, ends = of(call).dims, [call.options.get("start", 0), call.options.get("end", -1) % len(of(call).dims)]
    if ends == [1, len(x) - 1] and x[0] < 0 and len(x) > 1:
        return w.add("Flatten", call, [first(w, call)], axis=1)
    return _reshape(w, call)


def _transpose(w: Writer, call: OpCall) -> str:
    n = len(of(call).dims)
    order = call.options.get("axes") or range(n)[::-1]
    return w.add("Transpose", call, [first(w, call)], perm=[axis % n for axis in order])


def _expand(w: Writer, call: OpCall) -> str:
    new = len(call.dims) - len(of(call).dims)
    before = (1,) * new + of(call).dims
    if any(n < 0 and m != n for n, m in zip(call.dims, before, strict=True)):
        raise NoEquivalentError("it repeats something as often as there are inputs in the batch")
    return w.add("Expand", call, [first(w, call), w.ints([max(n, 1) for n in call.dims])])


def _getitem(w: Writer, call: OpCall) -> str:
    index = call.options["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    dims, name = of(call).dims, first(w, call)
    if any(each is Ellipsis for each in parts):
        place = next(i for i, each in enumerate(parts) if each is Ellipsis)
        parts[place : place + 1] = [slice(None)] * (len(dims) + 1 - sum(each is not None for each in parts))
    along = [each for each in parts if each is not None]
    arrays = [axis for axis, each in enumerate(along) if isinstance(each, Value)]
    if arrays:
        (axis, *more), taken = arrays, along[arrays[0]].array
        others = [each for each in parts if not isinstance(each, Value)]
        if more or taken is None or taken.dtype.kind not in "iu" or any(each != slice(None) for each in others):
            raise NoEquivalentError("an index with an array in it beside other things, or with one that was computed")
        return w.add("Gather", call, [name, w.constant(taken, dtype=np.int64)], axis=axis)
    cuts, left = [], list(dims)
    for axis, part in enumerate(along):
        n = dims[axis]
        if part == slice(None):
            continue
        if n < 0:
            raise NoEquivalentError(f"the index {part!r} along the batch")
        start, stop, step = part.indices(n) if isinstance(part, slice) else (part % n, part % n + 1, 1)
        left[axis] = len(range(start, stop, step))
        cuts.append((axis, start, stop if stop >= 0 else -n - 1, step))  # -1 would count from the end
    if cuts:
        axes, starts, stops, steps = (w.ints(each) for each in zip(*cuts, strict=True))
        name = w.add("Slice", call, [name, starts, stops, axes, steps])
    return w.reshaped(call, name, tuple(left), call.dims)


def _flip(w: Writer, call: OpCall) -> str:
    dims = of(call).dims
    axes = axes_of("flip", call.options.get("axis"), len(dims))
    ends = [w.ints(each) for each in ([-1] * len(axes), [-(1 << 62)] * len(axes), axes, [-1] * len(axes))]
    return w.add("Slice", call, [first(w, call), *ends])


def _pad(w: Writer, call: OpCall) -> str:
    x, width = of(call).dims, call.options["width"]
    if all(isinstance(n, int | np.integer) for n in width):  # PyTorch's order, the last axis first
        pairs = [tuple(width[i : i + 2]) for i in range(0, len(width), 2)]
        width = (*((0, 0),) * (len(x) - len(pairs)), *reversed(pairs))
    pads = [before for before, _ in width] + [after for _, after in width]
    value = w.constant(call.options.get("value", 0.0), dtype=call.dtype)
    return w.add("Pad", call, [first(w, call), w.ints(pads), value], mode="constant")


def _concatenate(w: Writer, call: OpCall) -> str:
    axis = axis_of(call.op, call.options.get("axis", 0), len(call.dims))
    parts = [w.of(call, each, call.dtype) for each in call.operands]
    if call.op == "stack":
        parts = [w.add("Unsqueeze", call, [part, w.ints([axis])]) for part in parts]
    return w.add("Concat", call, parts, axis=axis)


def _linear(w: Writer, call: OpCall) -> str:
    x, weight, bias = (*call.operands, None)[:3]
    if len(of(call).dims) == 2:
        return w.add("Gemm", call, [w.of(call, each) for each in (x, weight, bias) if each is not None], transB=1)
    turned = w.add("Transpose", call, [w.of(call, weight)], perm=[1, 0])
    y = w.add("MatMul", call, [w.of(call, x), turned])
    return y if bias is None else w.add("Add", call, [y, w.of(call, bias)])


def _silu(w: Writer, call: OpCall) -> str:
    x = first(w, call)
    return w.add("Mul", call, [x, w.add("Sigmoid", call, [x])])


def _softplus(w: Writer, call: OpCall) -> str:
    beta, threshold = call.options.get("beta", 1.0), call.options.get("threshold", 20.0)
    if threshold < _SOFTPLUS_IS_LINEAR:
        raise NoEquivalentError(f"a threshold of {threshold}, below {_SOFTPLUS_IS_LINEAR}, makes a step")
    scale = w.constant(beta, dtype=call.dtype)
    y = w.add("Softplus", call, [w.add("Mul", call, [first(w, call), scale])])
    return w.add("Div", call, [y, scale])


def _softmax(operator: str) -> Write:
    def write(w: Writer, call: OpCall) -> str:
        if not of(call).dims:
            raise NoEquivalentError("a number without axes")
        axis = call.options.get("axis")
        return w.add(operator, call, [first(w, call)], axis=len(of(call).dims) - 1 if axis is None else axis)

    return write


def _dropout(w: Writer, call: OpCall) -> str:
    if call.options.get("training", True):
        raise NoEquivalentError("it draws numbers in evaluation mode as well")
    return first(w, call)


def _activated(w: Writer, call: OpCall, name: str) -> str:
    activation = call.options.get("activation")
    return name if activation is None else w.add({"relu": "Relu", "gelu": "Gelu"}[activation], call, [name])


def _batch_norm(w: Writer, call: OpCall) -> str:
    mean, var = (call.options.get(name) for name in ("mean", "var"))
    _, weight, bias = (*call.operands, None, None)[:3]
    if mean is None or var is None:
        raise NoEquivalentError("it normalises by the batch itself, so that an answer depends on the others in it")
    if any(each is not None and each.array is None for each in (weight, bias, mean, var)):
        raise NoEquivalentError("its statistics or its weight were computed from the input")
    channels = call.dims[1]
    scale = w.constant(np.ones(channels), dtype=call.dtype) if weight is None else w.of(call, weight)
    shift = w.constant(np.zeros(channels), dtype=call.dtype) if bias is None else w.of(call, bias)
    inputs = [first(w, call), scale, shift, w.of(call, mean), w.of(call, var)]
    return _activated(w, call, w.add("BatchNormalization", call, inputs, epsilon=float(call.options.get("eps", 1e-5))))


def _layer_norm(w: Writer, call: OpCall) -> str:
    tail = call.options["normalized_shape"]
    tail = (int(tail),) if isinstance(tail, int | np.integer) else tuple(map(int, tail))
    _, weight, bias = (*call.operands, None, None)[:3]
    scale = w.constant(np.ones(tail), dtype=call.dtype) if weight is None else w.of(call, weight)
    inputs = [first(w, call), scale, *([] if bias is None else [w.of(call, bias)])]
    epsilon = float(call.options.get("eps", 1e-5))
    return w.add("LayerNormalization", call, inputs, axis=-len(tail), epsilon=epsilon)


WRITERS: dict[str, Write] = {
    "add": plain("Add"),
    "subtract": plain("Sub"),
    "multiply": plain("Mul"),
    "divide": plain("Div"),
    "power": plain("Pow"),
    "negative": plain("Neg"),
    "exp": plain("Exp"),
    "log": plain("Log"),
    "sqrt": plain("Sqrt"),
    "absolute": plain("Abs"),
    "maximum": plain("Max"),
    "minimum": plain("Min"),
    "matmul": plain("MatMul"),
    "relu": plain("Relu"),
    "sigmoid": plain("Sigmoid"),
    "tanh": plain("Tanh"),
    "astype": first,
    "clip": _clip,
    "where": _where,
    "sum": _reduction("ReduceSum"),
    "mean": _reduction("ReduceMean"),
    "amax": _reduction("ReduceMax"),
    "amin": _reduction("ReduceMin"),
    "logsumexp": _reduction("ReduceLogSumExp"),
    "reshape": _reshape,
    "squeeze": _reshape,
    "unsqueeze": _reshape,
    "flatten": _flatten,
    "transpose": _transpose,
    "expand": _expand,
    "getitem": _getitem,
    "flip": _flip,
    "pad": _pad,
    "concatenate": _concatenate,
    "stack": _concatenate,
    "linear": _linear,
    "leaky_relu": lambda w, c: w.add("LeakyRelu", c, [first(w, c)], alpha=float(c.options.get("slope", 0.01))),
    "silu": _silu,
    "gelu": lambda w, c: w.add("Gelu", c, [first(w, c)], approximate=c.options.get("approximate", "none")),
    "softplus": _softplus,
    "softmax": _softmax("Softmax"),
    "log_softmax": _softmax("LogSoftmax"),
    "dropout": _dropout,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "embedding": lambda w, c: w.add("Gather", c, [w.of(c, each) for each in c.operands], axis=0),
}
