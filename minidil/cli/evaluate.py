"""`minidil eval`: measure the best weights of a run, or weights that come with minidil, on the test set."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil.array import Array
from minidil.cli.experiment import Experiment, blaming, testing_images
from minidil.cli.masks import measured
from minidil.cli.output import JSON_HELP, document
from minidil.cli.settings import options
from minidil.cli.table import table
from minidil.cli.trained import RUN_HELP, trained
from minidil.data import Dataset, MaskedDataset
from minidil.kernels.backend import backend, use
from minidil.nn import Module
from minidil.terminal import fill
from minidil.train import RunFolder, evaluate

if TYPE_CHECKING:
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("eval", help="measure a trained network on the test set")
    parser.set_defaults(run=run)
    parser.add_argument("trained", metavar="RUN", help=RUN_HELP)
    replace(options()["tta"], usual="as trained").add_to(parser, "tta")
    options()["backend"].add_to(parser, "backend")
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Print loss and accuracy, and the accuracy of every class; or for masks IoU and Dice of every kind of picture."""
    with document(args.json) as content:
        _measure(args, content)


def _measure(args: argparse.Namespace, content: dict[str, Any]) -> None:
    with use(args.backend or backend()):
        experiment, model = trained(args.trained, args.tta)
        folder = RunFolder(args.trained) if Path(args.trained).is_dir() else None
        with blaming(folder):
            images = testing_images(experiment.settings)
        if folder:
            experiment.check_images(images, folder)
        content |= {"trained": args.trained, "data": experiment.settings.data, "images": len(images)}
        if isinstance(images, MaskedDataset):
            measured(experiment, model, images, content)
        else:
            _named(experiment, model, images, content)


def _named(experiment: Experiment, model: Module, images: Dataset, content: dict[str, Any]) -> None:
    right = np.zeros(len(experiment.classes), dtype=int)

    def count(logits: Array, labels: Array) -> None:
        right[:] += np.bincount(labels[logits.argmax(axis=1) == labels], minlength=len(right))

    metrics = evaluate(model, experiment.measuring(images), count)
    total = np.bincount(images.labels, minlength=len(right))
    content |= {"loss": metrics.loss, "accuracy": metrics.accuracy, "classes": []}
    rows = []
    for name, correct, number in zip(experiment.classes, right.tolist(), total.tolist(), strict=True):
        content["classes"].append({"class": name, "right": correct, "images": number})
        rows.append((name, f"{correct:5d} of {number:5d} right", f"{correct / number:7.2%}" if number else ""))
    print("\n".join(table(rows, "<<<", (1,))))
    print(fill(f"test loss {metrics.loss:.4f}, test accuracy {metrics.accuracy:.2%} on {len(images):,} images"))
