"""Images in memory with a class for every pixel: a mask each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Dataset, Labels, read_only
from minidil.errors import DataError, DtypeError, ShapeError


@dataclass(frozen=True, eq=False, repr=False)
class MaskedDataset(Dataset):
    """Images with one class label for every pixel.

    Shapes: images as in `Dataset`, (N, C, H, W); labels, the masks, uint8 (N, H, W), values 0..len(classes)-1, where 0 is the
        background. kinds int64 (N,), values 0..len(kind_names)-1: what kind of picture each is, where there are several;
        `split` then shares out every kind in the same proportion. instances, whole numbers (N, H, W): to which object a pixel
        belongs, 0 being none, where that is known; the numbers in a picture need not be contiguous.

    `dataset[3]` is the image and its mask. A `DataLoader` gives images float32 (n, C, H, W) and masks int64 (n, H, W), both moved
    alike by its transforms.
    Raises: as `Dataset`, for masks of another size than the images; ShapeError, DtypeError or DataError for kinds or instances
        that do not go with them.
    """

    kinds: Labels | None = None
    kind_names: tuple[str, ...] = ()
    instances: npt.NDArray[Any] | None = None

    label_type: ClassVar[str] = "uint8"
    placed: ClassVar[str] = "masks"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kind_names", tuple(self.kind_names))
        for field, array, shape in (
            ("kinds", self.kinds, (len(self),)),
            ("instances", self.instances, self.label_shape),
        ):
            if array is None:
                continue
            if array.dtype.kind not in "iu":
                raise DtypeError(f"MaskedDataset {self.name}: {field} must be whole numbers, got {array.dtype}")
            if array.shape != shape:
                raise ShapeError(f"MaskedDataset {self.name}: {field} must be {shape}, got {array.shape}")
            object.__setattr__(self, field, read_only(array))
        if (
            self.kinds is not None
            and len(self)
            and not 0 <= self.kinds.min() <= self.kinds.max() < len(self.kind_names)
        ):
            raise DataError(
                f"MaskedDataset {self.name}: kinds holds {self.kinds.min()}..{self.kinds.max()} but the "
                f"{len(self.kind_names)} kinds have the numbers 0..{len(self.kind_names) - 1}"
            )

    @property
    def label_shape(self) -> tuple[int, ...]:
        return (len(self.images), *self.images.shape[2:])

    @property
    def masks(self) -> npt.NDArray[Any]:
        """The labels by their usual name, uint8 (N, H, W)."""
        return self.labels

    @property
    def strata(self) -> Labels:
        """The kinds; without them all images are of one."""
        return np.zeros(len(self), np.int64) if self.kinds is None else self.kinds

    def moved(self, targets: Any, move: Callable[[Any], Any], size: tuple[int, ...]) -> Any:
        return move(targets[:, None])[:, 0]

    def _parts(self, index: Any) -> dict[str, Any]:
        optional = {"kinds": self.kinds, "instances": self.instances}
        return super()._parts(index) | {name: array[index] for name, array in optional.items() if array is not None}

    def _label(self, at: int) -> Any:
        return self.labels[at]
