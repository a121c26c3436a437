"""What the operators of ONNX are in minidil: each reader of `READERS` turns a node into a function of its inputs.

A reader looks at everything that is told, and refuses what it does not know, before anything is computed: an attribute that were
passed over would make a graph that runs and is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.deploy.onnx_file import FileNode
from minidil.errors import CheckpointError, ShapeError

Run: TypeAlias = Callable[..., Any]
"""The node's inputs, tensors or None, in; its result out."""

LARGEST = 2**31  # numbers that a node may ask for by itself
WIDEST = 2**16  # positions that a window spans, steps or is padded by


@dataclass
class Reading:
    """A node being read. constants: those of its inputs that are known. learnt, counted: the places of its inputs that become
    parameters and buffers."""

    node: FileNode
    constants: Sequence[Array | None]
    learnt: set[int] = field(default_factory=set)
    counted: set[int] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)

    def refuse(self, why: str) -> CheckpointError:
        return CheckpointError(f"{self.node.place}: {why}")

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, which is then known."""
        self._seen.add(name)
        value = self.node.attributes.get(name, default)
        kinds = (list, tuple) if isinstance(default, list) else (int, float) if isinstance(default, float) else ()
        if default is not None and not isinstance(value, kinds or type(default)):
            raise self.refuse(f"its {name} is {value!r}")
        return list(value) if isinstance(default, list) else value

    def only(self, **values: Any) -> None:
        """Attributes that may have one value."""
        for name, wanted in values.items():
            found = self.attribute(name, wanted)
            if found != wanted:
                raise self.refuse(f"{name}={found!r} is not read, only {wanted!r}")

    def finish(self) -> None:
        """Raises: CheckpointError for an attribute that no one asked for."""
        if unknown := sorted(self.node.attributes.keys() - self._seen):
            raise self.refuse(f"its attribute {', '.join(unknown)} is not read")

    def given(self, place: int) -> bool:
        return place < len(self.node.inputs) and bool(self.node.inputs[place])

    def numbers(self, place: int, what: str) -> list[int] | None:
        """The whole numbers of an input that must be constant; None if it is left out."""
        if not self.given(place):
            return None
        array = self.constants[place]
        if array is None or array.dtype.kind not in "iu":
            raise self.refuse(f"its {what} must be whole numbers in the file, and are computed")
        return [int(n) for n in array.reshape(-1)]

    def learn_all(self) -> None:
        """Arrays of numbers with a fraction that arithmetic takes are learnt, unless they are `to_onnx`'s own constants."""
        own = re.compile(r"constant(_\d+)?")
        for place, (name, array) in enumerate(zip(self.node.inputs, self.constants, strict=True)):
            if array is not None and array.dtype.kind == "f" and array.ndim and not own.fullmatch(name):
                self.learnt.add(place)

    def weight(self, place: int, ndim: int | None = None) -> Array:
        """An input that must be a constant and is learnt."""
        array = self.constants[place] if self.given(place) else None
        if array is None or (ndim is not None and array.ndim != ndim):
            raise self.refuse(
                f"input {place} must be an array in the file" + (f" with {ndim} axes" if ndim is not None else "")
            )
        self.learn_all()
        return array


Reader: TypeAlias = Callable[[Reading], Run]


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


def _ends(r: Reading, name: str, ndim: int) -> list[tuple[int, int]]:
    pads = r.attribute(name, [0] * 2 * ndim)
    if len(pads) != 2 * ndim or not all(isinstance(n, int) and 0 <= n <= WIDEST for n in pads):
        raise r.refuse(f"its {name} are {pads}, where {2 * ndim} numbers in 0..{WIDEST} are read")
    return list(zip(pads[:ndim], pads[ndim:], strict=True))


def _padding(r: Reading, ndim: int) -> Any:
    word = r.attribute("auto_pad", "NOTSET")
    words = {"NOTSET": None, "VALID": "valid", "SAME_UPPER": "same"}
    if word not in words:
        raise r.refuse(f"auto_pad={word!r} is not read")
    pads = _ends(r, "pads", ndim)
    return pads if words[word] is None else words[word]


def _counts(r: Reading, name: str, ndim: int, least: int = 1, default: int = 1) -> tuple[int, ...]:
    values = r.attribute(name, [default] * ndim)
    if len(values) != ndim or not all(isinstance(n, int) and least <= n <= WIDEST for n in values):
        raise r.refuse(f"its {name} are {values}, where {ndim} numbers in {least}..{WIDEST} are read")
    return tuple(values)


def _convolution(function: Run, transposed: bool) -> Reader:
    def read(r: Reading) -> Run:
        weight = r.weight(1)
        ndim = weight.ndim - 2
        if not 1 <= ndim <= 3:
            raise r.refuse(f"its weight has the shape {weight.shape}, where 1 to 3 spatial axes are read")
        if r.given(2):
            r.weight(2, 1)
        kernel = r.attribute("kernel_shape", list(weight.shape[2:]))
        if tuple(kernel) != weight.shape[2:]:
            raise r.refuse(f"its kernel_shape is {kernel}, and its weight has the shape {weight.shape}")
        options: dict[str, Any] = {
            "stride": _counts(r, "strides", ndim),
            "dilation": _counts(r, "dilations", ndim),
            "groups": r.attribute("group", 1),
        }
        if transposed:
            r.only(auto_pad="NOTSET")
            options |= {"padding": _ends(r, "pads", ndim), "output_padding": _counts(r, "output_padding", ndim, 0, 0)}
            r.only(output_shape=[])
        else:
            options["padding"] = _padding(r, ndim)
        return lambda x, weight, bias=None: function(x, weight, bias, **options)

    return read


def _pooling(function: Run, average: bool) -> Reader:
    def read(r: Reading) -> Run:
        kernel = r.attribute("kernel_shape", [])
        ndim = len(kernel)
        if not 1 <= ndim <= 3:
            raise r.refuse(f"its kernel_shape is {kernel}, where 1 to 3 spatial axes are read")
        options: dict[str, Any] = {
            "kernel_size": _counts(r, "kernel_shape", ndim),
            "stride": _counts(r, "strides", ndim),
            "dilation": _counts(r, "dilations", ndim),
            "padding": _padding(r, ndim),
            "ceil_mode": bool(r.attribute("ceil_mode", 0)),
        }
        if average:
            options["count_include_pad"] = bool(r.attribute("count_include_pad", 0))
        else:
            r.only(storage_order=0)
        return lambda x: function(_images(r, x, ndim), **options)

    return read


def _images(r: Reading, x: Any, ndim: int) -> Any:
    if x.ndim != ndim + 2:
        raise ShapeError(f"{r.node.place}: x must have {ndim} spatial axes, and is {x.shape}")
    return x


def _global_max(r: Reading) -> Run:
    return lambda x: F.max_pool(x, kernel_size=x.shape[2:])


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
    _bounded(r, sizes)
    return lambda x, _: F.expand(x, shape=np.broadcast_shapes(x.shape, tuple(sizes)))


def _bounded(r: Reading, sizes: Sequence[int]) -> None:
    if min(sizes, default=0) < 0 or math.prod(max(n, 1) for n in sizes) > LARGEST:
        raise r.refuse(f"it asks for the sizes {list(sizes)}; at most {LARGEST:,} numbers are made")


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
    _bounded(r, pads)
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


_MODES = {
    ("nearest", "asymmetric"): (("nearest",) * 3, False),
    ("linear", "half_pixel"): (("linear", "bilinear", "trilinear"), False),
    ("linear", "align_corners"): (("linear", "bilinear", "trilinear"), True),
    ("cubic", "half_pixel"): (("", "bicubic", ""), False),
    ("cubic", "align_corners"): (("", "bicubic", ""), True),
}


def _resize(r: Reading) -> Run:
    mode, coordinates = r.attribute("mode", "nearest"), r.attribute("coordinate_transformation_mode", "half_pixel")
    if (mode, coordinates) not in _MODES:
        raise r.refuse(f"mode {mode!r} with coordinates {coordinates!r} is not read")
    rounding, slope = r.attribute("nearest_mode", "round_prefer_floor"), r.attribute("cubic_coeff_a", -0.75)
    if (mode == "nearest" and rounding != "floor") or (mode == "cubic" and slope != -0.75):
        raise r.refuse(f"nearest_mode {rounding!r}, or cubic_coeff_a {slope}, is not read")
    r.only(antialias=0, exclude_outside=0, keep_aspect_ratio_policy="stretch", extrapolation_value=0.0)
    axes, sizes = r.attribute("axes", []), r.numbers(3, "sizes")
    factors = None if sizes is not None or not r.given(2) else r.constants[2]
    told = sizes if sizes is not None else None if factors is None else [float(f) for f in factors.reshape(-1)]
    if not told or (axes and (axes != list(range(2, len(told) + 2)))):
        raise r.refuse(f"its sizes or scales must be in the file, for all axes or the spatial ones, not {axes}")
    head, tail = ([], told) if axes else (told[:2], told[2:])
    if not 1 <= len(tail) <= 3 or (sizes is None and head not in ([], [1.0, 1.0])):
        raise r.refuse(f"it resizes {told}, where 1 to 3 spatial axes are read")
    if sizes is not None:
        _bounded(r, sizes)
    elif not all(0 < f < LARGEST for f in tail):
        raise r.refuse(f"it resizes by {told}")
    words, corners = _MODES[mode, coordinates]
    word, name = words[len(tail) - 1], "size" if sizes is not None else "scale_factor"
    if not word:
        raise r.refuse(f"mode {mode!r} is read for 2 spatial axes")

    def run(x: Any, *_: Any) -> Any:
        if sizes is not None and head and tuple(head) != x.shape[:2]:
            raise ShapeError(f"{r.node.place}: x {x.shape} does not begin with the sizes {head} that it keeps")
        chosen: dict[str, Any] = {name: tuple(tail)}
        return F.interpolate(x, mode=word, align_corners=corners, **chosen)

    return run


READERS: dict[str, Reader] = {
    "Abs": _simple(F.absolute),
    "Add": _simple(F.add, 2),
    "AveragePool": _pooling(F.avg_pool, average=True),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _convolution(F.conv, transposed=False),
    "ConvTranspose": _convolution(F.conv_transpose, transposed=True),
    "Div": _simple(F.divide, 2),
    "Dropout": _dropout,
    "Exp": _simple(F.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _simple(F.global_avg_pool),
    "GlobalMaxPool": _global_max,
    "Identity": _simple(lambda x: x),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _leaky,
    "Log": _simple(F.log),
    "LogSoftmax": _axis(F.log_softmax),
    "MatMul": _matmul,
    "Max": _folded(F.maximum),
    "MaxPool": _pooling(F.max_pool, average=False),
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
    "Resize": _resize,
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
