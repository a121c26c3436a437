"""Trained weights that come with minidil, with what whoever uses them must know. Nothing is fetched.

They lie in `weights/`, one checkpoint each; `weights/README.md` says how they were trained and what they are good for. Arrays of
two axes and more are kept in float16, which costs half the room; the rest, a hundredth of it, in float32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from minidil.array import Array
from minidil.data.transforms import Normalize, Standardize
from minidil.errors import CheckpointError, OptionError
from minidil.nn import Module
from minidil.storage import checkpoint

AnyModule = TypeVar("AnyModule", bound=Module)

_FOLDER = Path(__file__).with_name("weights")


@dataclass(frozen=True)
class Weights:
    """The weights of a trained model, and the facts of its training.

    model, data: the name of its builder and of the data set.
    options: what the builder was called with, num_classes and in_channels among it.
    classes: the names of the outputs, in order.
    shape: (C, H, W) of the images. mean, std: (C,), of the training images, white being 1.
    settings: of the training, as `minidil train` takes them. epoch: the one whose weights these are.
    test_accuracy: the share of the test images that these weights, rounded as they are, name rightly; None if they give masks
        or boxes.
    state: by parameter and buffer, for `Module.load_state_dict`.
    figures: what else was measured on the test images with them: "iou" and "dice" of masks, "f1" of boxes, the means over the
        images.
    """

    model: str
    data: str
    options: dict[str, Any]
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    settings: dict[str, Any]
    epoch: int
    test_accuracy: float | None
    state: dict[str, Array]
    figures: dict[str, float] = field(default_factory=dict)

    def prepare(self, pixels: Array) -> Array:
        """Images (N, C, H, W) of uint8, as the model takes them: float32, (pixels / 255 - mean) / std.

        Where the settings say "normalize": "image" it is as `data.transforms.Standardize(dark_ground=True)` does.
        """
        scaled = pixels.astype(np.float32) / np.float32(255)
        own = self.settings.get("normalize") == "image"
        prepare = Standardize(dark_ground=True) if own else Normalize(self.mean, self.std)
        return prepare(scaled, np.random.default_rng(0))

    def load_into(self, model: AnyModule, num_classes: int, in_channels: int) -> AnyModule:
        """Set the weights of a model that was built with these options, and return it.

        Raises: OptionError if the first or last layer would not fit, CheckpointError if another one does not.
        """
        for name, given in (("in_channels", in_channels), ("num_classes", num_classes)):
            trained = self.options[name]
            if given != trained:
                advice = f"pass {name}={trained}" + (
                    ", then replace the last layer by one with outputs of its own" if name == "num_classes" else ""
                )
                raise OptionError(
                    f"{self.model}: the weights for {self.data!r} were trained with {name}={trained}, not {given}; {advice}"
                )
        try:
            model.load_state_dict(self.state)
        except CheckpointError as error:
            error.add_note(f"the weights of {self.model} for {self.data!r} were trained with {self.options}")
            raise
        return model


def available() -> list[tuple[str, str]]:
    """The (model, data set) pairs of which weights come with minidil."""
    pairs = (path.stem.split("-") for path in sorted(_FOLDER.glob("*.npz")))
    return [(model, data) for model, data in pairs]


def pretrained_weights(model: str, data: str) -> Weights:
    """The weights of that model, trained on that data set; float16 where they have two axes or more.

    Raises: OptionError, with what there is, if there are none.
    """
    if (model, data) not in available():
        known = [trained for name, trained in available() if name == model]
        raise OptionError(
            f"{model}: no weights for {data!r} come with minidil; "
            + (f"there are some for {', '.join(map(repr, known))}" if known else "there are none for this model")
        )
    return from_tree(checkpoint.load(_FOLDER / f"{model}-{data}.npz"))


def from_tree(tree: dict[str, Any]) -> Weights:
    """The weights that a checkpoint holds."""
    sequences = {name: tuple(tree[name]) for name in ("classes", "shape", "mean", "std")}
    return Weights(**(tree | sequences))
