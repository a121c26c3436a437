"""`minidil export`: a trained network as a file that other programs read."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from minidil import deploy
from minidil.cli.images import as_images
from minidil.cli.int8 import CALIBRATE, quantized
from minidil.cli.output import JSON_HELP, check_new, document
from minidil.cli.trained import RUN_HELP, trained
from minidil.deploy.onnx_export import OPSET
from minidil.errors import OptionError
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_EPILOG = """
minidil export vgg_small:cifar10 --onnx vgg.onnx

minidil export vgg_small:cifar10 --onnx vgg-int8.onnx --int8

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
    parser.add_argument(
        "--int8", action="store_true", help="--onnx: in whole numbers, as QDQ, whose weights take a quarter of the room"
    )
    CALIBRATE.add_to(parser, "calibrate")
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Write the files. They say the classes, and the mean and deviation that pixels / 255 are normalised with.

    Raises: OptionError without a file to write, for one with another ending or that is there already, or what `deploy` refuses.
    """
    files = {kind: path for kind in ("onnx", "safetensors") if (path := getattr(args, kind)) is not None}
    if not files:
        raise OptionError("export: say what to write, as in --onnx FILE or --safetensors FILE")
    for kind, path in files.items():
        check_new(f"--{kind}", path, f".{kind}")
    if args.int8 and "onnx" not in files:
        raise OptionError("export: --int8 goes with --onnx FILE; `minidil deploy RUN --int8 FILE` writes minidil's own")
    if args.calibrate is not None and not args.int8:
        raise OptionError("--calibrate is for --int8")
    with document(args.json) as content:
        experiment, model = trained(args.what, tta=0)
        experiment = as_images(experiment, "export")
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
            whole = quantized(args.what, experiment, model, args.calibrate) if args.int8 else model
            deploy.to_onnx(whole, shape, files["onnx"], metadata=metadata)
            content["onnx"] |= {"opset": OPSET, "int8": args.int8}
        if "safetensors" in files:
            deploy.save_safetensors(model, files["safetensors"], metadata)
        told = {
            "onnx": f"ONNX{' in int8' if args.int8 else ''}, opset {OPSET}, x (batch, {', '.join(map(str, shape))}) -> y",
            "safetensors": "safetensors",
        }
        for kind, path in files.items():
            content[kind]["bytes"] = path.stat().st_size
            print(fill(f"{path}: {experiment.settings.model} as {told[kind]}, {content[kind]['bytes']:,} bytes"))
