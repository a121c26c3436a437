"""Lines of the cache that are asked for: a hint, which must reach the processor and change nothing."""

import re

import numba
import numpy as np
import pytest

from minidil.kernels.cpu.ahead import LINE_BYTES, fetch, fetch_for_later, fetch_rows_for_later, fetch_to_write

HINTS = [
    (fetch, "i32 0, i32 3, i32 1"),
    (fetch_to_write, "i32 1, i32 3, i32 1"),
    (fetch_for_later, "i32 0, i32 2, i32 1"),
]


@pytest.mark.parametrize(("ask", "hint"), HINTS)
def test_every_start_is_asked_for(ask, hint):
    @numba.njit
    def ask_for(array, starts, further):
        ask(array, starts, further)

    ask_for(np.zeros(100, np.float32), (3, 40, 77), 5)
    (code,) = ask_for.inspect_llvm().values()
    assert len(re.findall(rf"call void @llvm\.prefetch\S*\(.*{hint}\)", code)) >= 3


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_nothing_changes_even_outside_of_the_array(number):
    array = np.arange(LINE_BYTES, dtype=number)
    before = array.copy()

    @numba.njit
    def ask_for(array, starts):
        fetch(array, starts, 0)
        fetch_to_write(array, starts, 0)
        fetch_rows_for_later(array, starts, 100)

    ask_for(array, (0, 63, -(10**9), 10**12))
    np.testing.assert_array_equal(array, before)
