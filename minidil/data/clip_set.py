"""A set of clips with one class each, which are made or read when they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, overload

import numpy as np

from minidil.data.dataset import Floats, Indices, Labels, picked, read_only, which
from minidil.data.transforms import Normalize, Transform
from minidil.errors import DataError, DtypeError, OptionError, ShapeError

_MEASURED = 256  # clips from which mean and deviation are taken


@dataclass(frozen=True, eq=False, repr=False)
class Clips:
    """Clips with one class label each.

    Shapes: a clip is float32 (C, T, H, W), which `shape` tells: T frames of H x W pixels, white being 1. labels int64 (N,),
        values 0..len(classes)-1. draw: a function of a clip's number that makes it, the same one whenever it is asked.

    `clips[3]` is the clip and its label; `clips[:100]` are Clips, as `subset` gives them. A `DataLoader` makes batches
    float32 (n, C, T, H, W) and int64 (n,) of them.
    Raises: ShapeError or DtypeError for labels that are not int64 (N,) or a shape that is not (C, T, H, W); DataError for a
        label without a class.
    """

    name: str
    labels: Labels
    classes: tuple[str, ...]
    shape: tuple[int, int, int, int]
    draw: Callable[[int], Floats]

    def __post_init__(self) -> None:
        if self.labels.dtype != np.int64:
            raise DtypeError(f"Clips {self.name}: labels must be int64, got {self.labels.dtype}")
        if self.labels.ndim != 1 or len(self.shape) != 4 or min(self.shape) < 1:
            raise ShapeError(
                f"Clips {self.name}: labels must be (N,) and a clip (C, T, H, W), got {self.labels.shape} and {self.shape}"
            )
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= len(self.classes)))
        if wrong.size:
            raise DataError(
                f"Clips {self.name}: label {self.labels[wrong[0]]} of clip {wrong[0]} names no class; {len(self.classes)} "
                f"classes have the labels 0..{len(self.classes) - 1}"
            )
        object.__setattr__(self, "labels", read_only(self.labels))

    @property
    def strata(self) -> Labels:
        """What `split` shares out in the same proportion: the classes."""
        return self.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        channels, frames, height, width = self.shape
        size = f"{len(self):,} clips of {frames} frames of {channels}x{height}x{width}"
        return f"Clips({self.name!r}: {size} in {len(self.classes)} classes)"

    @overload
    def __getitem__(self, index: int) -> tuple[Floats, int]: ...
    @overload
    def __getitem__(self, index: Indices) -> Self: ...
    def __getitem__(self, index: int | Indices) -> tuple[Floats, int] | Self:
        """Clip `index` and its label, or for a slice, a mask or many indices the `subset` that they pick."""
        at = which(index, f"Clips {self.name}", len(self))
        return (self.draw(at), int(self.labels[at])) if isinstance(at, int) else self.subset(at)

    def __iter__(self) -> Iterator[tuple[Floats, int]]:
        return (self[at] for at in range(len(self)))

    def subset(self, indices: Indices) -> Self:
        """The clips that `indices` (integers, a slice or a boolean mask) picks, in that order, with the same classes.

        Raises: OptionError if an index is outside the set or a mask has another length.
        """
        try:
            numbers = np.arange(len(self))[picked(indices)]
        except IndexError as error:
            raise OptionError(f"Clips.subset: {self.name} has {len(self)} clips: {error}") from error
        draw = self.draw
        return replace(self, labels=self.labels[numbers], draw=lambda at: draw(int(numbers[at])))

    def changed(self, change: Callable[[Floats, int], Floats], name: str) -> Self:
        """The same clips, each as `change` makes it, a function of (clip, its number here) that keeps the shape."""
        draw = self.draw
        return replace(self, name=f"{self.name}, {name}", draw=lambda at: change(draw(at), at))

    def normalized(self, mean: Sequence[float] | Floats, std: Sequence[float] | Floats) -> Self:
        """(x - mean) / std for every channel of every frame, as `transforms.Normalize` does with images."""
        normalize = Normalize(mean, std)
        return self.changed(lambda clip, _: by_frame(normalize, clip), "normalized")

    def stilled(self, frame: int) -> Self:
        """The control that sees no motion: frame number `frame` of every clip, in the place of all of them.

        Raises: OptionError if there is no such frame.
        """
        if not 0 <= frame < self.shape[1]:
            raise OptionError(f"Clips.stilled: clips of {self.shape[1]} frames have none with the number {frame}")
        return self.changed(
            lambda clip, _: np.repeat(clip[:, frame : frame + 1], self.shape[1], axis=1), f"frame {frame}"
        )

    def shuffled(self, seed: int = 0) -> Self:
        """The control that sees no order: the frames of clip i permuted as default_rng([seed, i]) draws."""

        def mixed(clip: Floats, at: int) -> Floats:
            return clip[:, np.random.default_rng([seed, at]).permutation(clip.shape[1])]

        return self.changed(mixed, "shuffled")

    def mean(self) -> Floats:
        """Mean of every channel over the first clips, at most 256, float32 (C,). Raises: DataError if there is no clip."""
        return self._sample().mean(axis=(0, 2, 3, 4))

    def std(self) -> Floats:
        """Standard deviation of every channel over the same clips, float32 (C,)."""
        return self._sample().std(axis=(0, 2, 3, 4))

    def _sample(self) -> Any:
        if not len(self):
            raise DataError(f"Clips {self.name}: an empty set has no mean")
        return np.stack([self.draw(at) for at in range(min(len(self), _MEASURED))])


def by_frame(transform: Transform, clip: Floats) -> Floats:
    """A clip (C, T, H, W), its frames as a transform of images that draws nothing makes them."""
    return transform(clip.swapaxes(0, 1), np.random.default_rng(0)).swapaxes(0, 1)
