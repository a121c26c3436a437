"""`grade`: a folder of submissions in, marks out; only what has changed since the last time is run."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil.classroom.grading import copies, feedback, table
from minidil.classroom.grading.collect import submissions
from minidil.classroom.grading.report import Report, chapters, reports
from minidil.errors import BackendError, DataError, OptionError
from minidil.storage.locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minidil.classroom.grading.session import Limits

_SCRATCH = ".scratch"


@dataclass(frozen=True)
class Graded:
    """reports: one for each student. run, kept: how many were graded now, and how many were unchanged.

    chapters: how many have handed in something of each.
    """

    reports: list[Report]
    run: int
    kept: int
    chapters: dict[str, int]


def grade(
    folder: Path,
    out: Path,
    *,
    seed: int,
    csv: Path | None = None,
    limits: "Limits | None" = None,
    chosen: Sequence[str] | None = None,
    jobs: int = 1,
    alike: float = copies.SHARE,
    again: bool = False,
    progress: Callable[[int], Any] = lambda total: _Silent(),
) -> Graded:
    """Grade every submission in a folder.

    out: the one folder that is written in: pages of feedback, grading.json, which knows what was graded, and, where `csv` says
        no other place, grades.csv. seed: of the drawn cases; keep it to yourself. chosen: chapters; None: all handed in.
    jobs: how many at a time. alike: see `copies`. again: grade also what is unchanged.
    progress: given the number of submissions to grade, makes what has `update(1)` and `close()`.
    Raises: before anything is run, OptionError, BackendError if a package is missing, BusyError if another grades into `out`.
    """
    try:
        from minidil.classroom.grading.run import Orders, answers
        from minidil.classroom.grading.session import Limits
        from minidil.classroom.grading.state import State, key
        from minidil.classroom.register import exercises
    except ImportError as error:
        raise BackendError(f"grade needs {error.name}: pip install 'minidil[classroom]'") from error
    limits = limits or Limits()
    _apart(folder, out)
    if csv is not None and folder.resolve() in csv.resolve().parents:
        raise OptionError(f"grade: {csv} would lie among the submissions, and be taken for one; put it elsewhere")
    found = submissions(folder)
    if chosen is not None:
        chosen = [exercises(each)[0].chapter for each in chosen]
    out.mkdir(parents=True, exist_ok=True)
    with locked(out / ".lock", "grading"), _scratch(out / _SCRATCH) as scratch:
        state = State(out, key(seed, limits, chosen))
        known = {each.name: None if again else state.answer(each.name, each.digest) for each in found}
        todo = [each for each in found if known[each.name] is None]
        bar = progress(len(todo))
        try:
            for each, answer in answers(todo, Orders(seed, limits, chosen, _given()), scratch, jobs):
                known[each.name] = answer
                if "failed" not in answer:  # else it is tried again next time
                    state.keep(each.name, each.digest, answer)
                bar.update(1)
        finally:
            bar.close()
        final = {name: answer for name, answer in known.items() if answer is not None}
        there = chapters(final.values())
        asked = [each for each in exercises() if each.chapter in (there if chosen is None else chosen)]
        made = reports(final, asked, alike)
        pages = feedback.write(out, made, asked)
        table.write(csv or out / "grades.csv", made, pages)
    return Graded(made, len(todo), len(found) - len(todo), there)


def _given() -> dict[str, dict[str, int]]:
    """The runs of tokens of what the students start from; without the notebooks there is nothing to leave out."""
    from minidil.classroom import notebooks
    from minidil.classroom.grading.reading import cells

    found: dict[str, dict[str, int]] = {}
    for path in sorted(notebooks.folder().glob("[0-9][0-9]_*.ipynb")):
        try:
            parts = cells(path.read_bytes())
        except DataError:
            continue
        for source, about in parts:
            if about.get("solution"):
                found[str(about.get("grade_id"))] = copies.runs(source)
    return found


def _apart(folder: Path, out: Path) -> None:
    inner, outer = folder.resolve(), out.resolve()
    if inner == outer or inner in outer.parents or outer in inner.parents:
        raise OptionError(f"grade: {out}, which is written in, must lie outside of {folder}, and the other way round")
    if out.exists() and not out.is_dir():
        raise OptionError(f"grade: {out} is not a folder")


@contextmanager
def _scratch(folder: Path) -> "Iterator[Path]":
    """An empty folder, gone afterwards: what was left of a run that was killed, too."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    try:
        yield folder.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Silent:
    def update(self, count: int) -> None:
        pass

    def close(self) -> None:
        pass
