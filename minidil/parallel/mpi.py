"""World: the team that `mpiexec` has started, over mpi4py. Who waits too long for a rank calls the roll, and names it.

Waiting is a loop of MPI's test and a short sleep. A blocking wait would keep a processor busy, which another rank may need, and
would wait for a hanging rank for ever.
"""

import sys
import time
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

_CALL, _HERE = 1, 2  # tags of the two messages of a roll call, which are empty
_NOTHING = np.empty(0, np.uint8)
_EAGER_SECONDS, _NAP_SECONDS, _ANSWER_SECONDS = 1e-3, 2e-4, 3.0


class World:
    """All ranks of the job. patience: seconds that a rank may let the others wait before they give it up."""

    def __init__(self, patience: float) -> None:
        self._comm = MPI.COMM_WORLD.Dup()
        self.rank, self.size, self.patience = self._comm.rank, self._comm.size, patience

    def start_sum(self, part: NDArray[Any]) -> "_Reduced | _Gathered":
        """See `Team`: float64 is gathered and added here, in order; all else is reduced by MPI on its way."""
        if part.dtype == np.float64:
            parts = np.empty((self.size, part.size))
            return _Gathered(self, self._comm.Iallgather(part, parts), part, parts)
        result = np.empty_like(part)
        return _Reduced(self, self._comm.Iallreduce(part, result), part, result)

    def broadcast(self, value: Any) -> Any:
        """See `Team`."""
        self.wait(self._comm.Ibarrier())  # bcast itself would wait without an end
        return self._comm.bcast(value)

    def leave(self) -> None:
        """Wait, for as long as it takes, until every rank is here: the end of the work."""
        self.wait(self._comm.Ibarrier(), for_ever=True)

    def wait(self, request: MPI.Request, for_ever: bool = False) -> None:
        """Return when `request` is done. Ends all ranks, naming those that do not answer, if it takes longer than `patience`."""
        began = called = time.monotonic()
        while not request.Test():
            now = time.monotonic()
            if now - began < _EAGER_SECONDS:
                continue
            time.sleep(_NAP_SECONDS)
            self._answer()
            if not for_ever and now - called > self.patience:
                self._call_the_roll(now - began)
                called = time.monotonic()

    def abort(self, message: str, code: int) -> NoReturn:
        """Say why on standard error, and end every rank."""
        print(f"minidil: rank {self.rank} of {self.size}: {message}", file=sys.stderr, flush=True)
        self._comm.Abort(code)
        raise SystemExit(code)  # not reached: Abort ends this process as well

    def _answer(self) -> list[int]:
        """Answer those who have called the roll. Returns: who has answered ours."""
        status = MPI.Status()
        here = []
        while self._comm.Iprobe(MPI.ANY_SOURCE, MPI.ANY_TAG, status):
            source, tag = status.Get_source(), status.Get_tag()
            self._comm.Recv(_NOTHING, source, tag)
            if tag == _CALL:
                self._comm.Isend(_NOTHING, source, _HERE)
            else:
                here.append(source)
        return here

    def _call_the_roll(self, waited: float) -> None:
        """Ask every rank whether it waits as well: who does, answers. The first of those who do ends all, if somebody does not.

        Where all answer, the last of them has only just come; or they wait for different things, if they do so twice as long.
        """
        others = set(range(self.size)) - {self.rank}
        for other in others:
            self._comm.Isend(_NOTHING, other, _CALL)
        here, began = {self.rank}, time.monotonic()
        while time.monotonic() - began < _ANSWER_SECONDS and others - here:
            time.sleep(_NAP_SECONDS)
            here.update(self._answer())
        silent = sorted(others - here)
        if self.rank > min(here):
            return
        if silent:
            names = f"rank{'s' * (len(silent) > 1)} {', '.join(map(str, silent))}"
            self.abort(f"{names} did not answer for {waited:.0f} seconds; all ranks end", 1)
        if waited > 2 * self.patience:
            self.abort(f"all ranks have waited for {waited:.0f} seconds, and not for the same; all ranks end", 1)


@dataclass
class _Reduced:
    """A sum that MPI makes, in the order of its algorithm. part, result: kept, since MPI reads and writes them meanwhile."""

    world: World
    request: MPI.Request
    part: NDArray[Any]
    result: NDArray[Any]

    def poll(self) -> None:
        self.request.Test()

    def wait(self) -> NDArray[Any]:
        self.world.wait(self.request)
        return self.result


@dataclass
class _Gathered(_Reduced):
    """A sum of float64: result has a row for each rank."""

    def wait(self) -> NDArray[Any]:
        first, *others = super().wait()
        for part in others:
            first += part
        return first
