"""Nuclei found as boxes: `python chapters/measured/detection.py RUNS` writes detection.json from the runs in a folder.

It needs the nuclei (datasets/nuclei.md), and runs that were made with one thread, such as

    minidil train --data nuclei --model faster_rcnn --validation 0 --seed 0 --out RUNS/dilated-0
    minidil train --data nuclei --model faster_rcnn --validation 0 --seed 0 --dilations 1,1 --out RUNS/undilated-0

Of each, in the file with its command: average precision and recall of the boxes found in the test images, of what its first stage
proposes, and how long it took. Beside them the parts of Otsu's mask and of the mask of the U-Net that comes with minidil.
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
from minidil.cli.boxes import controls
from minidil.cli.experiment import Experiment
from minidil.cli.settings import Settings, as_typed
from minidil.detect import Detections, average_precision
from minidil.train import RunFolder

HERE = Path(__file__).parent


def figures(found: list[Detections], items: data.BoxedDataset) -> dict[str, float]:
    """COCO's figures, of all boxes that were found."""
    result = average_precision(found, items.labels)
    values = {"AP": result.ap, "AP50": result.at(0.5), "AP75": result.at(0.75), "AR": result.ar}
    return {name: round(value, 4) for name, value in values.items()}


def run_of(path: Path, items: data.BoxedDataset) -> dict[str, Any]:
    """What a run was, and the figures of its best weights."""
    folder = RunFolder(path)
    experiment = Experiment.of(folder)
    settings, model = experiment.settings, experiment.trained(folder)
    usual = Settings.of({"data": "nuclei", "model": "faster_rcnn"}).to_json() | {"seed": None}
    other = {name: value for name, value in vars(settings).items() if settings.to_json()[name] != usual[name]}
    found, proposed = list[Detections](), list[Detections]()
    with md.no_grad():
        for images, _ in experiment.measuring(items):
            outputs = model(md.tensor(images))
            found += model.found(outputs)
            proposed += model.proposals(outputs, overlap=0.5)
    command = f"minidil train --data nuclei --model faster_rcnn {as_typed(other)}"
    facts = {"run": path.name, "command": command, "epochs": settings.epochs, "seed": settings.seed}
    facts |= {"parameters": sum(each.size for each in model.parameters()), "threads": folder.config()["fit"]["threads"]}
    return facts | figures(found, items) | {"proposals": figures(proposed, items)}


def main(runs: Path) -> None:
    """Measure the runs and the controls."""
    items = data.boxed(data.nuclei("test"))
    found = {
        "images": len(items),
        "boxes": sum(len(truth.boxes) for truth in items.labels),
        "controls": {name: figures(boxes, items) for name, boxes in controls(items).items()},
        "runs": [run_of(path, items) for path in sorted(runs.iterdir()) if (path / "best.npz").exists()],
        "where": {"python": platform.python_version(), "numpy": np.__version__},
    }
    (HERE / "detection.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
