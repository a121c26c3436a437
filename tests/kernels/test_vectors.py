"""That the compiler makes vectors of loops over one piece of memory, also for processors that can fetch number by number."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import njit

from minidil.kernels.cpu.largest import largest_of

GATHERS = """
import re, numba
from numba import float32, int64, void
from minidil.kernels.cpu import gather, logits, padded, row

line, whole, volume, numbers = float32[::1], float32[:, ::1], float32[:, :, ::1], int64[::1]
for kernel, given in [
    (row._normalise, (whole, line, line, float32, whole, line, line)),
    (row._slopes, (line, whole, whole, line, line, whole)),
    (padded._clear, (line, int64, int64)),
    (gather._add_at, (volume, numbers, volume, int64, int64, int64, int64)),
    (logits._softmax, (whole, whole)),
    (logits._losses, (whole, numbers, line, line, float32, float32)),
    (logits._slopes, (whole, line, numbers, whole, line, float32, float32)),
]:
    kernel.compile(given)
    code = kernel.inspect_asm(kernel.signatures[0])
    fetched = re.findall(r"v(?:gather|scatter)[a-z]+", code)
    packed = re.findall(r"v(?:add|mul|fmadd[0-9]+)ps|vmovups", code)
    print(kernel.__name__, len(fetched), len(packed))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="about the code for processors of this kind")
@pytest.mark.parametrize("processor", ["znver3", "sapphirerapids", "znver4"])
def test_what_lies_side_by_side_is_fetched_as_a_vector(processor, tmp_path):
    """A loop that does not begin at 0 would be gathered: with a negative number Numba counts from the end."""
    settings = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", GATHERS], env=os.environ | settings, capture_output=True, text=True, check=True
    )
    found = [line.split() for line in run.stdout.splitlines()]
    assert len(found) == 7
    for kernel, fetched, packed in found:
        assert (int(fetched), int(packed) > 0) == (0, True), kernel


@njit
def _largest(row):
    return largest_of(row)


def test_the_largest_number_of_a_row():
    for dtype in (np.float32, np.float64):
        tiny = np.finfo(dtype).smallest_subnormal
        for row in ([-3, -1, -2], [-0.0, 0.0, -tiny], [-np.inf] * 3, [-np.inf, 5, np.inf], [-tiny, -1]):
            found = _largest(np.array(row, dtype))
            assert found == max(row), row
            assert type(found) is float


@given(arrays(np.float32, st.integers(1, 70), elements=st.floats(width=32, allow_nan=False)))
def test_the_largest_number_of_any_row(row):
    assert _largest(row) == row.max() == largest_of(row)
