"""Memory lent from a store: nothing is handed out twice, and nothing breaks when threads ask at the same moment."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from minidil.kernels.cpu import memory

LARGE = memory._SMALL


@pytest.fixture(autouse=True)
def _empty_store(monkeypatch):
    monkeypatch.setattr(memory, "_store", type(memory._store)())


def test_a_block_comes_back_when_the_last_view_is_gone():
    array = memory.empty((LARGE,), np.uint8)
    address, view = array.ctypes.data, array[5:]
    del array
    assert memory.empty((LARGE,), np.uint8).ctypes.data != address
    del view
    blocks = [memory.empty((LARGE,), np.uint8) for _ in range(2)]
    assert address in {block.ctypes.data for block in blocks}


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (5,), (2, 3, LARGE)])
def test_arrays_are_what_was_asked_for(shape):
    for array in (memory.empty(shape, np.float32), memory.zeros(shape, np.float32)):
        assert (array.shape, array.dtype, array.flags.c_contiguous, array.flags.writeable) == (shape, "f4", True, True)
    assert not array.any()
    if array.nbytes >= LARGE:
        assert array.ctypes.data % 64 == 0


def test_zeros_are_zeros_in_used_memory():
    memory.empty((LARGE,), np.uint8).fill(7)
    assert not memory.zeros((LARGE,), np.uint8).any()


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)])
def test_empty_like_keeps_the_order_of_the_axes(order):
    x = np.zeros((2, 30, 40, 50), np.float32).transpose(order)
    assert memory.empty_like(x).strides == x.strides
    assert memory.empty_like(x[::2, ::-1]).strides == x[::2].copy(order="K").strides


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "_KEPT", 4 * LARGE)
    for n in range(1, 6):
        memory.empty((n * LARGE // 2 + LARGE,), np.uint8)
        assert sum(size * len(blocks) for size, blocks in memory._store.items()) <= 4 * LARGE + 2 * memory._ALIGNMENT


class SlowStore(dict):
    """A store in which another thread gets its turn whenever something is looked up."""

    def __getitem__(self, size):
        found = super().__getitem__(size)
        time.sleep(0.002)
        return found

    def copy(self):
        time.sleep(0.002)
        return super().copy()


@pytest.mark.parametrize("kept", [1 << 30, 0])
def test_threads_may_ask_for_the_last_block_at_once(monkeypatch, kept):
    monkeypatch.setattr(memory, "_store", SlowStore())
    monkeypatch.setattr(memory, "_KEPT", kept)
    memory.empty((LARGE,), np.uint8)
    memory.empty((2 * LARGE,), np.uint8)
    together = Barrier(4)

    def ask(number):
        together.wait(timeout=5)
        array = memory.empty((LARGE * (1 + number // 2),), np.uint8)
        array[[0, -1]] = number
        together.wait(timeout=5)
        return array[0], array[-1]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [(number, number) for number in range(4)]
