"""`minidil predict`: what a trained network sees in image files."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.cli.experiment import Experiment
from minidil.cli.masks import drawn
from minidil.cli.option import Option
from minidil.cli.output import JSON_HELP, document
from minidil.cli.refusal import one_line, refuse
from minidil.cli.settings import options
from minidil.cli.trained import FILE_HELP, RUN_HELP, converted, trained
from minidil.data import pictures
from minidil.errors import DataError, OptionError
from minidil.graph import no_grad
from minidil.kernels.backend import backend, use
from minidil.nn import Module
from minidil.tensor import tensor
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_SHOWN = 3
_TOP = Option("classes to print", int, least=1, usual=str(_SHOWN))


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("predict", help="name what is in image files, or draw its outlines")
    parser.set_defaults(run=run)
    parser.add_argument("trained", metavar="RUN", help=RUN_HELP + FILE_HELP)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files of any size")
    parser.add_argument(
        "--invert", action="store_true", help="swap dark and bright first, as for black ink on white paper"
    )
    _TOP.add_to(parser, "top")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where a network that gives a class for every pixel writes NAME-overlay.png (default: the current folder)",
    )
    replace(options()["tta"], usual="as trained").add_to(parser, "tta")
    options()["backend"].add_to(parser, "backend")
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> int:
    """Print the most probable classes of every image, one line each, or draw its mask.

    Returns: 2 if an image could not be read, else 0. Raises: OptionError for --out where nothing is drawn.
    """
    top = _SHOWN if args.top is None else args.top
    _TOP.check("top", top)
    pictures.require_pillow()  # asked first: without it no image can be read
    code = 0
    with document(args.json) as content, use(args.backend or backend()):
        file = Path(args.trained)
        experiment, model = converted(file, args.tta) if file.is_file() else trained(args.trained, args.tta)
        masks, out = experiment.task.masks, args.out or Path()
        if args.out and not masks:
            raise OptionError(
                f"--out {args.out}: {args.trained} gives {experiment.task.answers}, of which nothing is drawn"
            )
        if not out.is_dir():
            raise OptionError(f"--out {out}: there is no such folder")
        content |= {"trained": args.trained, "images": []}
        for path in args.images:
            try:
                pixels, changes = read_image(path, experiment.shape, args.invert, whole=masks)
            except (DataError, OSError) as error:  # the other images are as good as before
                code = refuse(one_line(error), 2)
                content["images"].append({"image": str(path), "error": one_line(error)})
                continue
            if masks:
                found = drawn(experiment, model, pixels, path, out)
                content["images"].append({"image": str(path), **found, "changes": changes})
                words = ", ".join(
                    f"{each['class']} {each['share']:.1%} in {each['parts']} parts" for each in found["classes"]
                )
                print(fill(f"{path}: {words}; drawn: {found['overlay']}" + _done(changes)))
                continue
            probabilities = _probabilities(experiment, model, pixels)
            best = np.argsort(-probabilities, kind="stable")[:top]
            answers = [(experiment.classes[index], float(probabilities[index])) for index in best]
            classes = [{"class": name, "probability": share} for name, share in answers]
            content["images"].append({"image": str(path), "classes": classes, "changes": changes})
            words = ", ".join(f"{name} {share:.1%}" for name, share in answers)
            print(fill(f"{path}: {words}" + _done(changes)))
    return code


def _done(changes: list[str]) -> str:
    return f"  ({', '.join(changes)})" if changes else ""


def _probabilities(experiment: Experiment, model: Module, pixels: Array) -> Array:
    """(classes,), of an image (C, H, W) of uint8."""
    image = pixels[None].astype(np.float32) / np.float32(255)
    batch = experiment.normalize()(image, np.random.default_rng(0))
    with no_grad():
        return F.softmax(model(tensor(batch))).numpy()[0]


def read_image(
    path: Path, shape: tuple[int, int, int], invert: bool = False, whole: bool = False
) -> tuple[Array, list[str]]:
    """Read an image as a model takes it: (pixels uint8 (C, H, W), what had to be changed for that, in words).

    An image of other proportions fills the shape and is cut off evenly on both sides; whole: it keeps the size that it has.
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
    if not whole and image.size != (width, height):
        changes.append(f"scaled from {image.height}x{image.width} to {height}x{width}")
        image = pictures.fitted(image, height, width)
    if invert:
        changes.append("inverted")
        image = pictures.inverted(image)
    return pictures.pixels(image), changes
