"""A folder of clips: what is read, and what is refused with the name of the file."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from minidil.data import clip_folder, write_clip
from minidil.data.clip_folder import read_clip
from minidil.errors import DataError, OptionError


def film(path: Path, *levels: int, size: tuple[int, int] = (3, 4), grey: bool = False) -> None:
    """A clip whose frames 00.png, 01.png, ... are of one level each."""
    path.mkdir(parents=True, exist_ok=True)
    for number, level in enumerate(levels):
        Image.fromarray(np.full(size if grey else (*size, 3), level, np.uint8)).save(path / f"{number:02}.png")


def levels(clip: np.ndarray) -> list[int]:
    return np.rint(clip[0, :, 0, 0] * 255).astype(int).tolist()


def test_clips_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    root = tmp_path / "films"
    film(root / "run" / "b", 3, 4)
    film(root / "run" / "a", 1, 2)
    film(root / "fly" / "c", 5, 6, grey=True)
    (root / "run" / "a" / "notes.txt").write_text("no frame")
    clips = clip_folder(root)
    assert repr(clips) == "Clips('films': 3 clips of 2 frames of 3x3x4 in 2 classes)"
    assert clips.classes == ("fly", "run")
    assert [(levels(clip), label) for clip, label in clips] == [([5, 6], 0), ([1, 2], 1), ([3, 4], 1)]
    assert clips[0][0].dtype == np.float32
    assert clip_folder(root, classes=["run", "fly"]).labels.tolist() == [0, 0, 1]


def test_frames_are_spread_and_scaled(tmp_path: Path) -> None:
    film(tmp_path / "a" / "long", *range(0, 90, 10))
    film(tmp_path / "a" / "short", 7, 8, 9, size=(8, 6))
    clips = clip_folder(tmp_path, size=2, frames=3)
    assert clips.shape == (3, 3, 2, 2)
    assert [levels(clip) for clip, _ in clips] == [[0, 40, 80], [7, 8, 9]]


def test_what_is_no_set_of_clips_is_refused_with_its_name(tmp_path: Path) -> None:
    def refused(words: str, **options: object) -> None:
        with pytest.raises(DataError, match=re.escape(words)):
            clip_folder(tmp_path, **options)  # type: ignore[arg-type]

    refused("has no sub-folders; put the clips of each class into one of its own")
    (tmp_path / "run").mkdir()
    refused("run has no sub-folders; put the frames of each clip into one of its own")
    (tmp_path / "run" / "a").mkdir()
    refused(f"{Path('run') / 'a'} holds no image")
    film(tmp_path / "run" / "a", 1)
    refused(f"{Path('run') / 'a'} holds 1 image, and a clip has at least two")
    film(tmp_path / "run" / "a", 1, 2)
    refused(f"{Path('run') / 'a'} holds 2 images, and 3 are wanted of every clip", frames=3)
    film(tmp_path / "run" / "b", 1, 2, 3)
    refused("b has 3 frames of 3x4 pixels but ")
    refused("classes names no class", classes=())
    assert len(clip_folder(tmp_path, frames=2)) == 2
    Image.fromarray(np.zeros((5, 4, 3), np.uint8)).save(tmp_path / "run" / "b" / "02.png")
    refused("02.png is 5x4 but ")
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / "run" / "b" / "02.png")
    refused("02.png is grey but ")
    (tmp_path / "run" / "b" / "02.png").write_bytes(b"no picture")
    refused("02.png cannot be read as an image")


@pytest.mark.parametrize("options", [{"size": 0}, {"frames": 1}])
def test_numbers_that_are_too_small(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="size must be at least 1 and frames at least 2"):
        clip_folder(tmp_path, **options)  # type: ignore[arg-type]


def test_the_pixels_are_those_of_the_files(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for number, frame in enumerate(pixels):
        Image.fromarray(frame).save(tmp_path / "a" / "b" / f"{number}.png")
    clip, _ = clip_folder(tmp_path)[0]
    assert_array_equal(np.rint(clip * 255), pixels.transpose(3, 0, 1, 2))


def test_a_clip_that_was_written_is_read_again(tmp_path: Path) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (1, 11, 4, 5)).astype(np.float32) / 255
    write_clip(clip, tmp_path / "film")
    assert sorted(file.name for file in (tmp_path / "film").iterdir())[-1] == "010.png"
    assert_array_equal(read_clip(tmp_path / "film", grey=True), np.rint(clip * 255))
    assert_array_equal(read_clip(tmp_path / "film", frames=3)[0], np.rint(clip[0, [0, 5, 10]] * 255))
