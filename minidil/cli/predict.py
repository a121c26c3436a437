"""`minidil predict`: what a trained network sees in image files."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import minidil.functional as F
from minidil.cli.experiment import TTA_HELP, Experiment
from minidil.data import pictures
from minidil.errors import DataError, OptionError
from minidil.graph import no_grad
from minidil.kernels.backend import Array, backend, use
from minidil.tensor import tensor
from minidil.train import RunFolder
from minidil.train.views import LEVELS

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_SHOWN = 3


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("predict", help="name what is in image files")
    parser.set_defaults(run=run)
    parser.add_argument("folder", type=Path, metavar="RUN", help="the folder of a run")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files of any size")
    parser.add_argument(
        "--invert", action="store_true", help="swap dark and bright first, as for black ink on white paper"
    )
    parser.add_argument("--top", type=int, default=_SHOWN, metavar="N", help=f"classes to print (default: {_SHOWN})")
    parser.add_argument("--tta", type=int, choices=LEVELS, help=f"{TTA_HELP} (default: as trained)")
    parser.add_argument("--backend", choices=("numpy", "numba", "cuda"), help="default: numba where it is installed")


def run(args: argparse.Namespace) -> None:
    """Print the most probable classes of every image, one line each."""
    if args.top < 1:
        raise OptionError(f"--top {args.top}: must be at least 1")
    folder = RunFolder(args.folder)
    experiment = Experiment.of(folder)
    with use(args.backend or backend()):
        model = experiment.trained(folder, args.tta)
        for path in args.images:
            pixels, changes = read_image(path, experiment.shape, args.invert)
            image = pixels[None].astype(np.float32) / np.float32(255)
            batch = experiment.normalize()(image, np.random.default_rng(0))
            with no_grad():
                probabilities = F.softmax(model(tensor(batch))).numpy()[0]
            best = np.argsort(-probabilities, kind="stable")[: args.top]
            answers = ", ".join(f"{experiment.classes[index]} {probabilities[index]:.1%}" for index in best)
            print(f"{path}: {answers}" + (f"  ({', '.join(changes)})" if changes else ""))


def read_image(path: Path, shape: tuple[int, int, int], invert: bool = False) -> tuple[Array, list[str]]:
    """Read an image as a model takes it: (pixels uint8 (C, H, W), what had to be changed for that, in words).

    An image of other proportions fills the shape and is cut off evenly on both sides.
    Raises: DataError if Pillow is missing or cannot read or show the file; OSError if there is no such file.
    """
    channels, height, width = shape
    mode = {1: "L", 3: "RGB"}.get(channels)
    if mode is None:
        raise DataError(f"{path}: the model takes {channels} channels, and image files have 1 or 3")
    image, changes = pictures.opened(path)
    if image.mode != mode:
        changes.append("made grey" if mode == "L" else "made RGB")
        image = image.convert(mode)
    if image.size != (width, height):
        changes.append(f"scaled from {image.height}x{image.width} to {height}x{width}")
        image = pictures.fitted(image, height, width)
    if invert:
        changes.append("inverted")
        image = pictures.inverted(image)
    return pictures.pixels(image), changes
