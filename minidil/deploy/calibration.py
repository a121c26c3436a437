"""`quantize`: a model whose values were watched on some images, in whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from minidil.array import Array
from minidil.errors import BackendError, DtypeError, OptionError
from minidil.kernels.backend import use
from minidil.nn import Module
from minidil.tensor import Tensor

if TYPE_CHECKING:
    from minidil.deploy.fake import FakeQuantized
    from minidil.deploy.fuse import Fused
    from minidil.deploy.int8_plan import Int8Plan

CALIBRATIONS = ("max", "percentile")
_IMAGES = 32  # at a time
_BINS = 1 << 13  # of the histogram that percentiles are read from


def quantize(
    model: Module,
    images: Tensor | Array,
    *,
    calibration: str = "max",
    percentile: float = 99.99,
    bits: int = 8,
    weight_bits: int | None = None,
) -> Int8Plan:
    """The model in whole numbers: weights in int8, a scale for each filter; values in uint8, a scale and a zero for each.

    The plan that comes back is called like one of `compile`; `plan.network` is what it computes, step by step.

    images: (N, *input_shape) as the model gets them, normalised, a few hundred of the training set: they tell between what
        bounds each value lies, which are made to include 0, so that padding is exact. Batch norm is folded first.
    calibration: "max" takes the smallest and the largest number seen; "percentile" leaves out those above the given percentile,
        and as many at the lower end.
    bits: of the values, 2 to 8; weight_bits: of the weights, as many unless given. With fewer than 8 nothing gets smaller or
        faster: it tells what the accuracy would be.
    The model may be in training mode, and stays in the one it is in.
    Raises: OptionError for options that are none; without images; for numbers in the images, the weights or the values that are
        not finite; for what `compile` refuses, and a transposed convolution, by the layer's name; DtypeError unless
        model and images are float32; BackendError without Numba.
    Source: Jacob et al. 2018, arXiv:1712.05877; Krishnamoorthi 2018, arXiv:1806.08342, section 3, for a scale for each filter.
    """
    return fake_quantized(
        model, images, calibration=calibration, percentile=percentile, bits=bits, weight_bits=weight_bits
    ).quantized()


def fake_quantized(
    model: Module,
    images: Tensor | Array,
    *,
    calibration: str = "max",
    percentile: float = 99.99,
    bits: int = 8,
    weight_bits: int | None = None,
) -> FakeQuantized:
    """What `quantize` makes, still in float32, to be trained on for the rounding: then its `quantized()` is the network.

    Arguments and errors are those of `quantize`.
    """
    x = np.asarray(images.numpy() if isinstance(images, Tensor) else images)
    weight_bits = bits if weight_bits is None else weight_bits
    _check(x, calibration, percentile, bits, weight_bits)
    if not find_spec("numba"):
        raise BackendError("quantize: the model is run on Numba, which is not installed: pip install numba")
    from minidil.deploy.fake import FakeQuantized  # here, as they bring Numba
    from minidil.deploy.fuse import fuse
    from minidil.deploy.quantized_steps import check_weights
    from minidil.deploy.recording import record

    with use("numba"):
        recording = record(model, x.shape[1:])
        if recording.dtype != np.float32:
            raise DtypeError(f"quantize: the model's numbers are {recording.dtype}, and must be float32")
        fused = fuse(recording)
        for stage in fused.stages:
            check_weights(stage)
        ranges = _extremes(fused, x)
        if calibration == "percentile":
            ranges = _percentiles(fused, x, ranges, percentile)
        return FakeQuantized(recording, fused, ranges, weight_bits, bits)


def _check(x: Array, calibration: str, percentile: float, bits: int, weight_bits: int) -> None:
    if calibration not in CALIBRATIONS:
        raise OptionError(f"quantize: calibration must be one of {', '.join(CALIBRATIONS)}, not {calibration!r}")
    if not 50 < percentile <= 100:
        raise OptionError(f"quantize: percentile must be > 50 and <= 100, not {percentile!r}")
    for name, value in (("bits", bits), ("weight_bits", weight_bits)):
        if not isinstance(value, int) or isinstance(value, bool) or not 2 <= value <= 8:
            raise OptionError(f"quantize: {name} must be a whole number from 2 to 8, not {value!r}")
    if x.ndim < 2 or not len(x):
        raise OptionError(f"quantize: images must be (N, *input_shape) with at least one image, not {x.shape}")
    if x.dtype != np.float32:
        raise DtypeError(f"quantize: images must be float32, as the model gets them, not {x.dtype}")
    if not np.isfinite(x).all():
        raise OptionError("quantize: there are numbers in the images that are not finite")


def _extremes(fused: Fused, x: Array) -> dict[int, tuple[float, float]]:
    """The smallest and the largest number of every value. Raises: OptionError for one that is not finite."""
    found: dict[int, tuple[float, float]] = {}
    names = {stage.makes: (stage.words[-1], stage.layers[-1:]) for stage in fused.stages}
    for number, value in _values(fused, x):
        low, high = float(value.min()), float(value.max())
        if not np.isfinite([low, high]).all():
            word, layer = names[number]
            where = f"layer {layer[0]!r}" if layer else "the model's own forward"
            raise OptionError(f"quantize: {word} in {where} makes numbers that are not finite of these images")
        before = found.get(number, (low, high))
        found[number] = min(low, before[0]), max(high, before[1])
    return found


def _percentiles(
    fused: Fused, x: Array, extremes: dict[int, tuple[float, float]], percentile: float
) -> dict[int, tuple[float, float]]:
    """The ends of every value without those beyond the percentile, to a bin of the range between the extremes."""
    counts = {number: np.zeros(_BINS, np.int64) for number in extremes}
    for number, value in _values(fused, x):
        counts[number] += np.histogram(value, _BINS, extremes[number])[0]
    found = {}
    for number, (low, high) in extremes.items():
        below = np.cumsum(counts[number]) / counts[number].sum()
        edges = np.linspace(low, high, _BINS + 1)
        beyond = 1 - percentile / 100
        first, last = np.searchsorted(below, beyond, "right"), np.searchsorted(below, 1 - beyond)
        found[number] = float(edges[first]), float(edges[last + 1])
    return found


def _values(fused: Fused, x: Array) -> Iterator[tuple[int, Array]]:
    """Every value that the stages make of the images, some images at a time; the images themselves are value 0."""
    from minidil.deploy.quantized_steps import operands
    from minidil.deploy.steps import KINDS, Plain

    steps = [KINDS[stage.kind](stage, x.dtype) for stage in fused.stages]
    for first in range(0, len(x), _IMAGES):
        part = x[first : first + _IMAGES]
        values = {0: part}
        yield 0, part
        for stage, step in zip(fused.stages, steps, strict=True):
            sources = [values[value] for value in operands(stage)]
            if isinstance(step, Plain):
                made = step.call(sources)
            else:
                out = np.empty((len(part), *stage.shape[1:], stage.shape[0]), x.dtype)
                step.run([np.moveaxis(source, 1, -1).copy() for source in sources], out)
                made = np.moveaxis(out, -1, 1)
            values[stage.makes] = made
            yield stage.makes, made
