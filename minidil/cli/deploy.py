"""`minidil deploy`: a trained network as something to use."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil import deploy
from minidil.cli.images import Images, as_images
from minidil.cli.int8 import CALIBRATE, compared, quantized
from minidil.cli.output import JSON_HELP, check_new, document
from minidil.cli.trained import RUN_HELP, trained
from minidil.errors import OptionError
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.nn import Module
from minidil.tensor import tensor
from minidil.terminal import fill

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
    parser.add_argument(
        "--int8",
        nargs="?",
        const=True,
        metavar="FILE",
        help="compare it with a plan in whole numbers, whose weights take a quarter of the room; FILE (.npz): write that",
    )
    CALIBRATE.add_to(parser, "calibrate")
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Print the plan, and how far it is from the network; or how the one in whole numbers compares.

    Raises: OptionError if nothing is asked for, or for a file that is no .npz or there already; see `trained`, `deploy.compile`
        and `deploy.quantize`.
    """
    if not args.plan and args.int8 is None:
        raise OptionError("deploy: say what to make of the network, as in --plan or --int8")
    file = None if args.int8 in (None, True) else Path(args.int8)
    if args.calibrate is not None and args.int8 is None:
        raise OptionError("--calibrate is for --int8")
    if file is not None:
        check_new("--int8", file, ".npz")
    with document(args.json) as content:
        experiment, model = trained(args.what, tta=0)
        experiment = as_images(experiment, "deploy")
        content["deployed"] = args.what
        if args.plan:
            content |= _planned(experiment, model)
        if args.int8 is not None:
            plan = quantized(args.what, experiment, model, args.calibrate)
            content["int8"] = compared(args.what, experiment, model, plan)
            if file is not None:
                deploy.save_quantized(plan, file)
                content["int8"]["file"] = str(file)
                print(fill(f"{file}: written, {file.stat().st_size:,} bytes"))


def _planned(experiment: Images, model: Module) -> dict[str, Any]:
    plan = deploy.compile(model, experiment.shape)
    x = np.random.default_rng(0).standard_normal((_IMAGES, *experiment.shape), dtype=np.float32)
    with use("numba"), no_grad():
        wanted = np.asarray(model(tensor(x)).numpy())
    off = float(np.abs(plan(x) - wanted).max())
    print(plan)
    print(f"largest difference from the network on {_IMAGES} random images: {off:.1e}")
    return {**plan.as_dict(), "difference": off}
