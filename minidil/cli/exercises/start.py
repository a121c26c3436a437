"""`minidil exercises start 03 [DIR]`: put a chapter's exercises into a folder of the student's."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.cli.output import check_folder
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare the subcommand."""
    parser = commands.add_parser("start", help="copy the notebook of a chapter's exercises into a folder")
    parser.set_defaults(run=run)
    parser.add_argument("chapter", metavar="NN", help="the chapter, as 03")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("exercises"), metavar="DIR", help="default: exercises"
    )


def run(args: argparse.Namespace) -> None:
    """Copy the notebook; one that is there stays as it is. Raises: OptionError for a chapter without exercises."""
    from minidil.classroom import notebooks, progress

    source = notebooks.of_chapter(args.chapter)
    check_folder("DIR", args.folder)
    args.folder.mkdir(parents=True, exist_ok=True)
    target = args.folder / source.name
    if target.exists():
        print(fill(f"{target} is there already and stays as it is; move it away to start anew."))
    else:
        target.write_bytes(source.read_bytes())
        print(fill(f"{target} is ready: open it with  jupyter lab {args.folder}"))
    progress.begin(args.folder)
    print(fill(f"minidil exercises check {args.chapter.zfill(2)} {args.folder}  checks it from the command line, too."))
