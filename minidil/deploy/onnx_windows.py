"""What sliding windows and resizing are called in ONNX.

Runtimes agree where everything is spelled out, and differ on the rest: so padding by a word, ceil mode and output padding are
turned into plain numbers here. (ONNX Runtime and the reference evaluator of ONNX both refuse an output padding that reaches the
stride, which is right for a larger dilation; ONNX Runtime also refuses pooling whose padding reaches the kernel.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minidil.functional as F
from minidil.array import Array
from minidil.deploy.onnx_calls import OpCall
from minidil.deploy.onnx_ops import Write, first, of
from minidil.deploy.onnx_writer import NoEquivalentError, Writer
from minidil.kernels.backend import use
from minidil.kernels.geometry import Window, per_axis, with_overhang

Pads = Sequence[tuple[int, int]]


def _sizes(call: OpCall) -> tuple[int, ...]:
    """The spatial axes of x, which has its batch axis and no other that follows the batch."""
    dims = of(call).dims
    if len(dims) < 3 or dims[0] > 0 or min(dims[1:]) < 1:
        raise NoEquivalentError(f"x is {dims} and not (N, C, *S), where sizes below 0 follow the batch")
    return dims[2:]


def ends(pads: Pads) -> list[int]:
    """As ONNX lists them: what is before on all axes, then what is after."""
    return [before for before, _ in pads] + [after for _, after in pads]


def _spread(value: Any, ndim: int, call: OpCall) -> list[int]:
    return list(per_axis(value, ndim, "option", call.op, least=0))


def _padded(w: Writer, call: OpCall, name: str, pads: Pads, value: float) -> str:
    widths = w.ints(ends(((0, 0), (0, 0), *pads)))
    return w.add("Pad", call, [name, widths, w.constant(value, dtype=call.dtype)], mode="constant")


def _conv(w: Writer, call: OpCall) -> str:
    size, options = _sizes(call), call.options
    stride, padding, dilation = (options.get(name, usual) for name, usual in _WINDOW)
    window = Window.of(size, _kernel(call), stride, padding, dilation, call.op)
    return w.add(
        "Conv",
        call,
        [w.of(call, each) for each in call.operands if each is not None],
        kernel_shape=list(window.kernel),
        strides=list(window.stride),
        dilations=list(window.dilation),
        group=int(options.get("groups", 1)),
        pads=ends(window.padding),
    )


_WINDOW: tuple[tuple[str, Any], ...] = (("stride", 1), ("padding", 0), ("dilation", 1))


def _kernel(call: OpCall) -> tuple[int, ...]:
    return of(call, 1).dims[2:]


def _conv_transpose(w: Writer, call: OpCall) -> str:
    size, options, kernel = _sizes(call), call.options, _kernel(call)
    ndim = len(size)
    stride, dilation = (_spread(options.get(name, 1), ndim, call) for name in ("stride", "dilation"))
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    pads = Window.of(spans, kernel, stride, options.get("padding", 0), dilation, op=call.op).padding
    extra = _spread(options.get("output_padding", 0), ndim, call)
    # Positions at the end are wanted by output_padding and taken away by padding: the difference is all there is to say.
    taken = [(before, max(after - more, 0)) for (before, after), more in zip(pads, extra, strict=True)]
    more = [max(n - after, 0) for (_, after), n in zip(pads, extra, strict=True)]
    beyond = any(n >= step for n, step in zip(more, stride, strict=True))
    inputs = [w.of(call, each) for each in call.operands if each is not None]
    bias = inputs.pop() if beyond and len(inputs) == 3 else None
    y = w.add(
        "ConvTranspose",
        call,
        inputs,
        kernel_shape=list(kernel),
        strides=stride,
        dilations=dilation,
        group=int(options.get("groups", 1)),
        pads=ends(taken),
        output_padding=[0] * ndim if beyond else more,
    )
    if beyond:  # no tap reaches these positions, where there is the bias alone
        y = _padded(w, call, y, [(0, n) for n in more], 0.0)
    if bias is None:
        return y
    return w.add("Add", call, [y, w.add("Unsqueeze", call, [bias, w.ints(range(1, ndim + 1))])])


def _pool_window(call: OpCall) -> tuple[Window, tuple[int, ...]]:
    """The window, and how far it hangs over the padded end."""
    size, options = _sizes(call), call.options
    step = options["kernel_size"] if options.get("stride") is None else options["stride"]
    settings = (options["kernel_size"], step, options.get("padding", 0), options.get("dilation", 1), call.op)
    if options.get("ceil_mode", False):
        return with_overhang(size, *settings)
    return Window.of(size, *settings), (0,) * len(size)


def _pooled(w: Writer, call: OpCall, window: Window, operator: str, filler: float, **attributes: Any) -> str:
    x, pads = first(w, call), window.padding
    if any(max(pair) >= k for pair, k in zip(pads, window.kernel, strict=True)):
        x, pads = _padded(w, call, x, pads, filler), ((0, 0),) * len(pads)
    return w.add(
        operator,
        call,
        [x],
        kernel_shape=list(window.kernel),
        strides=list(window.stride),
        dilations=list(window.dilation),
        pads=ends(pads),
        **attributes,
    )


def _max_pool(w: Writer, call: OpCall) -> str:
    window, _ = _pool_window(call)
    if window.kernel == window.size and window.out == (1,) * len(window.size) and not any(map(any, window.padding)):
        return w.add("GlobalMaxPool", call, [first(w, call)])
    return _pooled(w, call, window, "MaxPool", -math.inf)


def _avg_pool(w: Writer, call: OpCall) -> str:
    window, overhang = _pool_window(call)
    y = _pooled(w, call, window, "AveragePool", 0.0, count_include_pad=1)
    # That is the sum over prod(K) taps; which of them count differs between runtimes, so it is said in numbers.
    divisor = call.options.get("divisor_override")
    if divisor is not None:
        share: Any = window.taps / divisor
    elif not call.options.get("count_include_pad", True):
        share = window.taps / window.hits
    elif any(overhang):
        size = [n - beyond for n, beyond in zip(window.padded, overhang, strict=True)]
        beyond = [(0, n) for n in overhang]
        share = window.taps / Window.of(size, window.kernel, window.stride, beyond, window.dilation).hits
    else:
        return y
    return y if np.all(np.equal(share, 1)) else w.add("Mul", call, [y, w.constant(share, dtype=call.dtype)])


def _adaptive_avg_pool(w: Writer, call: OpCall) -> str:
    size = _sizes(call)
    out = per_axis(call.options["output_size"], len(size), "output_size", call.op, least=1)
    if out == (1,) * len(size):
        return w.add("GlobalAveragePool", call, [first(w, call)])
    if not any(n % o for n, o in zip(size, out, strict=True)):
        regions = [n // o for n, o in zip(size, out, strict=True)]
        return _pooled(w, call, Window.of(size, regions, regions), "AveragePool", 0.0)
    averages = [_matrix(partial(F.adaptive_avg_pool, output_size=(o,)), n) for n, o in zip(size, out, strict=True)]
    return _by_matrices(w, call, averages)


def _matrix(function: Callable[[Array], Any], size: int) -> NDArray[np.floating[Any]]:
    """The matrix (O, S) of a linear map along an axis: its columns are what it makes of the unit vectors."""
    with use("numpy"):
        made: NDArray[np.floating[Any]] = function(np.eye(size)[None]).numpy()[0].T
    return made


def _by_matrices(w: Writer, call: OpCall, matrices: Sequence[Array]) -> str:
    name, dims = first(w, call), list(of(call).dims)
    for axis, matrix in enumerate(matrices, start=2):
        if matrix.shape[0] != matrix.shape[1] or not np.array_equal(matrix, np.eye(len(matrix))):
            name = w.mapped(call, name, tuple(dims), axis, matrix)
        dims[axis] = len(matrix)
    return name if name != first(w, call) else w.add("Identity", call, [name])


_MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}


def _interpolate(w: Writer, call: OpCall) -> str:
    size, options = _sizes(call), call.options
    out = call.dims[2:]
    mode, corners = options.get("mode", "nearest"), bool(options.get("align_corners", False))
    factor = options.get("scale_factor")
    scales = factor if isinstance(factor, tuple | list) else (factor,) * len(size)
    exact = all(f is None or n * f == o for n, f, o in zip(size, scales, out, strict=True))
    if mode == "nearest" and exact:
        exact = all(_rounds_alike(n, o) for n, o in zip(size, out, strict=True))
    if exact:
        coordinates = "align_corners" if corners else "asymmetric" if mode == "nearest" else "half_pixel"
        extra: dict[str, Any] = {"nearest_mode": "floor"} if mode == "nearest" else {}
        extra |= {"cubic_coeff_a": -0.75} if mode == "bicubic" else {}
        return w.add(
            "Resize",
            call,
            [first(w, call), "", "", w.ints(out)],
            mode=_MODES[mode],
            coordinate_transformation_mode=coordinates,
            axes=list(range(2, len(call.dims))),
            **extra,
        )
    # A runtime takes the scale from the sizes, in float32: where that is not what was asked for, the map is spelled out.
    settings = {"scale_factor": scales} if factor is not None else {"size": out}
    return _by_matrices(w, call, [_resizing(n, axis, settings, mode, corners) for axis, n in enumerate(size)])


def _rounds_alike(size: int, out: int) -> bool:
    """Whether floor(o S / O) comes out right when the quotient O / S, or S / O, was rounded to float32."""
    o = np.arange(out, dtype=np.float32)
    scale = np.float32(out) / np.float32(size)
    right = np.arange(out) * size // out
    return bool((np.floor(o / scale) == right).all() and (np.floor(o * (np.float32(1) / scale)) == right).all())


def _resizing(size: int, axis: int, settings: dict[str, Any], mode: str, corners: bool) -> NDArray[np.floating[Any]]:
    """The matrix of resizing along one axis; bicubic has two, of which the other one then has a single position."""
    ((name, values),) = settings.items()
    chosen: dict[str, Any] = {name: (values[axis],)}
    if mode == "bicubic":
        chosen = {name: (values[axis], 1)}
        return _matrix(lambda x: F.interpolate(x[..., None], mode=mode, align_corners=corners, **chosen)[..., 0], size)
    kind = "nearest" if mode == "nearest" else "linear"
    return _matrix(lambda x: F.interpolate(x, mode=kind, align_corners=corners, **chosen), size)


WRITERS: dict[str, Write] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "adaptive_avg_pool": _adaptive_avg_pool,
    "interpolate": _interpolate,
}
