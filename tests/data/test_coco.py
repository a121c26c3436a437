"""A folder with boxes as COCO writes them: what is read, and what is refused with the file and the entry."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minidil.data import boxed_folder
from minidil.errors import DataError, OptionError


def document() -> dict[str, Any]:
    return {
        "info": {"year": 2014},
        "categories": [{"id": 7, "name": "dog"}, {"id": 2, "name": "cat"}],
        "images": [{"id": 40, "file_name": "b.png"}, {"id": 4, "file_name": "a.png"}],
        "annotations": [
            {"image_id": 4, "category_id": 7, "bbox": [1, 2, 3, 4], "iscrowd": 1},
            {"image_id": 4, "category_id": 2, "bbox": [0.5, 0, 7.5, 6.25], "ignore": 1},
            {"image_id": 4, "category_id": 2, "bbox": [-0.4, 4, 8.9, 2], "iscrowd": 0},
        ],
    }


def written(root: Path, content: Any, size: tuple[int, int] = (6, 8)) -> Path:
    (root / "images").mkdir(parents=True)
    for name in ("a", "b"):
        Image.fromarray(np.full((*size, 3), ord(name), np.uint8)).save(root / "images" / f"{name}.png")
    (root / "annotations.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def test_boxes_labels_and_flags(tmp_path: Path) -> None:
    dataset = boxed_folder(written(tmp_path / "pets", document()))
    assert repr(dataset) == "BoxedDataset('pets': 2 images of 3x6x8 in 2 classes)"
    assert dataset.classes == ("cat", "dog")
    assert dataset.images[:, 0, 0, 0].tolist() == [ord("b"), ord("a")]
    nothing, truth = dataset.labels
    assert len(nothing.boxes) == 0
    assert truth.boxes.tolist() == [[1, 2, 4, 6], [0.5, 0, 8, 6], [0, 4, 8, 6]]
    assert truth.labels.tolist() == [1, 0, 0]
    assert truth.crowd.tolist() == [True, False, False]
    assert truth.ignore.tolist() == [False, True, False]
    assert boxed_folder(tmp_path / "pets", classes=("bird", "dog", "cat")).labels[1].labels.tolist() == [1, 2, 2]


def test_boxes_are_scaled_with_their_images(tmp_path: Path) -> None:
    """6x8 fills 12x12 at twice the size, and two of its columns are cut off, one at either side."""
    root = written(tmp_path, document())
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[2:6, 1:4] = 255
    Image.fromarray(pixels).save(root / "images" / "a.png")
    dataset = boxed_folder(root, size=12)
    assert dataset.images.shape == (2, 3, 12, 12)
    assert dataset.labels[1].boxes[0].tolist() == [0, 4, 6, 12]
    light = np.argwhere(dataset.images[1, 0] > 127)
    assert [*light.min(axis=0)[::-1], *light.max(axis=0)[::-1] + 1] == [0, 4, 6, 12]


def changed(part: str, at: int, **values: Any) -> Callable[[dict[str, Any]], Any]:
    def change(content: dict[str, Any]) -> Any:
        content[part][at] |= values
        return content

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: "{", r"annotations\.json is no JSON: "),
        (lambda content: [], "annotations.json: must be an object with a list 'images' of objects"),
        (lambda content: content | {"categories": [3]}, "must be an object with a list 'categories' of objects"),
        (
            lambda content: content | {"images": content["images"][:1]},
            r"annotations\[0\]: image_id is 4, and there is none with that id",
        ),
        (lambda content: content | {"images": [], "annotations": []}, "annotations.json: names no image"),
        (lambda content: content | {"categories": [], "annotations": []}, "annotations.json: names no category"),
        (changed("images", 0, file_name="c.png"), r"image 40 is 'c.png', and there is no file .*c\.png"),
        (changed("images", 0, file_name="a.png"), r"images\[1\]: id 4 or file_name 'a.png' is there twice"),
        (changed("categories", 1, id=7), r"categories\[1\]: id 7 or name 'cat' is there twice"),
        (changed("images", 1, id="4"), r"""images\[1\]: 'id' must be an int, not "4\""""),
        (changed("annotations", 2, category_id=1), r"annotations\[2\]: category_id is 1, and there is none with"),
        (changed("annotations", 2, bbox=[1, 2, 3]), r"annotations\[2\]: 'bbox' must be four finite numbers"),
        (
            changed("annotations", 1, bbox=[1, 2, float("nan"), 3]),
            r"annotations\[1\]: 'bbox' must be .* not \[1, 2, NaN, 3\]",
        ),
        (
            changed("annotations", 1, bbox=[4, 2, -3, 3]),
            r"annotations\[1\]: the box in image 4 is \(4, 2, 1, 5\), which has no",
        ),
        (changed("annotations", 1, bbox=[4, 2, 3, 0]), r"annotations\[1\]: .* \(4, 2, 7, 2\), which has no area"),
        (changed("annotations", 0, bbox=[4, 2, 6, 3]), r"\(4, 2, 10, 5\), and reaches beyond the image of 6x8 pixels"),
        (changed("annotations", 0, bbox=[20, 2, 6, 3]), r"annotations\[0\]: .* reaches beyond the image of 6x8 pixels"),
        (changed("annotations", 0, iscrowd="yes"), r"""annotations\[0\]: 'iscrowd' must be 0 or 1, not "yes\""""),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], Any], words: str) -> None:
    root = written(tmp_path, change(document()))
    with pytest.raises(DataError, match=words):
        boxed_folder(root)


def test_folders_and_options_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"there is no .*annotations\.json; it tells the boxes of the pictures in images/"
    ):
        boxed_folder(tmp_path)
    root = written(tmp_path / "pets", document())
    with pytest.raises(DataError, match="the category 'dog' is none of the classes cat, bird"):
        boxed_folder(root, classes=("cat", "bird"))
    with pytest.raises(OptionError, match="size must be at least 1, got 0"):
        boxed_folder(root, size=0)
    Image.fromarray(np.zeros((6, 9, 3), np.uint8)).save(root / "images" / "a.png")
    with pytest.raises(
        DataError, match=r"a\.png is 6x9 pixels high and wide, and the images before it are 6x8; give a size"
    ):
        boxed_folder(root)
    (root / "images" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image"):
        boxed_folder(root)
