"""Chapter 15, sequences: the gradient of weight norm, and a wave in few levels."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Gradients = tuple[Array, Array]


# What is expected


def gradients(v: Array, g: Array, slope: Array) -> Gradients:
    """dL/dv (F, n) and dL/dg (F,) of w = g v / |v|, row by row, where slope (F, n) is dL/dw."""
    unit = v / _length(v)
    along = (slope * unit).sum(axis=1)
    return g[:, None] / _length(v) * (slope - along[:, None] * unit), along


def level(x: Array, levels: int) -> Array:
    """The mu-law level, int64 0 .. levels - 1, of each sample from -1 to 1; what is louder counts as 1."""
    mu = levels - 1
    return _rounded(_bent(np.clip(x, -1, 1), mu), mu)


def _length(v: Array) -> Array:
    return np.sqrt((v * v).sum(axis=1, keepdims=True))


def _bent(x: Array, mu: float) -> Array:
    return np.sign(x) * np.log1p(mu * np.abs(x)) / np.log1p(mu)


def _rounded(bent: Array, mu: float) -> Array:
    return np.floor((bent + 1) / 2 * mu + 0.5).astype(np.int64)


# How cases are drawn


def _gradient_cases(draw: Draw) -> dict[str, Any]:
    filters, n = draw.integer(1, 3), draw.integer(1, 4)
    v = draw.reals(filters, n)
    return {"v": v + np.where(v < 0, -0.5, 0.5), "g": draw.reals(filters), "slope": draw.reals(filters, n)}


def _level_cases(draw: Draw) -> dict[str, Any]:
    return {"x": draw.reals(draw.integer(1, 5)) * draw.choice((1.0, 0.01, 3.0)), "levels": draw.choice((256, 4, 16))}


# What students get wrong


def _without_direction(v: Array, g: Array, slope: Array) -> Gradients:
    return g[:, None] / _length(v) * slope, gradients(v, g, slope)[1]


def _without_g(v: Array, g: Array, slope: Array) -> Gradients:
    grad_v, grad_g = gradients(v, np.ones_like(g), slope)
    return grad_v, grad_g


def _without_length(v: Array, g: Array, slope: Array) -> Gradients:
    grad_v, grad_g = gradients(v, g, slope)
    return grad_v * _length(v), grad_g


def _along_v(v: Array, g: Array, slope: Array) -> Gradients:
    grad_v, _ = gradients(v, g, slope)
    return grad_v, (slope * v).sum(axis=1)


def _one_length(v: Array, g: Array, slope: Array) -> Gradients:
    unit = v / np.sqrt((v * v).sum())
    along = (slope * unit).sum(axis=1)
    return g[:, None] / np.sqrt((v * v).sum()) * (slope - along[:, None] * unit), along


def _cut_off(x: Array, levels: int) -> Array:
    mu = levels - 1
    return np.floor((_bent(np.clip(x, -1, 1), mu) + 1) / 2 * mu).astype(np.int64)


def _mu_is_levels(x: Array, levels: int) -> Array:
    return np.minimum(_rounded(_bent(np.clip(x, -1, 1), levels), levels), levels - 1)


def _not_bent(x: Array, levels: int) -> Array:
    return _rounded(np.clip(x, -1, 1), levels - 1)


def _without_sign(x: Array, levels: int) -> Array:
    return _rounded(np.abs(_bent(np.clip(x, -1, 1), levels - 1)), levels - 1)


def _not_limited(x: Array, levels: int) -> Array:
    return _rounded(_bent(x, levels - 1), levels - 1)


EXERCISES = (
    Exercise(
        name="ex15_1",
        title="The gradient of weight norm",
        function="my_gradients",
        signature="my_gradients(v, g, slope)",
        cases=_gradient_cases,
        expected=gradients,
        returns=("grad_v", "grad_g"),
        hints=(
            "Write w = g u with u = v / |v|, each row by itself. What is dL/dg? How does |v| change when v does?",
            "dL/dg = sum(slope u). And du = (dv - u sum(u dv)) / |v|: of a step, what lies along u is taken away.",
            "u = v / |v|; along = (slope * u).sum(axis=1); g[:, None] / |v| * (slope - along[:, None] * u), and along.",
        ),
        mistakes=(
            Mistake(
                "the length is taken for a constant",
                _without_direction,
                "|v| depends on v, too: what the gradient has along v must be taken away, or a step would lengthen v in vain.",
            ),
            Mistake(
                "g is forgotten", _without_g, "w is g times the direction, so the gradient in v is g times as large."
            ),
            Mistake(
                "not divided by the length",
                _without_length,
                "The longer v is, the less a step turns it: the gradient in v is divided by |v|.",
            ),
            Mistake(
                "g is multiplied by v instead of its direction",
                _along_v,
                "w = g u with u = v / |v|, so dL/dg is the sum of slope times u, not times v.",
            ),
            Mistake(
                "one length for all filters",
                _one_length,
                "Each row of v is a filter with a length of its own; yours is the length of all rows together.",
            ),
        ),
        points=3,
        minutes=25,
    ),
    Exercise(
        name="ex15_2",
        title="A wave in few levels",
        function="my_level",
        signature="my_level(x, levels)",
        cases=_level_cases,
        expected=level,
        hints=(
            "Limit x to -1 .. 1, bend it by f(x), which runs from -1 to 1 as well, and cut that range into even steps.",
            "mu = levels - 1; f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu). (f + 1) / 2 * mu runs from 0 to mu: take the nearest.",
            "np.floor((f + 1) / 2 * mu + 0.5).astype(np.int64), with f = np.sign(x) * np.log1p(mu * np.abs(x)) / np.log1p(mu).",
        ),
        mistakes=(
            Mistake("cut off instead of rounded", _cut_off, "The nearest level is wanted; yours is the one below."),
            Mistake(
                "mu is the number of levels",
                _mu_is_levels,
                "levels marks have levels - 1 steps between them, and mu is that.",
            ),
            Mistake(
                "nothing is bent",
                _not_bent,
                "Those are even steps of x. The logarithm makes them fine where it is quiet.",
            ),
            Mistake(
                "the sign is lost", _without_sign, "f(x) has the sign of x: half of the levels are for what is below 0."
            ),
            Mistake("louder than 1", _not_limited, "There are levels for -1 to 1 only: what is louder counts as 1."),
        ),
        points=2,
        minutes=20,
    ),
)
