"""A folder of pictures and their masks: images/ and masks/, one mask for each image, of the same name. Needs Pillow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minidil.data import pictures
from minidil.data.dataset import Images
from minidil.data.folder import image_files
from minidil.data.masked import MaskedDataset
from minidil.errors import DataError, OptionError

PARTS = ("images", "masks")
_BLACK_AND_WHITE = {0, 255}


def masked_folder(
    path: str | Path, size: int | tuple[int, int] | None = None, classes: Sequence[str] | None = None
) -> MaskedDataset:
    """Read path/images/NAME and path/masks/NAME, in the order of the names: images uint8 (N, 3, H, W), masks uint8 (N, H, W).

    The suffixes may differ: cat.jpg has the mask cat.png. A mask is a picture in grey or with a palette, and its numbers are
    those of the classes, 0 being the background; in a set of black and white masks alone, white (255) is class 1. Images are read
    as by `data.folder`: grey ones among colour get three equal channels.

    Args:
        size: (H, W), or one number for both, as for `data.folder`: images are scaled smoothly, and masks by taking the nearest
            pixel, so that no class comes about that was not there. None: leave them; all must then have one size.
        classes: the names of the classes by their numbers, such as those of the training set. None: "background", "class 1", ...
            as many as there are; then every number up to the largest must be in some mask.
    Raises: OptionError for a size below 1; DataError, naming the file, if a folder is missing or empty, an image has no mask or a
        mask no image, a mask has another size than its image, is in colour, or holds a number that is no class, or the sizes of
        images differ; DataError if Pillow is not installed.
    """
    path = Path(path)
    target = (size, size) if isinstance(size, int) else size
    if target is not None and min(target) < 1:
        raise OptionError(f"masked_folder: size must be at least 1, got {size}")
    files = _pairs(path)
    images, masks = list[Images](), list[Images]()
    for image_file, mask_file in files:
        image, mask = pictures.opened(image_file)[0].convert("RGB"), pictures.numbers(mask_file)
        if mask.size != image.size:
            raise DataError(
                f"masked_folder: {mask_file} is {mask.height}x{mask.width} but {image_file} is {image.height}x{image.width} "
                "pixels high and wide; a mask has the size of its image"
            )
        if target is not None:
            image, mask = pictures.fitted(image, *target), pictures.fitted(mask, *target, nearest=True)
        images.append(pictures.pixels(image))
        masks.append(pictures.pixels(mask)[0])
        height, width = masks[0].shape
        if masks[-1].shape != (height, width):
            raise DataError(
                f"masked_folder: {image_file} is {image.height}x{image.width} but {files[0][0]} is {height}x{width} pixels high "
                f"and wide; give a size to scale all to, size={(height, width)} for instance"
            )
    stacked, names = np.stack(masks), None if classes is None else tuple(classes)
    if set(np.unique(stacked).tolist()) <= _BLACK_AND_WHITE and (names is None or len(names) == 2):
        stacked, names = (stacked == 255).astype(np.uint8), names or ("background", "class 1")
    names = names or _names(stacked, files)
    for mask, (_, file) in zip(stacked, files, strict=True):
        if mask.max() >= len(names):
            raise DataError(
                f"masked_folder: {file} holds the number {mask.max()}, but the {len(names)} classes ({', '.join(names)}) have "
                f"the numbers 0..{len(names) - 1}"
            )
    return MaskedDataset(path.name, np.stack(images), stacked, names)


def _pairs(path: Path) -> list[tuple[Path, Path]]:
    """(image, mask) by their names without the suffix."""
    found: list[dict[str, Path]] = []
    for part in PARTS:
        files: dict[str, Path] = {}
        for file in image_files(path / part):
            if file.stem in files:
                raise DataError(f"masked_folder: {files[file.stem]} and {file} have one name; which of them is meant?")
            files[file.stem] = file
        found.append(files)
    for these, others, part in ((found[0], found[1], PARTS[1]), (found[1], found[0], PARTS[0])):
        for name, file in these.items():
            if name not in others:
                raise DataError(f"masked_folder: {file} has no counterpart in {path / part}, such as {name}.png")
    return [(file, found[1][name]) for name, file in found[0].items()]


def _names(masks: Images, files: list[tuple[Path, Path]]) -> tuple[str, ...]:
    """Names for the numbers 0, 1, 2, ... that there are. Raises: DataError if one is left out: what is above may be no class."""
    numbers = np.unique(masks)
    gap = next((number for number in range(int(numbers[-1])) if number not in numbers), None)
    if gap is not None:
        above = int(numbers[numbers > gap][0])
        file = files[int(np.argwhere(masks == above)[0][0])][1]
        raise DataError(
            f"masked_folder: {file} holds the number {above}, but no mask holds {gap}: is it a class? Numbers are those of the "
            "classes, 0, 1, 2, ..., or 0 and 255 alone; classes=(...) names them where some do not occur"
        )
    return ("background", *(f"class {number}" for number in range(1, int(numbers[-1]) + 1)))
