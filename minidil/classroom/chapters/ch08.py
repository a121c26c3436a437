"""Chapter 8, a network on photographs: a split from which nothing leaks, top-k accuracy, and images cropped and mirrored."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

_PIXELS = (0, 2, 3)


# What is expected


def split(images: Array, order: Array, count: int) -> tuple[Array, Array]:
    """(train, validation): the first `count` are for validation; both without the mean and spread of the training images."""
    validation, train = images[order[:count]], images[order[count:]]
    mean, std = train.mean(axis=_PIXELS, keepdims=True), train.std(axis=_PIXELS, keepdims=True)
    return (train - mean) / std, (validation - mean) / std


def top_k(scores: Array, labels: Array, k: int) -> float:
    """scores (N, C), labels (N,): the share of the images whose label is among the k largest scores."""
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    return float(((scores > own).sum(axis=1) < k).mean())


def crop_and_flip(images: Array, padding: int, tops: Array, lefts: Array, flips: Array) -> Array:
    """(N, C, H, W) of the same shape: a part of each padded image, some of them mirrored from left to right."""
    return _cropped(images, padding, tops, lefts, flips, axis=-1)


def _cropped(images: Array, padding: int, tops: Array, lefts: Array, flips: Array, axis: int) -> Array:
    height, width = images.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    made = np.empty_like(images)
    for number, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        part = padded[number, :, top : top + height, left : left + width]
        made[number] = np.flip(part, axis) if flips[number] else part
    return made


# How cases are drawn


def _split_cases(draw: Draw) -> dict[str, Any]:
    number = draw.integer(2, 5)
    images = draw.reals(number, draw.integer(1, 2), 2, draw.integer(2, 3))
    return {"images": images, "order": np.argsort(draw.reals(number)), "count": draw.integer(1, number - 1)}


def _top_k_cases(draw: Draw) -> dict[str, Any]:
    number, classes = draw.integer(1, 4), draw.integer(1, 5)
    scores = np.argsort(draw.reals(number, classes), axis=1).astype(float)  # no two of an image are equal
    return {"scores": scores, "labels": draw.labels(number, classes), "k": draw.integer(1, classes)}


def _crop_cases(draw: Draw) -> dict[str, Any]:
    number, padding = draw.integer(1, 3), draw.integer(0, 2)
    places = 2 * padding + 1
    return {
        "images": draw.array(number, draw.integer(1, 2), draw.integer(1, 4), draw.integer(1, 4)),
        "padding": padding,
        "tops": draw.labels(number, places),
        "lefts": draw.labels(number, places),
        "flips": draw.labels(number, 2) == 1,
    }


# What students get wrong


def _split_by(images: Array, order: Array, count: int, seen: Array, **how: Any) -> tuple[Array, Array]:
    validation, train = images[order[:count]], images[order[count:]]
    mean, std = seen.mean(**how, keepdims=True), seen.std(**how, keepdims=True)
    return (train - mean) / std, (validation - mean) / std


def _split_leaking(images: Array, order: Array, count: int) -> tuple[Array, Array]:
    return _split_by(images, order, count, images, axis=_PIXELS)


def _split_each_its_own(images: Array, order: Array, count: int) -> tuple[Array, Array]:
    train, _ = split(images, order, count)
    _, validation = _split_by(images, order, count, images[order[:count]], axis=_PIXELS)
    return train, validation


def _split_one_mean(images: Array, order: Array, count: int) -> tuple[Array, Array]:
    return _split_by(images, order, count, images[order[count:]], axis=(0, 1, 2, 3))


def _split_by_position(images: Array, order: Array, count: int) -> tuple[Array, Array]:
    return _split_by(images, order, count, images[order[count:]], axis=0)


def _split_unshuffled(images: Array, order: Array, count: int) -> tuple[Array, Array]:
    return split(images, np.arange(len(images)), count)


def _split_exchanged(images: Array, order: Array, count: int) -> tuple[Array, Array]:
    train, validation = split(images, order, count)
    return validation, train


def _split_unbiased(images: Array, order: Array, count: int) -> tuple[Array, Array]:
    return _split_by(images, order, count, images[order[count:]], axis=_PIXELS, ddof=1)


def _top_one(scores: Array, labels: Array, k: int) -> float:
    return top_k(scores, labels, 1)


def _top_smallest(scores: Array, labels: Array, k: int) -> float:
    return top_k(-scores, labels, k)


def _top_one_more(scores: Array, labels: Array, k: int) -> float:
    return top_k(scores, labels, k + 1)


def _top_by_rank(scores: Array, labels: Array, k: int) -> float:
    return float(np.mean(np.argsort(-scores, axis=1)[:, k - 1] == labels))


def _top_count(scores: Array, labels: Array, k: int) -> float:
    return len(labels) * top_k(scores, labels, k)


def _top_share_of_k(scores: Array, labels: Array, k: int) -> float:
    return top_k(scores, labels, k) / k


def _crop_upside_down(images: Array, padding: int, tops: Array, lefts: Array, flips: Array) -> Array:
    return _cropped(images, padding, tops, lefts, flips, axis=-2)


def _crop_flipped_first(images: Array, padding: int, tops: Array, lefts: Array, flips: Array) -> Array:
    mirrored = np.where(flips[:, None, None, None], images[..., ::-1], images)
    return _cropped(mirrored, padding, tops, lefts, np.zeros_like(flips), axis=-1)


def _crop_all_alike(images: Array, padding: int, tops: Array, lefts: Array, flips: Array) -> Array:
    first = np.zeros(len(images), int)
    return _cropped(images, padding, tops[first], lefts[first], flips, axis=-1)


def _crop_all_flipped(images: Array, padding: int, tops: Array, lefts: Array, flips: Array) -> Array:
    return _cropped(images, padding, tops, lefts, np.full(len(images), flips.any()), axis=-1)


def _crop_turned(images: Array, padding: int, tops: Array, lefts: Array, flips: Array) -> Array:
    return _cropped(images, padding, lefts, tops, flips, axis=-1)


def _crop_never_flipped(images: Array, padding: int, tops: Array, lefts: Array, flips: Array) -> Array:
    return _cropped(images, padding, tops, lefts, np.zeros_like(flips), axis=-1)


EXERCISES = (
    Exercise(
        name="ex08_1",
        title="A split from which nothing leaks",
        function="my_split",
        signature="my_split(images, order, count)",
        cases=_split_cases,
        expected=split,
        returns=("train", "validation"),
        hints=(
            "Validation is to tell how the network does on images that nothing was learnt from. Mean and standard "
            "deviation are learnt, too: from which images?",
            "Divide first, then compute: one mean and one standard deviation a channel, from the training images "
            "alone. Both parts are normalised with these.",
            "validation, train = images[order[:count]], images[order[count:]]; mean and std of train along axis=(0, "
            "2, 3) with keepdims=True; return (train - mean) / std, (validation - mean) / std.",
        ),
        mistakes=(
            Mistake(
                "validation images leak into the statistics",
                _split_leaking,
                "Mean and standard deviation are those of all images, validation included: so something of them is "
                "known before they are judged. Divide first.",
            ),
            Mistake(
                "each part has statistics of its own",
                _split_each_its_own,
                "The validation images are normalised by themselves, so the network sees them in another light than "
                "those it learns from, and one image alone could not be judged at all.",
            ),
            Mistake(
                "one mean for all channels",
                _split_one_mean,
                "Red, green and blue have a mean and a standard deviation each.",
            ),
            Mistake(
                "a mean for every position",
                _split_by_position,
                "The mean is taken over the images only. It is one number a channel, over images, rows and columns.",
            ),
            Mistake(
                "the order is ignored",
                _split_unshuffled,
                "The images are taken as they stand. Data sets are often sorted by class, so the first ones are no fair sample.",
            ),
            Mistake(
                "training and validation exchanged",
                _split_exchanged,
                "The first to be returned are the training images.",
            ),
            Mistake(
                "divided by n - 1",
                _split_unbiased,
                "The standard deviation is the root of the mean square distance here (NumPy's std as it is).",
            ),
        ),
        points=2,
        minutes=20,
    ),
    Exercise(
        name="ex08_2",
        title="Top-k accuracy",
        function="my_top_k",
        signature="my_top_k(scores, labels, k)",
        cases=_top_k_cases,
        expected=top_k,
        hints=(
            "For one image: how many classes have a larger score than the right one, if the right one is among the k best?",
            "You can sort (np.argsort sorts upwards, so the best are at the end), or count the classes with a larger score.",
            "own = scores[np.arange(len(labels)), labels]; larger = (scores > own[:, None]).sum(axis=1); the answer "
            "is the mean of larger < k.",
        ),
        mistakes=(
            Mistake("k is ignored", _top_one, "Only the best class counts. With k = 2 the second best is right, too."),
            Mistake(
                "the k smallest scores",
                _top_smallest,
                "np.argsort sorts upwards: the first ones have the smallest scores.",
            ),
            Mistake(
                "one class too many",
                _top_one_more,
                "If k classes have a larger score, the right one is number k + 1.",
            ),
            Mistake(
                "only the k-th counts",
                _top_by_rank,
                "The label is compared with the class at place k alone. The places before it are right, too.",
            ),
            Mistake("a number of images for a share", _top_count, "Asked for is the share of the images, from 0 to 1."),
            Mistake(
                "a share of all guesses",
                _top_share_of_k,
                "You divide by the number of guesses, N * k. An image is right if one of its k guesses is.",
            ),
        ),
        points=2,
        minutes=15,
    ),
    Exercise(
        name="ex08_3",
        title="Crop and mirror",
        function="my_crop_and_flip",
        signature="my_crop_and_flip(images, padding, tops, lefts, flips)",
        cases=_crop_cases,
        expected=crop_and_flip,
        hints=(
            "Begin with one image and a loop: pad it, cut a part of the old size out of it, mirror that part or not.",
            "np.pad takes (before, after) for each axis: nothing for images and channels. The part begins at row "
            "tops[n] and column lefts[n] of the padded image.",
            "part = padded[n, :, top : top + H, left : left + W]; where flips[n] is true, part[:, :, ::-1] takes its place.",
        ),
        mistakes=(
            Mistake(
                "mirrored upside down",
                _crop_upside_down,
                "The rows are exchanged. Left and right are the last axis, the columns.",
            ),
            Mistake(
                "mirrored before it is cropped",
                _crop_flipped_first,
                "Mirroring comes last. If it comes first, the crop takes the other end of the image.",
            ),
            Mistake(
                "one crop for all images",
                _crop_all_alike,
                "Every image is cropped where the first one is. Each has a place of its own: tops[n], lefts[n].",
            ),
            Mistake(
                "all images are mirrored, or none",
                _crop_all_flipped,
                "If one is mirrored, all are. Which of them to mirror is said image by image.",
            ),
            Mistake(
                "rows and columns exchanged",
                _crop_turned,
                "tops are rows, the axis of the height; lefts are columns.",
            ),
            Mistake(
                "nothing is mirrored", _crop_never_flipped, "flips has no effect: look at an image where it is True."
            ),
        ),
        points=2,
        minutes=20,
        forbidden=("minidil.data.transforms.PadCrop", "minidil.data.transforms.Flip"),
    ),
)
