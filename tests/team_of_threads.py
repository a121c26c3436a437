"""A team without MPI: the ranks are threads of the test's process, and a sum is made in the order of the ranks."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, TypeVar

T = TypeVar("T")


class _Board:
    """What the ranks have put up so far, sum by sum."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.parts: dict[int, dict[int, Any]] = {}
        self.news = Condition()

    def put(self, number: int, rank: int, part: Any) -> None:
        with self.news:
            self.parts.setdefault(number, {})[rank] = part
            self.news.notify_all()

    def all_of(self, number: int) -> list[Any]:
        with self.news:
            assert self.news.wait_for(lambda: len(self.parts[number]) == self.size, timeout=20), "a rank has not come"
            return [self.parts[number][rank] for rank in range(self.size)]


@dataclass
class _Sum:
    board: _Board
    number: int

    def poll(self) -> None:
        pass

    def wait(self) -> Any:
        first, *others = self.board.all_of(self.number)
        assert all(part.shape == first.shape and part.dtype == first.dtype for part in others)
        result = first.copy()
        for part in others:
            result += part
        return result


class ThreadTeam:
    """One of `size` threads."""

    def __init__(self, board: _Board, rank: int) -> None:
        self.board, self.rank, self.size = board, rank, board.size
        self.started = 0

    def start_sum(self, part: Any) -> _Sum:
        self.board.put(self.started, self.rank, part)
        self.started += 1
        return _Sum(self.board, self.started - 1)

    def broadcast(self, value: Any) -> Any:
        self.board.put(self.started, self.rank, value)
        self.started += 1
        return deepcopy(self.board.all_of(self.started - 1)[0])


def on_ranks(size: int, work: Callable[[ThreadTeam], T]) -> list[T]:
    """What `work` gives on each of `size` ranks; what one of them raises is raised."""
    board, results, errors = _Board(size), dict[int, T](), list[BaseException]()

    def run(rank: int) -> None:
        try:
            results[rank] = work(ThreadTeam(board, rank))
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[rank] for rank in range(size)]
