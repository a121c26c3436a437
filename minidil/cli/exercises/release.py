"""`minidil exercises release OUT`: make the folder that is handed out to students."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.cli.output import check_folder
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare the subcommand."""
    parser = commands.add_parser("release", help="for teachers: make the folder to hand out")
    parser.set_defaults(run=run)
    parser.add_argument("out", type=Path, metavar="OUT", help="a new or an empty folder")
    parser.add_argument("--chapters", nargs="+", metavar="NN", help="which, as 03 05 (default: all)")


def run(args: argparse.Namespace) -> None:
    """Copy, and say what. Raises: OptionError."""
    from minidil.classroom.grading.release import release

    check_folder("OUT", args.out)
    written = release(args.out, args.chapters)
    print(fill(f"{args.out} holds {', '.join(path.name for path in written)}: no solutions are in it."))
