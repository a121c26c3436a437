"""Random networks with positive weights, and the inputs that one of their outputs depends on by its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import minidil as md
from minidil import nn
from minidil.errors import MinidilError

Layer = tuple[str, dict[str, Any]]


class Twice(nn.Module):
    """One module, called two times."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: md.Tensor) -> md.Tensor:
        return self.body(self.body(x))


class Both(nn.Module):
    """Two branches side by side, as many channels as both have."""

    def __init__(self, a: nn.Module, b: nn.Module) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: md.Tensor) -> md.Tensor:
        return md.functional.concatenate([self.a(x), self.b(x)], axis=1)


def part(name: str, ndim: int) -> Any:
    return getattr(nn, f"{name}{ndim}d")


@st.composite
def layers(draw: st.DrawFn, ndim: int) -> Layer:
    """A kind of layer and its settings, each per axis."""

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    kind = draw(st.sampled_from(("conv", "conv", "max", "avg", "residual", "transposed", "up", "twice", "both")))
    settings: dict[str, Any] = {"kernel": each(1, 4 if ndim == 1 else 3), "dilation": each(1, 3)}
    settings["stride"] = each(1, 3) if kind in ("conv", "max", "avg", "transposed") else (1,) * ndim
    settings["padding"] = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(ndim))
    settings["shift"] = each(0, 6)
    settings["groups"] = draw(st.sampled_from((1, 1, 2)))
    settings["direct"] = draw(st.booleans())
    settings["mode"] = draw(st.sampled_from(("nearest", "linear")))
    settings["size"] = each(2, 9)
    return kind, settings


def built(layer: Layer, ndim: int, smooth: bool) -> nn.Module:
    """smooth: with a mean in the place of a maximum, whose gradient reaches all it looks at."""
    kind, s = layer
    conv = part("Conv", ndim)
    window = {"kernel_size": s["kernel"], "stride": s["stride"], "padding": s["padding"], "dilation": s["dilation"]}
    if kind == "conv":
        return conv(2, 2, groups=s["groups"], bias=False, **window)
    if kind in ("max", "avg"):
        return part("MaxPool" if kind == "max" and not smooth else "AvgPool", ndim)(**window)
    if kind == "transposed":
        return part("ConvTranspose", ndim)(2, 2, groups=s["groups"], bias=False, **window)
    if kind == "up":
        mode = "nearest" if s["mode"] == "nearest" else ("linear", "bilinear")[ndim - 1]
        return nn.Upsample(s["size"], mode=mode)
    reach = [d * (k - 1) for d, k in zip(s["dilation"], s["kernel"], strict=True)]
    sided = [(min(first, total), total - min(first, total)) for first, total in zip(s["shift"], reach, strict=True)]
    body = conv(2, 2, s["kernel"], padding=sided, dilation=s["dilation"], bias=False)
    if kind == "twice":
        return Twice(body)
    other = conv(2, 2, 3, padding=1, bias=False)
    if kind == "both":
        return nn.Sequential(Both(body, other), conv(4, 2, 1, groups=s["groups"], bias=False))
    return nn.Residual(body, None if s["direct"] else other)


def shape_after(layer: nn.Module, size: tuple[int, ...]) -> tuple[int, ...]:
    """The spatial axes of its output. Raises: MinidilError if it does not fit."""
    with md.use("numpy"), md.no_grad():
        return layer(md.tensor(np.zeros((1, 2, *size), np.float32))).shape[2:]


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Module, nn.Module, tuple[int, ...], tuple[int, ...]]:
    """A network, the same with means for maxima, its input shape, and an output position."""
    ndim = draw(st.integers(1, 2))
    size = tuple(draw(st.integers(5, 24 if ndim == 1 else 11)) for _ in range(ndim))
    pair = nn.Sequential(), nn.Sequential()
    out = size
    for layer in draw(st.lists(layers(ndim), min_size=1, max_size=6)):
        try:
            added = [built(layer, ndim, smooth) for smooth in (False, True)]
            out_now, _ = (shape_after(each, out) for each in added)
        except MinidilError:  # it does not fit what is left of the input
            continue
        if np.prod(out_now) > 1500:
            continue
        out = out_now
        for model, module in zip(pair, added, strict=True):
            model.append(module)
    seed = draw(st.integers(0, 2**16))
    for model in pair:
        positive(model, seed)
    at = tuple(draw(st.integers(0, n - 1)) for n in out)
    return *pair, (2, *size), at


def positive(model: nn.Module, seed: int = 0) -> nn.Module:
    """In float64, with weights in 1/2 .. 3/2, so that no two paths cancel."""
    rng = np.random.default_rng(seed)
    model.astype(np.float64).eval()
    for parameter in model.parameters():
        parameter.data = rng.uniform(0.5, 1.5, parameter.shape)
    return model


def by_gradient(model: nn.Module, input_shape: tuple[int, ...], at: tuple[int, ...]) -> np.ndarray:
    """Where the gradient of an output position, summed over channels, is not 0: an array of the input's spatial axes."""
    x = md.tensor(np.ones((1, *input_shape)), requires_grad=True)
    y = model(x)
    gradient = np.zeros(y.shape)
    gradient[(0, slice(None), *at)] = 1
    y.backward(gradient)
    return (x.grad.numpy()[0] != 0).any(axis=0)
