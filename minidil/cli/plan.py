"""`minidil plan`: the cheapest stack of dilated layers that sees so far without holes, or what is wrong with a given one."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil import analysis
from minidil.cli.option import declarations, declared, flag
from minidil.cli.output import JSON_HELP, document
from minidil.errors import OptionError
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_EPILOG = """
minidil plan --kernel 3 --reach 65

minidil plan --kernel 3 --check 2 2 2 --axes 2
"""


@dataclass(frozen=True)
class Request:
    """What was asked for; None is not given."""

    kernel: int = declared(3, "taps of every layer along an axis", kind=int, least=1)
    reach: int | None = declared(None, "positions that an output must see along an axis", kind=int, least=1)
    depth: int | None = declared(None, "exactly so many layers", kind=int, least=1, usual="as few as will do")
    output_stride: int = declared(1, "a power of 2: so many layers with stride 2 come first", kind=int, least=1)
    parameters: int | None = declared(None, "at most so many in all layers; needs --channels", kind=int, least=1)
    channels: int | None = declared(None, "into and out of every layer, to count parameters", kind=int, least=1)
    axes: int = declared(1, "over which a layer slides", kind=int, least=1, most=3)
    check: tuple[int, ...] | None = declared(
        None, "judge these dilations, one per layer, instead of planning", kind=int, least=1, many=True
    )


_OF_CHECKING = ("kernel", "axes", "check")


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "plan", help="find dilations that see far without holes, or judge some", epilog=_EPILOG
    )
    parser.set_defaults(run=run)
    for name, option in declarations(Request):
        option.add_to(parser, name)
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> int:
    """Print the schedule, or the verdict; the exit code is 1 for a schedule with holes.

    Raises: OptionError if nothing can satisfy the request.
    """
    request = _request(args)
    with document(args.json) as content:
        if request.check is not None:
            verdict = analysis.lint(request.check, request.kernel, ndim=request.axes)
            content |= verdict.as_dict()
            print(fill(repr(verdict)))
            return 0 if verdict.good else 1
        if request.reach is None:
            raise OptionError(
                "plan: say how far an output must see, as in --reach 65, or what to judge, as in --check 1 2 4"
            )
        made = analysis.plan(
            request.reach,
            request.kernel,
            depth=request.depth,
            output_stride=request.output_stride,
            parameters=request.parameters,
            channels=request.channels,
            ndim=request.axes,
        )
        content |= made.as_dict()
        *table, reason = repr(made).splitlines()
        print("\n".join([*table, fill(reason)]))
        if made.parameters is not None:
            print(f"{made.parameters:,} parameters")
    return 0


def _request(args: argparse.Namespace) -> Request:
    """Raises: OptionError that names the option if a value makes no sense, or has none beside --check."""
    given: dict[str, Any] = {}
    for each in fields(Request):
        value = getattr(args, each.name)
        if value is not None:
            given[each.name] = tuple(value) if isinstance(value, list) else value
            each.metadata["option"].check(each.name, given[each.name])
    if "check" in given and (others := [name for name in given if name not in _OF_CHECKING]):
        raise OptionError(f"--check judges dilations and plans none: leave out {', '.join(map(flag, others))}")
    return Request(**given)
