"""Nuclei found by four networks: `python chapters/measured/segmentation.py RUNS` writes segmentation.json from the runs in RUNS.

    unet                U-Net with a bottleneck of dilations 1, 2, 4, as `minidil train --data nuclei` makes it
    unet-undilated      the same with dilation 1: the same parameters and steps
    context             the context module of dilations 1, 1, 2, 4, 8, 16, 1 at full resolution
    context-undilated   the same with dilation 1

All learn from the 532 training images, and keep the last weights. A run is RUNS/NAME-SEED, made by the command that stands in
the file; `--train NAME SEED` makes it, if it is not there or was stopped. What is in RUNS is measured: IoU and Dice, the means
over the test images, and the IoU over all of their pixels, in all and by kind of picture; beside them Otsu's threshold, and the
answer "background" everywhere. It needs the nuclei, for which see datasets/nuclei.md.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import data
from minidil.cli import main
from minidil.cli.experiment import Experiment
from minidil.tasks.segmentation import Overlap, otsu_mask
from minidil.tasks.segmentation.metric import mean
from minidil.train import RunFolder

NETWORKS = {
    "unet": "",
    "unet-undilated": "--dilations 1,1,1",
    "context": "--model context",
    "context-undilated": "--model context --dilations 1,1,1,1,1,1,1",
}
HERE = Path(__file__).parent


def command(name: str, seed: int, folder: Path) -> list[str]:
    """The words after `minidil` that make a run."""
    return [
        "train",
        "--data",
        "nuclei",
        "--validation",
        "0",
        *NETWORKS[name].split(),
        "--seed",
        str(seed),
        "--out",
        str(folder),
    ]


def train(name: str, seed: int, folder: Path) -> None:
    """Make the run, or go on with it."""
    if main(["train", "--resume", str(folder)] if folder.exists() else command(name, seed, folder)):
        raise SystemExit(f"{folder} was not trained")


def said(folder: RunFolder, images: data.MaskedDataset) -> np.ndarray:
    """The masks that the best weights of a run give."""
    experiment, masks = Experiment.of(folder), list[np.ndarray]()
    loader = experiment.measuring(images)
    md.train.evaluate(
        experiment.trained(folder), loader, lambda logits, _: masks.append(logits.argmax(axis=1)), metrics={}
    )
    return np.concatenate(masks)


def figures(masks: np.ndarray, images: data.MaskedDataset) -> dict[str, Any]:
    """IoU and Dice of masks, in all and by kind."""
    found = Overlap.of(masks, images.masks, len(images.classes))

    def of(part: Overlap) -> dict[str, float]:
        values = {"mean_iou": mean(part.iou()), "dice": mean(part.dice()), "pooled_iou": mean(part.pooled_iou())}
        return {key: round(value, 4) for key, value in values.items()}

    kinds = {name: of(found[images.strata == number]) for number, name in enumerate(images.kind_names)}
    right = float((masks == images.masks).mean())
    return of(found) | {"pixel_accuracy": round(right, 4), "undefined": found.undefined, "kinds": kinds}


def measured(runs: Path) -> dict[str, Any]:
    """All that is in RUNS, and the controls."""
    images = data.nuclei("test")
    made = []
    for name in NETWORKS:
        for path in sorted(runs.glob(f"{name}-[0-9]*")):
            folder = RunFolder(path)
            settings, state = Experiment.of(folder).settings, folder.last()
            if state is None or state["epoch"] < settings.epochs:
                continue
            run = {
                "network": name,
                "seed": settings.seed,
                "command": " ".join(["minidil", *command(name, settings.seed, Path("RUN"))]),
            }
            facts = {"parameters": sum(each.size for each in Experiment.of(folder).model().parameters())}
            facts |= {"epochs": settings.epochs, "best_epoch": int(folder.best()["row"]["epoch"])}
            made.append(run | facts | figures(said(folder, images), images))
    controls = {
        "background": figures(np.zeros_like(images.masks), images),
        "otsu": figures(np.stack([otsu_mask(image) for image in images.images]), images),
    }
    counts = {name: int((images.strata == number).sum()) for number, name in enumerate(images.kind_names)}
    where = {"python": platform.python_version(), "numpy": np.__version__, "threads": 2}
    return {"images": counts, "controls": controls, "runs": made, "where": where}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--train", nargs=2, metavar=("NAME", "SEED"))
    given = parser.parse_args()
    if given.train:
        name, seed = given.train
        train(name, int(seed), given.runs / f"{name}-{seed}")
    (HERE / "segmentation.json").write_text(json.dumps(measured(given.runs), indent=1) + "\n")
