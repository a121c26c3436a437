"""`minidil exercises mutants my_tests.py`: which of the bug museum's mutants a student's tests kill."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil.cli.output import JSON_HELP, document
from minidil.cli.parser import meant
from minidil.cli.table import table
from minidil.errors import OptionError
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.classroom.museum.mutant import Mutant
    from minidil.classroom.museum.visit import Verdict, Visit
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "mutants",
        help="the bug museum: which real mistakes would your tests have found?",
        description="Run a file of tests against the library, and against copies of it with one real mistake each. "
        "chapters/exercises/museum/README.md is the tour. The exit code is 0 if every mutant is killed, else 1.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("tests", nargs="?", type=Path, metavar="FILE", help="a file of tests for pytest")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these mutants alone")
    parser.add_argument("--list", action="store_true", help="show the mutants, or with --only those, and run nothing")
    parser.add_argument(
        "--every", action="store_true", help="name every test that kills a mutant, and not only the first"
    )
    parser.add_argument(
        "--backend",
        choices=("numpy", "numba"),
        default="numpy",
        help="numba is slower, and cannot show the mistakes in NumPy's kernels; default: numpy",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> int:
    """Print a table and what to look at next. Raises: OptionError if the tests say nothing of mutants."""
    from minidil.classroom.museum.exhibits import EXHIBITS
    from minidil.classroom.museum.visit import chosen, visit

    names = [mutant.name for mutant in EXHIBITS]
    for name in args.only:
        if name not in names:
            raise OptionError(f"mutants: there is no {name!r}{meant(name, names)}")
    mutants = chosen(args.only, args.backend)
    if not args.list and args.tests is None:
        raise OptionError("mutants: name your file of tests, as in: minidil exercises mutants my_tests.py")
    with document(args.json) as content:
        if args.list:
            content["mutants"] = list(map(_described, mutants))
            print("\n".join(_exhibits(mutants) if args.only else _overview(mutants)))
            return 0
        content |= {"file": str(args.tests), "backend": args.backend}
        found = visit(args.tests, mutants, backend=args.backend, every=args.every, progress=_counter())
        content |= {"tests": found.tests, "killed": found.killed, "mutants": list(map(_judged, found.verdicts))}
        print("\n".join(_report(found)))
    return 0 if found.killed == len(mutants) else 1


def _counter() -> Any:
    """Counts on a line of its own while somebody is watching."""
    if not sys.stderr.isatty():
        return None

    def count(done: int, of: int) -> None:
        print(f"\r{done} of {of} " if done < of else "\r" + " " * 12 + "\r", end="", file=sys.stderr, flush=True)

    return count


def _report(found: "Visit") -> list[str]:
    if not found.tests:
        lines = [
            fill("There is no test here: a test is a function whose name begins with test_, in a file for pytest.")
        ]
    else:
        tests = f"{found.tests} test{'s' * (found.tests != 1)}"
        lines = [fill(f"{tests} passed with the library as it is, in {found.seconds:.1f} s.")]
    rows = [("mutant", "verdict", "killed by", "chapter")]
    rows += [
        (each.mutant.name, "killed" if each.killed else "survives", _by(each), each.mutant.chapter)
        for each in found.verdicts
    ]
    lines += ["", *table(rows, "<<<<", (3, 2)), "", f"{found.killed} of {len(found.verdicts)} killed."]
    alive = [each.mutant for each in found.verdicts if not each.killed]
    if alive:
        first = alive[0]
        lines += [fill(f"{first.name} survives, for one (chapter {first.chapter}). {first.says}")]
        lines += [fill(f"You meet it in {first.met_in}; --list --only {first.name} shows its lines.")]
    return lines


def _by(verdict: "Verdict") -> str:
    tests = ", ".join(verdict.killed_by)
    return f"{tests} ({verdict.how})".strip() if verdict.how not in ("", "failed") else tests


def _overview(mutants: "list[Mutant]") -> list[str]:
    rows = [("mutant", "chapter", "you meet it in"), *((each.name, each.chapter, each.met_in) for each in mutants)]
    return [*table(rows, "<<<", (2, 1)), "", fill("--list --only NAME shows one with its lines and its origin.")]


def _exhibits(mutants: "list[Mutant]") -> list[str]:
    from minidil.classroom.museum.mutant import changed_lines

    lines = []
    for each in mutants:
        right, wrong = changed_lines(each)
        lines += [f"{each.name} (chapter {each.chapter})", "", fill(each.says), ""]
        lines += [fill(f"You meet it in {each.met_in}. In {each.replaces}:")]
        lines += [*(f"- {line}" for line in right), *(f"+ {line}" for line in wrong)]
        lines += ["", fill(f"Origin: {each.origin}"), ""]
    return lines[:-1]


def _described(mutant: "Mutant") -> dict[str, str]:
    return {
        "name": mutant.name,
        "chapter": mutant.chapter,
        "met_in": mutant.met_in,
        "replaces": mutant.replaces,
        "right": mutant.right,
        "wrong": mutant.wrong,
        "says": mutant.says,
        "origin": mutant.origin,
    }


def _judged(verdict: "Verdict") -> dict[str, Any]:
    return {
        "name": verdict.mutant.name,
        "chapter": verdict.mutant.chapter,
        "killed": verdict.killed,
        "by": list(verdict.killed_by),
        "how": verdict.how,
        "reason": verdict.reason,
        "seconds": round(verdict.seconds, 3),
    }
