"""`minidil doctor`: what this machine has, what works on it, and, with --cuda, whether its GPU computes what it should."""

import argparse
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil import doctor
from minidil.cli.output import JSON_HELP, check_folder, document
from minidil.cli.parser import nearest
from minidil.doctor import Agreement, Check, System
from minidil.errors import BackendError, OptionError
from minidil.kernels.backend import use
from minidil.kernels.cuda.target import target
from minidil.terminal import fill, room

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_EPILOG = """
Without options it takes a few seconds and needs nothing but minidil. With MINIDIL_CUDA=emulator, --cuda checks the CUDA kernels
on a machine without a GPU. Attach the file of --json to a bug report: it holds no names and no paths.
"""


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("doctor", help="what this machine has and what works on it", epilog=_EPILOG)
    parser.set_defaults(run=run)
    option = parser.add_argument
    option(
        "--cuda", action="store_true", help="run every op on the GPU, or in the emulator, beside float64; measure it"
    )
    option("--ops", nargs="+", metavar="OP", help="with --cuda: these ops only, and no measurements")
    option(
        "--static", type=Path, metavar="FOLDER", help="compile every CUDA kernel for every GPU, write the table there"
    )
    option("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Look, print, write. Raises: OptionError, before anything, for an op that is none; BackendError if a check has failed."""
    checks = _chosen(args)
    if args.static:
        check_folder("--static", args.static)
    with document(args.json) as content:
        failed = _examine(args, checks, content)
    if failed:
        more = f", and {len(failed) - 5} more" if len(failed) > 5 else ""
        raise BackendError(f"doctor: failed: {'; '.join(failed[:5])}{more}")


def _chosen(args: argparse.Namespace) -> list[Check]:
    """The checks to run on the GPU or in the emulator; none without --cuda."""
    if not args.cuda:
        if args.ops:
            raise OptionError(f"--ops {' '.join(args.ops)}: chooses among the checks of --cuda; give that, too")
        return []
    checks = [*doctor.op_checks(), *doctor.kernel_checks(), *doctor.cuda_checks(), *doctor.training_checks()]
    names = {check.name for check in checks}
    if unknown := sorted(set(args.ops or ()) - names):
        near = nearest(unknown[0], sorted(names))
        raise OptionError(
            f"--ops: nothing is called {', '.join(unknown)}; names are those of minidil.functional"
            + (f"; did you mean {' or '.join(map(repr, near))}?" if near else "")
        )
    return [check for check in checks if not args.ops or check.name in args.ops]


def _examine(args: argparse.Namespace, checks: Sequence[Check], content: dict[str, Any]) -> list[str]:
    """Print and note what there is. Returns what failed."""
    system = doctor.examine()
    _print_pairs(doctor.facts(system))
    print()
    print("\n".join(map(fill, doctor.verdicts(system))))
    content["system"] = asdict(system)
    failed: list[str] = []
    if args.cuda:
        failed += _check_cuda(system, checks, not args.ops, content)
    if args.static:
        failed += _check_static(args.static)
    return failed


def _check_cuda(system: System, checks: Sequence[Check], whole: bool, content: dict[str, Any]) -> list[str]:
    """Run the checks, print a line for each; measure, if they are the whole. Returns what failed.

    Raises: BackendError if there is nothing to run on.
    """
    with use("cuda"):
        pass  # says what is missing
    emulated = target() == "emulator"
    print("", *map(fill, (_EMULATED if emulated else _ON_GPU).splitlines()), "", sep="\n")
    content["target"] = "emulator" if emulated else "gpu"
    print(_row("op", "shapes", "error", "gradients", "same twice", "verdict"))
    rows = content["ops"] = []
    failed = []
    for row in doctor.compare("cuda", checks):
        rows.append(asdict(row) | {"passed": row.passed})
        failed += [] if row.passed else [f"{row.name} ({row.shapes})"]
        print(_agreement(row), flush=True)
    if whole:
        failed += _measure(None if emulated else system, content)
    return failed


_EMULATED = """Every op on the emulator, which executes the compiled kernels on the CPU, beside NumPy in float64. What only a GPU
can tell is left out: times, bandwidth, the latency of a launch, and whether blocks that run at once see each other's memory."""
_ON_GPU = "Every op on the GPU beside NumPy in float64, twice."


def _measure(system: System | None, content: dict[str, Any]) -> list[str]:
    """The test of a full memory, and on a GPU the timings."""
    from minidil.doctor.gauges import gauges, out_of_memory

    gpu = system.gpu if system else None
    trouble = out_of_memory(2 * gpu.memory if gpu else 1 << 40)
    print("\n" + fill(f"more memory than there is: {trouble or 'refused in words, and the device works on'}"))
    content["out_of_memory"] = trouble
    if gpu:
        print()
        found = []
        for gauge in gauges(gpu):
            found.append(asdict(gauge))
            share = f"{gauge.share:.0%} of the most" if gauge.share is not None else ""
            rival = f"{gauge.rival_name} {gauge.rival:.0f}" if gauge.rival is not None else ""
            print(_line(f"{gauge.name:44} {gauge.value:10.1f} {gauge.unit:8} {share:16} {rival}"), flush=True)
        content["gauges"] = found
    return [f"memory: {trouble}"] if trouble else []


def _check_static(folder: Path) -> list[str]:
    """Compile everything, write the table. Returns the limits that are broken."""
    from minidil.doctor import static

    rows = static.measure_all()
    static.write(folder, rows)
    print("\n" + fill(f"{len(rows)} rows in {folder / 'static.md'} and static.json"))
    return [fault for row in rows for fault in static.broken(row)]


def _agreement(row: Agreement) -> str:
    if row.error is None or row.gradient_error is None:
        return _row(row.name, row.shapes, "", "", "", f"FAILED: {row.trouble}")
    verdict = "ok" if row.passed else "FAILED"
    same = "yes" if row.repeatable else "NO"
    return _row(row.name, row.shapes, f"{row.error:.1e}", f"{row.gradient_error:.1e}", same, verdict)


def _row(name: str, shapes: str, error: str, gradients: str, same: str, verdict: str) -> str:
    return _line(f"{name:32} {shapes:28} {error:>8} {gradients:>10} {same:>11}  {verdict}")


def _line(columns: str) -> str:
    """A row of a table; where the terminal is too narrow for it, its words one after the other."""
    columns = columns.rstrip()
    return columns if len(columns) <= room() else fill(re.sub(" {2,}", "  ", columns), break_words=True)


def _print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names to the left, what is to be said about them to the right, wrapped where the terminal ends."""
    width = min(max(room(), 30), 130)
    for name, text in pairs:
        print(textwrap.fill(text, width, initial_indent=f"{name:14} ", subsequent_indent=" " * 15))
