"""`minidil predict`: what a trained network sees in image files."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.cli.experiment import Wanted
from minidil.cli.option import Option
from minidil.cli.output import JSON_HELP, document
from minidil.cli.refusal import one_line, refuse
from minidil.cli.settings import options
from minidil.cli.tasks import Task
from minidil.cli.trained import FILE_HELP, RUN_HELP, converted, trained
from minidil.errors import DataError, OptionError
from minidil.kernels.backend import backend, use
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_SHOWN = 3
_TOP = Option("classes to print", int, least=1, usual=str(_SHOWN))


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "predict", help="name what is in images, clips, sounds or sentences, or draw where it is"
    )
    parser.set_defaults(run=run)
    parser.add_argument("trained", metavar="RUN", help=RUN_HELP + FILE_HELP)
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="WHAT",
        help="image files of any size, WAV files, folders of the frames of a clip, or sentences, each in quotation marks",
    )
    parser.add_argument(
        "--invert", action="store_true", help="swap dark and bright first, as for black ink on white paper"
    )
    _TOP.add_to(parser, "top")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where it is drawn, as NAME-overlay.png, NAME-boxes.png or NAME-clip.png (default: the current folder)",
    )
    replace(options()["tta"], usual="as trained").add_to(parser, "tta")
    options()["backend"].add_to(parser, "backend")
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> int:
    """Print the answer for every image, one line each: the most probable classes, or what its mask shows.

    Returns: 2 if one could not be read, else 0. Raises: OptionError for an option that means nothing to this network.
    """
    top = _SHOWN if args.top is None else args.top
    _TOP.check("top", top)
    code = 0
    with document(args.json) as content, use(args.backend or backend()):
        file = Path(args.trained)
        experiment, model = converted(file, args.tta) if file.is_file() else trained(args.trained, args.tta)
        task, out = experiment.task, args.out or Path()
        _check_use(args, task)
        if not out.is_dir():
            raise OptionError(f"--out {out}: there is no such folder")
        item = task.items.removesuffix("s")
        content |= {"trained": args.trained, task.items: []}
        for source in args.sources:
            try:
                answer = experiment.answer(model, source, Wanted(top, args.invert, out))
            except (DataError, OSError) as error:  # the others are as good as before
                code = refuse(one_line(error), 2)
                content[task.items].append({item: source, "error": one_line(error)})
                continue
            content[task.items].append({item: source, **answer.content})
            print(fill(f"{source}: {answer.words}"))
    return code


def _check_use(args: argparse.Namespace, task: Task) -> None:
    """Raise OptionError for an option that means nothing to the task."""
    for option, used, why in (
        ("--out", bool(args.out) and not task.draws, "of which nothing is drawn"),
        ("--invert", args.invert and not task.dark_and_bright, "in which nothing is dark or bright"),
        ("--top", args.top is not None and not task.with_classes, "of which all is told"),
    ):
        if used:
            raise OptionError(f"{option}: {args.trained} gives {task.answers}, {why}")
