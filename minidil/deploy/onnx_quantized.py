"""A network in whole numbers in ONNX: QDQ, operators on float32 between nodes that round to grids and come back from them.

A runtime that knows integers puts DequantizeLinear, Conv and QuantizeLinear together and multiplies int8; one that does not
computes the same in float32, but for what rounding of sums moves across the edge between two numbers of a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.deploy import recording
from minidil.deploy.onnx_calls import OpCall, Value
from minidil.deploy.onnx_ops import Write
from minidil.deploy.onnx_windows import ends
from minidil.deploy.onnx_writer import INPUT, NoEquivalentError, Writer
from minidil.deploy.quantized import Grid, MaxPool, Mean, Plain, Quantized, Step, Sum, Weighted
from minidil.kernels.geometry import Window

_FLOAT = np.dtype(np.float32)


def add_network(w: Writer, network: Quantized, writers: Mapping[str, Write]) -> tuple[OpCall, list[str]]:
    """Write the nodes; w.values then names every value, in float32. Returns the last call, and what has no equivalent."""
    shapes = {0: network.input_shape} | {step.makes: step.shape for step in network.steps}
    start = OpCall("input", "", network.model, (), {}, (-1, *network.input_shape), _FLOAT)
    w.values[0] = _on_grid(w, start, INPUT, network.grid)
    refused, last = list[str](), start
    for step in network.steps:
        last = _call(step, shapes, network.model)
        w.values[step.makes] = f"value {step.makes}"  # what follows a refusal is looked at as well
        try:
            w.values[step.makes] = _STEPS[type(step)](w, step, last, writers)
        except NoEquivalentError as reason:
            refused.append(f"{last.place()}: {reason}")
    return last, refused


def _call(step: Step, shapes: Mapping[int, tuple[int, ...]], model: str) -> OpCall:
    """The step as a call, so that nodes have its layer's name."""
    layer = step.layers[0] if step.layers else ""
    values = [_value(number, shapes) for number in step.reads]
    if not isinstance(step, Plain):
        return OpCall(step.words[0], layer, model, tuple(values), {}, (-1, *step.shape), _FLOAT)
    left = iter(values)
    operands = tuple(
        next(left) if isinstance(each, recording.Value) else _constant(each) for each in step.call.operands
    )
    options = {name: _option(each) for name, each in step.call.options.items()}
    return OpCall(step.call.op, layer, model, operands, options, (-1, *step.shape), _FLOAT)


def _value(number: int, shapes: Mapping[int, tuple[int, ...]]) -> Value:
    return Value(number, "", None, (-1, *shapes[number]), _FLOAT)


def _constant(given: Any) -> Value | None:
    if given is None:
        return None
    array = np.asarray(given)
    return Value(None, "", array, array.shape, None if isinstance(given, int | float) else array.dtype)


def _option(given: Any) -> Any:
    if isinstance(given, tuple | list):
        return tuple(map(_option, given))
    return _constant(given) if isinstance(given, np.ndarray) else given


def _on_grid(w: Writer, call: OpCall, name: str, grid: Grid, low: int = 0, high: int | None = None) -> str:
    """The value rounded to low..high of the grid, in float32."""
    high = grid.high if high is None else high
    numbers = grid.numbers(np.array([low, high], np.uint8))
    if (low, high) == (grid.zero, 255) and low:
        name = w.add("Relu", call, [name])
    elif low or high < 255:  # QuantizeLinear itself ends at 0 and 255
        name = w.add("Clip", call, [name, *(w.constant(number) for number in numbers)])
    facts = [w.constant(grid.scale, dtype=np.float32), w.constant(grid.zero, dtype=np.uint8)]
    return w.add("DequantizeLinear", call, [w.add("QuantizeLinear", call, [name, *facts]), *facts])


def _dequantised(w: Writer, call: OpCall, whole: Array, scale: Array, name: str) -> str:
    """Constants, with a scale for each entry of axis 0."""
    # Left out, the zeros would be these; but one runtime looks for them.
    zeros = w.constant(np.zeros(len(scale), whole.dtype))
    return w.add("DequantizeLinear", call, [w.constant(whole, name), w.constant(scale), zeros], axis=0)


def _weighted(w: Writer, step: Weighted, call: OpCall, writers: Mapping[str, Write]) -> str:
    window, whole = step.window, step.weight
    weight = _dequantised(w, call, whole, step.weight_scale, f"{call.layer}.weight")
    unit = step.weight_scale * np.float32(step.source().scale)
    bias = _dequantised(w, call, step.bias, unit, f"{call.layer}.bias")
    x = w.values[step.reads[0]]
    if window is None:
        y = w.add("Gemm", call, [x, weight, bias], transB=1)
    else:
        y = w.add(
            "Conv",
            call,
            [x, weight, bias],
            kernel_shape=list(window.kernel),
            strides=list(window.stride),
            dilations=list(window.dilation),
            group=step.groups,
            pads=ends(window.padding),
        )
    if step.grid is None:
        return y
    if len(step.reads) > 1:
        y = w.add("Add", call, [y, w.values[step.reads[1]]])
    y = _on_grid(w, call, y, step.grid, step.low, step.high)
    if step.pool is None:
        return y
    # Pooling takes a value with a number of its own, which no other has.
    w.values[-1] = y
    before = Value(-1, "", None, (-1, len(whole), *step.pool.size), _FLOAT)
    return _pooled(w, call, before, step.pool, step.grid, writers)


def _pooled(w: Writer, call: OpCall, x: Value, pool: Window, grid: Grid, writers: Mapping[str, Write]) -> str:
    options = {"kernel_size": pool.kernel, "stride": pool.stride, "padding": pool.padding, "dilation": pool.dilation}
    pooling = OpCall("max_pool", call.layer, call.of, (x,), options, call.dims, _FLOAT)
    return _on_grid(w, call, writers["max_pool"](w, pooling), grid)


def _sum(w: Writer, step: Sum, call: OpCall, writers: Mapping[str, Write]) -> str:
    names = [w.values[number] for number in step.reads]
    y = w.add("Add", call, names) if len(names) > 1 else names[0]
    return _on_grid(w, call, y, step.made(), step.low, step.high)


def _mean(w: Writer, step: Mean, call: OpCall, writers: Mapping[str, Write]) -> str:
    x = w.values[step.reads[0]]
    if len(step.shape) > 1:
        return _on_grid(w, call, w.add("GlobalAveragePool", call, [x]), step.made())
    (value,) = call.operands
    assert value is not None  # for the type checker: it reads one value
    axes = w.ints(range(2, len(value.dims)))
    return _on_grid(w, call, w.add("ReduceMean", call, [x, axes], keepdims=0), step.made())


def _max_pool(w: Writer, step: MaxPool, call: OpCall, writers: Mapping[str, Write]) -> str:
    (value,) = call.operands
    assert value is not None  # for the type checker: it reads one value
    return _pooled(w, call, value, step.pool, step.made(), writers)


def _plain(w: Writer, step: Plain, call: OpCall, writers: Mapping[str, Write]) -> str:
    if call.op not in writers:
        raise NoEquivalentError("an op without one")
    y = writers[call.op](w, call)
    return y if step.grid is None else _on_grid(w, call, y, step.grid)


_STEPS: dict[type[Step], Callable[[Writer, Any, OpCall, Mapping[str, Write]], str]] = {
    Weighted: _weighted,
    Sum: _sum,
    Mean: _mean,
    MaxPool: _max_pool,
    Plain: _plain,
}
