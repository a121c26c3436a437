"""A kernel that numba.cuda does not compile: the line, what to write instead, and numba's reason."""

import re
from pathlib import Path

import numpy as np
import pytest
from numba import cuda, float32

from minidil.emulator import run
from minidil.errors import DtypeError, OptionError

WIDTH = 4


@cuda.jit
def padded(x):
    tile = cuda.shared.array((WIDTH, WIDTH + 1), float32)  # padded
    x[0] = tile[0, 0]


@cuda.jit
def unknown(x):
    i = cuda.grid(1)
    x[i] = square_root(x[i])  # noqa: F821  # unknown


@cuda.jit
def allocating(x):
    y = np.zeros(4)  # allocating
    x[0] = y[0]


@cuda.jit
def of_two_axes(x):
    i, j = cuda.grid(2)
    x[i] = x[i, j]  # of_two_axes


@cuda.jit
def catching(x):
    try:
        x[0] = 1
    except ValueError as error:  # catching
        x[1] = error


@cuda.jit
def returning(x):  # returning
    return x[0]


@pytest.mark.parametrize(
    ("kernel", "advice", "reason"),
    [
        (padded, "a number, or a global that holds one", "No implementation of function Function(shared.array)"),
        (unknown, "device functions that were defined before", "NameError: name 'square_root' is not defined"),
        (allocating, "take cuda.local.array or cuda.shared.array", "zeros(Literal[int](4))"),
        (of_two_axes, "", "cannot index array(float64, 1d, C) with 2 indices"),
        (catching, "", "Exception object cannot be stored into variable (error)"),
        (returning, "write the result into an array that is an argument", "CUDA kernel must have void return type."),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_why_a_kernel_does_not_compile(kernel, advice, reason):
    with pytest.raises(DtypeError) as caught:
        run(kernel, 1, 4, np.zeros(4))
    head, place, *advised, said = str(caught.value).splitlines()
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.endswith(f"# {kernel.__name__}"))
    assert head == f"{kernel.__name__} does not compile"
    assert place == f"  test_uncompiled.py:{line}: {lines[line - 1].strip()}"
    assert (len(advised) == 1) == bool(advice)
    assert advice in "".join(advised)
    assert said.startswith("  numba: ")
    assert reason in said
    assert "0x" not in said


def test_a_kernel_that_gets_another_number_of_arguments():
    with pytest.raises(OptionError, match=re.escape("padded takes 1 argument (x), and was launched with 2")):
        run(padded, 1, 4, np.zeros(4), 3)
