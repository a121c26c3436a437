"""Images read pixel by pixel: a picture as a sequence, from which nothing is told before its last step."""

import numpy as np

from minidil.data.arrays import TensorDataset
from minidil.data.dataset import Dataset, Indices


def sequential(dataset: Dataset, permuted: int | None = None) -> TensorDataset:
    """Every image as one row of pixels, line by line: float32 (N, C, H W), white being 1, and the labels int64 (N,).

    permuted: a seed that mixes the pixels, all images alike, so that neighbours in the sequence were none in the image.
    Source: Le, Jaitly & Hinton 2015, arXiv:1504.00941, section 4.2.
    """
    images = dataset.floats(slice(None))
    rows = images.reshape(*images.shape[:2], -1)
    if permuted is not None:
        rows = rows[:, :, pixel_order(rows.shape[2], permuted)]
    return TensorDataset(rows, dataset.labels)


def pixel_order(pixels: int, seed: int) -> Indices:
    """The order in which `sequential` reads so many pixels of every image, int64 (pixels,)."""
    return np.random.default_rng(seed).permutation(pixels)
