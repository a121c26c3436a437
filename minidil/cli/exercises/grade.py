"""`minidil exercises grade SUBMISSIONS --feedback OUT --seed N`: mark a class."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil.cli.output import JSON_HELP, check_file, check_folder, document
from minidil.cli.table import table
from minidil.errors import OptionError
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.classroom.grading.grade import Graded
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare the subcommand and its options."""
    parser = commands.add_parser(
        "grade",
        help="for teachers: mark a folder of submissions",
        description="Run and mark every submission: each file or folder in SUBMISSIONS is one, named after it. What is unchanged "
        "since the last time is not run again. chapters/GRADING.md says what is promised, and what is not.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="a folder")
    parser.add_argument(
        "--feedback", type=Path, required=True, metavar="OUT", help="a folder for the pages and the state"
    )
    parser.add_argument(
        "--seed", type=int, required=True, help="of the drawn cases; nobody who hands in should know it"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the table of marks (default: grades.csv in OUT)")
    parser.add_argument(
        "--chapters", nargs="+", metavar="NN", help="which, as 03 05 (default: all that were handed in)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="submissions at a time (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="for one cell or one check (default: %(default)g)")
    parser.add_argument("--total", type=float, default=300.0, help="seconds for one notebook (default: %(default)g)")
    parser.add_argument(
        "--memory", type=float, default=4.0, metavar="GIB", help="of one process (default: %(default)g)"
    )
    parser.add_argument(
        "--alike", type=float, default=0.85, help="from which share two are near copies (default: %(default)g)"
    )
    parser.add_argument("--again", action="store_true", help="grade also what is unchanged")
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> int:
    """Grade, and print a line for each student; 1 if one could not be graded. Raises: OptionError."""
    from minidil.classroom.grading.grade import grade
    from minidil.classroom.grading.session import Limits

    _check(args)
    with document(args.json) as content:
        graded = grade(
            args.submissions,
            args.feedback,
            seed=args.seed,
            csv=args.csv,
            limits=Limits(args.seconds, args.total, int(args.memory * 2**30)),
            chosen=args.chapters,
            jobs=args.jobs,
            alike=args.alike,
            again=args.again,
            progress=_bar,
        )
        content["students"] = [
            {"name": each.name, "points": each.points, "out_of": each.out_of, "flags": each.flags, "notes": each.notes}
            | {
                "marks": [
                    {"exercise": m.exercise, "points": m.points, "kind": m.kind, "message": m.message}
                    for m in each.marks
                ]
            }
            for each in graded.reports
        ]
        content |= {"graded": graded.run, "unchanged": graded.kept, "chapters": graded.chapters}
        _say(graded, args)
    return 1 if any(flag.startswith("not graded") for each in graded.reports for flag in each.flags) else 0


def _check(args: argparse.Namespace) -> None:
    """Raises: OptionError, before anything is run."""
    check_folder("--feedback", args.feedback)
    if args.csv:
        check_file("--csv", args.csv)
    for option in ("jobs", "seconds", "total", "memory"):
        if not getattr(args, option) > 0:
            raise OptionError(f"--{option} {getattr(args, option)}: must be greater than 0")
    if not 0 < args.alike <= 1:
        raise OptionError(f"--alike {args.alike}: is a share, greater than 0 and at most 1")


def _say(graded: "Graded", args: argparse.Namespace) -> None:
    from minidil.classroom.grading import fence

    rows = [("student", "points", "of", "flags")]
    rows += [(each.name, str(each.points), str(each.out_of), "; ".join(each.flags)) for each in graded.reports]
    print("\n".join(table(rows, "<>><", (3, 0))))
    print(fill(f"{graded.run} graded, {graded.kept} unchanged; chapters: " + (", ".join(graded.chapters) or "none")))
    print(fill(f"marks: {args.csv or args.feedback / 'grades.csv'}; feedback: a page for each in {args.feedback}"))
    if graded.run and not fence.version():
        print(
            fill("This system cannot keep what was run from reading and writing your files: see chapters/GRADING.md.")
        )


def _bar(total: int) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, desc="grading", unit="submission", file=sys.stderr, disable=None if total else True)
