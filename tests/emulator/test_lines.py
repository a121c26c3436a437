"""A kernel and what it calls may be of several files: a line is that of its file."""

import inspect
import re

import numpy as np
from numba import cuda

from minidil.emulator import run


def squares(x, y):
    i = cuda.grid(1)
    y[i] = x[i] ** 2  # which numba has written out in a file of its own


def test_lines_of_other_files_are_not_taken_for_lines_of_the_kernel():
    x, y = np.arange(8.0), np.zeros(8)
    (launch,) = run(squares, 1, 8, x, y).launches
    np.testing.assert_array_equal(y, x**2)
    begin = inspect.getsourcelines(squares)[1]
    elsewhere = [
        one for one in launch.program.instructions if one.line and one.file != next(iter(launch.program.files))
    ]
    assert elsewhere
    assert launch.lines().keys() <= {-1, 0, begin, begin + 1, begin + 2}
    shown = re.findall(r"^ +(\d+) .* conflicts   (.*)$", str(launch), re.MULTILINE)
    assert {int(line) for line, _ in shown} <= {0, begin, begin + 1, begin + 2}
    assert re.search(r"^  in other files +[\d,]+ warp instr\.", str(launch), re.MULTILINE)
