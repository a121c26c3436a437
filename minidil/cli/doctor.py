"""`minidil doctor`: what this machine has, and what works on it."""

import argparse
import json
import shutil
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from minidil import doctor

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_EPILOG = """
Takes a few seconds and needs nothing but minidil. Attach the file of --json to a bug report: it holds no names and no paths.
"""


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("doctor", help="what this machine has and what works on it", epilog=_EPILOG)
    parser.set_defaults(run=run)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found")


def run(args: argparse.Namespace) -> None:
    """Look, print, write."""
    system = doctor.examine()
    _print_pairs(doctor.facts(system))
    print()
    print("\n".join(doctor.verdicts(system)))
    if args.json:
        args.json.write_text(json.dumps({"system": asdict(system)}, indent=1) + "\n", encoding="utf-8")


def _print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names to the left, what is to be said about them to the right, wrapped where the terminal ends."""
    width = max(60, shutil.get_terminal_size((130, 24)).columns)
    for name, text in pairs:
        print(textwrap.fill(text, width, initial_indent=f"{name:14} ", subsequent_indent=" " * 15))
