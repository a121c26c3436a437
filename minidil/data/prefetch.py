"""Items made ahead of the one who takes them, by a thread of their own."""

from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")


@dataclass
class _End:
    """What follows the last item: the error that ended them, if one did."""

    error: BaseException | None = None


def ahead(items: Iterator[T], count: int) -> Iterator[T]:
    """Yield `items`, made by a thread that runs at most `count` + 1 of them ahead of the caller.

    What making an item raises is raised here, with its traceback, after the items before it. The thread ends when the
    items do, and when the caller stops early: leaving the loop waits for the item in work and no longer.
    """
    ready: Queue[T | _End] = Queue(maxsize=count)
    stop = Event()

    def work() -> None:
        try:
            for item in items:
                ready.put(item)
                if stop.is_set():
                    return
            ready.put(_End())
        except BaseException as error:
            ready.put(_End(error))

    # With the caller's backend, and no_grad, for sets that compute their items.
    worker = Thread(target=copy_context().run, args=(work,), name="minidil-loader", daemon=True)
    worker.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        _drain(ready)  # makes room for the one thing that the worker may still put before it looks at `stop`
        worker.join()


def _drain(queue: Queue[T]) -> None:
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return
