"""A labelled set of images in memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import index as as_index
from typing import Any, ClassVar, Self, overload

import numpy as np
import numpy.typing as npt

from minidil.errors import DataError, DtypeError, OptionError, ShapeError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Indices = Sequence[int] | slice | npt.NDArray[np.int64] | npt.NDArray[np.bool_]

SPLITS = ("train", "test")


def check_split(split: str, op: str, splits: tuple[str, ...] = SPLITS) -> None:
    """Raise OptionError unless `split` is one of `splits`; `op` is the name that the message begins with."""
    if split not in splits:
        advice = "; for a validation part use data.split(train_set, 0.9, seed=0)" if splits == SPLITS else ""
        raise OptionError(f"{op}: split must be {' or '.join(map(repr, splits))}, got {split!r}{advice}")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images with one class label each.

    Shapes: images uint8 (N, C, H, W), values 0..255, or float32 in units of your own, which `DataLoader` leaves as they
    are; labels int64 (N,), values 0..len(classes)-1.
    Both are kept as read-only views: nothing that trains on a set can change it.

    `dataset[3]` is the image, as it is kept, and its label; `dataset[:100]` is a Dataset, as `subset` gives it. For
    a class for every pixel there is `MaskedDataset`, and for other targets `TensorDataset`.

    Raises: DtypeError for other number types, ShapeError for other shapes or lengths that differ, DataError for a
        label without a class.
    """

    name: str
    images: Images | Floats
    labels: npt.NDArray[Any]
    classes: tuple[str, ...]

    label_type: ClassVar[str] = "int64"
    placed: ClassVar[str] = ""  # what lies somewhere in the image, and must be moved with it

    def __init_subclass__(cls) -> None:
        if "__getitem__" in vars(cls):
            raise OptionError(
                f"{cls.__name__}: Dataset holds images and is not derived from; a DataLoader takes anything with __len__ and "
                "__getitem__, without a base class"
            )

    def __post_init__(self) -> None:
        for field, array, dtypes in (
            ("images", self.images, ("uint8", "float32")),
            ("labels", self.labels, (self.label_type,)),
        ):
            if array.dtype.name not in dtypes:
                raise DtypeError(
                    f"Dataset {self.name}: {field} must be {' or '.join(dtypes)}, got {array.dtype}; "
                    f"convert them with {field}.astype"
                )
        if self.images.ndim != 4:
            raise ShapeError(
                f"Dataset {self.name}: images must be (N, C, H, W), got {self.images.shape}; "
                "one grey image is (1, 1, H, W)"
            )
        if self.labels.shape != self.label_shape:
            raise ShapeError(
                f"Dataset {self.name}: {len(self.images)} images need labels of shape {self.label_shape}, "
                f"got {self.labels.shape}"
            )
        object.__setattr__(self, "classes", tuple(self.classes))
        self.check_labels()
        object.__setattr__(self, "images", read_only(self.images))
        object.__setattr__(self, "labels", read_only(self.labels))

    def check_labels(self) -> None:
        """Raises: DataError for a label without a class."""
        wrong = np.argwhere((self.labels < 0) | (self.labels >= len(self.classes)))
        if wrong.size:
            raise DataError(
                f"Dataset {self.name}: label {self.labels[tuple(wrong[0])]} of image {wrong[0][0]} names no class; "
                f"{len(self.classes)} classes have the labels 0..{len(self.classes) - 1}"
            )

    @property
    def label_shape(self) -> tuple[int, ...]:
        """The shape that goes with these images."""
        return (len(self.images),)

    @property
    def strata(self) -> Labels:
        """What `split` shares out in the same proportion, int64 (N,): the classes."""
        return self.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        channels, height, width = self.images.shape[1:]
        floats = "" if self.images.dtype == np.uint8 else "float32 "
        size = f"{len(self):,} {floats}images of {channels}x{height}x{width}"
        return f"{type(self).__name__}({self.name!r}: {size} in {len(self.classes)} classes)"

    @overload
    def __getitem__(self, index: int) -> tuple[Images | Floats, Any]: ...
    @overload
    def __getitem__(self, index: Indices) -> Self: ...
    def __getitem__(self, index: int | Indices) -> tuple[Images | Floats, Any] | Self:
        """Image `index` and its label, or for a slice, a mask or many indices the `subset` that they pick."""
        at = which(index, f"Dataset {self.name}", len(self))
        return (self.images[at], self._label(at)) if isinstance(at, int) else self.subset(at)

    def __iter__(self) -> Iterator[tuple[Images | Floats, Any]]:
        return (self[at] for at in range(len(self)))

    def subset(self, indices: Indices) -> Self:
        """The images that `indices` (integers, a slice or a boolean mask) picks, in that order, with the same classes.

        Raises: OptionError if an index is outside the set or a mask has another length.
        """
        try:
            return replace(self, **self._parts(picked(indices)))
        except IndexError as error:
            raise OptionError(f"Dataset.subset: {self.name} has {len(self)} images: {error}") from error

    def _parts(self, index: Any) -> dict[str, Any]:
        """What there is of the images that an index picks, by field."""
        return {"images": self.images[index], "labels": self.labels[index]}

    def _label(self, at: int) -> Any:
        return int(self.labels[at])

    def targets(self, chosen: Labels | slice) -> Any:
        """The labels that `chosen` picks, as a batch has them: int64."""
        return self.labels[chosen].astype(np.int64)

    def moved(self, targets: Any, move: Callable[[Any], Any], size: tuple[int, ...]) -> Any:
        """The targets of a batch whose images were moved, to images of this (H, W); a class is the same wherever it is."""
        return targets

    def floats(self, chosen: Labels | slice) -> Floats:
        """The images that `chosen` picks as float32, a copy: pixel / 255 for uint8, others as they are."""
        if self.images.dtype == np.uint8:
            return np.divide(self.images[chosen], 255, dtype=np.float32)
        return self.images[chosen].astype(np.float32)

    def mean(self) -> Floats:
        """Mean of every channel, float32 (C,), in units where white is 1; of float images in their own.

        Raises: DataError on an empty set.
        """
        return np.array([mean for mean, _ in self._moments()], dtype=np.float32)

    def std(self) -> Floats:
        """Standard deviation of every channel (over the count, not count - 1), float32 (C,), in the units of `mean`."""
        return np.array([variance**0.5 for _, variance in self._moments()], dtype=np.float32)

    def _moments(self) -> list[tuple[float, float]]:
        """Mean and variance of every channel; of pixels from sums of integers, which are exact however large the set."""
        n, channels, height, width = self.images.shape
        count = n * height * width
        if count == 0:
            raise DataError(f"Dataset {self.name}: an empty set has no mean")
        if self.images.dtype != np.uint8:
            planes = (self.images[:, channel] for channel in range(channels))
            return [(float(plane.mean(dtype=np.float64)), float(plane.var(dtype=np.float64))) for plane in planes]
        totals, squares = [0] * channels, [0] * channels
        for start in range(0, n, 1024):  # in blocks: the wide copy stays small
            block = self.images[start : start + 1024].astype(np.uint32)
            for channel in range(channels):
                plane = block[:, channel]
                totals[channel] += int(plane.sum(dtype=np.uint64))
                squares[channel] += int((plane * plane).sum(dtype=np.uint64))
        # Var(x) = E[x^2] - E[x]^2 = (n sum x^2 - (sum x)^2) / n^2, in Python's integers up to the one division.
        return [
            (total / (255 * count), (count * square - total * total) / (255 * count) ** 2)
            for total, square in zip(totals, squares, strict=True)
        ]


def which(index: Any, op: str, length: int) -> Any:
    """An index into `length` items: an int counted from the front, or a slice or array to pick many with.

    Raises: IndexError for a number outside the set, which also ends `for item in dataset`.
    """
    if isinstance(index, slice) or np.ndim(index):
        return picked(index)
    number = as_index(index)
    if not -length <= number < length:
        raise IndexError(f"{op} has {length} items, and none at index {number}")
    return number % length


def picked(indices: Indices) -> Any:
    """What to index an array with to pick many of its entries."""
    if isinstance(indices, slice):
        return indices
    index = np.asarray(indices)
    return index.astype(np.int64) if index.size == 0 else index  # np.asarray([]) is float64, which cannot index


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
