"""Matrix products, y = a b (+ bias) (and ReLU): five versions of one kernel, each with one idea more than the one before.

1 naive      A thread computes a number of y. Neighbouring threads take neighbouring rows, as one might write it down: what they
             read of a, and write of y, lies far apart in memory.
2 coalesced  Neighbouring threads take neighbouring columns, so that their reads of b and writes of y are next to each other.
3 tiled      A block of 16 x 16 threads brings a tile of 16 x 16 numbers of a and one of b into shared memory, uses each number
             16 times, and goes on along k. One barrier stands between bringing and using, so that nobody reads what is not
             there yet, and one between using and the next bringing, so that nobody overwrites what another still reads.
4 registers  The tile of y is 64 x 64, and a thread computes 4 x 4 numbers of it: 8 loads from shared memory for 16
             multiplications instead of 32.
5 fast       A thread computes 8 x 4 numbers, loads four at once, and brings what is transposed as it lies in memory.

Counted by the emulator for (64, 64) x (64, 64): instructions of threads; bytes of global memory that warps asked for; sectors of
32 bytes that were moved for them; requests to shared memory; bank conflicts. `fast` pays for the addresses of its stores, four
neighbours a thread, with sectors that are touched four times.

matmul           instructions     bytes  sectors   shared conflicts
    naive           5,578,752 1,097,728  274,432        0         0
    coalesced       5,582,848 1,097,728   41,472        0         0
    tiled           1,679,360   147,456    4,608   17,408         0
    registers         767,744    49,152    1,536    4,352       128
    fast              482,048    49,152    3,072    3,328         0

`kernel_version` chooses one. Operands are read through steps, which is all it takes to transpose one. Stacks of matrices are one
launch: a block, or a thread, finds its tile and its matrix from its number.
"""

from __future__ import annotations

import math
import os
from importlib.util import find_spec

import numpy as np

from minidil.errors import BackendError
from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.choice import rung
from minidil.kernels.cuda.copy import broadcast_to
from minidil.kernels.cuda.device import Array, Sizes, inline, thread_index, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import cuda, float32, uint32
from minidil.kernels.cuda.target import target
from minidil.kernels.cuda.tiles import (
    BIASED,
    HELD,
    RECTIFIED,
    SIDE,
    STEP,
    THREADS,
    WIDE,
    Quad,
    Steps,
    Version,
    bring,
    entry,
    finished,
    four,
    lowest,
    plus_product,
    plus_step,
    run_version,
    share,
    starting,
    store_block,
    tile_of,
)

# a, b, bias, y; rows, columns, depth; the steps along a and along b; finish.
SIGNATURE = types("ffffuuu33u")


@kernel(SIGNATURE)
def gemm_naive(
    a: Array,
    b: Array,
    bias: Array,
    y: Array,
    rows: int,
    columns: int,
    depth: int,
    in_a: Steps,
    in_b: Steps,
    finish: int,
) -> None:
    i = thread_index()
    if i < y.size:
        row, column, matrix = uint32(i % rows), uint32(uint32(i // rows) % columns), uint32(i // uint32(rows * columns))
        total = starting(bias, column, True, finish)
        for k in range(depth):
            left = a[uint32(matrix * in_a[0] + row * in_a[1] + k * in_a[2])]
            total += left * b[uint32(matrix * in_b[0] + column * in_b[1] + k * in_b[2])]
        y[uint32((matrix * rows + row) * columns + column)] = finished(total, lowest(finish))


@kernel(SIGNATURE)
def gemm_coalesced(
    a: Array,
    b: Array,
    bias: Array,
    y: Array,
    rows: int,
    columns: int,
    depth: int,
    in_a: Steps,
    in_b: Steps,
    finish: int,
) -> None:
    i = thread_index()
    if i < y.size:
        column, row, matrix = (
            uint32(i % columns),
            uint32(uint32(i // columns) % rows),
            uint32(i // uint32(rows * columns)),
        )
        total = starting(bias, column, True, finish)
        for k in range(depth):
            left = a[uint32(matrix * in_a[0] + row * in_a[1] + k * in_a[2])]
            total += left * b[uint32(matrix * in_b[0] + column * in_b[1] + k * in_b[2])]
        y[i] = finished(total, lowest(finish))


@kernel(SIGNATURE)
def gemm_tiled(
    a: Array,
    b: Array,
    bias: Array,
    y: Array,
    rows: int,
    columns: int,
    depth: int,
    in_a: Steps,
    in_b: Steps,
    finish: int,
) -> None:
    tile_a, tile_b = cuda.shared.array((SIDE, SIDE), float32), cuda.shared.array((SIDE, SIDE), float32)
    tx, ty = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y)
    matrix, row0, column0 = tile_of(uint32(cuda.blockIdx.x), rows, columns, uint32(SIDE))
    row, column = uint32(row0 + ty), uint32(column0 + tx)
    total = starting(bias, column, column < columns, finish)
    for k in range(uint32(0), depth, uint32(SIDE)):
        tile_a[ty, tx] = entry(a, matrix, row, rows, uint32(k + tx), depth, in_a)
        tile_b[ty, tx] = entry(b, matrix, column, columns, uint32(k + ty), depth, in_b)
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            total += tile_a[ty, i] * tile_b[i, tx]
        cuda.syncthreads()
    if row < rows and column < columns:
        y[uint32((matrix * rows + row) * columns + column)] = finished(total, lowest(finish))


@inline
def starting_quad(bias: Array, columns: Sizes, count: int, finish: int) -> Quad:
    """What four sums of a row start from."""
    return (
        starting(bias, columns[0], columns[0] < count, finish),
        starting(bias, columns[1], columns[1] < count, finish),
        starting(bias, columns[2], columns[2] < count, finish),
        starting(bias, columns[3], columns[3] < count, finish),
    )


@kernel(SIGNATURE)
def gemm_registers(
    a: Array,
    b: Array,
    bias: Array,
    y: Array,
    rows: int,
    columns: int,
    depth: int,
    in_a: Steps,
    in_b: Steps,
    finish: int,
) -> None:
    """A thread has the rows ty, ty + 16, ty + 32 and ty + 48 of the tile, and the columns tx, tx + 16, tx + 32 and tx + 48."""
    tile_a, tile_b = cuda.shared.array((WIDE, SIDE), float32), cuda.shared.array((SIDE, WIDE), float32)
    tx, ty = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y)
    matrix, row0, column0 = tile_of(uint32(cuda.blockIdx.x), rows, columns, uint32(WIDE))
    row, column = uint32(row0 + ty), uint32(column0 + tx)
    mine = four(column, uint32(SIDE))
    first = starting_quad(bias, mine, columns, finish)
    sums = first, first, first, first
    for k in range(uint32(0), depth, uint32(SIDE)):
        for n in range(uint32(0), uint32(WIDE), uint32(SIDE)):
            tile_a[ty + n, tx] = entry(a, matrix, uint32(row + n), rows, uint32(k + tx), depth, in_a)
            tile_b[ty, tx + n] = entry(b, matrix, uint32(column + n), columns, uint32(k + ty), depth, in_b)
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            down = tile_a[ty, i], tile_a[ty + 16, i], tile_a[ty + 32, i], tile_a[ty + 48, i]
            across = tile_b[i, tx], tile_b[i, tx + 16], tile_b[i, tx + 32], tile_b[i, tx + 48]
            sums = plus_product(sums, down, across)
        cuda.syncthreads()
    store_block(sums, y, matrix, four(row, uint32(SIDE)), rows, columns, mine, mine, columns, lowest(finish))


@kernel(SIGNATURE)
def gemm_fast(
    a: Array,
    b: Array,
    bias: Array,
    y: Array,
    rows: int,
    columns: int,
    depth: int,
    in_a: Steps,
    in_b: Steps,
    finish: int,
) -> None:
    """A thread has two blocks of 4 x 4 neighbours; see `tiles`."""
    tile_a, tile_b = cuda.shared.array(HELD, float32, alignment=16), cuda.shared.array(HELD, float32, alignment=16)
    t = uint32(cuda.threadIdx.x)
    tx, ty = uint32(t & uint32(15)), uint32(t >> uint32(4))
    matrix, row0, column0 = tile_of(uint32(cuda.blockIdx.x), rows, columns, uint32(WIDE))
    mine_a, mine_b = share(t, matrix, row0, in_a), share(t, matrix, column0, in_b)
    row, mine = uint32(row0 + ty * 4), four(uint32(column0 + tx * 4), uint32(1))
    first = starting_quad(bias, mine, columns, finish)
    upper, lower = (first, first, first, first), (first, first, first, first)
    for k in range(uint32(0), depth, uint32(STEP)):
        bring(tile_a, a, mine_a, rows, k, depth, in_a)
        bring(tile_b, b, mine_b, columns, k, depth, in_b)
        cuda.syncthreads()
        upper, lower = plus_step(upper, lower, tile_a, tile_b, tx, ty)
        cuda.syncthreads()
    low, below = lowest(finish), four(uint32(row + 32), uint32(1))
    store_block(upper, y, matrix, four(row, uint32(1)), rows, columns, mine, mine, columns, low)
    store_block(lower, y, matrix, below, rows, columns, mine, mine, columns, low)


VERSIONS = {
    "naive": Version(gemm_naive),
    "coalesced": Version(gemm_coalesced),
    "tiled": Version(gemm_tiled, SIDE),
    "registers": Version(gemm_registers, WIDE),
    "fast": Version(gemm_fast, WIDE, THREADS),
}


def gemm(
    a: Array,
    b: Array,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: Array | None = None,
    relu: bool = False,
) -> Array:
    """a b, with either operand transposed on request, plus bias (N,) for every row, then max(y, 0).

    Shapes: a (M, K), or (K, M) if transpose_a; b (K, N), or (N, K) if transpose_b -> y (M, N). Both may be stacks (B, ...), or
    one of them, which then meets every matrix of the other.
    """
    (rows, depth), columns = _swapped(a, transpose_a), _swapped(b, transpose_b)[1]
    batch = max((*a.shape[:-2], *b.shape[:-2], 1)) if a.ndim + b.ndim > 4 else 1
    y = empty((*((batch,) if a.ndim + b.ndim > 4 else ()), rows, columns), a.dtype)
    if 0 in y.shape:
        return y
    if bias is None and not relu and cublas_is_wanted():
        return _by_cublas(a, b, transpose_a, transpose_b, y)
    along = _steps(a, transpose_a), _steps(b, not transpose_b)
    finish = np.uint32((BIASED if bias is not None else 0) | (RECTIFIED if relu else 0))
    sizes = [np.uint32(n) for n in (rows, columns, depth)]
    arrays = a, b, a if bias is None else bias, y  # without a bias, something that is not read stands in its place
    run_version(rung(VERSIONS), batch, rows, columns, *arrays, *sizes, *along, finish)
    return y


def matmul(a: Array, b: Array) -> Array:
    """The matrix product over the last two axes; leading axes broadcast."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*lead, a.shape[-2], b.shape[-1])
    if 0 in shape:
        return empty(shape, a.dtype)
    if b.ndim == 2 or (math.prod(b.shape[:-2]) == 1 and a.shape[:-2] == lead):
        rows = a.reshaped((math.prod(a.shape[:-1]), a.shape[-1]))  # one product with all rows of the stack
        return gemm(rows, b.reshaped(b.shape[-2:])).reshaped(shape)
    return gemm(_stacked(a, lead), _stacked(b, lead)).reshaped(shape)


def _stacked(x: Array, lead: Sizes) -> Array:
    """A stack of as many matrices as `lead` counts, or of one for all."""
    if math.prod(x.shape[:-2]) == 1:
        return x.reshaped((1, *x.shape[-2:]))
    return broadcast_to(x, (*lead, *x.shape[-2:])).reshaped((math.prod(lead), *x.shape[-2:]))


def _swapped(x: Array, transposed: bool) -> tuple[int, int]:
    rows, columns = x.shape[-2:]
    return (columns, rows) if transposed else (rows, columns)


def _steps(x: Array, k_comes_first: bool) -> Steps:
    """How far apart the matrices, the rows and the numbers of a row are, of a matrix whose rows run along k."""
    between = 0 if x.ndim == 2 or x.shape[0] == 1 else x.shape[-1] * x.shape[-2]
    return (between, 1, x.shape[-1]) if k_comes_first else (between, x.shape[-1], 1)


# --- NVIDIA's own product: several times faster than what is written here, and what it is to be compared with


def cublas_is_wanted() -> bool:
    """Whether MINIDIL_CUBLAS=1 is set and products run on a GPU. Raises: BackendError if CuPy is not installed then."""
    if os.environ.get("MINIDIL_CUBLAS") != "1" or target() != "gpu":
        return False
    if not find_spec("cupy"):
        raise BackendError(
            "MINIDIL_CUBLAS=1 needs CuPy (pip install cupy-cuda13x); unset it to use minidil's own kernels"
        )
    return True


def _by_cublas(a: Array, b: Array, transpose_a: bool, transpose_b: bool, y: Array) -> Array:
    """y = a b through CuPy, which shares the arrays and copies none."""
    import cupy

    left, right, result = (cupy.asarray(x) for x in (a, b, y))
    left = left.swapaxes(-1, -2) if transpose_a else left
    right = right.swapaxes(-1, -2) if transpose_b else right
    cupy.matmul(left, right, out=result)
    return y
