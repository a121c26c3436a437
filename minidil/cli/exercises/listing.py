"""`minidil exercises list`: every exercise with its title, points and minutes."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.cli.output import JSON_HELP, document
from minidil.cli.table import table

if TYPE_CHECKING:
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare the subcommand."""
    parser = commands.add_parser("list", help="the exercises, chapter by chapter")
    parser.set_defaults(run=run)
    parser.add_argument("chapter", nargs="?", metavar="NN", help="a chapter, as 03; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Print a line for each. Raises: OptionError for a chapter that has none."""
    from minidil.classroom.register import exercises

    found = exercises(args.chapter)
    with document(args.json) as content:
        content["exercises"] = [
            {"name": each.name, "title": each.title, "points": each.points, "minutes": each.minutes} for each in found
        ]
        rows = [("name", "what to do", "function", "points", "minutes")]
        rows += [(each.name, each.title, each.function, str(each.points), str(each.minutes)) for each in found]
        print("\n".join(table(rows, "<<<>>", (2, 4, 3))))
