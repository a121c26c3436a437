"""`minidil bench`: measure this machine, minidil beside other libraries."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.bench import CASES, LIBRARIES, ConvCase, bench_conv, bench_step, describe, installed, peak_memory, report
from minidil.errors import OptionError

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_EPILOG = """
Contestants take turns, and the median of many turns counts. PyTorch and MyGrad take part where they are installed;
PyTorch runs in both of its memory orders, and ratios are to the better one.
"""


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("bench", help="measure speed and memory beside other libraries", epilog=_EPILOG)
    parser.set_defaults(run=run)
    option = parser.add_argument
    option("what", choices=("conv", "step", "memory"), help="single convolutions, a training step, its peak memory")
    option("--cases", choices=sorted(CASES), default="3x3", help="conv: which set of shapes (default: 3x3)")
    option("--shape", type=_shape, nargs="+", metavar="CASE", help="conv: shapes of your own: '64x64x32x32 f64 k3 d2'")
    option("--batch", type=int, default=128, metavar="N", help="step, memory: images per batch (default: 128)")
    option("--rounds", type=int, default=9, metavar="N", help="how often each contestant is timed (default: 9)")
    option("--libraries", nargs="+", choices=LIBRARIES, metavar="NAME", help=f"of {', '.join(LIBRARIES)}")
    option("--json", type=Path, metavar="FILE", help="write everything that was measured")
    option("--plot", type=Path, metavar="FILE", help="conv: draw a roofline picture (.png, .svg or .pdf)")


def run(args: argparse.Namespace) -> None:
    """Measure, print the table, write what was asked for."""
    if args.plot and args.what != "conv":
        raise OptionError(f"bench {args.what}: --plot draws convolutions only")
    libraries = installed(tuple(args.libraries or LIBRARIES))
    machine = describe()
    print(report.conditions(machine, args.rounds), flush=True)
    if args.what == "conv":
        cases = args.shape or CASES[args.cases]
        rows = [row for case in cases for row in bench_conv(case, libraries, args.rounds)]
    elif args.what == "step":
        rows = bench_step(libraries, args.batch, args.rounds)
    else:
        rows = [peak_memory(library, args.batch) for library in libraries if library != "mygrad"]
    report.table(rows, machine)
    if args.json:
        report.write_json(args.json, rows, machine, args.rounds)
    if args.plot:
        report.roofline(args.plot, rows, machine)


def _shape(text: str) -> ConvCase:
    try:
        return ConvCase.parse(text)
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
