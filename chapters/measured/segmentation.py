"""Nuclei found by networks: `python chapters/measured/segmentation.py RUNS` writes segmentation.json from the runs in a folder.

It needs the nuclei (datasets/nuclei.md), and runs that were made with two threads, such as

    minidil train --data nuclei --validation 0 --seed 0 --out RUNS/unet-0
    minidil train --data nuclei --validation 0 --seed 0 --dilations 1,1,1 --out RUNS/unet-undilated-0
    minidil train --data nuclei --validation 0 --seed 0 --model context --out RUNS/context-0
    minidil train --data nuclei --validation 0 --seed 0 --model context --dilations 1,1,1,1,1,1,1 --out RUNS/context-undilated-0

Of each, in the file with its command: IoU and Dice, the means over the test images, and the IoU over all of their pixels, in all
and by kind of picture. Beside them Otsu's threshold, and the answer "background" everywhere.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import data
from minidil.cli.experiment import Experiment
from minidil.cli.settings import Settings, as_typed
from minidil.tasks.segmentation import Overlap, otsu_mask
from minidil.tasks.segmentation.metric import mean
from minidil.train import RunFolder

HERE = Path(__file__).parent


def figures(masks: np.ndarray, images: data.MaskedDataset) -> dict[str, Any]:
    """IoU and Dice of masks, in all and by kind."""
    found = Overlap.of(masks, images.masks, len(images.classes))

    def of(part: Overlap) -> dict[str, float]:
        values = {"mean_iou": mean(part.iou()), "dice": mean(part.dice()), "pooled_iou": mean(part.pooled_iou())}
        return {key: round(value, 4) for key, value in values.items()}

    kinds = {name: of(found[images.strata == number]) for number, name in enumerate(images.kind_names)}
    right = float((masks == images.masks).mean())
    return of(found) | {"pixel_accuracy": round(right, 4), "undefined": found.undefined, "kinds": kinds}


def run_of(path: Path, images: data.MaskedDataset) -> dict[str, Any]:
    """What a run was, and the figures of its best weights."""
    folder = RunFolder(path)
    experiment, masks = Experiment.of(folder), list[np.ndarray]()
    settings, model = experiment.settings, experiment.trained(folder)
    usual = Settings.of({"data": "nuclei"}).to_json() | {"model": None, "seed": None}
    other = {name: value for name, value in vars(settings).items() if settings.to_json()[name] != usual[name]}
    loader = experiment.measuring(images)
    md.train.evaluate(model, loader, lambda logits, _: masks.append(logits.argmax(axis=1)), metrics={})
    facts = {"run": path.name, "command": f"minidil train --data nuclei {as_typed(other)}", "epochs": settings.epochs}
    facts |= {
        "best_epoch": int(folder.best()["row"]["epoch"]),
        "parameters": sum(each.size for each in model.parameters()),
    }
    return facts | {"threads": folder.config()["fit"]["threads"]} | figures(np.concatenate(masks), images)


def main(runs: Path) -> None:
    """Measure the runs and the controls."""
    images = data.nuclei("test")
    controls = {
        "background": figures(np.zeros_like(images.masks), images),
        "otsu": figures(np.stack([otsu_mask(image) for image in images.images]), images),
    }
    made = [run_of(path, images) for path in sorted(runs.iterdir()) if (path / "best.npz").exists()]
    counts = {name: int((images.strata == number).sum()) for number, name in enumerate(images.kind_names)}
    where = {"python": platform.python_version(), "numpy": np.__version__}
    found = {"images": counts, "controls": controls, "runs": made, "where": where}
    (HERE / "segmentation.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
