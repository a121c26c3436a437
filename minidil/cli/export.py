"""`minidil export`: a trained network as a file that other programs read."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from minidil import deploy
from minidil.cli.output import JSON_HELP, document
from minidil.cli.trained import RUN_HELP, trained
from minidil.deploy.onnx_export import OPSET
from minidil.errors import OptionError
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_EPILOG = """
minidil export vgg_small:cifar10 --onnx vgg.onnx

minidil export runs/mine --safetensors mine.safetensors
"""


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("export", help="write a trained network as ONNX or safetensors", epilog=_EPILOG)
    parser.set_defaults(run=run)
    parser.add_argument("what", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--onnx", type=Path, metavar="FILE", help="what it computes, with its weights, for any program that runs ONNX"
    )
    parser.add_argument(
        "--safetensors", type=Path, metavar="FILE", help="its weights, under the names that PyTorch gives them"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Write the files. They say the classes, and the mean and deviation that pixels / 255 are normalised with.

    Raises: OptionError without a file to write, for one with another ending or that is there already, or what `deploy` refuses.
    """
    files = {kind: path for kind in ("onnx", "safetensors") if (path := getattr(args, kind)) is not None}
    if not files:
        raise OptionError("export: say what to write, as in --onnx FILE or --safetensors FILE")
    for kind, path in files.items():
        if path.suffix != f".{kind}":
            raise OptionError(f"--{kind}: the name of the file ends in .{kind}, and {path} does not")
        if path.exists():
            raise OptionError(f"--{kind}: {path} is there already; remove it, or name another file")
    with document(args.json) as content:
        experiment, model = trained(args.what, tta=0)
        facts = {
            "classes": experiment.classes,
            "mean": experiment.mean,
            "std": experiment.std,
            "shape": experiment.shape,
        }
        metadata = {"model": experiment.settings.model} | {name: json.dumps(value) for name, value in facts.items()}
        shape = experiment.shape
        content |= {"exported": args.what, "shape": list(shape)}
        content |= {kind: {"file": str(path)} for kind, path in files.items()}
        if "onnx" in files:
            deploy.to_onnx(model, shape, files["onnx"], metadata=metadata)
            content["onnx"]["opset"] = OPSET
        if "safetensors" in files:
            deploy.save_safetensors(model, files["safetensors"], metadata)
        told = {
            "onnx": f"ONNX, opset {OPSET}, x (batch, {', '.join(map(str, shape))}) -> y",
            "safetensors": "safetensors",
        }
        for kind, path in files.items():
            content[kind]["bytes"] = path.stat().st_size
            print(fill(f"{path}: {experiment.settings.model} as {told[kind]}, {content[kind]['bytes']:,} bytes"))
