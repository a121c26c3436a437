"""The emulated device's memory: one address space, which knows of every byte whether it is allocated and was ever written.

Between two allocations lies a gap, so that a kernel that runs past the end of an array does not land in the next one.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minidil.errors import BackendError

Bytes = NDArray[np.uint8]
BASE = 1 << 40  # where the address space begins: far from null, and from shared and local addresses
_GAP = 4096  # bytes between allocations
NOWHERE, UNWRITTEN, WRITTEN = 0, 1, 2  # the states of a byte


class Memory:
    """A growing address space from BASE on.

    limit: its size in bytes, beyond which allocating fails as on a full GPU.
    """

    target: Literal["emulator"] = "emulator"  # beside "gpu", where the holder of an array asks which machine it is on

    def __init__(self, limit: int = 1 << 32, name: str = "global") -> None:
        self.limit = limit
        self.name = name
        self.bytes: Bytes = np.zeros(1 << 20, np.uint8)
        self.state: Bytes = np.zeros(1 << 20, np.uint8)
        self._top = _GAP
        self._base, self._nowhere = BASE, NOWHERE  # for `returned`, which is called when the module may be gone already
        self._sizes: dict[int, int] = {}  # of the allocations that were handed out, by address

    @classmethod
    def filled(cls, name: str, size: int, state: int) -> Memory:
        """A thread's or block's own memory: all of it allocated, in one state, with addresses from 0 on."""
        memory = cls(0, name)
        memory.bytes = np.zeros(-(-size // 16) * 16 + 16, np.uint8)
        memory.state = np.full(len(memory.bytes), state, np.uint8)
        return memory

    def allocate(self, capacity: int) -> int:
        start = self._top
        end = start + -(-capacity // 256) * 256 + _GAP
        if end > self.limit:
            raise MemoryError(f"the emulated device has {self.limit:,} bytes")
        if end > len(self.bytes):
            self.bytes, self.state = (_grown(old, max(end, 2 * len(old))) for old in (self.bytes, self.state))
        self._top = end
        return BASE + start

    def release(self, address: int) -> None:
        """The space is not used again before everything is released, which keeps stale addresses invalid."""
        self._sizes.pop(address, None)
        if not self._sizes:
            self._top = _GAP

    def taken(self, address: int, nbytes: int) -> None:
        self._sizes[address] = nbytes
        self.state[address - BASE : address - BASE + nbytes] = UNWRITTEN

    def returned(self, address: int) -> None:
        start = address - self._base
        self.state[start : start + self._sizes.pop(address)] = self._nowhere

    def nearest(self, address: int) -> str:
        """Where an address lies, for a message: so many bytes before, in or behind an allocation."""
        if not self._sizes:
            return f"at address {address:#x}, with nothing allocated"
        start = min(self._sizes, key=lambda begin: max(begin - address, address - begin - self._sizes[begin]))
        place = f"{start - address:,} bytes before" if address < start else f"at byte {address - start:,} of"
        return f"{place} an array of {self._sizes[start]:,} bytes"

    def write(self, address: int, values: Bytes) -> None:
        start = address - BASE
        self.bytes[start : start + values.size] = values
        self.state[start : start + values.size] = WRITTEN

    def read(self, address: int, nbytes: int) -> Bytes:
        """Copy to the host. Raises: BackendError if some bytes were never written, which on a GPU would be left-over values."""
        start = address - BASE
        unwritten = np.flatnonzero(self.state[start : start + nbytes] != WRITTEN)
        if unwritten.size:
            raise BackendError(
                f"cuda emulator: {unwritten.size:,} of the {nbytes:,} bytes of this array were never written, the first at "
                f"byte {unwritten[0]}: a kernel has left out elements of its result"
            )
        return self.bytes[start : start + nbytes].copy()


def _grown(old: NDArray[Any], size: int) -> NDArray[Any]:
    new = np.zeros(size, old.dtype)
    new[: len(old)] = old
    return new


DEVICE = Memory()
