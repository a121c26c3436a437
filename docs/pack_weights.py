"""Make the weights that come with minidil from a run: `python docs/pack_weights.py RUN` writes them to minidil/models/weights.

The best weights of the run are rounded as they are kept, loaded into a fresh model, and measured on the test set: that accuracy,
or IoU and Dice, goes into the file. A line for the table in minidil/models/weights/README.md is printed.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from minidil import checkpoint, models, nn, train
from minidil.cli.experiment import Experiment, testing_set
from minidil.cli.images import as_images
from minidil.models.pretrained import Weights, from_tree

FOLDER = Path(models.__file__).with_name("weights")


def main(run: str) -> None:
    """Pack the run in that folder."""
    folder = train.RunFolder(run)
    experiment = as_images(Experiment.of(folder), "pack_weights")
    best = folder.best()
    model: nn.Module = experiment.model()
    tree: dict[str, Any] = experiment.config() | {
        "model": experiment.settings.model,
        "data": experiment.settings.data,
        "options": experiment.options(),
        "epoch": int(best["row"]["epoch"]),
        "test_accuracy": None,
        "state": {name: rounded(np.asarray(array)) for name, array in best["model"].items()},
    }
    weights: Weights = from_tree(tree)
    weights.load_into(model, weights.options["num_classes"], weights.options["in_channels"])
    images = testing_set(experiment.settings)
    task = experiment.task
    metrics = train.evaluate(
        model.eval(), experiment.measuring(images), loss=task.loss(experiment.settings.loss), metrics=task.metrics
    )
    figures = {name: value for name, value in metrics._asdict().items() if name != "loss"}
    accuracy = figures.pop("accuracy", None)
    path = FOLDER / f"{weights.model}-{weights.data}.npz"
    FOLDER.mkdir(exist_ok=True)
    checkpoint.save(path, tree | {"test_accuracy": accuracy, "figures": figures})
    found = "mean IoU {iou:.4f}, Dice {dice:.4f}".format(**figures) if accuracy is None else f"{accuracy:.2%}"
    print(
        f"| `{path.name}` | {path.stat().st_size / 1e6:.2f} MB | {found} of {len(images):,} test images "
        f"(loss {metrics.loss:.4f}) | epoch {weights.epoch} of {experiment.settings.epochs} | seed {experiment.settings.seed} |"
    )


def rounded(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in float16, unless it has one axis or is no float."""
    return array.astype(np.float16) if array.dtype.kind == "f" and array.ndim > 1 else array


if __name__ == "__main__":
    main(sys.argv[1])
