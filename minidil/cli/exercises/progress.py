"""`minidil exercises progress [DIR]`: a bar for each chapter."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.cli.output import JSON_HELP, document
from minidil.cli.table import table

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_WIDTH = 20


def add(commands: "Commands") -> None:
    """Declare the subcommand."""
    parser = commands.add_parser("progress", help="how far you are, chapter by chapter")
    parser.set_defaults(run=run)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=None, metavar="DIR", help="default: exercises, or this folder"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Print the bars; chapters that were never started have empty ones."""
    from minidil.classroom import progress
    from minidil.classroom.register import exercises

    folder = args.folder or next(
        (each for each in (Path("exercises"), Path()) if (each / progress.FILE).exists()), Path()
    )
    known = progress.read(folder)
    rows = []
    with document(args.json) as content:
        content["chapters"] = []
        for chapter in dict.fromkeys(each.chapter for each in exercises()):
            of_chapter = exercises(chapter)
            passed = [each.name for each in of_chapter if known.get(each.name, {}).get("passed")]
            following = next((each for each in of_chapter if each.name not in passed), None)
            full = _WIDTH * len(passed) // len(of_chapter)
            bar = "#" * full + "-" * (_WIDTH - full)
            ahead = f"next: {following.name} {following.title}" if following else "all done"
            rows.append((chapter, f"[{bar}]", f"{len(passed)} of {len(of_chapter)}", ahead))
            content["chapters"].append({"chapter": chapter, "passed": passed, "of": [each.name for each in of_chapter]})
        print("\n".join(table(rows, "<<<<", (3,))))
