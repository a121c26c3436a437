"""Cell nuclei from the weights for CIFAR-10: `python chapters/measured/frozen_nuclei.py` writes frozen_nuclei.json.

The convolutions of vgg_small, frozen as they come with minidil, give 256 numbers for every position of their last map; a linear
head turns them into "nucleus or not" for every pixel, and is solved to the end, by ridge regression on 20 labelled pictures. So
nothing depends on a learning rate, and what is compared is the map alone: at output stride 4, as it was trained, and at 2 and 1,
by `analysis.dilate` with the same weights. Between its positions the map is interpolated linearly; position i of a map of output
stride s is the middle of its field, pixel 1.5 + s i (chapter 11, section 3).

Controls: the same network with weights that were never trained, at both ends; the pixels themselves in the place of features; and
Otsu's threshold. A seed sets which pictures are labelled, and the untrained weights. The score above which a pixel is called a
nucleus is the one that is best on the labelled pictures. Measured on the middles, 64 x 64, of every second test picture: the mean
IoU of those that have nuclei. It needs the nuclei (datasets/nuclei.md), and takes about a minute of one core.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np

import minidil as md
from minidil.analysis import dilate
from minidil.array import Array
from minidil.nn import Module
from minidil.tasks.segmentation import Overlap, otsu_mask

SEEDS, LABELLED, SIDE, RIDGE = (0, 1, 2), 20, 64, 1e-3
MIDDLE = slice(32, 32 + SIDE)  # of the 128 pixels of an axis
FIRST = 1.5  # the middle of the field of position 0, which begins at -21 and has 46 pixels


def interpolation(count: int, stride: int) -> Array:
    """What each pixel of an axis takes of each position of a map, (SIDE, count)."""
    at = np.clip((np.arange(SIDE) - FIRST) / stride, 0, count - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(count)))


def features(network: Module, stride: int, pictures: Array) -> Array:
    """The interpolated maps, (N, SIDE, SIDE, C)."""
    found = []
    with md.no_grad():
        for picture in pictures:
            one = network(md.tensor(picture[None])).numpy()[0]
            weights = interpolation(one.shape[1], stride).astype(np.float32)
            found.append(np.einsum("pi,cij,qj->pqc", weights, one, weights, optimize=True))
    return np.stack(found)


def head(x: Array, masks: Array) -> tuple[Array, float]:
    """The weights of a ridge regression with a bias, and the best threshold of its scores."""
    rows = with_bias(x.reshape(-1, x.shape[-1]).astype(np.float64))
    moments = rows.T @ rows / len(rows)
    penalty = RIDGE * np.diag(moments).mean() * np.eye(len(moments))
    penalty[-1, -1] = 0  # none for the bias
    weights = np.linalg.solve(moments + penalty, rows.T @ masks.reshape(-1) / len(rows))
    scores, true = rows @ weights, masks.reshape(-1) == 1
    thresholds = np.linspace(0, 1, 51)
    return weights, max(thresholds, key=lambda t: (true & (scores > t)).sum() / (true | (scores > t)).sum())


def with_bias(rows: Array) -> Array:
    """With a last column of ones."""
    return np.concatenate([rows, np.ones((*rows.shape[:-1], 1))], axis=-1)


def mean_iou(masks: Array, true: Array) -> float:
    """Over the pictures that have nuclei, or in which some were seen."""
    return round(float(np.nanmean(Overlap.of(masks, true, 2).iou())), 4)


def main() -> None:
    """Measure every contestant from every seed."""
    md.set_num_threads(1)
    learn, test = md.data.nuclei("train"), md.data.nuclei("test")
    test = test.subset(np.arange(0, len(test), 2))
    standard = md.data.transforms.Standardize(dark_ground=True)

    def prepared(images: Array) -> Array:
        whole = standard(images.astype(np.float32) / np.float32(255), np.random.default_rng(0))
        return np.ascontiguousarray(whole[:, :, MIDDLE, MIDDLE])

    asked, answers = prepared(test.images), test.masks[:, MIDDLE, MIDDLE]
    trained = md.models.vgg_small(pretrained="cifar10").eval().features
    runs = []
    for seed in SEEDS:
        chosen = np.random.default_rng(seed).permutation(len(learn))[:LABELLED]
        labelled, masks = prepared(learn.images[chosen]), learn.masks[chosen][:, MIDDLE, MIDDLE]
        fresh = md.models.vgg_small(rng=np.random.default_rng(seed)).eval().features
        for kind, network, strides in (("trained", trained, (4, 2, 1)), ("untrained", fresh, (4, 1))):
            for stride in strides:
                body = dilate(network, stride, (3, SIDE, SIDE)).model
                weights, threshold = head(features(body, stride, labelled), masks)
                scores = [with_bias(features(body, stride, each[None])) @ weights for each in asked]
                said = (np.concatenate(scores) > threshold).astype(np.uint8)
                runs.append({"kind": kind, "seed": seed, "output_stride": stride, "mean_iou": mean_iou(said, answers)})
                print(runs[-1], flush=True)
        weights, threshold = head(labelled.transpose(0, 2, 3, 1), masks)
        said = (with_bias(asked.transpose(0, 2, 3, 1)) @ weights > threshold).astype(np.uint8)
        runs.append({"kind": "pixels", "seed": seed, "output_stride": 1, "mean_iou": mean_iou(said, answers)})
    otsu = np.stack([otsu_mask(image) for image in test.images])[:, MIDDLE, MIDDLE]
    found = {
        "command": "python chapters/measured/frozen_nuclei.py",
        "seeds": SEEDS,
        "labelled": LABELLED,
        "tested": len(test),
        "otsu": mean_iou(otsu, answers),
        "runs": runs,
        "where": {"python": platform.python_version(), "numpy": np.__version__, "threads": 1},
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
