"""A VGG that is made to learn CIFAR-10 in few epochs, after airbench94 (Jordan 2024, arXiv:2404.00498).

Its first layer needs no training: it whitens small patches of the image, which is computed from the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minidil.errors import DataError, OptionError, ShapeError
from minidil.nn import GELU, BatchNorm2d, Conv2d, Flatten, GlobalMaxPool, Linear, MaxPool2d, Module, Sequential
from minidil.nn.init import dirac, he_uniform
from minidil.tensor import Tensor

PATCH = 2  # pixels on each side of what the first layer looks at


class WhitenedVGG(Module):
    """GELU(whiten), then features, then pool, then the classifier of the flattened result times `scale`.

    whiten: a 2x2 convolution whose weight is frozen; give it its values with `whiten_by`, or load them.
    scale: makes the logits of the first steps small (1/9 in the paper).
    """

    def __init__(self, whiten: Conv2d, features: Sequential, classifier: Linear, scale: float) -> None:
        super().__init__()
        self.whiten = whiten
        self.activation = GELU()
        self.features = features
        self.pool = GlobalMaxPool()
        self.flatten = Flatten()
        self.classifier = classifier
        self.scale = scale
        self.whiten.weight.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        blocks = len(self.features)
        if x.ndim == 4 and min(x.shape[2:]) <= 2**blocks:
            raise ShapeError(
                f"WhitenedVGG: images of {x.shape[2]}x{x.shape[3]} cannot be halved {blocks} times after the "
                f"{PATCH}x{PATCH} whitening; take at least {2**blocks + 1}x{2**blocks + 1} pixels, or fewer widths"
            )
        seen = self.features(self.activation(self.whiten(x)))
        return self.classifier(self.flatten(self.pool(seen))) * self.scale

    def whiten_by(self, images: NDArray[np.float32]) -> None:
        """Set the weight of the first layer from training images (N, C, H, W), normalised as the model will get them.

        Half of the filters are those of `whitening`, and the other half their negatives: together with the activation,
        which keeps one side of each, nothing is lost.
        Raises: ShapeError or DataError as `whitening` does, and ShapeError if the images have other channels.
        """
        filters = whitening(images)
        both = np.concatenate([filters, -filters])
        if both.shape != self.whiten.weight.shape:
            raise ShapeError(
                f"WhitenedVGG: images {images.shape} give a first weight {both.shape}, "
                f"but the model's is {self.whiten.weight.shape}"
            )
        self.whiten.weight.data = both


def vgg_fast(
    num_classes: int = 10,
    *,
    in_channels: int = 3,
    widths: Sequence[int] = (64, 256, 256),
    dilations: Sequence[Sequence[int]] = ((1, 1), (1, 1), (1, 1)),
    scale: float = 1 / 9,
    rng: np.random.Generator | None = None,
) -> WhitenedVGG:
    """The network of airbench94: a whitening layer, and a block of two 3x3 convolutions per entry of widths.

    A block is convolution, 2x2 max pooling, batch norm, GELU, and for each further dilation convolution, batch norm,
    GELU. Convolutions keep the size and have no bias. They begin by copying their input into their first channels
    (`init.dirac`), what is left being drawn uniformly with variance 1/(3 fan_in), PyTorch's default. The weights of batch
    norm stay 1; its statistics take 0.4 from every batch, as training ends after a few hundred.
    Before `whiten_by` has been called, the weight of the first layer is drawn like the rest.

    Shapes: (N, in_channels, H, W), H and W > 2^len(widths) -> logits (N, num_classes).
    dilations: one sequence per block, with a dilation per convolution; the padding equals it.
    scale: what the logits are multiplied by.
    Raises: OptionError if widths and dilations do not fit together, or are not made of ints >= 1.
    Source: Jordan 2024, arXiv:2404.00498.
    """
    if len(widths) != len(dilations) or not widths:
        raise OptionError(
            f"vgg_fast: every block needs a width and its dilations, but there are {len(widths)} widths {tuple(widths)} "
            f"and {len(dilations)} entries of dilations {tuple(dilations)}"
        )
    channels = 2 * PATCH * PATCH * in_channels
    whiten = Conv2d(in_channels, channels, PATCH, rng=rng)
    features = Sequential()
    for number, (width, block_dilations) in enumerate(zip(widths, dilations, strict=True)):
        if isinstance(block_dilations, int | str) or not block_dilations:
            raise OptionError(
                f"vgg_fast: dilations[{number}] must be a sequence with one dilation per convolution, such as (1, 1), "
                f"not {block_dilations!r}"
            )
        block = Sequential()
        for place, dilation in enumerate(block_dilations):
            block.append(_copying_conv(channels, width, dilation, rng))
            if place == 0:
                block.append(MaxPool2d(2))
            block.append(_norm(width))
            channels = width
        features.append(block)
    classifier = Linear(channels, num_classes, bias=False, rng=rng)
    classifier.weight.data = _default((num_classes, channels), rng)
    return WhitenedVGG(whiten, features, classifier, scale)


def whitening(images: NDArray[np.float32], eps: float = 5e-4) -> NDArray[np.float32]:
    """Filters that make the 2x2 patches of images white: uncorrelated and of variance 1.

    Shapes: images (N, C, H, W), float32, with mean about 0 -> (D, C, 2, 2) with D = 4 C, strongest direction first.
    eps: added to the variance of each direction, so that one in which the images hardly vary, which is noise, stays small.
    Raises: ShapeError for images without a 2x2 patch; DataError if they have a value that is not finite.
    """
    if images.ndim != 4 or min(images.shape) < 1 or min(images.shape[2:]) < PATCH:
        raise ShapeError(
            f"whitening: images must be (N, C, H, W) of at least {PATCH}x{PATCH} pixels, not {images.shape}"
        )
    channels = images.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), axis=(2, 3))  # (N, C, H', W', 2, 2)
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, channels * PATCH * PATCH)
    if not np.isfinite(patches).all():
        raise DataError("whitening: the images hold values that are not finite")
    # Patches x, as vectors of D numbers, have the covariance C = E L E^T: E orthogonal, with the directions as columns, and
    # L diagonal, with the variance along each. Then z = L^-1/2 E^T x has the covariance
    #   L^-1/2 E^T C E L^-1/2 = L^-1/2 L L^-1/2 = I,
    # and row i of L^-1/2 E^T, direction i over the square root of its variance, is the i-th filter.
    centred = patches - patches.mean(axis=0, dtype=np.float64).astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / len(centred)
    variances, directions = np.linalg.eigh(covariance)  # in rising order
    filters = (directions / np.sqrt(np.maximum(variances, 0) + eps)).T[::-1]
    return np.ascontiguousarray(filters, np.float32).reshape(-1, channels, PATCH, PATCH)


def _copying_conv(channels: int, width: int, dilation: int, rng: np.random.Generator | None) -> Conv2d:
    conv = Conv2d(channels, width, 3, padding=dilation, dilation=dilation, bias=False, rng=rng)
    weight = _default((width, channels, 3, 3), rng)
    weight[:channels] = dirac(weight[:channels].shape)
    conv.weight.data = weight
    return conv


def _default(shape: tuple[int, ...], rng: np.random.Generator | None) -> NDArray[np.float32]:
    """PyTorch's default: a leaky ReLU's initialisation with the slope sqrt(5), which is a variance of 1/(3 fan_in)."""
    return he_uniform(shape, slope=math.sqrt(5), rng=rng)


def _norm(width: int) -> BatchNorm2d:
    """Batch norm and GELU in one."""
    norm = BatchNorm2d(width, eps=1e-12, momentum=0.4, activation="gelu")
    norm.own_parameters()["weight"].requires_grad = False
    return norm
