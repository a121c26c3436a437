"""Device memory, kept and handed out again: asking a GPU for memory takes longer than most kernels run.

A `Source` is where memory comes from: the GPU, or the emulator's address space. A `Pool` in front of it keeps the blocks that
are given back, by size, and hands them out again.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minidil.errors import BackendError
from minidil.kernels.cuda.target import Target, target

Bytes = NDArray[np.uint8]
_GRAIN = 512  # bytes: the smallest block, and the alignment of every block's size
_pools: dict[Target, Pool] = {}


class Source(Protocol):
    """A machine's memory, by address."""

    @property
    def target(self) -> Target:
        """Which machine it is."""

    def allocate(self, capacity: int) -> int:
        """The address of new memory of so many bytes. Raises: MemoryError if there is none."""

    def release(self, address: int) -> None:
        """Give memory back to the machine."""

    def taken(self, address: int, nbytes: int) -> None:
        """Note that a pool has handed out the first `nbytes` bytes at this address; what they hold is undefined."""

    def returned(self, address: int) -> None:
        """Note that nobody uses the memory at this address any more."""

    def write(self, address: int, values: Bytes) -> None:
        """Copy from the host."""

    def read(self, address: int, nbytes: int) -> Bytes:
        """Copy to the host, once all kernels have run."""


class Block:
    """Memory that its holder owns; it goes back to the pool when the last reference to it goes."""

    __slots__ = ("__weakref__", "address", "capacity", "nbytes", "pool")

    def __init__(self, pool: Pool, address: int, nbytes: int, capacity: int) -> None:
        self.pool = pool
        self.address = address
        self.nbytes = nbytes
        self.capacity = capacity

    def __del__(self) -> None:
        self.pool.give_back(self.address, self.nbytes, self.capacity)


class Pool:
    """Blocks of one source. `in_use` and `cached` count bytes of blocks that are held, and kept for the next one who asks."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.in_use = self.cached = self.peak = 0
        self._free: dict[int, list[int]] = {}
        self._lock = threading.RLock()  # a garbage collection inside `take` may give back

    def take(self, nbytes: int) -> Block:
        """A block of at least nbytes bytes, of undefined contents.

        Raises: BackendError with the numbers if the memory is exhausted, also after all cached blocks were given up.
        """
        capacity = rounded(nbytes)
        with self._lock:
            kept = self._free.get(capacity)
            if kept:
                address = kept.pop()
                self.cached -= capacity
            else:
                address = self._allocate(nbytes, capacity)
            self.in_use += capacity
            self.peak = max(self.peak, self.in_use)
        self.source.taken(address, nbytes)
        return Block(self, address, nbytes, capacity)

    def give_back(self, address: int, nbytes: int, capacity: int) -> None:
        """Keep a block for the next one who asks. Called when it has no holder any more."""
        with self._lock:
            self.source.returned(address)
            self.in_use -= capacity
            self.cached += capacity
            self._free.setdefault(capacity, []).append(address)

    def clear(self) -> None:
        """Give all cached blocks back to the machine."""
        with self._lock:
            for capacity, addresses in self._free.items():
                self.cached -= capacity * len(addresses)
                for address in addresses:
                    self.source.release(address)
            self._free.clear()

    def _allocate(self, nbytes: int, capacity: int) -> int:
        try:
            return self.source.allocate(capacity)
        except MemoryError:
            cached = self.cached
            self.clear()
        try:
            return self.source.allocate(capacity)
        except MemoryError as error:
            raise BackendError(
                f"cuda: no memory for an array of {nbytes:,} bytes: {self.in_use:,} are in use and the {cached:,} kept for "
                f"reuse were given up; use smaller batches ({error})"
            ) from None


def rounded(nbytes: int) -> int:
    """The size of the block for so many bytes: one of four steps per power of two, so that at most a fifth is wasted."""
    step = max(_GRAIN, 1 << max(0, (max(nbytes, 1) - 1).bit_length() - 3))
    return max(_GRAIN, -(-nbytes // step) * step)


def pool(where: Target | None = None) -> Pool:
    """The pool of a target; by default of the one that is active."""
    where = target() if where is None else where
    if where not in _pools:
        _pools[where] = Pool(_source(where))
    return _pools[where]


def _source(where: Target) -> Source:
    if where == "gpu":
        return GpuMemory()
    from minidil.emulator.memory import DEVICE

    return DEVICE


class GpuMemory:
    """The memory of the GPU, as numba.cuda hands it out."""

    target: Target = "gpu"

    def __init__(self) -> None:
        from minidil.kernels.cuda.seam import cuda

        self._cuda = cuda
        self._blocks: dict[int, Any] = {}

    def allocate(self, capacity: int) -> int:
        from numba.cuda.cudadrv.driver import CudaAPIError

        try:
            block = self._cuda.device_array(capacity, np.uint8)
        except CudaAPIError as error:
            raise MemoryError(str(error)) from None
        address = int(block.__cuda_array_interface__["data"][0])
        self._blocks[address] = block
        return address

    def release(self, address: int) -> None:
        del self._blocks[address]

    def taken(self, address: int, nbytes: int) -> None:
        """Nothing to note: kernels run one after another, so the last user of the block is through before the next."""

    def returned(self, address: int) -> None:
        """Nothing to note."""

    def write(self, address: int, values: Bytes) -> None:
        self._blocks[address][: values.size].copy_to_device(values)

    def read(self, address: int, nbytes: int) -> Bytes:
        return self._blocks[address][:nbytes].copy_to_host()
