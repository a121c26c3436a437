"""`minidil eval`: measure the best weights of a run, or weights that come with minidil, on the test set."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.cli.experiment import blaming, testing_set
from minidil.cli.output import JSON_HELP, document
from minidil.cli.settings import options
from minidil.cli.trained import RUN_HELP, trained
from minidil.kernels.backend import backend, use
from minidil.train import RunFolder

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
    """Print the figures of its task: loss and accuracy, or IoU and Dice, and those of every class or kind."""
    with document(args.json) as content, use(args.backend or backend()):
        experiment, model = trained(args.trained, args.tta)
        folder = RunFolder(args.trained) if Path(args.trained).is_dir() else None
        with blaming(folder):
            items = testing_set(experiment.settings)
        if folder:
            experiment.check(items, folder)
        content |= {"trained": args.trained, "data": experiment.settings.data, experiment.task.items: len(items)}
        experiment.report(model, items, content)
