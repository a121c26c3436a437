"""Run a kernel over slices of a range on several Python threads, which share out the threads of BLAS.

NumPy and the Numba kernels release the interpreter lock while they compute, so plain threads are enough. The range is cut
into one contiguous piece per thread: the same number of threads always cuts, and so rounds, in the same places.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import cache
from itertools import pairwise
from numbers import Integral
from threading import Lock
from typing import TypeVar

from threadpoolctl import LibController, ThreadpoolController

from minidil.errors import OptionError

T = TypeVar("T")
_chosen: int | None = None
_limiting = Lock()
_is_alone: ContextVar[bool] = ContextVar("minidil_alone", default=False)


def num_threads() -> int:
    """The number of threads: as set by `set_num_threads`, else NUMBA_NUM_THREADS, else the processors this process may use."""
    if _chosen is not None:
        return _chosen
    return int(os.environ.get("NUMBA_NUM_THREADS") or len(_processors()))


def set_num_threads(count: int) -> None:
    """Use `count` threads from now on. Raises OptionError unless count is an int >= 1."""
    global _chosen
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
        raise OptionError(f"set_num_threads: count must be an int >= 1, not {count!r}")
    _chosen = int(count)


def run_sliced(work: Callable[[int, int], T], length: int) -> list[T]:
    """Call work(start, stop) on contiguous pieces that cover range(length), one per thread, and return the results in order."""
    pieces = max(1, min(sharers(), length))
    bounds = [length * i // pieces for i in range(pieces + 1)]
    spans = list(pairwise(bounds))
    with blas_limited(sharers() // pieces):
        if pieces == 1:
            return [work(*spans[0])]
        # Every piece runs in a copy of this context: the backend, np.errstate and the like are the caller's.
        tasks = [_pool(pieces).submit(copy_context().run, work, start, stop) for start, stop in spans]
        return [task.result() for task in tasks]


def sharers() -> int:
    """How many threads `run_sliced` would use here."""
    return 1 if _is_alone.get() else num_threads()


@contextmanager
def alone() -> Iterator[None]:
    """Within the block `run_sliced` stays on the calling thread: for one that has a share of the work already."""
    token = _is_alone.set(True)
    try:
        yield
    finally:
        _is_alone.reset(token)


@contextmanager
def blas_limited(count: int) -> Iterator[None]:
    """Hold BLAS to `count` threads. The limit is the whole process's, so of several callers at once only the first sets it.

    Also for one product: BLAS's own threads go on spinning for milliseconds after it, beside the threads that work next.
    """
    lock = _limiting
    if not lock.acquire(blocking=False):
        yield
        return
    others = [(library, threads) for library in _blas() if (threads := library.num_threads) != count]
    try:
        for library, _ in others:
            library.set_num_threads(count)
        yield
    finally:
        for library, threads in others:
            library.set_num_threads(threads)
        lock.release()


def _processors() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


@cache
def _blas() -> list[LibController]:
    """The BLAS libraries of the process: that of NumPy, and of SciPy if it is there. Finding them takes about 0.1 ms.

    Each is set by itself: the controller's `limit`, which first describes them all, takes 14 microseconds where this takes 4.
    """
    return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Its threads stay on a processor each, where there are as many as processors.

    Linux may wake two threads on one processor while another has nothing to do, and leave them there for a whole kernel.
    """
    free = iter(sorted(_processors()) if workers == len(_processors()) else ())
    return ThreadPoolExecutor(workers, "minidil", initializer=lambda: _stay_on(next(free, None)))


def _stay_on(processor: int | None) -> None:
    """Keep the calling thread there, where the system can do that; None: anywhere."""
    if processor is not None and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # it may have been taken away from this process meanwhile
            os.sched_setaffinity(0, {processor})


def _start_afresh() -> None:
    """A forked child inherits the pool object but none of its threads, and the lock but not the caller that holds it."""
    global _limiting
    _pool.cache_clear()
    _limiting = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)
