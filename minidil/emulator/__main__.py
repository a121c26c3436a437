"""`python -m minidil.emulator file.py`: run a script that uses numba.cuda without a GPU, and explain what is wrong with it."""

from __future__ import annotations

import argparse
import runpy
import sys
import textwrap
import traceback
from collections.abc import Sequence
from pathlib import Path

from minidil.emulator.explain import EXPLANATIONS
from minidil.emulator.report import Finding, Report
from minidil.emulator.session import ROUNDS
from minidil.emulator.standin import emulate
from minidil.errors import MinidilError

_ABOUT = """\
The emulator runs CUDA kernels that are written in Python with numba.cuda, without a GPU. It executes what numba.cuda compiles
them to, and looks at every access: what lies outside of an array, what nobody wrote before, and which threads race.

    python -m minidil.emulator file.py       runs a script as it is; kernel[grid, block](...) goes to the emulator

What it finds, and what no emulator can see, stands in {readme}. This is its example, {example}:
"""

_NO_LAUNCH = """\
no kernel was launched, so nothing was checked: a script launches one as kernel[blocks, threads](...); what stands below
`if __name__ == "__main__":` is run, too"""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 if nothing is wrong, 1 if something was found, 2 if the script could not be run."""
    parser = argparse.ArgumentParser("python -m minidil.emulator", description=__doc__)
    parser.add_argument("file", nargs="?", help="the script; without one the example is run")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="what the script finds in sys.argv")
    parser.add_argument("--stop", action="store_true", help="stop at the first fault")
    parser.add_argument("--counts", action="store_true", help="show what each launch executed and moved, line by line")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="how often threads may go round loops (default: %(default)s)"
    )
    chosen = parser.parse_args(words)
    folder = Path(__file__).parent
    file = folder / "example.py" if chosen.file is None else Path(chosen.file)
    if chosen.file is None:
        print(_ABOUT.format(readme=folder / "README.md", example=file))
        print(
            textwrap.indent(
                file.read_text(encoding="utf-8").partition("\n\n\n")[2].partition("\n\n\ndef main")[0], "    "
            )
            + "\n"
        )
    if not file.is_file():
        print(f"there is no file {file}", file=sys.stderr)
        return 2
    return _run(file, chosen.words, chosen.stop, chosen.counts, chosen.rounds)


def _run(file: Path, words: list[str], stop: bool, counts: bool, rounds: int) -> int:
    before, path, failed = sys.argv, list(sys.path), False
    report = Report()
    try:
        sys.argv, sys.path = [str(file), *words], [str(file.parent), *path]
        with emulate(keep_going=not stop, rounds=rounds) as report:
            runpy.run_path(str(file), run_name="__main__")
    except MinidilError as error:
        failed = True
        if not report.findings or str(report.findings[-1]) != str(error):
            print(f"\n{error}\n{_reached(file, error)}", file=sys.stderr)
    except Exception as error:
        failed = True
        print("".join(_as_python_says_it(file, error)), file=sys.stderr)
    finally:
        sys.argv, sys.path = before, path
    print()
    if counts:
        print("\n".join(map(str, report.launches)))
    if report.launches or report.findings:
        print(summary(report))
    else:
        print(_NO_LAUNCH if not failed else "the script was stopped before a kernel ran")
    return 1 if report.errors else 2 if failed else 0


def _reached(file: Path, error: BaseException) -> str:
    """The line of the script that led to an error."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == str(file):
            return f"  reached from {file.name}:{frame.lineno}: {frame.line}"
    return ""


def _as_python_says_it(file: Path, error: Exception) -> list[str]:
    """The traceback without the frames before those of the script: it reads as if Python had run the script."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename != str(file):
        trace = trace.tb_next
    return traceback.format_exception(error.with_traceback(trace))


def summary(report: Report) -> str:
    """What was launched and found: each fault once, however often its line was reached, with an explanation of its kind."""
    launches = f"{len(report.launches)} launch{'es' * (len(report.launches) != 1)}"
    once: dict[tuple[str, str, int], Finding] = {}
    for finding in report.findings:
        once.setdefault((finding.kind, finding.file, finding.line), finding)
    if not once:
        return (
            f"{launches}, nothing found. This holds for these inputs and sizes; the README says what no emulator sees."
        )
    pieces = [f"{launches}, {len(once)} finding{'s' * (len(once) != 1)}:"]
    explained = set()
    for number, finding in enumerate(sorted(once.values(), key=lambda one: one.severity), 1):
        head, *rest = finding.in_python().splitlines()
        pieces += [textwrap.fill(f"{number}. {head}", 120, initial_indent="\n", subsequent_indent="   "), *rest]
        if finding.kind not in explained:
            explained.add(finding.kind)
            pieces.append(textwrap.fill(EXPLANATIONS[finding.kind], 116, initial_indent="   ", subsequent_indent="   "))
    return "\n".join(pieces)


if __name__ == "__main__":
    sys.exit(main())
