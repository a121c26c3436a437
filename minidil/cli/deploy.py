"""`minidil deploy`: a trained network as something to use."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minidil import deploy
from minidil.cli.output import JSON_HELP, document
from minidil.cli.trained import RUN_HELP, trained
from minidil.errors import OptionError
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.tensor import tensor

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_IMAGES = 8  # random ones, on which the plan is compared with the network


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "deploy", help="an inference plan of a trained network: what it fuses, and why not more"
    )
    parser.set_defaults(run=run)
    parser.add_argument("what", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--plan", action="store_true", help="print the plan that `deploy.compile` makes")
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Print the plan, and how far it is from the network.

    Raises: OptionError if nothing is asked for; see `trained` and `deploy.compile`.
    """
    if not args.plan:
        raise OptionError("deploy: say what to make of the network, as in --plan")
    with document(args.json) as content:
        experiment, model = trained(args.what, tta=0)
        plan = deploy.compile(model, experiment.shape)
        x = np.random.default_rng(0).standard_normal((_IMAGES, *experiment.shape), dtype=np.float32)
        with use("numba"), no_grad():
            wanted = np.asarray(model(tensor(x)).numpy())
        off = float(np.abs(plan(x) - wanted).max())
        content |= {"deployed": args.what, **plan.as_dict(), "difference": off}
        print(plan)
        print(f"largest difference from the network on {_IMAGES} random images: {off:.1e}")
