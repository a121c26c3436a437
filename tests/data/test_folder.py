"""A folder of images by class."""

import builtins
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minidil.data import folder
from minidil.errors import DataError, OptionError


def write(path: Path, pixels: np.ndarray, **options: object) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)


@pytest.fixture
def pets(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    root = tmp_path / "pets"
    names = ("dog/b.png", "cat/2.png", "cat/1.bmp", "dog/a.PNG")
    return root, {name: write(root / name, drawn(seed, 5, 4, 3)) for seed, name in enumerate(names)}


def test_reads_in_the_order_of_the_names(pets: tuple[Path, dict[str, np.ndarray]]) -> None:
    root, pixels = pets
    (root / "cat" / "notes.txt").write_text("not an image")
    (root / "cat" / ".hidden.png").write_bytes(b"")
    (root / ".git").mkdir()
    (root / "README.md").write_text("not a class")
    dataset = folder(root)
    assert (dataset.name, dataset.classes, dataset.labels.tolist()) == ("pets", ("cat", "dog"), [0, 0, 1, 1])
    for image, name in zip(dataset.images, ("cat/1.bmp", "cat/2.png", "dog/a.PNG", "dog/b.png"), strict=True):
        np.testing.assert_array_equal(image, pixels[name].transpose(2, 0, 1))


def test_classes_choose_and_order_the_labels(pets: tuple[Path, dict[str, np.ndarray]]) -> None:
    root, _ = pets
    assert folder(root, classes=("dog", "cat")).labels.tolist() == [0, 0, 1, 1]
    assert folder(str(root), classes=["dog"]).classes == ("dog",)
    with pytest.raises(DataError, match=r"bird is not a folder"):
        folder(root, classes=("dog", "bird"))


def test_grey_and_transparent_images_become_rgb(tmp_path: Path) -> None:
    grey = write(tmp_path / "a" / "1.png", drawn(0, 3, 3))
    clear = drawn(1, 3, 3, 4)
    clear[:, :, 3] = np.where(clear[:, :, 3] < 128, 0, 255)
    write(tmp_path / "a" / "2.png", clear)
    images = folder(tmp_path).images
    np.testing.assert_array_equal(images[0], np.stack([grey] * 3))
    on_white = np.where(clear[:, :, 3:] == 0, 255, clear[:, :, :3])
    np.testing.assert_array_equal(images[1], on_white.transpose(2, 0, 1))


def test_a_cameras_rotation_mark_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = write(tmp_path / "a" / "1.png", drawn(0, 4, 5, 3), exif=exif)
    np.testing.assert_array_equal(folder(tmp_path).images[0], pixels[::-1, ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize(("size", "expected"), [(4, (4, 4)), ((6, 3), (6, 3))])
def test_size_scales_and_cuts_to_height_and_width(
    tmp_path: Path, size: int | tuple[int, int], expected: tuple[int, int]
) -> None:
    write(tmp_path / "a" / "1.png", drawn(0, 8, 16, 3))
    write(tmp_path / "b" / "1.png", np.full((7, 5, 3), 200, dtype=np.uint8))
    images = folder(tmp_path, size=size).images
    assert images.shape == (2, 3, *expected)
    assert (images[1] == 200).all()


def test_scaling_keeps_the_middle_and_the_aspect(tmp_path: Path) -> None:
    wide = np.zeros((4, 12, 3), dtype=np.uint8)
    wide[:, 4:8] = 255  # the middle third, a square
    write(tmp_path / "a" / "1.png", wide)
    assert (folder(tmp_path, size=4).images == 255).all()


def test_different_sizes_need_a_size(pets: tuple[Path, dict[str, np.ndarray]]) -> None:
    root, _ = pets
    write(root / "dog" / "c.png", drawn(0, 6, 4, 3))
    with pytest.raises(DataError, match=r"c\.png is 6x4 but .*1\.bmp is 5x4 .* size=\(5, 4\)"):
        folder(root)


def test_what_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not a folder"):
        folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"has no sub-folders; put the images of each class into one of its own"):
        folder(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no image"):
        folder(tmp_path)
    with pytest.raises(DataError, match=r"classes names no class"):
        folder(tmp_path, classes=())


@pytest.mark.parametrize("size", [0, (4, 0), -1])
def test_a_size_below_1_is_refused(tmp_path: Path, size: int | tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="size must be at least 1"):
        folder(tmp_path, size=size)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp"])
def test_a_damaged_image_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "a" / f"1.{suffix}"
    write(path, drawn(0, 16, 16, 3))
    whole = path.read_bytes()
    for length in (0, 1, 20, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=rf"1\.{suffix} cannot be read as an image") as error:
            folder(tmp_path)
        assert "\n" not in str(error.value)


def test_without_pillow_the_message_says_what_to_install(
    pets: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without_pillow(name: str, *args: object) -> object:
        if name.startswith("PIL"):
            raise ImportError(name)
        return original(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(DataError, match=r"needs Pillow; pip install 'minidil\[images\]'"):
        folder(pets[0])
