"""Hypothesis strategies: windows down to inputs that the dilated kernel only just fits, and arrays in every memory layout."""

from dataclasses import dataclass
from math import prod

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from minidil.kernels.geometry import Window

LAYOUTS = ("contiguous", "channels-last", "transposed", "sliced", "reversed", "read-only")


def examples(most: int) -> settings:
    """So many examples; in the fast part as small a share of them as it draws of the usual 40 (conftest.py), but five or all."""
    usual, here = settings.get_profile("minidil").max_examples, settings().max_examples
    return settings(max_examples=max(min(most, 5), most * here // usual))


@dataclass(frozen=True)
class ConvCase:
    """A convolution: its window, and arrays that fit it."""

    window: Window
    groups: int
    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    grad: np.ndarray

    @property
    def geometry(self):
        """(stride, padding, dilation), as the oracles take them."""
        return self.window.stride, self.window.padding, self.window.dilation

    @property
    def options(self):
        """The keywords of `minidil.functional.conv`."""
        stride, padding, dilation = self.geometry
        return {"stride": stride, "padding": padding, "dilation": dilation, "groups": self.groups}


@st.composite
def windows(draw, max_axes=3, min_axes=1, max_positions=40, pooling=False):
    """A window with any stride, asymmetric padding and dilation. `slack` counts the positions beyond those it needs, from 0.

    pooling: pad less than a span, and only so that every window sees some of the input.
    """
    ndim = draw(st.integers(min_axes, max_axes))
    kernel, stride, padding, dilation, size = [], [], [], [], []
    for _ in range(ndim):
        k, d = draw(st.integers(1, 4 if ndim == 1 else 3)), draw(st.integers(1, 4))
        before, after = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
        slack = draw(st.integers(0, 5 if ndim < 3 else 2))
        n = max(d * (k - 1) + 1 - before - after + slack, 1)
        kernel.append(k), dilation.append(d), size.append(n)
        stride.append(draw(st.integers(1, 3))), padding.append((before, after))
    window = Window.of(size, kernel, stride, padding, dilation)
    if pooling and not window.hits.all():
        window = Window.of([n + sum(p) for n, p in zip(size, padding, strict=True)], kernel, stride, 0, dilation)
    return window


@st.composite
def conv_cases(draw, max_axes=3, dtypes=(np.float32, np.float64), max_batch=3, max_work=None, any_layout=True):
    """A convolution with 1 to `max_axes` spatial axes. max_work: an upper bound for its number of products."""
    window = draw(windows(max_axes))
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    counts = st.sampled_from((1, 2, 3, 5, 17) if groups == 1 else (1, 2, 3))
    per_group, filters = draw(counts), draw(counts)
    batch = draw(st.integers(0, max_batch))
    if max_work is not None:
        while prod((batch, groups, per_group, filters, window.taps, *window.out)) > max_work:
            if max(batch, groups, per_group, filters) == 1:
                break
            batch, groups, per_group, filters = (max(n // 2, min(n, 1)) for n in (batch, groups, per_group, filters))
    dtype, rng = draw(st.sampled_from(dtypes)), np.random.default_rng(draw(st.integers(0, 2**16)))

    def array(*shape):
        values = rng.standard_normal(shape).astype(dtype)
        return laid_out(values, draw(st.sampled_from(LAYOUTS))) if any_layout else values

    return ConvCase(
        window,
        groups,
        x=array(batch, groups * per_group, *window.size),
        weight=array(groups * filters, per_group, *window.kernel),
        bias=array(groups * filters) if draw(st.booleans()) else None,
        grad=array(batch, groups * filters, *window.out),
    )


def laid_out(values, layout):
    """The same values in another order of memory."""
    if values.ndim == 0:
        return np.array(values)
    match layout:
        case "channels-last":
            axis = min(1, values.ndim - 1)
            result = np.moveaxis(np.ascontiguousarray(np.moveaxis(values, axis, -1)), -1, axis)
        case "transposed":
            result = np.ascontiguousarray(values.T).T
        case "sliced":
            between = np.nan if values.dtype.kind == "f" else 99  # what must not be read
            roomy = np.full([2 * n + 1 for n in values.shape], between, values.dtype)
            result = roomy[(slice(1, None, 2),) * values.ndim]
            result[...] = values
        case "reversed":
            everything = (slice(None, None, -1),) * values.ndim
            result = values[everything].copy()[everything]
        case "read-only":
            result = values.copy()
            result.flags.writeable = False
        case _:
            result = np.ascontiguousarray(values)
    assert result.shape == values.shape
    assert np.array_equal(result, values, equal_nan=values.dtype.kind == "f")
    return result


def tolerance(dtype, terms=1):
    """Options of assert_allclose for sums of `terms` products of numbers around 1."""
    unit = 200 * np.finfo(dtype).eps
    return {"rtol": unit, "atol": unit * max(terms, 1) ** 0.5}
