"""What ONNX's sliding windows and its resizing are in minidil."""

from __future__ import annotations

from typing import Any

import minidil.functional as F
from minidil.deploy.onnx_reading import LARGEST, Reader, Reading, Run
from minidil.errors import ShapeError

WIDEST = 2**16  # positions that a window spans, steps or is padded by


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
        r.bounded(sizes)
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
    "AveragePool": _pooling(F.avg_pool, average=True),
    "Conv": _convolution(F.conv, transposed=False),
    "ConvTranspose": _convolution(F.conv_transpose, transposed=True),
    "GlobalMaxPool": _global_max,
    "MaxPool": _pooling(F.max_pool, average=False),
    "Resize": _resize,
}
