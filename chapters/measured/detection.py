"""Nuclei found as boxes: `python chapters/measured/detection.py RUNS` writes detection.json from the runs in a folder.

It needs the nuclei (datasets/nuclei.md), and runs that were made with one thread, such as, for the seeds N = 0, 1 and 2,
`minidil train --data nuclei --model faster_rcnn --validation 0 --seed N` with

    --out RUNS/dilated-N
    --dilations 1,1 --out RUNS/undilated-N
    --dilations 2 2,4,6 --out RUNS/trident-N

Of the third, seed 0 is stored.

Of each, in the file with its command: average precision and recall of the boxes found in the test images, and of what its first
stage proposes. Beside them the parts of Otsu's mask and of the mask of the U-Net that comes with minidil. detection.png shows
what the first of the runs finds: in the best picture by F1, the one in the middle, the most crowded, and the worst.
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
from minidil.data import pictures
from minidil.detect import Detections, average_precision, boxes_drawn, f1
from minidil.train import RunFolder

HERE = Path(__file__).parent


def figures(found: list[Detections], items: data.BoxedDataset) -> dict[str, float]:
    """COCO's figures, of all boxes that were found."""
    result = average_precision(found, items.labels)
    values = {"AP": result.ap, "AP50": result.at(0.5), "AP75": result.at(0.75), "AR": result.ar}
    return {name: round(value, 4) for name, value in values.items()}


def run_of(path: Path, items: data.BoxedDataset) -> tuple[dict[str, Any], list[Detections]]:
    """What a run was, with the figures of its best weights; and what they find."""
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
    return facts | figures(found, items) | {"proposals": figures(proposed, items)}, found


def picture(found: list[Detections], items: data.BoxedDataset) -> np.ndarray:
    """Four pictures, with true boxes above and found ones below, each pixel two wide."""
    scores = f1(found, items.labels)
    order = [int(number) for number in np.argsort(-scores, kind="stable") if not np.isnan(scores[number])]
    crowded = max(order, key=lambda number: len(items.labels[number].boxes))
    rows: list[list[np.ndarray]] = [[], []]
    for number in (order[0], order[len(order) // 2], crowded, order[-1]):
        large = items.images[number].repeat(2, axis=1).repeat(2, axis=2)
        sure = found[number].boxes[found[number].scores >= 0.5]
        for row, boxes, label in zip(rows, (items.labels[number].boxes, sure), (0, 1), strict=True):
            drawn = boxes_drawn(large, 2 * boxes, np.full(len(boxes), label))
            row.append(np.pad(drawn, ((0, 0), (4, 4), (4, 4)), constant_values=255))
    return np.concatenate([np.concatenate(row, axis=2) for row in rows], axis=1)


def main(runs: Path) -> None:
    """Measure the runs and the controls."""
    items = data.boxed(data.nuclei("test"))
    made = [run_of(path, items) for path in sorted(runs.iterdir()) if (path / "best.npz").exists()]
    pictures.image_of(picture(made[0][1], items)).save(HERE / "detection.png", optimize=True)
    found = {
        "images": len(items),
        "boxes": sum(len(truth.boxes) for truth in items.labels),
        "controls": {name: figures(boxes, items) for name, boxes in controls(items).items()},
        "runs": [facts for facts, _ in made],
        "where": {"python": platform.python_version(), "numpy": np.__version__},
    }
    (HERE / "detection.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
