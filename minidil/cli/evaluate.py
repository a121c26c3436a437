"""`minidil eval`: measure the best weights of a run on the test set."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minidil.cli.experiment import Experiment, testing_images
from minidil.cli.settings import options
from minidil.kernels.backend import Array, backend, use
from minidil.train import RunFolder, evaluate

if TYPE_CHECKING:
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("eval", help="measure a trained network on the test set")
    parser.set_defaults(run=run)
    parser.add_argument("folder", type=Path, metavar="RUN", help="the folder of a run")
    replace(options()["tta"], usual="as trained").add_to(parser, "tta")
    options()["backend"].add_to(parser, "backend")


def run(args: argparse.Namespace) -> None:
    """Print loss and accuracy, and the accuracy of every class."""
    folder = RunFolder(args.folder)
    experiment = Experiment.of(folder)
    with use(args.backend or backend()):
        model = experiment.trained(folder, args.tta)
        images = testing_images(experiment.settings)
        right = np.zeros(len(experiment.classes), dtype=int)

        def count(logits: Array, labels: Array) -> None:
            right[:] += np.bincount(labels[logits.argmax(axis=1) == labels], minlength=len(right))

        metrics = evaluate(model, experiment.measuring(images), count)
    total = np.bincount(images.labels, minlength=len(right))
    width = max(map(len, experiment.classes))
    for name, correct, number in zip(experiment.classes, right, total, strict=True):
        print(f"{name:{width}}  {correct:5d} of {number:5d} right" + (f"  {correct / number:7.2%}" if number else ""))
    print(f"test loss {metrics.loss:.4f}, test accuracy {metrics.accuracy:.2%} on {len(images):,} images")
