"""A folder of images by class: one sub-folder each, named after it. Needs Pillow (`pip install minidil[images]`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minidil.data import pictures
from minidil.data.dataset import Dataset, Images
from minidil.errors import DataError, OptionError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def folder(
    path: str | Path, size: int | tuple[int, int] | None = None, classes: Sequence[str] | None = None
) -> Dataset:
    """Read path/<class>/<image>, in the order of the names: uint8 (N, 3, H, W), RGB, named after the folder.

    Grey images get three equal channels, 16-bit grey is scaled to 8 bits, what is transparent lies on white, and a
    camera's rotation mark is applied; of an animation the first picture is read (see `data.pictures`). Files whose
    suffix is no image's, and hidden ones, are passed over.

    Args:
        size: (H, W), or one number for both, to which every image is scaled (bilinear, smoothed when it shrinks) so
            that it fills the size, what hangs over being cut off at both ends. None: leave the images as they are,
            all of which must then have one size.
        classes: the sub-folders to read, in the order of their labels. None: all of them, sorted by name. Pass the
            training set's `classes` when reading a test set, so that a label means the same in both.
    Raises: OptionError for a size below 1; DataError, naming the file, if a folder is missing or empty, an image
        cannot be read or shown (32-bit integers, floats), or sizes differ; DataError if Pillow is not installed.
    """
    path = Path(path)
    target = (size, size) if isinstance(size, int) else size
    if target is not None and min(target) < 1:
        raise OptionError(f"folder: size must be at least 1, got {size}")
    names = folders(path, "folder", "the images of each class") if classes is None else tuple(classes)
    if not names:
        raise DataError("folder: classes names no class")
    files = [(file, label) for label, name in enumerate(names) for file in image_files(path / name)]

    first = _read(files[0][0], target)
    images = np.empty((len(files), *first.shape), dtype=np.uint8)
    for index, (file, _) in enumerate(files):
        image = _read(file, target)
        if image.shape != first.shape:
            raise DataError(
                f"folder: {file} is {_measure(image)} but {files[0][0]} is {_measure(first)} pixels high and wide; "
                f"give a size to scale all images to, size={first.shape[1:]} for instance"
            )
        images[index] = image
    return Dataset(path.name, images, np.array([label for _, label in files], dtype=np.int64), names)


def folders(path: Path, op: str, what: str) -> tuple[str, ...]:
    """The names of the sub-folders, which hold `what`. Raises: DataError that begins with `op` if there is none."""
    if not path.is_dir():
        raise DataError(f"{op}: {path} is not a folder")
    names = tuple(sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")))
    if not names:
        raise DataError(f"{op}: {path} has no sub-folders; put {what} into one of its own, such as {path / 'cat'}")
    return names


def image_files(path: Path) -> list[Path]:
    """The images in a folder, by name. Raises: DataError if there is none."""
    return files_of(path, SUFFIXES, "image")


def files_of(path: Path, suffixes: tuple[str, ...], what: str) -> list[Path]:
    """The files with such a suffix in a folder, by name, without hidden ones. Raises: DataError if there is none."""
    if not path.is_dir():
        raise DataError(f"folder: {path} is not a folder")
    files = sorted(
        entry for entry in path.iterdir() if entry.suffix.lower() in suffixes and not entry.name.startswith(".")
    )
    if not files:
        raise DataError(f"folder: {path} holds no {what} ({', '.join(suffixes)})")
    return files


def _read(file: Path, target: tuple[int, int] | None) -> Images:
    """One image, uint8 (3, H, W)."""
    image, _ = pictures.opened(file)
    return pictures.pixels((image if target is None else pictures.fitted(image, *target)).convert("RGB"))


def _measure(image: Images) -> str:
    return f"{image.shape[1]}x{image.shape[2]}"
