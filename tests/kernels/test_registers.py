"""The steps in registers, compiled, against the same in NumPy."""

import os
import platform
import subprocess
import sys
from textwrap import dedent

import numpy as np
import plain_registers
import pytest
from numba import njit
from numpy.testing import assert_allclose

from minidil.kernels.cpu import registers
from minidil.kernels.cpu.registers import width_of


def _steps(add_to, equal_rows, multiply_add, multiply_add_each, numbers_at, store, sums_of_rows, taken):
    def product(left, right, bias, table, out, sums, totals, rows, columns, wide):
        last = len(table)
        for first in range(0, last, len(rows)):
            starts = numbers_at(taken(table, first, last, rows), 1, 3, 2)
            tile = equal_rows(bias, 1, rows, columns)
            for k in range(5):
                tile = multiply_add(tile, left, starts, k, right, k * wide)
                tile = multiply_add_each(tile, right, starts, k, right, k * wide)
            into = numbers_at(taken(table, first, last, rows), 0, wide, 0)
            store(tile, out, into)
            add_to(tile, sums, into)
            of_rows = sums_of_rows(tile, rows)
            for i in range(len(rows)):
                totals[first + i] = of_rows[i]

    return product


STEPS = ("add_to", "equal_rows", "multiply_add", "multiply_add_each", "numbers_at", "store", "sums_of_rows", "taken")
IN_REGISTERS = njit(_steps(*(getattr(registers, name) for name in STEPS)))
PLAIN = _steps(*(getattr(plain_registers, name) for name in STEPS))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "columns"), [(6, 2), (8, 1), (8, 0), (1, 1)])
def test_a_product_tile_by_tile(dtype, rows, columns):
    wide = width_of((0,) * columns, np.dtype(dtype).itemsize)
    rng = np.random.default_rng(0)
    table = np.arange(2 * rows)  # every row of `out` once, so that sums are added once
    left, right = (
        rng.standard_normal(6 * rows + 20).astype(dtype),
        rng.standard_normal(6 * rows + 5 * wide + 5).astype(dtype),
    )
    bias = rng.standard_normal(wide + 1).astype(dtype)
    results = []
    for steps in (IN_REGISTERS, PLAIN):
        out, sums = np.zeros(2 * rows * wide, dtype), np.ones(2 * rows * wide, dtype)
        totals = np.zeros(2 * rows, dtype)
        steps(left, right, bias, table, out, sums, totals, (0,) * rows, (0,) * columns, wide)
        results.append((out, sums, totals))
    for found, wanted in zip(*results, strict=True):
        assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert np.count_nonzero(results[0][0]) == out.size


def test_the_last_entry_is_taken_again_where_the_table_ends():
    four = njit(_taken_four(registers.taken))
    assert (
        four(np.array([5, 6, 7, 8]), 2, 4)
        == (7, 8, 8, 8)
        == _taken_four(plain_registers.taken)(np.array([5, 6, 7, 8]), 2, 4)
    )


def _taken_four(taken):
    def four(table, first, last):
        return taken(table, first, last, (0, 0, 0, 0))

    return four


INNERMOST = dedent("""
    import re
    from numba import types
    from minidil.kernels.cpu import direct, registers

    whole, line, place = types.int64, types.Array(types.float32, 1, "C"), types.Array(types.int64, 1, "C")
    rows, columns = types.UniTuple(whole, registers.ROWS), types.UniTuple(whole, registers.COLUMNS)
    kernel = direct.panel_of_results
    kernel.compile((line, whole, whole, place, place, whole, line, line, line, whole, whole, place, whole, rows, columns))
    (code,) = kernel.inspect_asm().values()
    loops = [loop.splitlines() for loop in re.split(r"^[.]L[^:]*:", code, flags=re.M)]
    loop = max(loops, key=lambda loop: sum("vfmadd" in line for line in loop))
    products = [line for line in loop if "vfmadd" in line]
    width = 64 if "zmm" in products[0] else 32
    stores = [line for line in loop if re.search(r"vmov[a-z]+\\s+%[yz]mm", line)]
    print(registers.BYTES, registers.ROWS * registers.COLUMNS, width, len(products), len(stores))
""")


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="about the code for processors of this kind")
@pytest.mark.parametrize(("processor", "size"), [("znver3", 32), ("sapphirerapids", 64), ("znver4", 64)])
def test_the_sums_stay_in_registers_on_other_processors_too(processor, size, tmp_path):
    """In the innermost loop nothing is stored, and there is a multiply-add for each sum of the tile (or two, unrolled)."""
    settings = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", INNERMOST], env=os.environ | settings, capture_output=True, text=True, check=True
    )
    width, sums, used, products, stores = map(int, run.stdout.split())
    assert (width, used, stores) == (size, size, 0)
    assert products in (sums, 2 * sums)
