"""Work in slices: every position once, in order, the same bits each time, after a fork too, and with BLAS held back."""

import os
import subprocess
import sys
import threading
from functools import cache
from textwrap import dedent
from time import sleep

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st

import minidil as md
from minidil.errors import OptionError
from minidil.kernels import cpu, threads
from minidil.kernels.geometry import Window
from minidil.kernels.threads import alone, num_threads, run_sliced, set_num_threads


@pytest.fixture(autouse=True)
def _number_of_threads(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", None)


@given(st.integers(0, 50), st.integers(1, 9))
def test_the_slices_cover_the_range_once_and_in_order(length, count):
    set_num_threads(count)
    slices = run_sliced(lambda start, stop: (start, stop), length)
    assert [i for start, stop in slices for i in range(start, stop)] == list(range(length))
    assert len(slices) == max(1, min(count, length))
    sizes = [stop - start for start, stop in slices]
    assert max(sizes) - min(sizes) <= 1


def test_an_empty_range_is_one_empty_slice():
    assert run_sliced(lambda start, stop: (start, stop), 0) == [(0, 0)]


def test_results_come_in_order_however_long_each_takes():
    set_num_threads(3)
    gates = [threading.Event() for _ in range(3)]
    gates[2].set()

    def work(start, stop):
        # the last slice ends first: each waits for the one behind it
        assert gates[start].wait(timeout=30)
        if start:
            gates[start - 1].set()
        return start

    assert run_sliced(work, 3) == [0, 1, 2]


def test_one_thread_works_in_the_caller():
    set_num_threads(1)
    assert run_sliced(lambda start, stop: threading.current_thread(), 8) == [threading.current_thread()]
    set_num_threads(2)
    names = {thread.name for thread in run_sliced(lambda start, stop: threading.current_thread(), 8)}
    assert all(name.startswith("minidil") for name in names)


@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) == 1,
    reason="this system does not bind threads to processors, or has one",
)
def test_as_many_threads_as_processors_stay_on_one_each(monkeypatch):
    whole = os.sched_getaffinity(0)
    monkeypatch.setattr(threads, "_pool", cache(threads._pool.__wrapped__))  # threads that start now
    for count in (len(whole), len(whole) + 1):
        set_num_threads(count)
        where = run_sliced(lambda start, stop: sleep(0.05) or os.sched_getaffinity(0), count)
        assert set().union(*where) == whole
        assert [len(one) == 1 for one in where] == [count == len(whole)] * count
    assert os.sched_getaffinity(0) == whole  # the caller goes where it likes


def test_a_processor_that_is_gone_is_no_reason_to_fail(monkeypatch):
    monkeypatch.setattr(threads, "_pool", cache(threads._pool.__wrapped__))
    monkeypatch.setattr(threads, "_processors", lambda: {10_000, 10_001})
    set_num_threads(2)
    assert run_sliced(lambda start, stop: (start, stop), 2) == [(0, 1), (1, 2)]


def test_an_error_in_a_slice_reaches_the_caller():
    set_num_threads(2)

    def work(start, stop):
        raise ZeroDivisionError(f"slice {start}")

    with pytest.raises(ZeroDivisionError, match="slice 0"):
        run_sliced(work, 8)
    assert run_sliced(lambda start, stop: stop, 2) == [1, 2]


@pytest.mark.parametrize("count", [0, -1, 2.5, "2", None, True])
def test_a_number_of_threads_that_is_refused(count):
    set_num_threads(3)
    with pytest.raises(OptionError) as caught:
        set_num_threads(count)
    assert str(caught.value) == f"set_num_threads: count must be an int >= 1, not {count!r}"
    assert num_threads() == 3


def test_the_number_of_threads_defaults_to_the_environment_then_to_the_processors(monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "7")
    assert md.num_threads() == 7
    monkeypatch.setenv("NUMBA_NUM_THREADS", "")
    monkeypatch.setattr(threads, "_processors", lambda: {0, 3, 5})
    assert md.num_threads() == 3
    monkeypatch.delenv("NUMBA_NUM_THREADS")
    assert md.num_threads() == 3
    md.set_num_threads(np.int64(2))
    assert md.num_threads() == 2


def test_there_is_at_least_one_processor():
    assert len(threads._processors()) >= 1


def test_the_processors_are_counted_where_there_is_no_affinity(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    assert len(threads._processors()) == 5
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert len(threads._processors()) == 1


def blas_threads(*_):
    """The threads of the BLAS that NumPy calls (SciPy brings one of its own, which the library never uses)."""
    return [library.num_threads for library in threads._blas()]


def test_the_slices_share_out_the_threads_of_blas():
    before = blas_threads()
    set_num_threads(4)
    assert {n for counts in run_sliced(blas_threads, 4) for n in counts} <= {1}  # none, where there is no BLAS to limit
    (alone,) = run_sliced(blas_threads, 1)
    assert set(alone) <= {1, 4}  # a BLAS that was built for fewer threads stays below
    assert blas_threads() == before


@pytest.mark.parametrize("count", [1, 2, 3])
def test_repeated_runs_give_the_same_bits(count):
    set_num_threads(count)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 4, 9, 9)).astype(np.float32), rng.standard_normal((8, 4, 3, 3)).astype(np.float32)
    window = Window.of((9, 9), 3, 1, 2, 2)
    grad = rng.standard_normal((5, 8, *window.out)).astype(np.float32)

    def everything():
        return (
            cpu.conv_forward(x, w, window),
            cpu.conv_grad_input(grad, w, window),
            cpu.conv_grad_weight(x, grad, window),
            *cpu.channel_moments(x),
        )

    first = everything()
    for _ in range(5):
        for a, b in zip(first, everything(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_it_works_after_a_fork():
    code = """
        import os
        import numpy as np
        import minidil as md
        import minidil.functional as F

        md.set_num_threads(2)
        x, w = np.ones((4, 3, 8, 8), np.float32), np.ones((5, 3, 3, 3), np.float32)
        expected = F.conv(x, w, dilation=2).numpy()  # the threads are running now
        child = os.fork()
        if child == 0:
            same = np.array_equal(F.conv(x, w, dilation=2).numpy(), expected)
            os._exit(0 if same else 3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print(np.array_equal(F.conv(x, w, dilation=2).numpy(), expected))
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_several_threads_may_call_at_once():
    set_num_threads(2)
    expected, seen = [(0, 50), (50, 100)], []
    callers = [
        threading.Thread(
            target=lambda: seen.extend(run_sliced(lambda a, b: (a, b), 100) == expected for _ in range(20))
        )
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert seen == [True] * 80


class Blas:
    """Stands for a BLAS of 8 threads."""

    num_threads = 8

    def set_num_threads(self, count):
        self.num_threads = count


def test_a_blas_is_limited_and_has_its_own_threads_again_after_an_error(monkeypatch):
    blas = [Blas(), Blas()]
    blas[1].num_threads = 2
    monkeypatch.setattr(threads, "_blas", lambda: blas)

    def work(start, stop):
        assert [each.num_threads for each in blas] == [3, 3]
        return 1 // 0

    set_num_threads(3)
    with pytest.raises(ZeroDivisionError):
        run_sliced(work, 1)
    assert [each.num_threads for each in blas] == [8, 2]


def test_every_blas_of_the_process_is_found():
    found = {library["filepath"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}
    assert {library.filepath for library in threads._blas.__wrapped__()} == found


def test_callers_at_once_leave_blas_as_it_was(monkeypatch):
    blas = Blas()
    monkeypatch.setattr(threads, "_blas", lambda: [blas])
    set_num_threads(1)
    started, may_end = [threading.Event() for _ in range(2)], [threading.Event() for _ in range(2)]

    def caller(number):
        def work(start, stop):
            started[number].set()
            assert may_end[number].wait(timeout=30)

        run_sliced(work, 1)

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(2)]
    for thread, begun in zip(callers, started, strict=True):
        thread.start()
        assert begun.wait(timeout=30)
    assert blas.num_threads == 1
    for thread, end in zip(callers, may_end, strict=True):  # the first to come is the first to go
        end.set()
        thread.join()
    assert blas.num_threads == 8


def test_pieces_run_in_the_context_of_the_caller():
    threads.set_num_threads(2)
    with md.use("numpy"), np.errstate(over="ignore"):
        found = threads.run_sliced(lambda start, stop: (md.backend(), np.geterr()["over"]), 2)
    assert found == [("numpy", "ignore")] * 2


def test_a_share_of_the_work_stays_on_its_thread():
    def work(start, stop):
        with alone():  # else the threads of the pool would wait for each other
            return threading.current_thread(), run_sliced(lambda a, b: (threading.current_thread(), a, b), stop - start)

    shares = run_sliced(work, 8)
    assert [found for _, found in shares] == [[(thread, 0, 8 // len(shares))] for thread, _ in shares]
    set_num_threads(4)
    with alone():
        assert run_sliced(lambda start, stop: (start, stop), 8) == [(0, 8)]
        assert {n for counts in run_sliced(blas_threads, 8) for n in counts} <= {1}
