"""Chapter 14, segmentation: overlap with its 0/0, the slope of soft Dice, and weights that begin as the identity."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

# What is expected


def mean_iou(said: Array, true: Array) -> float:
    """The mean IoU of masks (N, H, W) of 0 and 1 over those pictures that have a pixel in one of the two."""
    both, either = _counts(said, true)
    return float((both[either > 0] / either[either > 0]).mean())


def dice_slope(p: Array, t: Array, e: float) -> Array:
    """The gradient in p of 1 - (2 sum p t + e) / (sum p + sum t + e)."""
    total = p.sum() + t.sum() + e
    return (_dice(p, t, e) - 2 * t) / total


def identity(channels: int, kernel_size: int) -> Array:
    """Weights (C, C, K, K) that copy every channel."""
    weight = np.zeros((channels, channels, kernel_size, kernel_size))
    weight[:, :, kernel_size // 2, kernel_size // 2] = np.eye(channels)
    return weight


def _counts(said: Array, true: Array) -> tuple[Array, Array]:
    return (said * true).sum(axis=(1, 2)), np.maximum(said, true).sum(axis=(1, 2))


def _dice(p: Array, t: Array, e: float) -> float:
    return float((2 * (p * t).sum() + e) / (p.sum() + t.sum() + e))


# How cases are drawn


def _mask_cases(draw: Draw) -> dict[str, Any]:
    shape = (draw.integer(1, 3), draw.integer(1, 2), draw.integer(1, 3))
    said, true = (
        draw.labels(int(np.prod(shape)), 2).reshape(shape) * draw.labels(shape[0], 2)[:, None, None] for _ in range(2)
    )
    true[-1, 0, 0] = 1  # one picture at least has a pixel
    return {"said": said, "true": true}


def _dice_cases(draw: Draw) -> dict[str, Any]:
    n = draw.integer(1, 5)
    p = 1 / (1 + np.abs(draw.reals(n)))
    return {"p": p, "t": draw.labels(n, 2).astype(np.float64), "e": draw.choice((1.0, 0.25))}


def _identity_cases(draw: Draw) -> dict[str, Any]:
    return {"channels": draw.integer(1, 4), "kernel_size": draw.choice((3, 1, 5))}


# What students get wrong


def _undefined_as(value: float) -> Any:
    def wrong(said: Array, true: Array) -> float:
        both, either = _counts(said, true)
        return float(np.where(either > 0, both / np.maximum(either, 1), value).mean())

    return wrong


def _pooled(said: Array, true: Array) -> float:
    both, either = _counts(said, true)
    return float(both.sum() / either.sum())


def _mean_dice(said: Array, true: Array) -> float:
    both, either = _counts(said, true)
    return float((2 * both[either > 0] / (both + either)[either > 0]).mean())


def _accuracy(said: Array, true: Array) -> float:
    return float((said == true).mean())


def _union_as_sum(said: Array, true: Array) -> float:
    both, either = _counts(said, true)
    return float((both[either > 0] / (both + either)[either > 0]).mean())


def _product_of_sums(p: Array, t: Array, e: float) -> Array:
    total = p.sum() + t.sum() + e
    return ((2 * p.sum() * t.sum() + e) / total - 2 * t) / total


def _one_at_every_pair(channels: int, kernel_size: int) -> Array:
    weight = np.zeros((channels, channels, kernel_size, kernel_size))
    weight[:, :, kernel_size // 2, kernel_size // 2] = 1
    return weight


def _at_the_first_tap(channels: int, kernel_size: int) -> Array:
    weight = np.zeros((channels, channels, kernel_size, kernel_size))
    weight[:, :, 0, 0] = np.eye(channels)
    return weight


def _at_every_tap(channels: int, kernel_size: int) -> Array:
    return np.eye(channels)[:, :, None, None] * np.ones((kernel_size, kernel_size))


EXERCISES = (
    Exercise(
        name="ex14_1",
        title="Mean IoU, and what is 0/0",
        function="my_mean_iou",
        signature="my_mean_iou(said, true)",
        cases=_mask_cases,
        expected=mean_iou,
        hints=(
            "Count, for each picture by itself, the pixels in both masks and those in one of them at least. When is that second "
            "number 0?",
            "both = (said & true).sum(axis=(1, 2)), either = (said | true).sum(axis=(1, 2)). Keep the pictures with either > 0.",
            "defined = either > 0, then (both[defined] / either[defined]).mean().",
        ),
        mistakes=(
            Mistake(
                "0/0 counts as 0",
                _undefined_as(0.0),
                "A picture without an object, of which none was said, was answered rightly. It has no IoU: leave it out.",
            ),
            Mistake(
                "0/0 counts as 1",
                _undefined_as(1.0),
                "A picture without an object has no IoU. Counted as 1, empty pictures make any method look good: leave it out.",
            ),
            Mistake(
                "0/0 stays in the mean",
                _undefined_as(np.nan),
                "0/0 is nan, and so is the mean with it. Which pictures have no IoU? Leave them out.",
            ),
            Mistake(
                "pooled over all pictures",
                _pooled,
                "That is the IoU over the pixels of all pictures together. Asked for is the mean of each picture's own.",
            ),
            Mistake("Dice", _mean_dice, "That is Dice, 2|P and T| / (|P| + |T|). IoU divides by |P or T|."),
            Mistake(
                "accuracy",
                _accuracy,
                "You count every pixel that is right, background too. IoU never counts what is background in both.",
            ),
            Mistake(
                "|P| + |T| for the union",
                _union_as_sum,
                "|P| + |T| counts what lies in both twice; the union counts it once.",
            ),
        ),
        points=2,
        minutes=15,
        forbidden=("minidil.tasks.segmentation.Overlap", "minidil.tasks.segmentation.iou"),
    ),
    Exercise(
        name="ex14_2",
        title="The slope of soft Dice",
        function="my_dice_slope",
        signature="my_dice_slope(p, t, e)",
        cases=_dice_cases,
        expected=dice_slope,
        hints=(
            "D is a quotient, and both its parts depend on every p. Which rule has two terms?",
            "With S = p.sum() + t.sum() + e: dD/dp_i = 2 t_i / S - (2 sum p t + e) / S^2. The second term is D / S.",
            "total = p.sum() + t.sum() + e; overlap = (2 * (p * t).sum() + e) / total; (overlap - 2 * t) / total.",
        ),
        mistakes=(
            Mistake(
                "the numerator's slope alone",
                lambda p, t, e: -2 * t / (p.sum() + t.sum() + e),
                "S depends on p, too: what is said beside the object makes S larger, and must be pushed down.",
            ),
            Mistake(
                "the slope of D",
                lambda p, t, e: -dice_slope(p, t, e),
                "The loss is 1 - D, so its slope is that of D with the other sign.",
            ),
            Mistake(
                "the 2 is forgotten",
                lambda p, t, e: (_dice(p, t, e) - t) / (p.sum() + t.sum() + e),
                "The numerator of D is 2 sum p t + e: its slope is 2 t.",
            ),
            Mistake(
                "the product of the sums",
                _product_of_sums,
                "The numerator of D sums the products p_i t_i; yours is the product of the two sums.",
            ),
            Mistake(
                "e only below",
                lambda p, t, e: (2 * (p * t).sum() / (p.sum() + t.sum() + e) - 2 * t) / (p.sum() + t.sum() + e),
                "e stands above and below: a picture without the object, of which none is said, has D = 1.",
            ),
            Mistake(
                "not divided by S",
                lambda p, t, e: _dice(p, t, e) - 2 * t,
                "D - 2 t is right but for the factor 1 / S.",
            ),
        ),
        points=3,
        minutes=20,
        forbidden=("minidil.functional.dice_loss",),
    ),
    Exercise(
        name="ex14_3",
        title="Weights that begin as the identity",
        function="my_identity",
        signature="my_identity(channels, kernel_size)",
        cases=_identity_cases,
        expected=identity,
        hints=(
            "Output channel f shall be input channel f. Which single tap looks at the very position of the output?",
            "With padding that keeps the size it is the middle one, number kernel_size // 2 on both axes, whatever the dilation.",
            "weight = np.zeros((channels, channels, kernel_size, kernel_size)), and np.eye(channels) at its middle tap.",
        ),
        mistakes=(
            Mistake(
                "every channel into every one",
                _one_at_every_pair,
                "Each output is now the sum of all channels. Copy channel c into channel c alone.",
            ),
            Mistake(
                "the first tap",
                _at_the_first_tap,
                "The first tap looks up and to the left: the map is shifted. The middle one looks at the position itself.",
            ),
            Mistake(
                "every tap",
                _at_every_tap,
                "Each output is now the sum of its neighbours. One tap alone is 1.",
            ),
            Mistake(
                "shared out among the channels",
                lambda channels, kernel_size: identity(channels, kernel_size) / channels,
                "A copy has weight 1, however many channels there are: nothing else is added to it.",
            ),
        ),
        points=2,
        minutes=15,
        forbidden=("minidil.nn.init.dirac", "minidil.models.context_module"),
    ),
)
