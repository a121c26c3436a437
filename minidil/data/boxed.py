"""Images in memory with boxes around the objects in them: a `Truth` each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Dataset, Labels
from minidil.data.masked import MaskedDataset
from minidil.data.moves import Affine, Move
from minidil.errors import DataError, DtypeError, OptionError
from minidil.ops.boxes import Boxes, as_boxes, as_column, has_area

_SEEN = 0.25  # the share of a box that must be left for it to count


@dataclass
class Truth:
    """What is in a picture: boxes (G, 4), and for each its class, and whether it stands for a crowd or is to be ignored.

    A box found on one that is ignored is neither right nor wrong, and so are any number of them in a crowd, of which they need
    not be the most, only lie in it: their IoU is over their own area. Nothing has to be found there.
    labels: ints (G,), 0 by default. crowd, ignore: bools (G,), False by default.
    Raises: ShapeError, DtypeError or OptionError for what are no boxes, or columns of another length or kind.
    """

    boxes: Any
    labels: Any = None
    crowd: Any = None
    ignore: Any = None

    def __post_init__(self) -> None:
        self.boxes = as_boxes("Truth", self.boxes)
        for name, dtype in (("labels", np.int64), ("crowd", np.bool_), ("ignore", np.bool_)):
            values = getattr(self, name)
            values = np.zeros(len(self.boxes), dtype) if values is None else values
            setattr(self, name, as_column("Truth", values, len(self.boxes), name, dtype))

    def moved(self, place: npt.NDArray[np.float64], size: Sequence[int]) -> "Truth":
        """Where the boxes are after a point (x, y) has gone to place (x, y, 1), place (2, 3), in a picture (H, W) of that size.

        What hangs over is cut off, and what lies outside left out. A box of which less than a quarter is left is to be ignored:
        it shows too little of the object to demand it, and too much to call it background.
        """
        corners = self.boxes.reshape(-1, 2, 2) @ place[:, :2].T + place[:, 2]
        whole = np.hstack([corners.min(axis=1), corners.max(axis=1)])
        boxes = np.clip(whole, 0, np.tile(size[::-1], 2))
        left = has_area(boxes)
        ignore = self.ignore | (_area(boxes) < _SEEN * _area(whole))
        return Truth(boxes[left], self.labels[left], self.crowd[left], ignore[left])


@dataclass(frozen=True, eq=False, repr=False)
class BoxedDataset(Dataset):
    """Images with boxes around the objects in them, each of a class.

    Shapes: images as in `Dataset`, (N, C, H, W); labels, objects (N,): a `Truth` for each image, with labels
        0..len(classes)-1, of which none is the background. kinds int64 (N,): what kind of picture each is, where there are
        several; `split` then shares out every kind in the same proportion.

    `dataset[3]` is the image and its `Truth`. A `DataLoader` gives images float32 (n, C, H, W) and an array of objects (n,), the
    truths, moved by its transforms as the images are.
    Raises: as `Dataset`; DtypeError for what is no `Truth`; DataError, naming the image and the box, for a label without a class,
        or a box that has no area or reaches beyond the image.
    """

    kinds: Labels | None = None

    label_type: ClassVar[str] = "object"
    placed: ClassVar[str] = "boxes"

    @classmethod
    def of(
        cls, name: str, images: Any, truths: Sequence[Truth], classes: Sequence[str], kinds: Any = None
    ) -> "BoxedDataset":
        """The set of images and a sequence of truths, one for each."""
        column = np.empty(len(truths), object)
        column[:] = truths
        return cls(name, images, column, tuple(classes), kinds)

    @property
    def strata(self) -> Labels:
        """The kinds; without them all images are of one."""
        return np.zeros(len(self), np.int64) if self.kinds is None else self.kinds

    def check_labels(self) -> None:
        height, width = self.images.shape[2:]
        for number, truth in enumerate(self.labels):
            if not isinstance(truth, Truth):
                raise DtypeError(
                    f"BoxedDataset {self.name}: labels[{number}] must be a Truth, not {type(truth).__name__}"
                )
            for at, (box, label) in enumerate(zip(truth.boxes, truth.labels, strict=True)):
                if not 0 <= label < len(self.classes):
                    raise DataError(
                        f"BoxedDataset {self.name}: box {at} of image {number} has the label {label}, and the "
                        f"{len(self.classes)} classes have 0..{len(self.classes) - 1}"
                    )
                if why := wrong_place(box, height, width):
                    raise DataError(f"BoxedDataset {self.name}: box {at} of image {number} {why}")

    def targets(self, chosen: Any) -> Any:
        return self.labels[chosen]

    def moved(self, targets: Any, move: Move, size: tuple[int, ...]) -> Any:
        if not isinstance(move, Affine):
            raise OptionError(
                f"DataLoader: what moves the images of {self.name} does not say where their boxes go; its move must give a "
                "transforms.Affine (PadCrop with fill='reflect' gives none: it shows objects twice)"
            )
        moved = np.empty(len(targets), object)
        moved[:] = [truth.moved(place, size) for truth, place in zip(targets, move.places, strict=True)]
        return moved

    def _parts(self, index: Any) -> dict[str, Any]:
        return super()._parts(index) | ({} if self.kinds is None else {"kinds": self.kinds[index]})

    def _label(self, at: int) -> Any:
        return self.labels[at]


def wrong_place(box: Boxes, height: float, width: float) -> str | None:
    """In words why this is no box of an object in a picture of that size, or None."""
    x1, y1, x2, y2 = box.tolist()
    told = f"({x1:g}, {y1:g}, {x2:g}, {y2:g})"
    if x1 >= x2 or y1 >= y2:
        return f"is {told}, which has no area; boxes are (x1, y1, x2, y2), x1 < x2, y1 < y2"
    if x1 < 0 or y1 < 0 or x2 > width or y2 > height:
        return f"is {told}, and reaches beyond the image of {height:g}x{width:g} pixels height and width"
    return None


def boxed(dataset: MaskedDataset, least: int = 3) -> BoxedDataset:
    """The boxes around the instances of a masked set, whose classes are those of the masks without the background.

    An object of the columns x..x' and the rows y..y' has the box (x, y, x' + 1, y' + 1), and the class of most of its pixels.
    least: of fewer pixels' height or width an object is left out.
    Raises: OptionError if the set does not tell its instances, or least is below 1; DataError for an instance that is background.
    """
    if dataset.instances is None or least < 1:
        raise OptionError(
            f"boxed: {dataset.name} must tell which pixels are of one object (instances), and least={least} be >= 1"
        )
    truths = []
    for number, (instances, mask) in enumerate(zip(dataset.instances, dataset.masks, strict=True)):
        boxes, labels = list[tuple[int, ...]](), list[int]()
        rows, columns = np.nonzero(instances)
        objects = instances[rows, columns]
        for each in np.unique(objects):
            mine = objects == each
            y, x = rows[mine], columns[mine]
            box = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
            label = int(np.bincount(mask[y, x]).argmax()) - 1
            if label < 0:
                raise DataError(f"boxed: instance {each} of image {number} of {dataset.name} is background in the mask")
            if min(box[2] - box[0], box[3] - box[1]) >= least:
                boxes.append(box)
                labels.append(label)
        truths.append(Truth(boxes, np.array(labels, np.int64)))
    return BoxedDataset.of(dataset.name, dataset.images, truths, dataset.classes[1:], dataset.kinds)


def _area(boxes: Boxes) -> npt.NDArray[np.float64]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
