"""The rules of ops that slide a window over positions, spread them, or resize a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from minidil.analysis.call import Call, Rule, Single, Unknown
from minidil.analysis.layout import CHANNEL, Layout
from minidil.analysis.taps import Regions, Resized, Slide, Spread, Taps
from minidil.kernels.geometry import Window, per_axis, with_overhang

_WINDOW = (("stride", 1), ("padding", 0), ("dilation", 1))


def _over(layout: Layout, count: int, map_of: Callable[[int], Taps], mixed: bool | None = None) -> Single:
    """The map of every one of the last `count` axes, which must be positions, and behind a channel axis."""
    spatial = layout.spatial()[-count:]
    if [axis for axis, _ in spatial] != list(range(len(layout.roles) - count, len(layout.roles))):
        raise Unknown(f"slides over its last {count} axes, which are not all positions of the model's input")
    if layout.roles[-count - 1] != CHANNEL:
        raise Unknown(f"takes axis {len(layout.roles) - count - 1} for channels, and it holds something else")
    maps = layout.identity()
    for number, (_, label) in enumerate(spatial):
        maps[label] = map_of(number)
    return layout.resized(maps, mixed), maps


def _conv(call: Call, layout: Layout) -> Single:
    kernel = call.shapes[1][2:]
    size, options = call.shapes[0][-len(kernel) :], call.options
    window = Window.of(size, kernel, *(options.get(name, usual) for name, usual in _WINDOW))
    mixed = layout.mixed or options.get("groups", 1) == 1
    return _over(layout, len(kernel), lambda axis: _slide(window, axis), mixed)


def _slide(window: Window, axis: int) -> Taps:
    return Slide(
        window.size[axis],
        window.out[axis],
        window.kernel[axis],
        window.stride[axis],
        window.dilation[axis],
        window.padding[axis][0],
    )


def _conv_transpose(call: Call, layout: Layout) -> Single:
    kernel = call.shapes[1][2:]
    count = len(kernel)
    size, out, options = call.shapes[0][-count:], call.result[-count:], call.options
    window = Window.of((1 << 40,) * count, kernel, *(options.get(name, usual) for name, usual in _WINDOW))
    mixed = layout.mixed or options.get("groups", 1) == 1
    settings = list(zip(window.kernel, window.stride, window.dilation, (p for p, _ in window.padding), strict=True))
    return _over(layout, count, lambda axis: Spread(size[axis], out[axis], *settings[axis]), mixed)


def _pool(call: Call, layout: Layout) -> Single:
    options = call.options
    count = len(call.shapes[0]) - 2
    size, kernel = call.shapes[0][2:], options["kernel_size"]
    stride = kernel if options.get("stride") is None else options["stride"]
    padding, dilation = options.get("padding", 0), options.get("dilation", 1)
    if options.get("ceil_mode"):
        window, _ = with_overhang(size, kernel, stride, padding, dilation, call.op)
    else:
        window = Window.of(size, kernel, stride, padding, dilation)
    return _over(layout, count, lambda axis: _slide(window, axis))


def _adaptive(call: Call, layout: Layout) -> Single:
    size, out = call.shapes[0][2:], call.result[2:]
    return _over(layout, len(size), lambda axis: Regions(size[axis], out[axis]))


def _interpolate(call: Call, layout: Layout) -> Single:
    size, out, options = call.shapes[0][2:], call.result[2:], call.options
    mode = options.get("mode", "nearest")
    kind = "nearest" if mode == "nearest" else "cubic" if mode == "bicubic" else "linear"
    factor = options.get("scale_factor")
    scales = factor if isinstance(factor, Sequence) else (factor,) * len(size)
    corners = options.get("align_corners", False)
    return _over(layout, len(size), lambda axis: Resized(size[axis], out[axis], kind, scales[axis], corners))


def _insert_zeros(call: Call, layout: Layout) -> Single:
    size, out = call.shapes[0][2:], call.result[2:]
    factors = per_axis(call.options["factor"], len(size), "factor", call.op, least=1)
    return _over(layout, len(size), lambda axis: Spread(size[axis], out[axis], 1, factors[axis]))


RULES: dict[str, Rule] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "max_pool": _pool,
    "avg_pool": _pool,
    "adaptive_avg_pool": _adaptive,
    "interpolate": _interpolate,
    "insert_zeros": _insert_zeros,
}
