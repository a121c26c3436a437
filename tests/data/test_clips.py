"""Clips that are made of images: what they show, and that nothing but what is to be told gives it away."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidil import data
from minidil.data.clips import CUE, MOTIONS, moving
from minidil.errors import DataError, DtypeError, OptionError, ShapeError


def solid(classes: int = 3, each: int = 2) -> data.Dataset:
    """Images of one grey level: 40 times the class, plus which of the class it is."""
    labels = np.tile(np.arange(classes), each)
    levels = 40 * labels + np.repeat(np.arange(each), classes)
    images = np.broadcast_to(levels[:, None, None, None], (len(labels), 1, 4, 4)).astype(np.uint8)
    return data.Dataset("solid", images, labels, tuple("abcdefgh"[:classes]))


def shown(clip: np.ndarray) -> list[int]:
    """The class that every frame of a clip of solid images shows."""
    return (np.rint(clip[0, :, 0, 0] * 255).astype(int) // 40).tolist()


@pytest.mark.parametrize("what", ["returns", "motion", "object"])
def test_a_clip_follows_from_seed_split_and_number_alone(what: str) -> None:
    made, again = data.clips("train", what), data.clips("train", what, count=50)
    assert len(made) == 4000
    for number in (49, 3):
        assert_array_equal(made[number][0], again[number][0], strict=True)
        assert made[number][0].shape == made.shape
        assert made[number][0].dtype == np.float32
        assert made[number][1] == again.labels[number]
        assert 0 <= made[number][0].min() < made[number][0].max() <= 1
    for other in (data.clips("train", what, seed=1), data.clips("test", what)):
        assert np.any(other[3][0] != made[3][0])


def test_the_class_returns_in_every_second_clip_and_nowhere_else() -> None:
    clips = data.clips("train", images=solid(), frames=7, count=60, kinds=3)
    assert clips.classes == ("another", "the same")
    for clip, label in clips:
        first, last = shown(clip)[:CUE], shown(clip)[-CUE:]
        assert len({*first}) == len({*last}) == 1
        assert (first == last) == (label == 1)


def test_no_part_without_one_of_the_ends_tells_whether_it_returns() -> None:
    """The first class, the last one and those between are evenly drawn and independent within either kind of clip."""
    clips = data.clips("train", images=solid(), frames=5, count=900, kinds=3)
    kinds = [Counter(), Counter()]
    for clip, label in clips:
        first, _, between, _, last = shown(clip)
        kinds[label][first, between, "first"] += 1
        kinds[label][between, last, "last"] += 1
    for kind in kinds:
        assert set(kind) == set(kinds[0])
        for count in kind.values():  # of 9 alike likely pairs: 50 of 450 in the mean, with a deviation of 6.7
            assert abs(count - 50) < 4.5 * 6.7


def test_the_middle_frame_of_a_moving_crop_is_the_same_whatever_the_motion() -> None:
    image = np.random.default_rng(0).random((3, 32, 32), dtype=np.float32)
    seen = [moving(image, motion, 9, 16, (14.3, 16.2)) for motion in MOTIONS.values()]
    assert len(seen) == 12
    for clip in seen:
        assert clip.shape == (3, 9, 16, 16)
        assert_array_equal(clip[:, 4], seen[0][:, 4])
    assert len({clip[:, 5].tobytes() for clip in seen}) == 12


def test_a_camera_on_a_whole_pixel_that_pans_cuts_the_image() -> None:
    image = np.random.default_rng(0).random((1, 20, 20), dtype=np.float32)
    clip = moving(image, MOTIONS["pan down left"], 5, 4, (9.5, 9.5))
    for frame in range(5):
        tau = frame - 2
        assert_allclose(clip[:, frame], image[:, 8 + tau : 12 + tau, 8 - tau : 12 - tau], atol=1e-6)


def test_zooming_in_enlarges_and_turning_left_is_counterclockwise() -> None:
    y, x = np.mgrid[-15.5:16, -15.5:16]
    disc = (np.hypot(y, x) < 6).astype(np.float32)[None]
    areas = moving(disc, MOTIONS["zoom in"], 9, 24, (15.5, 15.5)).sum(axis=(0, 2, 3))
    assert (np.diff(areas) > 0).all()
    assert (np.diff(moving(disc, MOTIONS["zoom out"], 9, 24, (15.5, 15.5)).sum(axis=(0, 2, 3))) < 0).all()
    right = (np.hypot(y, x - 8) < 2).astype(np.float32)[None]  # a dot at three o'clock
    rows = np.arange(24)[:, None]
    for name, up in (("turn left", -1), ("turn right", 1)):
        clip = moving(right, MOTIONS[name], 9, 24, (15.5, 15.5))[0]
        heights = (clip * rows).sum(axis=(1, 2)) / clip.sum(axis=(1, 2)) - 11.5
        assert_allclose(heights, 8 * np.sin(np.radians(up * 6 * np.arange(-4, 5))), atol=0.15)


def test_beyond_the_image_is_black_and_a_quarter_turn_is_exact() -> None:
    image = np.random.default_rng(0).random((1, 4, 4), dtype=np.float32)
    clip = moving(image, MOTIONS["pan right"], 13, 4, (1.5, 1.5))
    assert_allclose(clip[0, 8, :, :2], image[0, :, 2:], atol=1e-6)
    assert not clip[0, 8, :, 2:].any()
    assert not clip[0, 10:].any()
    turned = moving(image, MOTIONS["turn left"], 31, 4, (1.5, 1.5))[:, 30]  # 15 frames of 6 degrees
    assert_allclose(turned, np.rot90(image, axes=(1, 2)), atol=1e-6)


def test_objects_come_one_after_the_other() -> None:
    clips = data.clips("train", "object", solid(), count=8, frames=4, size=2)
    assert clips.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert clips.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("val",), "split must be 'train' or 'test'"),
        (("train", "colour"), "what is to be told must be 'returns', 'motion', 'object', not 'colour'"),
        (("train", "returns", None, 4), "frames must be at least 5 for clips that tell 'returns', got 4"),
        (("train", "returns", None, 16, 1), "kinds must be at least 2"),
        (("train", "motion", None, 1), "frames must be at least 2 for clips that tell 'motion', got 1"),
        (("train", "returns", solid(1)), "returns of solid needs images of each of 2 classes, and there are [2, 0]"),
    ],
)
def test_what_makes_no_clips_is_refused(arguments: tuple[object, ...], message: str) -> None:
    options = dict(zip(("frames", "kinds"), arguments[3:], strict=False))
    with pytest.raises(OptionError) as error:
        data.clips(*arguments[:3], **options)  # type: ignore[arg-type]
    assert message in str(error.value)


def test_masked_images_have_no_class_for_a_clip() -> None:
    masked = data.MaskedDataset("m", np.zeros((1, 1, 2, 2), np.uint8), np.zeros((1, 2, 2), np.uint8), ("a", "b"))
    with pytest.raises(OptionError, match="clips: m has a class for every pixel"):
        data.clips("train", images=masked)


def test_batches_of_clips() -> None:
    clips = data.clips("train", count=10)
    loader = data.DataLoader(clips, 4)
    batches = list(loader)
    assert [inputs.shape for inputs, _ in batches] == [(4, 1, 16, 8, 8), (4, 1, 16, 8, 8), (2, 1, 16, 8, 8)]
    assert batches[0][0].dtype == np.float32
    assert_array_equal(batches[1][0][2], clips[6][0])
    assert_array_equal(np.concatenate([labels for _, labels in batches]), clips.labels, strict=True)


def numbered(count: int = 6) -> data.Clips:
    """Clip i of two channels and three frames: in frame t, i + t / 10."""

    def draw(at: int) -> np.ndarray:
        return np.broadcast_to((at + np.arange(3) / 10)[:, None, None], (2, 3, 1, 2)).astype(np.float32)

    return data.Clips("numbered", np.arange(count) % 2, ("even", "odd"), (2, 3, 1, 2), draw)


def test_a_set_of_clips_is_indexed_as_images_are() -> None:
    clips = numbered()
    assert repr(clips) == "Clips('numbered': 6 clips of 3 frames of 2x1x2 in 2 classes)"
    assert clips[-1][0][0, 0, 0, 0] == 5
    some = clips[[4, 1]].subset(np.array([True, True]))[1:]
    assert (len(some), some[0][1], some[0][0][0, 0, 0, 0]) == (1, 1, 1)
    assert len(list(clips)) == 6
    first, second = data.split(clips, 0.5, seed=0)
    assert sorted(np.bincount(first.labels).tolist()) == [1, 2]
    assert len(second) == 3
    with pytest.raises(IndexError, match="6 items, and none at index 6"):
        clips[6]
    with pytest.raises(OptionError, match=r"Clips\.subset: numbered has 6 clips"):
        clips.subset([7])
    assert not clips.labels.flags.writeable


def test_controls_change_frames_alone() -> None:
    clips = numbered()
    still = clips.stilled(1)[2:]
    assert still.name == "numbered, frame 1"
    assert_allclose(still[0][0][0, :, 0, 0], 2.1)
    mixed = [clip[0, :, 0, 0] for clip, _ in clips.shuffled()]
    assert all(np.allclose(sorted(frames), at + np.arange(3) / 10) for at, frames in enumerate(mixed))
    assert len({tuple(np.argsort(frames)) for frames in mixed}) > 1
    with pytest.raises(OptionError, match="clips of 3 frames have none with the number 3"):
        clips.stilled(3)


def test_moments_and_normalised_clips() -> None:
    clips = numbered()
    assert_allclose(clips.mean(), [2.6, 2.6], rtol=1e-6)
    normal = clips.normalized(clips.mean(), clips.std())
    assert_allclose(normal.mean(), 0, atol=1e-6)
    assert_allclose(normal.std(), 1, rtol=1e-5)
    with pytest.raises(DataError, match="an empty set has no mean"):
        clips[:0].mean()


def test_labels_and_shapes_are_checked() -> None:
    labels = np.zeros(2, np.int64)
    with pytest.raises(DtypeError, match="labels must be int64, got float64"):
        data.Clips("c", labels.astype(float), ("a",), (1, 2, 3, 4), lambda at: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ShapeError, match=r"a clip \(C, T, H, W\), got \(2,\) and \(1, 2, 3\)"):
        data.Clips("c", labels, ("a",), (1, 2, 3), lambda at: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(DataError, match="label 1 of clip 1 names no class"):
        data.Clips("c", np.array([0, 1]), ("a",), (1, 2, 3, 4), lambda at: None)  # type: ignore[arg-type, return-value]
