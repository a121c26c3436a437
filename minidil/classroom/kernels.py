"""Checking a CUDA kernel without a GPU: is it right, without races and inside its arrays, and does it move no more than it must?

A kernel is launched in the emulator on its exercise's edges, from the smallest on, then on a few drawn sizes, so that the
first failure is a small one. What the emulator finds is told with the student's own line. A kernel that passes is compiled once
more, as for a GPU, and run on one larger problem, whose bytes and bank conflicts are held against what the exercise states.

All numbers are small and whole, so that sums are exact in float32 in any order. How many launches there are depends on no clock,
so that a mark does not either. A check takes 0.3 to 1.3 seconds of a processor, mostly for compiling, which is kept on disk.
"""

import inspect
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minidil.classroom import kernel_words as words
from minidil.classroom.budget import Budget
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake
from minidil.classroom.report import Block
from minidil.classroom.result import Result
from minidil.errors import MinidilError

if TYPE_CHECKING:
    from minidil.emulator import Finding, Launch

Case = dict[str, Any]
Size = tuple[int, ...]
ROUNDS = (
    200,
    6,
)  # after which loops count as endless: so many, and so many for each number; one thread may well do all of the work
DRAWN = 3  # sizes, after the edges
# What is told first, where a kernel has several faults; of the others errors come before warnings.
_FIRST = ("out of bounds", "divergent barrier", "exited threads", "race")


@dataclass(frozen=True)
class KernelMistake(Mistake):
    """A typical mistake in a kernel, and how it shows; `wrong` is a kernel with it.

    kinds: of findings that it leads to. told: a pattern of the lines or of the message then, which tells one race from another.
    lacks: a word that does not stand in the kernel then.
    first: the edge at which it shows first, where that tells it from others.
    values: what a kernel with it computes, called with the case, where nothing is found and the result is wrong.
    counts: if the kernel is right and only moves too much: "scattered" (most of what is brought is not asked for), "again" (it is
        asked for more than once), "bytes" (either); or "conflicts", of banks.
    """

    kinds: tuple[str, ...] = ()
    told: str = ""
    lacks: str = ""
    first: str = ""
    values: Callable[..., NDArray[Any]] | None = None
    counts: str = ""


@dataclass(frozen=True)
class KernelCheck:
    """How an exercise's kernel is launched, tried and counted. Stands in the `check` of an exercise.

    arguments: what the kernel is called with, by name and in order, drawn for a size.
    grid: the blocks of a case; block: the threads of a block. output: the argument that holds the result.
    edges: the sizes that are always tried, with a word for each, from small to large. sizes: draws one more.
    counted: the size of which bytes and conflicts are counted. least: how many bytes it takes at least, called with the case, and
    `best` says of what. slack: how many times as many pass. conflicts: how many extra rounds of shared memory pass
    (None: any number).
    """

    arguments: Callable[..., Case]
    grid: Callable[[Case], Size]
    block: Size
    output: str
    edges: Mapping[str, Size]
    sizes: Callable[[Draw], Size]
    counted: Size
    least: Callable[..., int]
    best: str
    slack: float = 1.0
    conflicts: int | None = 0

    def cases(self, draw: Draw) -> Case:
        """The arguments of one call; stands in the `cases` of an exercise."""
        return self.arguments(draw, *self.sizes(draw))

    def __call__(self, exercise: Exercise, function: Callable[..., Any], budget: Budget) -> Result:
        """Try a kernel, from `@cuda.jit` or before it. Nothing that goes wrong in it is raised."""
        from minidil.emulator.toolchain import missing

        if trouble := missing():
            return _result(exercise, words.impossible(trouble), "call")
        written = getattr(function, "py_func", function)
        if not isinstance(written, FunctionType) or written.__name__ == "<lambda>":
            return _result(exercise, words.no_kernel(exercise.signature), "call")
        return _Check(exercise, self, function, budget.seed).result()


class _Trial(NamedTuple):
    """A problem and what a kernel has made of it."""

    edge: str
    case: Case  # as the kernel was given it
    after: Case
    findings: list["Finding"]
    launch: "Launch | None"
    printed: str


class _RefusedError(Exception):
    """The kernel cannot be compiled or launched; the argument says why."""


class _Check:
    """One check of one kernel."""

    def __init__(self, exercise: Exercise, check: KernelCheck, kernel: Any, seed: int) -> None:
        self._exercise, self._check, self._kernel, self._seed = exercise, check, kernel, seed
        self._tried = 0
        self._source = _source(kernel)

    def result(self) -> Result:
        try:
            for edge, case in self._problems():
                trial = self._run(edge, case, checks=True)
                failed = self._fault(trial) if trial.findings else self._wrong(trial)
                if failed is not None:  # a Result that did not pass is false
                    return failed
            counted = self._check.arguments(_draw(self._seed), *self._check.counted)
            trial = self._run("", counted, checks=False)
            failed = self._wrong(trial)
            return self._counted(trial) if failed is None else failed
        except _RefusedError as error:
            return self._failed(words.refused(str(error)), "call", None)

    def _problems(self) -> Iterator[tuple[str, Case]]:
        draw = _draw(self._seed)
        for edge, size in self._check.edges.items():
            yield edge, self._check.arguments(draw, *size)
        for _ in range(DRAWN):
            yield "", self._check.cases(draw)

    def _run(self, edge: str, case: Case, checks: bool) -> _Trial:
        """Launch the kernel on a copy of the case."""
        from minidil.emulator import emulate
        from minidil.emulator.plain import Configured

        self._tried += 1
        after = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in case.items()}
        rounds = ROUNDS[0] + ROUNDS[1] * sum(np.size(value) for value in case.values())
        printed = io.StringIO()
        try:
            with redirect_stdout(printed), emulate(keep_going=True, checks=checks, rounds=rounds) as report:
                Configured(self._kernel, (self._check.grid(case), self._check.block))(*after.values())
        except MinidilError as error:
            raise _RefusedError(str(error)) from error
        except Exception as error:  # of the compiler, which has many
            raise _RefusedError(f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}") from error
        launch = report.launches[0] if report.launches else None
        return _Trial(edge, case, after, report.findings, launch, printed.getvalue())

    def _fault(self, trial: _Trial) -> Result:
        """The first thing that the emulator found."""
        finding = min(trial.findings, key=_rank)
        if words.untouched(finding):
            return self._failed(words.open(), "open", trial)
        lines = words.lines_of(finding)
        told = "\n".join([*lines.values(), finding.message])
        mistake = self._mistake(
            lambda each: (
                finding.kind in each.kinds
                and each.first in ("", trial.edge)
                and re.search(each.told, told) is not None
                and not (each.lacks and each.lacks in self._source)
            )
        )
        blocks = words.found(self._problem(trial), finding, lines, mistake)
        return self._failed(blocks, finding.kind, trial, mistake=mistake)

    def _wrong(self, trial: _Trial) -> Result | None:
        """What is wrong with the result, or with an input that is another one now."""
        name = self._check.output
        expected, actual = np.asarray(self._exercise.expected(**trial.case)), trial.after[name]
        for other, value in trial.case.items():
            if other != name and isinstance(value, np.ndarray) and not np.array_equal(value, trial.after[other]):
                return self._failed(words.changed(self._problem(trial), other, name), "in place", trial)
        if np.array_equal(expected, actual):
            return None
        mistake = self._mistake(
            lambda each: (
                each.values is not None and np.array_equal(np.asarray(each.values(**trial.case), actual.dtype), actual)
            )
        )
        blocks = words.differs(self._problem(trial), name, trial.case, expected, actual, mistake)
        return self._failed(blocks, "value", trial, expected, actual, mistake)

    def _counted(self, trial: _Trial) -> Result:
        """Whether a right kernel keeps to the bounds of its exercise."""
        launch, least = trial.launch, self._check.least(**trial.case)
        assert launch is not None, "the kernel was launched"
        extra = {"bytes": launch.bytes_moved, "least_bytes": least, "bank_conflicts": launch.bank_conflicts}
        problem, check = self._problem(trial), self._check
        if launch.bytes_moved > check.slack * least:
            way = "scattered" if launch.bytes_moved > 1.5 * launch.requested.sum() else "again"
            mistake = self._mistake(lambda each: each.counts in ("bytes", way))
            blocks = words.bytes_beyond(problem, launch, least, check.slack, check.best, way, mistake)
            return self._failed(blocks, "bytes", trial, mistake=mistake, extra=extra)
        if check.conflicts is not None and launch.bank_conflicts > check.conflicts:
            mistake = self._mistake(lambda each: each.counts == "conflicts")
            blocks = words.conflicts_beyond(problem, launch, check.conflicts, mistake)
            return self._failed(blocks, "bank conflicts", trial, mistake=mistake, extra=extra)
        blocks = words.passed(self._tried, list(check.edges), problem, launch, least, check.best)
        return _result(self._exercise, blocks, "passed", tried=self._tried, extra=extra)

    def _mistake(self, fits: Callable[[KernelMistake], bool]) -> KernelMistake | None:
        return next((each for each in self._exercise.mistakes if isinstance(each, KernelMistake) and fits(each)), None)

    def _problem(self, trial: _Trial) -> str:
        grid = self._check.grid(trial.case)
        return words.problem(trial.edge, trial.case, self._exercise.function, grid, self._check.block)

    def _failed(
        self,
        blocks: tuple[Block, ...],
        kind: str,
        trial: _Trial | None,
        expected: Any = None,
        actual: Any = None,
        mistake: Mistake | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Result:
        case, name = trial.case if trial else None, mistake.name if mistake else None
        said = (*blocks, *words.printed(trial.printed)) if trial else blocks
        return _result(self._exercise, said, kind, case, expected, actual, name, self._tried, extra or {})


def _draw(seed: int) -> Draw:
    rng = np.random.default_rng(seed)
    return Draw(lambda low, high: int(rng.integers(low, high + 1)))


def _source(kernel: Any) -> str:
    try:
        return inspect.getsource(getattr(kernel, "py_func", kernel))
    except (OSError, TypeError):  # made where no source is kept
        return ""


def _rank(finding: "Finding") -> tuple[int, bool]:
    return _FIRST.index(finding.kind) if finding.kind in _FIRST else len(_FIRST), finding.severity == "warning"


def _result(exercise: Exercise, blocks: tuple[Block, ...], kind: str, *rest: Any, **named: Any) -> Result:
    passed = kind == "passed"
    return Result(exercise.name, passed, words.framed(exercise, blocks, passed), kind, *rest, **named)
