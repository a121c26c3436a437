"""Finding races: two threads touch the same memory, at least one writes, and nothing orders one before the other.

What orders two accesses of a launch: within a block a barrier between them; within a warp also a warp barrier; between
blocks nothing. Atomic operations do not race with each other. So every access is noted, and looked at three times:

    when a warp barrier is passed   the threads that touched a word since the last one are compared,
    when a barrier is passed        the warps since the last barrier,
    when the launch is over         the blocks.

Comparing is done with one array over memory: everybody who touched a word writes their number there, then reads it back. If
somebody reads another number than their own, at least two touched the word. The order in which the emulator happens to
run the threads does not matter. A flag that one block sets for another to read orders nothing here, so it is reported too.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
READ, WRITE, ATOMIC = 0, 1, 2
# words, threads, READ, WRITE or ATOMIC, the instruction, and the values that are written, if these are known
Noted: TypeAlias = "tuple[Ints, Ints, int, int | Ints, Ints | None]"
_MANY = 1 << 22  # accesses that are noted before repeated ones are dropped


class Accesses(NamedTuple):
    """Columns: the byte where each accessed word begins, the thread (counted over the whole launch), READ, WRITE or ATOMIC,
    the number of the instruction, and the bits that are written."""

    words: Ints
    threads: Ints
    kinds: Ints
    instructions: Ints
    values: Ints


class Race(NamedTuple):
    """Two accesses of one word that nothing orders, as (thread, kind, instruction); the second writes."""

    word: int
    first: tuple[int, int, int]
    second: tuple[int, int, int]
    size: int  # the number of words concerned
    harmless: bool  # whether nobody reads these words, and all who write one write the same value


class Watch:
    """The accesses to one space of memory, and the races between them.

    size: of the space in bytes. block: threads per block.
    between_blocks: whether blocks can meet there, which they cannot in shared memory.
    """

    def __init__(self, size: int, block: int, between_blocks: bool) -> None:
        self._size = size
        self._block = block
        self._last = "block" if between_blocks else None
        self._levels: dict[str, list[Noted]] = {"thread": [], "warp": [], "block": []}
        self._noted = 0

    def note(self, words: Ints, threads: Ints, kind: int, instruction: int, values: Ints | None = None) -> None:
        """Note accesses by one instruction: words of a thread each, or rows of words with a column of threads.

        values: what is written into each word, as bits, if that is to be told from a race between different values.
        """
        self._levels["thread"].append((words, threads, kind, instruction, values))
        self._noted += words.size
        if self._noted > _MANY:
            self._levels = {level: _distinct(noted) for level, noted in self._levels.items()}
            self._noted = sum(noted[0].size for level in self._levels.values() for noted in level) // 2

    def warp_barrier(self) -> Race | None:
        """Compare the threads since the last warp barrier."""
        return self._compare("thread", "warp")

    def barrier(self) -> Race | None:
        """Compare the threads and warps since the last barrier."""
        return self.warp_barrier() or self._compare("warp", self._last)

    def end(self) -> Race | None:
        """Compare everything that was not compared yet, and the blocks. Shared memory, being a block's own, has no such races."""
        return self.barrier() or self._compare("block", None)

    def _compare(self, level: str, onward: str | None) -> Race | None:
        noted = self._levels[level]
        if not noted:
            return None
        self._levels[level] = []
        if onward:
            self._levels[onward].extend(noted)
        if all(kind == READ for _, _, kind, _, _ in noted):
            return None
        accesses = _columns(noted)
        known = all(values is not None for _, _, kind, _, values in noted if kind == WRITE)
        return self._race(accesses, self._number(level, accesses.threads), known)

    def _number(self, level: str, threads: Ints) -> Ints:
        """The number of the thread, of its warp or of its block."""
        blocks = threads // self._block
        if level == "warp":
            return blocks * 32 + threads % self._block // 32
        return threads if level == "thread" else blocks

    def _race(self, accesses: Accesses, who: Ints, known: bool) -> Race | None:
        words, threads, kinds, instructions, values = accesses
        numbers, wrote, plain = _scratch(self._size)
        numbers[words] = who
        shared = numbers[words] != who  # at least two touched these words
        if not shared.any():
            return None
        wrote[words] = plain[words] = False
        wrote[words[kinds != READ]] = True
        plain[words[kinds != ATOMIC]] = True
        racing = np.flatnonzero(shared & wrote[words] & plain[words])
        if not racing.size:
            return None
        word = int(words[racing[0]])
        here = np.flatnonzero(words == word)
        for second in here[kinds[here] != READ]:
            others = here[(who[here] != who[second]) & ~((kinds[here] == ATOMIC) & (kinds[second] == ATOMIC))]
            if others.size:
                one, two = ((int(threads[i]), int(kinds[i]), int(instructions[i])) for i in (others[0], second))
                wrote[words] = False
                wrote[words[racing]] = True
                chosen = wrote[words]  # all accesses to the words that are raced for
                harmless = known and bool((kinds[chosen] == WRITE).all()) and _agree(words[chosen], values[chosen])
                return Race(word, one, two, int(np.unique(words[racing]).size), harmless)
        return None


def _agree(words: Ints, values: Ints) -> bool:
    """Whether only one value goes with each word."""
    order = np.argsort(words, kind="stable")
    again = words[order][1:] == words[order][:-1]
    return bool((values[order][1:] == values[order][:-1])[again].all())


def _columns(noted: list[Noted]) -> Accesses:
    columns = []
    for words, threads, kind, instruction, values in noted:
        each = threads if threads.shape == words.shape else np.broadcast_to(threads, words.shape)
        which = instruction if isinstance(instruction, np.ndarray) else np.full(words.size, instruction)
        held = np.zeros(words.size, np.int64) if values is None else np.broadcast_to(values, words.shape).reshape(-1)
        columns.append((words.reshape(-1), each.reshape(-1), np.full(words.size, kind), which, held))
    return Accesses(*map(np.concatenate, zip(*columns, strict=True)))


def _distinct(noted: list[Noted]) -> list[Noted]:
    """The same accesses without repetitions, kept apart by kind."""
    if not noted:
        return []
    accesses = _columns(noted)
    words, threads, kinds, _, _ = accesses
    # one number for (kind, word, thread): words lie below 2^32, threads below 2^29
    _, first = np.unique((kinds << 61) | (words << 29) | threads, return_index=True)
    kept = Accesses(*(column[first] for column in accesses))
    parts = [(kind, kept.kinds == kind) for kind in (READ, WRITE, ATOMIC)]
    return [
        (kept.words[chosen], kept.threads[chosen], kind, kept.instructions[chosen], None)
        for kind, chosen in parts
        if chosen.any()
    ]


_arrays: list[NDArray[Any]] = []


def _scratch(size: int) -> list[NDArray[Any]]:
    """Arrays over a memory of `size` bytes, kept between calls; what they hold is undefined."""
    if not _arrays or len(_arrays[0]) < size:
        _arrays[:] = np.zeros(size, np.int64), np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    return _arrays
