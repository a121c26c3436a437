"""Memory lent from a store: nothing is handed out twice, and nothing breaks when threads ask at the same moment."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from textwrap import dedent
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil.kernels import reference
from minidil.kernels.backend import active, use
from minidil.kernels.cpu import memory

LARGE = memory.SMALL


@pytest.fixture(autouse=True)
def _empty_store(monkeypatch):
    monkeypatch.setattr(memory, "_store", memory.Store())


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


@pytest.mark.parametrize("size", [(2, 30, 40, 50), (2, 3, 4, 5)])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)])
def test_empty_like_keeps_the_order_of_the_axes(order, size):
    x = np.zeros(size, np.float32).transpose(order)
    assert memory.empty_like(x).strides == x.strides
    assert memory.empty_like(x[::2, ::-1]).strides == x[::2].copy(order="K").strides
    repeated = np.broadcast_to(x[:1], x.shape)
    assert memory.empty_like(repeated).shape == x.shape
    other = memory.empty_like(x, [3, *x.shape[1:]], np.float64)
    assert (other.shape, other.dtype) == ((3, *x.shape[1:]), "f8")
    assert np.argsort(other.strides).tolist() == np.argsort(x.strides).tolist()


def test_joined_added_and_multiplied_maps_lie_in_memory_that_is_used_again():
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((2, 40, 30, channels)).astype(np.float32).transpose(0, 3, 1, 2) for channels in (8, 9))
    kernels = {
        "concatenate": lambda k: k.concatenate((x, y), axis=-3),
        "add": lambda k: k.add(x, x[:1]),
        "add along channels": lambda k: k.add(x, x[0, :, :1, :1]),
        "add a number": lambda k: k.add(x, 0.1),
        "multiply": lambda k: k.multiply(x, x[:, :1]),
        "multiply by a number": lambda k: k.multiply(x, 3),
    }
    with use("numba"):
        mine = active()
    for name, kernel in kernels.items():
        made, wanted = kernel(mine), kernel(reference)
        np.testing.assert_array_equal(made, wanted, err_msg=name)
        assert made.strides == wanted.strides, name
        first, last = next(iter(memory._store._segments))
        assert first <= made.ctypes.data < last, name
        del made
    assert mine.add(x[:1], x).shape == x.shape  # what grows
    assert mine.multiply(x, np.float64(0.1)).dtype == np.float64  # unlike the number 0.1
    assert mine.multiply(np.arange(99999), 0.5)[1] == 0.5
    assert mine.add(x, x.astype(np.float64)).dtype == np.float64


def test_the_smallest_gap_that_is_large_enough_is_lent():
    store = memory.Store()
    pieces = {size: (store.lend(size * LARGE), store.lend(LARGE)) for size in (5, 2, 3)}
    store.returned.extend(piece for piece, _ in pieces.values())
    assert store.lend(2 * LARGE + 1)[0] == pieces[3][0][0]


@given(st.lists(st.integers(0, 9), max_size=60), st.randoms(use_true_random=False))
def test_what_is_lent_never_overlaps_and_what_is_free_is_accounted_for(sizes, random):
    store, lent = memory.Store(), []
    with patched(memory, _SEGMENT=6 * LARGE, _KEPT=20 * LARGE):
        for size in sizes:
            if size:
                lent.append(store.lend(size * LARGE - 5))
            elif lent:
                store.returned.append(lent.pop(random.randrange(len(lent))))
            pieces = sorted(lent)
            assert all(piece[1] <= following[0] for piece, following in pairwise(pieces))
            held = sum(last - first for first, last in store._segments)
            assert store.unused + sum(stop - start for start, stop in lent) == held
            assert all(
                any(first <= start and stop <= last for first, last in joined(store._segments)) for start, stop in lent
            )
        store.returned.extend(lent)
        assert store.unused == sum(last - first for first, last in store._segments)
        assert store._gaps == joined(store._segments)


def joined(segments):
    """Segments that the system put side by side count as one."""
    result = []
    for first, last in sorted(segments):
        if result and result[-1][1] == first:
            first, _ = result.pop()
        result.append((first, last))
    return result


def test_two_small_pieces_side_by_side_serve_a_large_one(monkeypatch):
    monkeypatch.setattr(memory, "_SEGMENT", 4 * LARGE)
    one, other, rest = (memory.empty((n * LARGE,), np.uint8) for n in (1, 1, 2))
    addresses = {one.ctypes.data, other.ctypes.data}
    del one, other
    assert memory.empty((2 * LARGE,), np.uint8).ctypes.data == min(addresses)
    assert rest.size


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(memory, "_KEPT", 4 * LARGE)
    monkeypatch.setattr(memory, "_SEGMENT", LARGE)
    for n in range(1, 9):
        memory.empty((n * LARGE // 2 + LARGE,), np.uint8)
        assert memory._store.unused <= max(4 * LARGE, n * LARGE // 2 + LARGE)


def test_an_array_may_outlive_the_module():
    """When the interpreter ends, the module's names are set to None before the last arrays go."""
    with patched(memory, _store=memory.Store()):
        array = memory.empty((LARGE,), np.uint8)
        memory._store = None
        del array  # an error in __del__ would be a warning, and those are errors here


class SlowList(list):
    """Gaps that take long to look at: another thread gets its turn meanwhile."""

    def __iter__(self):
        time.sleep(0.002)
        return super().__iter__()


@pytest.mark.parametrize("kept", [1 << 30, 0])
def test_threads_may_ask_at_once(monkeypatch, kept):
    monkeypatch.setattr(memory, "_KEPT", kept)
    memory.empty((LARGE,), np.uint8)
    memory.empty((2 * LARGE,), np.uint8)
    memory._store._gaps = SlowList(memory._store._gaps)
    together = Barrier(4)

    def ask(number):
        together.wait(timeout=5)
        array = memory.empty((LARGE * (1 + number // 2),), np.uint8)
        array[[0, -1]] = number
        together.wait(timeout=5)
        return array[0], array[-1]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [(number, number) for number in range(4)]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_may_ask_although_a_thread_was_asking_when_it_was_forked():
    script = """
        import os, threading, time, warnings
        import numpy as np
        from minidil.kernels.cpu import memory

        warnings.simplefilter("ignore")  # Python 3.12 warns of forks beside threads, which is the point here
        going = threading.Event()

        def hold():
            with memory._store.lock:
                going.set()
                time.sleep(0.2)

        threading.Thread(target=hold).start()
        going.wait()
        child = os.fork()
        memory.empty((1 << 20,), np.uint8)
        if not child:
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    subprocess.run([sys.executable, "-c", dedent(script)], check=True, timeout=60)


@contextmanager
def patched(module, **values):
    before = {name: getattr(module, name) for name in values}
    try:
        for name, value in values.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)
