"""The steps in registers of whole numbers, compiled, against the same in NumPy; and the code that comes of them."""

import os
import platform
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest

pytest.importorskip("numba")
from numba import njit

from minidil.kernels.cpu import integer_registers
from minidil.kernels.cpu.integer_registers import halved, minus, multiply_add_pairs, plus, times
from minidil.kernels.cpu.registers import equal_rows, lanes, load, numbers_at, save, store, taken

ON_X86 = platform.machine() in ("x86_64", "AMD64")


def product(left, right, sums, out, rows, columns, wide):
    starts = numbers_at(taken(np.arange(len(rows)), 0, len(rows), rows), 0, 6, 1)
    tile = equal_rows(sums, 0, rows, columns)
    for k in range(0, 4, 2):
        tile = multiply_add_pairs(tile, left, starts, k, right, k * wide)
    store(tile, out, numbers_at(taken(np.arange(len(rows)), 0, len(rows), rows), 0, wide, 0))


@pytest.mark.slow
@pytest.mark.parametrize("instruction", [integer_registers.PAIRS, None])
def test_products_of_pairs(monkeypatch, instruction):
    """Also where the processor has no instruction for them, and where they overflow."""
    monkeypatch.setattr(integer_registers, "PAIRS", instruction)
    rows, columns = 6, 2
    rng, wide = np.random.default_rng(0), columns * lanes(4)
    left, right = (rng.integers(-(2**15), 2**15, n).astype(np.int16) for n in (6 * rows + 4, 4 * wide))
    left[1:5] = right[: 2 * wide] = -(2**15)  # two such products together are 2^31
    sums, out = rng.integers(-(2**31), 2**31, wide).astype(np.int32), np.empty(rows * wide, np.int32)
    njit(product)(left, right, sums, out, (0,) * rows, (0,) * columns, wide)
    by_row = np.stack([left[1 + 6 * i : 5 + 6 * i] for i in range(rows)]).astype(np.int64)
    matrix = right.reshape(2, wide, 2).transpose(0, 2, 1).reshape(4, wide).astype(np.int64)
    assert out.tolist() == (by_row @ matrix + sums).astype(np.int32).reshape(-1).tolist()


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_arithmetic_is_modulo_a_power_of_two(dtype):
    @njit
    def all_four(one, other, out, count):
        a, b = load(one, 0), load(other, 0)
        save(plus(a, b), out, 0)
        save(minus(a, b), out, count)
        save(times(a, 954437177), out, 2 * count)
        save(halved(a, 6), out, 3 * count)

    limits, count = np.iinfo(dtype), lanes(np.dtype(dtype).itemsize)
    one, other = np.random.default_rng(0).integers(limits.min, limits.max, (2, count), dtype, endpoint=True)
    out = np.empty(4 * count, dtype)
    all_four(one, other, out, count)
    a, b = one.astype(np.int64), other.astype(np.int64)
    expected = np.concatenate([a + b, a - b, a * 954437177, a >> 6]).astype(dtype)
    np.testing.assert_array_equal(out, expected)


INNERMOST = dedent("""
    import re
    from numba import types
    from minidil.kernels.cpu import integer, registers

    whole, place = types.int64, types.Array(types.int64, 1, "C")
    short, long = types.Array(types.int16, 1, "C"), types.Array(types.int32, 1, "C")
    rows, columns = types.UniTuple(whole, registers.ROWS), types.UniTuple(whole, registers.COLUMNS)
    kernel = integer.sums_of_pairs
    kernel.compile((short, whole, whole, place, place, whole, short, long, whole, whole, rows, columns))
    (code,) = kernel.inspect_asm().values()
    loops = [loop.splitlines() for loop in re.split(r"^[.]L[^:]*:", code, flags=re.M)]
    find = lambda loop, words: [line for line in loop if line.split() and line.split()[0] in words]
    loop = max(loops, key=lambda loop: len(find(loop, ("vpmaddwd", "vpdpwssd"))))
    products = find(loop, ("vpmaddwd", "vpdpwssd"))
    width = 64 if "zmm" in products[0] else 32
    stores = [line for line in loop if re.search(r"vmov[a-z0-9]+\\s+%[yz]mm[0-9]+, [^%]", line)]
    saturating = re.findall(r"vpdpwssds|vpdpbusds|v?pmaddubsw|v?padds|v?psubs", code)
    fused = len(find(loop, ("vpdpwssd",)))
    print(registers.ROWS * registers.COLUMNS, width, len(products), fused, len(stores), len(saturating))
""")


@pytest.mark.slow
@pytest.mark.skipif(not ON_X86, reason="about the code for processors of this kind")
@pytest.mark.parametrize(
    ("processor", "size", "fuses"), [("znver3", 32, False), ("sapphirerapids", 64, True), ("znver4", 64, True)]
)
def test_one_instruction_multiplies_pairs_and_none_saturates(processor, size, fuses, tmp_path):
    """In the innermost loop nothing is stored, and there is one for each sum of the tile (or two, unrolled)."""
    settings = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", INNERMOST], env=os.environ | settings, capture_output=True, text=True, check=True
    )
    sums, width, products, fused, stores, saturating = map(int, run.stdout.split())
    assert (width, stores, saturating) == (size, 0, 0)
    assert products in (sums, 2 * sums)
    assert fused == (products if fuses else 0)
