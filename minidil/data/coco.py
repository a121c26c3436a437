"""A folder of pictures and the boxes in them, as COCO writes them: images/ and annotations.json. Needs Pillow."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minidil.data import pictures
from minidil.data.boxed import BoxedDataset, Truth, wrong_place
from minidil.data.dataset import Images
from minidil.errors import DataError, OptionError

FILE, IMAGES = "annotations.json", "images"
_ROUNDED = 1.0  # pixels that a box may hang over the border of its image, as those of COCO do, which were rounded


def boxed_folder(
    path: str | Path, size: int | tuple[int, int] | None = None, classes: Sequence[str] | None = None
) -> BoxedDataset:
    """Read path/annotations.json and the pictures that it names, in path/images, in its order: images uint8 (N, 3, H, W).

    The file holds an object with three lists, of which only what is told here is read:

        images       id, file_name
        annotations  image_id, category_id, bbox [x, y, width, height] in pixels, and if it is so iscrowd 1 or ignore 1
        categories   id, name

    The classes are the categories in the order of their ids. A picture that no annotation names has no object in it. What hangs
    over the border by up to a pixel, by rounding, is cut off.

    Args:
        size: (H, W), or one number for both, to which images are scaled, with their boxes, as `data.folder` does. A box of which
            this cuts off more than three quarters is to be ignored. None: leave them; all must then have one size.
        classes: the names of the classes in the order of their labels, such as those of the training set. None: all categories.
    Raises: OptionError for a size below 1; DataError, naming the file and the entry in it, if one of them is missing or no such
        thing, an image cannot be read, an id is there twice or not at all, there is no category, a box is inverted, has no area,
        is not finite or lies beyond its image, or the sizes of images differ; DataError if Pillow is not installed.
    """
    path = Path(path)
    target = (size, size) if isinstance(size, int) else size
    if target is not None and min(target) < 1:
        raise OptionError(f"boxed_folder: size must be at least 1, got {size}")
    document = _Document.read(path / FILE)
    names = document.by_id("categories", "name", str)
    if not names:
        raise DataError(f"{document.file}: names no category, and so there is nothing to find")
    files = document.by_id("images", "file_name", str)
    order = tuple(names[number] for number in sorted(names)) if classes is None else tuple(classes)
    for name in names.values():
        if name not in order:
            raise DataError(f"{document.file}: the category {name!r} is none of the classes {', '.join(order)}")
    images, places = list[Images](), list[Any]()
    for number, name in files.items():
        file = path / IMAGES / name
        if not file.is_file():
            raise DataError(f"{document.file}: image {number} is {name!r}, and there is no file {file}")
        image = pictures.opened(file)[0].convert("RGB")
        places.append(_placing(image.height, image.width, target))
        images.append(pictures.pixels(image if target is None else pictures.fitted(image, *target)))
        if images[-1].shape != images[0].shape:
            raise DataError(
                f"boxed_folder: {file} is {image.height}x{image.width} pixels high and wide, and the images before it are "
                f"{images[0].shape[1]}x{images[0].shape[2]}; give a size to scale all to, size={images[0].shape[1:]} for instance"
            )
    if not images:
        raise DataError(f"{document.file}: names no image")
    found = _boxes(
        document,
        {number: (height, width) for number, (height, width, _) in zip(files, places, strict=True)},
        names,
        order,
    )
    truths = [
        found[number].moved(place, images[0].shape[1:]) for number, (_, _, place) in zip(files, places, strict=True)
    ]
    return BoxedDataset.of(path.name, np.stack(images), truths, order)


def _boxes(
    document: "_Document", sizes: Mapping[int, tuple[int, int]], names: Mapping[int, str], classes: tuple[str, ...]
) -> dict[int, Truth]:
    """What is in each image, by its id."""
    columns: dict[int, tuple[list[Any], ...]] = {number: ([], [], [], []) for number in sizes}
    for at in range(len(document.lists["annotations"])):
        image, category = (
            document.known("annotations", at, key, ids) for key, ids in (("image_id", sizes), ("category_id", names))
        )
        height, width = sizes[image]
        x, y, wide, high = document.get("annotations", at, "bbox", _is_box, "four finite numbers, x, y, width, height")
        box = np.array([x, y, x + wide, y + high], np.float64)
        inside = np.clip(box, 0, [width, height, width, height])
        if why := wrong_place(inside if np.abs(inside - box).max() <= _ROUNDED else box, height, width):
            raise DataError(f"{document.file}: annotations[{at}]: the box in image {image} {why}")
        flags = (document.get("annotations", at, key, _is_flag, "0 or 1", 0) for key in ("iscrowd", "ignore"))
        for column, value in zip(
            columns[image], (inside, classes.index(names[category]), *map(bool, flags)), strict=True
        ):
            column.append(value)
    return {
        number: Truth(boxes, np.array(labels, np.int64), np.array(crowd, bool), np.array(ignore, bool))
        for number, (boxes, labels, crowd, ignore) in columns.items()
    }


def _placing(height: int, width: int, target: tuple[int, int] | None) -> tuple[int, int, Any]:
    """Height and width of an image, and where `pictures.fitted` puts its points: scaled about its middle to fill the target."""
    high, wide = target or (height, width)
    scale = max(high / height, wide / width)
    return height, width, np.array([[scale, 0, (wide - scale * width) / 2], [0, scale, (high - scale * height) / 2]])


class _Document:
    """The lists of an annotations.json, whose entries are asked for with what they must be."""

    def __init__(self, file: Path, lists: dict[str, list[Any]]) -> None:
        self.file, self.lists = file, lists

    @classmethod
    def read(cls, file: Path) -> "_Document":
        """Raises: DataError if it is missing, is no JSON, or has not the three lists."""
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataError(
                f"boxed_folder: there is no {file}; it tells the boxes of the pictures in {IMAGES}/"
            ) from error
        except ValueError as error:
            raise DataError(f"{file} is no JSON: {error}") from error
        lists = {
            name: content.get(name) if isinstance(content, dict) else None
            for name in ("images", "annotations", "categories")
        }
        for name, entries in lists.items():
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise DataError(f"{file}: must be an object with a list {name!r} of objects, as COCO's are")
        return cls(file, {name: list(entries or ()) for name, entries in lists.items()})

    def get(self, name: str, at: int, key: str, fits: Callable[[Any], bool], what: str, otherwise: Any = None) -> Any:
        """The value of a key of entry number `at`. Raises: DataError unless it `fits`."""
        value = self.lists[name][at].get(key, otherwise)
        if not fits(value):
            raise DataError(f"{self.file}: {name}[{at}]: {key!r} must be {what}, not {json.dumps(value)}")
        return value

    def known(self, name: str, at: int, key: str, ids: Mapping[int, Any]) -> int:
        """The id under a key. Raises: DataError unless it is one of these."""
        number: int = self.get(name, at, key, _is_int, "an int")
        if number not in ids:
            raise DataError(f"{self.file}: {name}[{at}]: {key} is {number}, and there is none with that id")
        return number

    def by_id(self, name: str, key: str, kind: type) -> dict[int, Any]:
        """The values of a key by the ids of their entries. Raises: DataError for an id or a value that is there twice."""
        found: dict[int, Any] = {}
        for at in range(len(self.lists[name])):
            number, value = (
                self.get(name, at, "id", _is_int, "an int"),
                self.get(name, at, key, lambda given: isinstance(given, kind), f"a {kind.__name__}"),
            )
            if number in found or value in found.values():
                raise DataError(f"{self.file}: {name}[{at}]: id {number} or {key} {value!r} is there twice")
            found[number] = value
        return found


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, int) and value in (0, 1)


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in value)
    )
