"""`minidil exercises`: what there is, starting a chapter, checking it, how far one is; and what teachers need.

Each subcommand is a module with `add(commands)`, which declares its options, and `run(args)`.
"""

from typing import TYPE_CHECKING

from minidil.cli.exercises import check, grade, listing, mutants, progress, release, start

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_SUBCOMMANDS = (listing, start, check, progress, mutants, release, grade)


def add(commands: "Commands") -> None:
    """Declare the command and its subcommands."""
    parser = commands.add_parser("exercises", help="exercises to the chapters: start, check, see how far you are")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for subcommand in _SUBCOMMANDS:
        subcommand.add(actions)
