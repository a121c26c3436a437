"""Chapter 17, video: a layer inflated in time, how many frames an answer sees, and a filter that does not look ahead."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Layers = tuple[tuple[int, int, int], ...]

# What is expected


def inflated(weight: Array, bias: Array, frames: int) -> tuple[Array, Array]:
    """weight (F, C, frames, K, K) and bias (F,) of a layer of clips: what weight (F, C, K, K) says, shared out to all frames."""
    return _spread(weight / frames, frames), bias


def reach(layers: Layers) -> int:
    """How many frames an answer sees after layers of (kernel, stride, dilation) in time."""
    seen, jump = 1, 1
    for kernel, stride, dilation in layers:
        seen += (kernel - 1) * dilation * jump
        jump *= stride
    return seen


def causal(clip: Array, taps: Array, dilation: int) -> Array:
    """clip (T, H, W) filtered in time by taps (K,): the last one on the frame itself, the others before it, zeros at first."""
    return _filtered(clip, taps, [(len(taps) - 1 - k) * dilation for k in range(len(taps))])


def _spread(weight: Array, frames: int) -> Array:
    return np.repeat(weight[:, :, None], frames, axis=2)


def _filtered(clip: Array, taps: Array, delays: list[int]) -> Array:
    """The sum of the taps times the clip, each delayed by so many frames."""
    total = np.zeros_like(clip)
    for tap, delay in zip(taps, delays, strict=True):
        for t in range(len(clip)):
            if 0 <= t - delay < len(clip):
                total[t] += tap * clip[t - delay]
    return total


# How cases are drawn


def _inflated_cases(draw: Draw) -> dict[str, Any]:
    filters, size = draw.integer(1, 3), draw.choice((3, 2))
    return {
        "weight": draw.reals(filters, draw.integer(1, 3), size, size),
        "bias": draw.reals(filters),
        "frames": draw.choice((3, 5, 2)),
    }


def _reach_cases(draw: Draw) -> dict[str, Any]:
    count = draw.integer(1, 4)
    return {
        "layers": tuple(
            (draw.choice((3, 2, 1, 5)), draw.choice((1, 2, 3)), draw.choice((1, 2, 4))) for _ in range(count)
        )
    }


def _causal_cases(draw: Draw) -> dict[str, Any]:
    return {
        "clip": draw.array(draw.integer(1, 8), draw.integer(1, 2), draw.integer(1, 2)),
        "taps": draw.array(draw.integer(1, 3)),
        "dilation": draw.integer(1, 3),
    }


# What students get wrong


def _undivided(weight: Array, bias: Array, frames: int) -> tuple[Array, Array]:
    return _spread(weight, frames), bias


def _bias_divided(weight: Array, bias: Array, frames: int) -> tuple[Array, Array]:
    return _spread(weight / frames, frames), bias / frames


def _bias_repeated(weight: Array, bias: Array, frames: int) -> tuple[Array, Array]:
    return _spread(weight / frames, frames), bias * frames


def _middle_alone(weight: Array, bias: Array, frames: int) -> tuple[Array, Array]:
    wide = np.zeros_like(_spread(weight, frames))
    wide[:, :, frames // 2] = weight
    return wide, bias


def _time_last(weight: Array, bias: Array, frames: int) -> tuple[Array, Array]:
    return np.repeat(weight[..., None] / frames, frames, axis=-1), bias


def _by_area(weight: Array, bias: Array, frames: int) -> tuple[Array, Array]:
    return _spread(weight / (frames * weight.shape[2] * weight.shape[3]), frames), bias


def _kernel_times_dilation(layers: Layers) -> int:
    return 1 + sum((kernel * dilation - 1) * _jump(layers[:at]) for at, (kernel, _, dilation) in enumerate(layers))


def _strides_forgotten(layers: Layers) -> int:
    return 1 + sum((kernel - 1) * dilation for kernel, _, dilation in layers)


def _own_stride(layers: Layers) -> int:
    return 1 + sum((kernel - 1) * dilation * _jump(layers[: at + 1]) for at, (kernel, _, dilation) in enumerate(layers))


def _jump(layers: Layers) -> int:
    return int(np.prod([stride for _, stride, _ in layers], dtype=int))


def _multiplied(layers: Layers) -> int:
    return int(np.prod([(kernel - 1) * dilation + 1 for kernel, _, dilation in layers]))


def _ahead(clip: Array, taps: Array, dilation: int) -> Array:
    return _filtered(clip, taps, [-k * dilation for k in range(len(taps))])


def _centred(clip: Array, taps: Array, dilation: int) -> Array:
    return _filtered(clip, taps, [((len(taps) - 1) // 2 - k) * dilation for k in range(len(taps))])


def _reversed(clip: Array, taps: Array, dilation: int) -> Array:
    return causal(clip, taps[::-1], dilation)


def _undilated(clip: Array, taps: Array, dilation: int) -> Array:
    return causal(clip, taps, 1)


def _around(clip: Array, taps: Array, dilation: int) -> Array:
    last = len(taps) - 1
    return np.sum([tap * np.roll(clip, (last - k) * dilation, axis=0) for k, tap in enumerate(taps)], axis=0)


def _from_the_end(clip: Array, taps: Array, dilation: int) -> Array:
    last = len(taps) - 1
    return np.array(
        [sum(tap * clip[t - (last - k) * dilation] for k, tap in enumerate(taps)) for t in range(len(clip))]
    )


def _repeated(clip: Array, taps: Array, dilation: int) -> Array:
    before = (len(taps) - 1) * dilation
    wide = np.concatenate([np.repeat(clip[:1], before, axis=0), clip])
    return causal(wide, taps, dilation)[before:]


EXERCISES = (
    Exercise(
        name="ex17_1",
        title="A layer, inflated",
        function="my_inflated",
        signature="my_inflated(weight, bias, frames)",
        cases=_inflated_cases,
        expected=inflated,
        returns=("weight", "bias"),
        hints=(
            "On a clip whose frames are all x, what must the filters of the frames add up to? How often is the bias added?",
            "Each frame gets weight / frames; where does the axis of time stand in (F, C, T, K, K)? The bias is added once.",
            "np.repeat(weight[:, :, None] / frames, frames, axis=2), and the bias as it was.",
        ),
        mistakes=(
            Mistake(
                "not divided",
                _undivided,
                "Of so many equal frames, each with the whole filter, the answer is so many times too large.",
            ),
            Mistake(
                "the bias is divided, too",
                _bias_divided,
                "The bias is added once for each moment, not once for each frame that a filter looks at.",
            ),
            Mistake(
                "the bias is multiplied",
                _bias_repeated,
                "The bias is added once for each moment: it stays as it was.",
            ),
            Mistake(
                "in the middle frame alone",
                _middle_alone,
                "That has the property, too, but it looks at one frame: here the filter is to be shared out evenly.",
            ),
            Mistake(
                "time is the last axis",
                _time_last,
                "The axes are (F, C, T, K, K): time stands before height and width.",
            ),
            Mistake(
                "divided by the size of the filter",
                _by_area,
                "What is summed anew are the frames: divide by their number, and by nothing else.",
            ),
        ),
        points=2,
        minutes=15,
        forbidden=("minidil.models.inflate",),
    ),
    Exercise(
        name="ex17_2",
        title="How many frames an answer sees",
        function="my_reach",
        signature="my_reach(layers)",
        cases=_reach_cases,
        expected=reach,
        hints=(
            "One layer of K taps, d apart, sees (K - 1) d + 1 of what goes into it. How far apart are these in frames?",
            "After strides s_1, s_2, ... neighbouring positions are s_1 s_2 ... frames apart. Which strides count for a layer?",
            "Begin with reach 1 and jump 1; for each layer add (kernel - 1) * dilation * jump, then multiply jump by its stride.",
        ),
        mistakes=(
            Mistake(
                "the span is kernel times dilation",
                _kernel_times_dilation,
                "K taps have K - 1 gaps between them: they span (K - 1) d + 1 positions.",
            ),
            Mistake(
                "strides do not count",
                _strides_forgotten,
                "Behind a stride of 2 neighbouring positions are two frames apart, so later layers see twice as far.",
            ),
            Mistake(
                "a layer's own stride counts",
                _own_stride,
                "The taps of a layer lie on its input: only the strides of the layers before it spread them.",
            ),
            Mistake(
                "spans are multiplied",
                _multiplied,
                "Each layer adds to what is seen; a product would count paths, not frames.",
            ),
        ),
        points=2,
        minutes=20,
        forbidden=("minidil.analysis.receptive_field",),
    ),
    Exercise(
        name="ex17_3",
        title="A filter over frames that does not look ahead",
        function="my_causal",
        signature="my_causal(clip, taps, dilation)",
        cases=_causal_cases,
        expected=causal,
        hints=(
            "Which tap looks at frame t itself, and how many frames before it does the first tap look?",
            "Tap k looks at frame t - (K - 1 - k) d. Before the clip there are zeros: put (K - 1) d of them there.",
            "before = (len(taps) - 1) * dilation; wide = np.concatenate([np.zeros((before, *clip.shape[1:])), clip]); "
            "sum taps[k] * wide[k * dilation : k * dilation + len(clip)].",
        ),
        mistakes=(
            Mistake(
                "looks ahead", _ahead, "Frame t may not depend on later frames: all padding belongs before the clip."
            ),
            Mistake(
                "centred",
                _centred,
                "Half of your taps look ahead. The last one belongs on the frame itself, the others before it.",
            ),
            Mistake(
                "taps in reverse", _reversed, "The last tap looks at the frame itself, the first one furthest back."
            ),
            Mistake("not dilated", _undilated, "Neighbouring taps look at frames that lie `dilation` apart."),
            Mistake(
                "the end comes before the beginning",
                _around,
                "np.roll brings the last frames to the front. Before the clip there are zeros.",
            ),
            Mistake(
                "an index below 0",
                _from_the_end,
                "clip[-1] is the last frame, and not a frame of zeros before the first. What is read where the index is below 0?",
            ),
            Mistake(
                "the first frame is repeated",
                _repeated,
                "That is what inflation pads with. Here there are zeros before the clip.",
            ),
        ),
        points=3,
        minutes=20,
        forbidden=("minidil.functional.conv",),
    ),
)
