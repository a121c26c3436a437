"""`minidil bench`: measure this machine, minidil beside other libraries."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil import bench
from minidil.bench import CASES, COMPARED, INFERENCE, LIBRARIES, OPERATIONS, WARM_UP, ConvCase, LayerCase, Row, report
from minidil.cli.output import JSON_HELP, check_picture, document
from minidil.errors import OptionError

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_EPILOG = """
Contestants take turns, and the median of many turns counts. PyTorch, MyGrad and ONNX Runtime take part where they are installed;
PyTorch runs in both of its memory orders, and ratios are to the better one.
"""
_WHAT = {
    "conv": "single convolutions",
    "layers": "the layers around them, updates and augmentation",
    "ops": "every operation and class of shapes beside PyTorch, the worst last",
    "step": "a training step",
    "infer": "inference, the model beside its plan and ONNX Runtime",
    "train": "training with its data loader",
    "memory": "the peak memory of a training step in a fresh process, and how soon the first is done",
}
_ALL = tuple(dict.fromkeys((*LIBRARIES, *INFERENCE)))
_BATCHES = (1, 32, 256)  # of inference
_QUICK_ROUNDS, _QUICK_WARM_UP = 3, 0.02
# Options that have no meaning everywhere: where they have one, and what they are there if they are not given.
_MEANT = {
    "cases": ({"conv"}, "3x3"),
    "shape": ({"conv", "layers", "ops"}, None),
    "batch": ({"layers", "step", "infer", "train", "memory"}, 128),
    "steps": ({"train"}, 8),
    "rounds": ({"conv", "layers", "ops", "step", "infer", "train"}, 9),
    "quick": ({"ops"}, False),
    "plot": ({"conv"}, None),
}
# What is usual in one place only.
_USUAL: dict[tuple[str, str], int | None] = {("train", "rounds"): 3, ("infer", "batch"): None}


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("bench", help="measure speed and memory beside other libraries", epilog=_EPILOG)
    parser.set_defaults(run=run)
    option = parser.add_argument
    option("what", choices=tuple(_WHAT), help="; ".join(f"{name}: {words}" for name, words in _WHAT.items()))
    option("--cases", choices=sorted(CASES), help="conv: which set of shapes (default: 3x3)")
    option(
        "--shape",
        nargs="+",
        metavar="CASE",
        help="conv: shapes of your own, as '64x64x32x32 f64 k3 d2'; layers: as 'max-pool 128x64x32x32'; ops: of both",
    )
    option(
        "--batch",
        type=int,
        metavar="N",
        help="all but conv and ops: images per batch (default: 128; infer: 1, 32 and 256)",
    )
    option("--steps", type=int, metavar="N", help="train: steps per measurement (default: 8)")
    option("--rounds", type=int, metavar="N", help="how often each contestant is timed (default: 9; train: 3)")
    option(
        "--quick", action="store_true", default=None, help="ops: two minutes instead of ten, and times that vary more"
    )
    option("--libraries", nargs="+", choices=_ALL, metavar="NAME", help=f"of {', '.join(_ALL)}")
    option("--json", type=Path, metavar="FILE", help=JSON_HELP)
    option("--plot", type=Path, metavar="FILE", help="conv: draw a roofline picture (.png, .svg or .pdf)")


def run(args: argparse.Namespace) -> None:
    """Measure, print the table, write what was asked for."""
    _settle(args)
    if args.plot:
        check_picture("--plot", args.plot)
    with document(args.json) as content:
        libraries = bench.installed(args.libraries or _libraries(args.what))
        machine = bench.describe()
        print(report.conditions(machine, args.rounds), flush=True)
        rows = _rows(args, libraries)
        content |= report.content(rows, machine, args.rounds)
        report.table(report.beside(rows) if args.what == "ops" else rows, machine)
    if args.plot:
        report.roofline(args.plot, rows, machine)


def _settle(args: argparse.Namespace) -> None:
    """Fill in what was not given, and read the shapes.

    Raises: OptionError if something was given that has no meaning here, or is no count or shape.
    """
    if args.quick and args.rounds is None:
        args.rounds = _QUICK_ROUNDS
    for name, (where, default) in _MEANT.items():
        given = getattr(args, name)
        if given is not None and args.what not in where:
            raise OptionError(f"bench {args.what}: --{name} belongs to bench {', '.join(sorted(where))}")
        if isinstance(given, int) and given < 1:
            raise OptionError(f"--{name} must be >= 1, got {given}")
        if given is None:
            setattr(args, name, _USUAL.get((args.what, name), default))
    for name in args.libraries or ():
        if name not in _libraries(args.what):
            rooms = ", ".join(what for what in _WHAT if name in _libraries(what))
            raise OptionError(f"bench {args.what}: {name} takes part in bench {rooms}")
    if args.shape:
        args.shape = [_case(args.what, text) for text in args.shape]


def _case(what: str, text: str) -> ConvCase | LayerCase:
    """A convolution's name begins with its shape, a layer's with its kind."""
    is_convolution = what == "conv" or (what == "ops" and text[:1].isdecimal())
    return ConvCase.parse(text) if is_convolution else LayerCase.parse(text)


def _libraries(what: str) -> tuple[str, ...]:
    return {"infer": INFERENCE, "ops": COMPARED}.get(what, LIBRARIES)


def _rows(args: argparse.Namespace, libraries: list[str]) -> list[Row]:
    if args.what == "conv":
        return [
            row for case in args.shape or CASES[args.cases] for row in bench.bench_conv(case, libraries, args.rounds)
        ]
    if args.what == "layers":
        cases = args.shape or bench.layer_cases(args.batch)
        return [row for case in cases for row in bench.bench_layers(case, libraries, args.rounds)]
    if args.what == "ops":
        warm_up = _QUICK_WARM_UP if args.quick else WARM_UP
        return bench.bench_ops(args.shape or OPERATIONS, libraries, args.rounds, warm_up)
    if args.what == "step":
        return bench.bench_step(libraries, args.batch, args.rounds)
    if args.what == "infer":
        batches = _BATCHES if args.batch is None else (args.batch,)
        return [row for batch in batches for row in bench.bench_infer(libraries, batch, args.rounds)]
    if args.what == "train":
        return bench.bench_train(libraries, args.batch, args.steps, args.rounds)
    return [bench.peak_memory(library, args.batch) for library in libraries if library != "mygrad"]
