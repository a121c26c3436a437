"""`minidil exercises check 03 [DIR]`: run a student's notebook and say which of its exercises pass."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.cli.output import JSON_HELP, document
from minidil.errors import OptionError
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare the subcommand."""
    parser = commands.add_parser("check", help="run the notebook of a chapter's exercises and check them")
    parser.set_defaults(run=run)
    parser.add_argument("chapter", metavar="NN", help="the chapter, as 03")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("exercises"), metavar="DIR", help="default: exercises"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> int:
    """Print what each check says; the exit code is 1 if one does not pass. Raises: OptionError if there is no notebook."""
    from minidil.classroom import notebooks, running

    name = notebooks.of_chapter(args.chapter).name
    path = next((place for place in (args.folder / name, Path(name)) if place.is_file()), None)
    if path is None:
        raise OptionError(
            f"there is no {args.folder / name}; minidil exercises start {args.chapter} {args.folder}  makes it"
        )
    with document(args.json) as content:
        content["results"] = results = running.results(path, args.chapter)
        for each in results:
            print("\n".join(fill(line) for line in str(each["message"]).splitlines()) + "\n")
        passed = sum(each["passed"] for each in results)
        print(f"{passed} of {len(results)} exercises of chapter {args.chapter.zfill(2)} pass.")
    return 0 if passed == len(results) else 1
