"""The control that needs no network: objects are what is brighter than a threshold, chosen for each image by itself."""

from typing import Any

import numpy as np
import numpy.typing as npt

from minidil.array import Array

_SIGMA = 0.7  # pixels, of the smoothing before


def otsu_threshold(values: npt.NDArray[np.floating[Any]]) -> float:
    """Where to divide values so that the two groups differ most: Otsu's threshold, between two of 256 levels of their range.

    With the share w of the values up to a level and the means a of these and b of the others, w (1 - w) (a - b)^2 is the variance
    between the groups; it is made the largest. The value itself if all are one.
    Source: Otsu 1979, "A threshold selection method from gray-level histograms".
    """
    counts, edges = np.histogram(values, 256)
    middles = (edges[:-1] + edges[1:]) / 2
    share = np.cumsum(counts) / counts.sum()
    partial = np.cumsum(counts * middles) / counts.sum()
    # With s the sum of the values up to a level over the number of all, a = s/w and b = (m - s)/(1 - w), m being the mean of all:
    #   w (1 - w) (a - b)^2 = (m w - s)^2 / (w (1 - w)).
    weight = share * (1 - share)
    between = np.divide((partial[-1] * share - partial) ** 2, weight, out=np.zeros(256), where=weight > 1e-12)
    return float(middles[between.argmax()]) if between.max() > 0 else float(np.max(values))


def otsu_mask(image: Array) -> npt.NDArray[np.uint8]:
    """1 where an image (C, H, W) of uint8 is above its threshold, else 0, (H, W), after slight smoothing.

    An image that is bright on the whole, with a mean above 127.5, is inverted first: its objects are dark.
    """
    grey = image.mean(axis=0)
    smooth = _smoothed(255 - grey if grey.mean() > 127.5 else grey)
    return (smooth > otsu_threshold(smooth)).astype(np.uint8)


def _smoothed(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """By a Gaussian, (H, W) alike out; the border's value goes on behind it."""
    reach = int(4 * _SIGMA + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        around = np.pad(grey, [(reach, reach) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
        grey = np.lib.stride_tricks.sliding_window_view(around, len(weights), axis) @ weights
    return grey
