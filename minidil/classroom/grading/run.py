"""Grading all submissions: some processes at a time, each for one of them, and none can stop the others."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minidil.classroom.grading import worker
from minidil.classroom.grading.collect import Submission
from minidil.classroom.grading.session import Limits, kill_strays

_TO_START = 120.0  # seconds more than a submission may take, for its process to start and to end
_TO_END = 10.0


@dataclass(frozen=True)
class Orders:
    """What every submission is graded with. chapters: None: all. given: see `worker.grade`."""

    seed: int
    limits: Limits
    chapters: Sequence[str] | None
    given: Mapping[str, Mapping[str, int]]


def answers(
    todo: Sequence[Submission], orders: Orders, scratch: Path, jobs: int
) -> Iterator[tuple[Submission, dict[str, Any]]]:
    """Each submission with its answer, as they come. One that could not be graded has {"failed": why}.

    scratch: a folder for all that is written meanwhile. When the iteration is left, all processes have ended.
    """
    fleet = _Fleet(orders, scratch)
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(fleet.grade, each): each for each in todo}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()
            fleet.stop()


class _Fleet:
    """The processes that are under way."""

    def __init__(self, orders: Orders, scratch: Path) -> None:
        self._orders, self._scratch = orders, scratch
        self._lock, self._stopped = threading.Lock(), False
        self._processes: set[subprocess.Popen[bytes]] = set()

    def stop(self) -> None:
        """End them all, and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()

    def grade(self, submission: Submission) -> dict[str, Any]:
        """Have a process grade it; one that falls over, as for a port that was taken meanwhile, is started once more."""
        if not submission.files:
            return {"marks": [], "notes": list(submission.notes), "library": [], "programs": {}}
        try:
            answer = self._attempt(submission)
            return self._attempt(submission) if "failed" in answer else answer
        except InterruptedError:
            return {"failed": "it was not begun"}

    def _attempt(self, submission: Submission) -> dict[str, Any]:
        """Start a process, wait for it, and see that nothing is left of it."""
        own = Path(tempfile.mkdtemp(dir=self._scratch))
        process = self._started(own)
        orders = {
            "files": [os.fspath(file.resolve()) for file in submission.files],
            "scratch": str(own),
            "limits": asdict(self._orders.limits),
            "seed": self._orders.seed,
            "chapters": self._orders.chapters,
            "given": self._orders.given,
        }
        seconds = self._orders.limits.total * len(submission.files) + _TO_START
        try:
            out, err = process.communicate(json.dumps(orders).encode("utf-8", "surrogatepass"), seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TO_END)
            process.kill()
            out, err = process.communicate()
        finally:
            with self._lock:
                self._processes.discard(process)
            kill_strays(own)
        try:
            answer: dict[str, Any] = json.loads(out)
        except ValueError:
            last = (err.decode(errors="replace").strip().splitlines() or ["it was killed"])[-1]
            return {"failed": f"its process ended with {process.returncode}: {last[:300]}"}
        return {**answer, "notes": [*submission.notes, *answer["notes"]]}

    def _started(self, own: Path) -> "subprocess.Popen[bytes]":
        package = str(Path(__file__).resolve().parents[3])
        paths = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
        # What libraries like to write into a home goes to the scratch folder, too.
        places = dict.fromkeys(
            (
                "HYPOTHESIS_STORAGE_DIRECTORY",
                "JUPYTER_RUNTIME_DIR",
                "JUPYTER_CONFIG_DIR",
                "JUPYTER_DATA_DIR",
                "IPYTHONDIR",
            ),
            str(own),
        )
        environment = os.environ | places | {"PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-m", worker.__name__]
        with self._lock:
            if self._stopped:
                raise InterruptedError
            process = subprocess.Popen(
                command,
                cwd=own,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us: it is told to end, and ends its kernel
            )
            self._processes.add(process)
        return process
