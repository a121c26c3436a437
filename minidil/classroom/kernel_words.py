"""What is said of a kernel: the fault, the student's own line, the problem it showed on, and where to look.

What comes in is what the emulator found or counted; what goes out are blocks of a report.
"""

import linecache
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from minidil.classroom.compare import Difference
from minidil.classroom.report import Block, Say
from minidil.classroom.show import case_blocks, result_blocks

if TYPE_CHECKING:
    from minidil.classroom.exercise import Exercise, Mistake
    from minidil.emulator import Finding, Launch

_HEADS = {
    "out of bounds": "It reaches outside of an array",
    "misaligned": "An address is no multiple of the size of what is read",
    "uninitialised": "It reads memory that nobody has written",
    "race": "A race (two threads touch one place, one of them writes, and nothing says who comes first)",
    "benign race": "A race, harmless today (two threads write the same into one place)",
    "divergent barrier": "A barrier that not all threads of the block reach",
    "exited threads": "A barrier that not all threads of the block reach",
    "shuffle": "A shuffle from a thread that takes no part",
    "division by zero": "A division by zero",
    "exception": "It raises an exception",
    "endless loop": "A loop does not end",
    "negative index": "An index is below zero",
    "row overrun": "An index is beyond the end of its row",
    "never written": "Some elements are written by no thread",
}
_MEANS = {  # where the emulator's own words are for those who write programs
    "endless loop": "What changes in the loop, so that its condition becomes false?",
    "never written": "Which thread is to write these? Count how many threads there are, and what each of them does.",
    "exception": "A GPU ends the thread there without a word.",
}
_LINES = 10  # that a kernel printed
_MOST = 60  # numbers of a case that is shown whole
Lines = Mapping[int, str]


def problem(edge: str, case: Mapping[str, Any], function: str, grid: Sequence[int], block: Sequence[int]) -> str:
    """The sizes of a case and its launch."""
    sizes = ", ".join(
        f"{name} of {' x '.join(map(str, value.shape))}" if isinstance(value, np.ndarray) else f"{name} = {value}"
        for name, value in case.items()
    )
    launch = f"{function}[{_size(grid)}, {_size(block)}]({', '.join(case)})"
    return f"{sizes}{f' ({edge})' if edge else ''}, launched as {launch}"


def framed(exercise: "Exercise", blocks: Sequence[Block], passed: bool) -> tuple[Block, ...]:
    """With the exercise's title, and with the offer of a hint below what does not pass."""
    title = f"{exercise.name} {exercise.title}"
    if passed:
        return (Say(f"{title}: {exercise.function} does what is asked.", "passed"), *blocks)
    offer = f'A hint: minidil.check("{exercise.name}", {exercise.function}, hint=1); there are three.'
    return (Say(title, "failed"), *blocks, Say(offer, "hint"))


def impossible(trouble: str) -> tuple[Block, ...]:
    """Why no kernel can be checked on this machine, in one line."""
    from minidil.emulator.toolchain import INSTALL

    reason = trouble.replace(INSTALL, "pip install 'minidil[cuda]' brings it, and needs no GPU and no driver")
    return (Say(f"No kernel can be checked here: the emulator that runs it {reason}."),)


def untouched(finding: "Finding") -> bool:
    """Whether the kernel still is what it was handed out as."""
    return finding.kind == "exception" and finding.message.startswith("NotImplementedError")


def open() -> tuple[Block, ...]:
    """For a kernel that is not begun."""
    return (Say("The kernel still raises NotImplementedError: put your own lines in its place."),)


def no_kernel(signature: str) -> tuple[Block, ...]:
    """For what no compiler can make a kernel of."""
    return (Say("What was given is no kernel. A kernel is written as"), Say(f"@cuda.jit\ndef {signature}:", "code"))


def refused(reason: str) -> tuple[Block, ...]:
    """What the compiler or the emulator did not take."""
    first, _, rest = reason.partition("\n")
    return (Say(f"{first}."), *((Say(textwrap.dedent(rest), "code"),) if rest else ()))


def found(problem: str, finding: "Finding", lines: Lines, mistake: "Mistake | None") -> tuple[Block, ...]:
    """A fault that the emulator found."""
    from minidil.emulator.explain import EXPLANATIONS

    return (
        Say(f"{_HEADS.get(finding.kind, finding.kind)}, with {problem}."),
        *(Say(f"line {number}:  {text}", "code") for number, text in lines.items()),
        Say(_what_happened(finding)),
        *_advice(mistake, _MEANS.get(finding.kind) or EXPLANATIONS.get(finding.kind, "")),
    )


def _what_happened(finding: "Finding") -> str:
    """The emulator's message, to a student."""
    block = f" of block {_short(finding.block)}"
    thread = f"thread {_short(finding.thread)}{block}"
    message = re.split("; (?:if that is meant|if they wait|all of them write)", finding.message)[0]
    message = _plainer(message).replace("of 1 elements", "of 1 element")
    if finding.kind == "divergent barrier":
        other = " and ".join(re.findall(r"\bline (\d+)", finding.message))
        said = f"some threads of the block wait in line {finding.line}, and {thread} in line {other}"
    elif finding.kind == "exited threads":
        said = f"other threads wait there, and {finding.count:,} end without it: {thread} is the first"
    elif finding.kind == "never written":
        said = message
    elif message.startswith("this thread "):  # and what another one does, perhaps in another block
        said = f"{thread}{message.removeprefix('this thread').replace(block, ' of the same block', 1)}"
    else:
        said = f"{thread}: {message}"
    return f"{said[0].upper()}{said[1:]}."


def lines_of(finding: "Finding") -> dict[int, str]:
    """The lines that a finding names, by number: its own, and that of the other side of a race or barrier."""
    numbers = [int(number) for number in re.findall(r"\bline (\d+)", finding.message)]
    texts = {number: linecache.getline(finding.file, number).strip() for number in numbers}
    if finding.kind != "never written":
        texts[finding.line] = finding.source
    return {number: text for number, text in sorted(texts.items()) if text}


def differs(
    problem: str,
    name: str,
    case: Mapping[str, Any],
    expected: NDArray[Any],
    actual: NDArray[Any],
    mistake: "Mistake | None",
) -> tuple[Block, ...]:
    """A result that is not the right one, beside a case that is small enough to be seen."""
    if np.isnan(actual).all():
        return (Say(f"No thread has stored anything into {name}, with {problem}."),)
    wrong = actual != expected
    inputs = {other: value for other, value in case.items() if other != name}
    small = sum(np.size(value) for value in inputs.values()) <= _MOST
    lost = "nan stands where no thread has stored a number." if np.isnan(actual).any() else ""
    return (
        Say(f"The result is wrong, with {problem}."),
        *(case_blocks(inputs) if small else ()),
        *result_blocks(Difference("value", "", name, expected, actual, wrong)),
        *((Say(lost),) if lost else ()),
        *_advice(mistake, ""),
    )


def printed(text: str) -> tuple[Block, ...]:
    """What the kernel printed on the problem that failed."""
    lines = text.rstrip().splitlines()
    more = [f"... and {len(lines) - _LINES:,} lines more"] if len(lines) > _LINES else []
    return (Say("On this problem it printed:"), Say("\n".join([*lines[:_LINES], *more]), "code")) if lines else ()


def changed(problem: str, name: str, output: str) -> tuple[Block, ...]:
    """An input that the kernel has written to."""
    return (
        Say(f"The kernel changes its input {name}, with {problem}."),
        Say(f"Write to {output} alone: others may still need {name}."),
    )


def bytes_beyond(
    problem: str, launch: "Launch", least: int, slack: float, best: str, way: str, mistake: "Mistake | None"
) -> tuple[Block, ...]:
    """A right kernel that moves more bytes than the exercise allows."""
    moved, asked = launch.bytes_moved, int(launch.requested.sum())
    if way == "scattered":
        reason = (
            f"Its threads asked for {asked:,} bytes. Memory comes in pieces of 32, and {asked / moved:.0%} of what is moved is "
            "asked for: let neighbouring threads read and write neighbouring numbers."
        )
    else:
        reason = "The same numbers are brought again and again."
    return (
        Say(f"It is right on all sizes, but it moves {moved:,} bytes between its threads and global memory."),
        Say(
            f"The least are {least:,}: {best}{f'; up to {int(slack * least):,} pass' if slack > 1 else ''}. With {problem}."
        ),
        _worst(launch, "sectors"),
        *_advice(mistake, reason),
    )


def conflicts_beyond(problem: str, launch: "Launch", allowed: int, mistake: "Mistake | None") -> tuple[Block, ...]:
    """A right kernel with more bank conflicts than the exercise allows."""
    rounds, requests = launch.bank_conflicts, int(launch.requests.sum())
    passing = f"up to {allowed:,} pass" if allowed else "none is necessary"
    return (
        Say(f"It is right on all sizes, but {rounds:,} bank conflicts make its threads wait at shared memory."),
        Say(f"They are extra rounds beside the {requests:,} that its warps need; {passing}. With {problem}."),
        _worst(launch, "conflicts"),
        *_advice(
            mistake, "Several threads of a warp want different numbers of one bank; number a lies in bank a % 32."
        ),
    )


def passed(
    tried: int, edges: Sequence[str], problem: str, launch: "Launch", least: int, best: str
) -> tuple[Block, ...]:
    """What was checked of a kernel that passes."""
    moved, conflicts = launch.bytes_moved, launch.bank_conflicts
    if moved == least:
        compared = f"the least there can be: {best}"
    elif moved > least:
        compared = f"where {least:,} are the least: {best}"
    else:
        compared = f"fewer than the {least:,} that are asked for ({best})"
    banks = f"{conflicts:,} bank conflicts" if conflicts else "No bank conflicts"
    remark = (
        "A remark: something is computed in double precision. A Python number in a kernel is a float64, and so is an int times a "
        "float32; float32(0.5) stays single. Most GPUs take 32 times as long for a double, or longer."
    )
    double = any(".f64" in name for name in launch.instructions())
    return (
        Say(f"It is right on {tried} problems, without a race and without an access outside of an array."),
        Say(f"Tried were: {', '.join(edges)}, and drawn sizes."),
        Say(f"It moves {moved:,} bytes, {compared}. {banks}. Counted with {problem}."),
        *((Say(remark),) if double else ()),
    )


def _worst(launch: "Launch", column: str) -> Say:
    """The line that has most of a count."""
    number, row = max(launch.lines().items(), key=lambda item: item[1][column])
    file = next(iter(launch.program.files.values()), "")
    if Path(file).name.startswith("<"):  # text from a prompt: the compiler puts the current folder in front
        file = Path(file).name
    text = linecache.getline(file, number).strip()
    of = f"{32 * row[column]:,} of the bytes" if column == "sectors" else f"{row[column]:,} of the extra rounds"
    return Say(f"line {number}:  {text}      <- {of}", "code")


def _size(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if len(sizes) == 1 else str(tuple(sizes))


def _short(place: Sequence[int]) -> str:
    """A place in a grid or a block without the last axes, if they are 0."""
    x, y, z = place
    return f"({x}, {y}, {z})" if z else f"({x}, {y})" if y else str(x)


def _plainer(message: str) -> str:
    """With the places in it as `_short` has them."""
    return re.sub(r"\((\d+), (\d+), (\d+)\)", lambda found: _short([int(part) for part in found.groups()]), message)


def _advice(mistake: "Mistake | None", otherwise: str) -> tuple[Block, ...]:
    """What is said of a mistake that is known, or else of its kind."""
    if mistake:
        return (Say(f"{mistake.name}. {mistake.says}", "cause"),)
    return (Say(otherwise),) if otherwise else ()
