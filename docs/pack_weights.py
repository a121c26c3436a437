"""Make the weights that come with minidil from a run: `python docs/pack_weights.py RUN` writes them to minidil/models/weights.

The best weights of the run are rounded as they are kept, loaded into a fresh model, and measured on the test set: that accuracy
goes into the file. A line for the table in minidil/models/weights/README.md is printed.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from minidil import checkpoint, models, nn, train
from minidil.cli.experiment import Experiment, testing_images
from minidil.models.pretrained import Weights, from_tree

FOLDER = Path(models.__file__).with_name("weights")


def main(run: str) -> None:
    """Pack the run in that folder."""
    folder = train.RunFolder(run)
    experiment = Experiment.of(folder)
    best = folder.best()
    model: nn.Module = experiment.model()
    tree: dict[str, Any] = experiment.config() | {
        "model": experiment.settings.model,
        "data": experiment.settings.data,
        "options": {"num_classes": len(experiment.classes), "in_channels": experiment.shape[0]}
        | {
            name: getattr(experiment.settings, name)
            for name in ("widths", "dilations")
            if getattr(experiment.settings, name)
        },
        "epoch": int(best["row"]["epoch"]),
        "test_accuracy": 0.0,
        "state": {name: rounded(np.asarray(array)) for name, array in best["model"].items()},
    }
    weights: Weights = from_tree(tree)
    weights.load_into(model, weights.options["num_classes"], weights.options["in_channels"])
    images = testing_images(experiment.settings)
    metrics = train.evaluate(model.eval(), experiment.measuring(images))
    path = FOLDER / f"{weights.model}-{weights.data}.npz"
    FOLDER.mkdir(exist_ok=True)
    checkpoint.save(path, tree | {"test_accuracy": metrics.accuracy})
    print(
        f"| `{path.name}` | {path.stat().st_size / 1e6:.2f} MB | {metrics.accuracy:.2%} of {len(images):,} test images "
        f"(loss {metrics.loss:.4f}) | epoch {weights.epoch} of {experiment.settings.epochs} | seed {experiment.settings.seed} |"
    )


def rounded(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in float16, unless it has one axis or is no float."""
    return array.astype(np.float16) if array.dtype.kind == "f" and array.ndim > 1 else array


if __name__ == "__main__":
    main(sys.argv[1])
