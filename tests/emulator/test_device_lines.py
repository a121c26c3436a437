"""A fault inside of a device function is named with the line there, and not with that of the call."""

import inspect

import numpy as np
import pytest
from numba import cuda

from minidil.emulator import KernelError, run


@cuda.jit(device=True)
def eighth_after(x, i):
    j = i + 8
    return x[j]


def shifted(x, y):
    i = cuda.grid(1)
    y[i] = eighth_after(x, i)


def test_the_line_inside_of_a_device_function():
    run(shifted, 1, 8, np.arange(16.0), np.zeros(8))
    with pytest.raises(KernelError) as caught:
        run(shifted, 1, 8, np.arange(8.0), np.zeros(8))
    finding = caught.value.finding
    begin = inspect.getsourcelines(eighth_after.py_func)[1]
    assert (finding.kind, finding.line, finding.source) == ("out of bounds", begin + 3, "return x[j]")
