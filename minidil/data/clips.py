"""Clips made of the pixels of an image set: crops that move, and a picture that returns or does not.

Clip i of a split follows from (seed, split, i) alone, and its pixels are those of images of that split.
"""

from dataclasses import dataclass

import numpy as np

from minidil.data.clip_set import Clips
from minidil.data.dataset import SPLITS, Dataset, Floats, check_split
from minidil.data.digits import digits
from minidil.errors import OptionError

WHAT = ("returns", "motion", "object")
COUNTS = {"train": 4000, "test": 1000}
CUE = 2  # frames at either end of a clip that show what is to be compared


@dataclass(frozen=True)
class Motion:
    """How a camera moves, a frame: by (y, x) pixels; what it sees grows by a factor, and turns counterclockwise by degrees."""

    y: float = 0.0
    x: float = 0.0
    enlarging: float = 1.0
    degrees: float = 0.0


_PANS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
_PANS |= {
    f"{row} {column}": (_PANS[row][0], _PANS[column][1]) for row in ("up", "down") for column in ("left", "right")
}
MOTIONS = {
    **{f"pan {name}": Motion(y, x) for name, (y, x) in _PANS.items()},
    "zoom in": Motion(enlarging=1.05),
    "zoom out": Motion(enlarging=1 / 1.05),
    "turn left": Motion(degrees=6),
    "turn right": Motion(degrees=-6),
}


def clips(
    split: str,
    what: str = "returns",
    images: Dataset | None = None,
    *,
    count: int | None = None,
    frames: int = 16,
    size: int = 16,
    kinds: int = 2,
    seed: int = 0,
) -> Clips:
    """Made clips of real pixels, drawn when they are asked for; without `images` of the digits that come with minidil.

    what: what is to be told of a clip.
        "returns": whether the class of image in its first two frames is also that of its last two. Every frame shows another
            image of the first `kinds` classes, whole. Let a and b be the classes shown first and last. In every second clip
            b = a, in the others b is one of the other classes, all alike likely; a and all classes between are drawn evenly.
            So a, b and what lies between are distributed alike in both kinds of clips, as is any part of a clip without its
            first two or without its last two frames: whatever is computed from such a part alone is right in half of the
            clips, whatever it is.
        "motion": how the crop moves: eight pans, two zooms, two turns. Frame T // 2, from which the others are reached, shows no
            sign of it: it is the same crop, whatever the motion.
        "object": the class of the image, one after the other, of which the moving crop is; motions are drawn evenly.
    images: those of the same split of an image set, such as data.cifar10(split). count: clips, by default 4,000 for "train" and
        1,000 for "test".
    frames, size: T, and of moving crops the height and width in pixels; an image is interpolated linearly, and black beyond.
        A crop has all places from which no pan leaves the image, if there are any; a pan is of one pixel a frame and direction,
        a zoom of 5 % and a turn of 6 degrees.
    Raises: OptionError for another split or thing to tell, numbers that are too small, or images without a class each.
    """
    check_split(split, "clips")
    if what not in WHAT:
        raise OptionError(f"clips: what is to be told must be {', '.join(map(repr, WHAT))}, not {what!r}")
    least = 2 * CUE + 1 if what == "returns" else 2
    count = COUNTS[split] if count is None else count
    for name, value, low in (
        ("count", count, 1),
        ("frames", frames, least),
        ("size", size, 2),
        ("kinds", kinds, 2),
        ("seed", seed, 0),
    ):
        if value < low:
            raise OptionError(f"clips: {name} must be at least {low} for clips that tell {what!r}, got {value}")
    images = digits(split) if images is None else images
    if images.labels.ndim > 1:
        raise OptionError(f"clips: {images.name} has a class for every pixel; a clip tells the one class of an image")
    name, stream = f"{what} of {images.name}", (seed, SPLITS.index(split))
    if what == "returns":
        return _returning(images, name, count, frames, kinds, stream)
    return _crops(images, name, what, count, frames, size, stream)


def moving(image: Floats, motion: Motion, frames: int, size: int, centre: tuple[float, float]) -> Floats:
    """A clip (C, frames, size, size) of an image (C, H, W), seen by a camera that looks at `centre` in frame frames // 2.

    With tau frames from there, the pixel at p from the middle of the frame shows the image at

        centre + tau v + z^-tau R(tau w) p          v = (y, x) of the motion, z = enlarging, R the turn by w = degrees.
    """
    tau = np.arange(frames) - frames // 2
    angle, scale = np.radians(motion.degrees) * tau, motion.enlarging ** (-tau.astype(np.float64))
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    p = np.arange(size) - (size - 1) / 2
    y, x = p[:, None], p[None, :]
    # A picture that turns counterclockwise is seen by a camera that turns clockwise, and y points down: R takes the frame's
    # rightward direction to (sin, cos) in (y, x).
    rows = centre[0] + (tau * motion.y)[:, None, None] + cosine[:, None, None] * y + sine[:, None, None] * x
    columns = centre[1] + (tau * motion.x)[:, None, None] - sine[:, None, None] * y + cosine[:, None, None] * x
    return _sampled(image, rows, columns)


def _sampled(image: Floats, rows: np.ndarray, columns: np.ndarray) -> Floats:
    """The image at places between its pixels, of any shape (*S) -> (C, *S): the mean of four, weighted by nearness."""
    around = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    y, x = (np.clip(at + 1, 0, n + 1) for at, n in zip((rows, columns), image.shape[1:], strict=True))
    top, left = (np.minimum(at.astype(np.int64), n) for at, n in zip((y, x), image.shape[1:], strict=True))
    down, right = (y - top).astype(np.float32), (x - left).astype(np.float32)
    upper = (1 - right) * around[:, top, left] + right * around[:, top, left + 1]
    lower = (1 - right) * around[:, top + 1, left] + right * around[:, top + 1, left + 1]
    return (1 - down) * upper + down * lower


def _returning(images: Dataset, name: str, count: int, frames: int, kinds: int, stream: tuple[int, int]) -> Clips:
    by_class = np.argsort(images.labels, kind="stable")
    members = np.bincount(images.labels, minlength=kinds)[:kinds]
    if min(members) == 0:
        raise OptionError(f"clips: {name} needs images of each of {kinds} classes, and there are {members.tolist()}")
    first_of = np.cumsum(members) - members
    labels = np.arange(count) % 2

    def draw(at: int) -> Floats:
        rng = np.random.default_rng([*stream, at])
        shown = rng.integers(0, kinds, frames)
        first = shown[0]
        last = first if labels[at] else (first + rng.integers(1, kinds)) % kinds
        shown[:CUE], shown[-CUE:] = first, last
        chosen = by_class[first_of[shown] + rng.integers(0, members[shown])]
        return images.floats(chosen).swapaxes(0, 1)

    channels, height, width = images.images.shape[1:]
    return Clips(name, labels, ("another", "the same"), (channels, frames, height, width), draw)


def _crops(images: Dataset, name: str, what: str, count: int, frames: int, size: int, stream: tuple[int, int]) -> Clips:
    """Crops that move: the label is the motion and the image is drawn, or the label is that of the image and the motion drawn."""
    motions, number = list(MOTIONS.values()), np.arange(count)

    def draw(at: int) -> Floats:
        rng = np.random.default_rng([*stream, at])
        if what == "motion":
            motion, chosen = at % len(motions), int(rng.integers(len(images)))
        else:
            motion, chosen = int(rng.integers(len(motions))), at % len(images)
        return _crop(images, chosen, motions[motion], frames, size, rng)

    shape = (images.images.shape[1], frames, size, size)
    if what == "motion":
        return Clips(name, number % len(motions), tuple(MOTIONS), shape, draw)
    return Clips(name, images.labels[number % len(images)], images.classes, shape, draw)


def _crop(images: Dataset, number: int, motion: Motion, frames: int, size: int, rng: np.random.Generator) -> Floats:
    """A moving crop of an image, from a place that is drawn alike for every motion."""
    (image,) = images.floats(np.array([number]))
    centre = []
    for length in image.shape[1:]:
        # Half a pixel at least: no motion is to show by the pixels lying on those of the image.
        room = max(abs(length - size) / 2 - frames // 2, 0.5)
        centre.append((length - 1) / 2 + rng.uniform(-room, room))
    return moving(image, motion, frames, size, (centre[0], centre[1]))
