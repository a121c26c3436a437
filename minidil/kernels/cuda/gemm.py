"""Matrix products, y = a b (+ bias) (and ReLU), twice: a tile that can be read here, and a fast one that is generated.

The tiled product. A block of 16 x 16 threads computes a tile of 16 x 16 numbers of y, each thread one of them, in steps of 16
along k: the threads bring a tile of a and one of b into shared memory, one number of each per thread, wait for each other, and
then each adds 16 products to its sum. Every number brought in is used 16 times, so global memory is asked for a 16th of what
the naive product asks for. One barrier stands between bringing and using, so that nobody reads what is not there yet, and one
between using and the next step's bringing, so that nobody overwrites what another still reads.

The bound it runs into is shared memory: two loads for each multiplication. The kernels of `generated` (see `generate.py`) hold a
piece of the tile in registers instead, and need 3 loads of 4 numbers for 32 multiplications.

Operands are read through strides, which is all it takes to transpose one. Stacks of matrices are one launch: a block finds its
tile and its matrix from its number.
"""

from __future__ import annotations

import math

import numpy as np

from minidil.kernels.cuda import cublas, generated
from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.choice import readable
from minidil.kernels.cuda.copy import broadcast_to, transpose
from minidil.kernels.cuda.grid import Array, Sizes, ceil_div, run, types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import cuda, float32, uint32
from minidil.kernels.cuda.tiles import SIDE, finish_bits, finished


@kernel(types("ffffuuu222u"))
def gemm_tile(
    a: Array,
    b: Array,
    bias: Array,
    y: Array,
    rows: int,
    columns: int,
    depth: int,
    steps_a: tuple[int, int],
    steps_b: tuple[int, int],
    between: tuple[int, int],
    finish: int,
) -> None:
    """steps: the distance of neighbouring rows, and of neighbouring columns. between: of neighbouring matrices of a, and of b."""
    tile_a, tile_b = cuda.shared.array((SIDE, SIDE), float32), cuda.shared.array((SIDE, SIDE), float32)
    tx, ty, block = uint32(cuda.threadIdx.x), uint32(cuda.threadIdx.y), uint32(cuda.blockIdx.x)
    across = uint32((columns + uint32(SIDE - 1)) // uint32(SIDE))
    down = uint32((rows + uint32(SIDE - 1)) // uint32(SIDE))
    matrix, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))
    row = uint32(uint32(rest // across) * uint32(SIDE) + ty)
    column = uint32(uint32(rest % across) * uint32(SIDE) + tx)
    start_a, start_b = uint32(matrix * between[0]), uint32(matrix * between[1])
    total = float32(0)
    for k in range(uint32(0), depth, uint32(SIDE)):
        tile_a[ty, tx] = float32(0)
        if row < rows and k + tx < depth:
            tile_a[ty, tx] = a[uint32(start_a + row * steps_a[0] + (k + tx) * steps_a[1])]
        tile_b[ty, tx] = float32(0)
        if column < columns and k + ty < depth:
            tile_b[ty, tx] = b[uint32(start_b + (k + ty) * steps_b[0] + column * steps_b[1])]
        cuda.syncthreads()
        for i in range(uint32(SIDE)):
            total += tile_a[ty, i] * tile_b[i, tx]
        cuda.syncthreads()
    if row < rows and column < columns:
        y[uint32((matrix * rows + row) * columns + column)] = finished(total, bias, column, finish)


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
    if transpose_a and transpose_b:  # which no formula here needs
        a, transpose_a = transpose(a, (*range(a.ndim - 2), -1, -2)), False
    (rows, depth), columns = _swapped(a, transpose_a), _swapped(b, transpose_b)[1]
    batch = max((*a.shape[:-2], *b.shape[:-2], 1)) if a.ndim + b.ndim > 4 else 1
    y = empty((*((batch,) if a.ndim + b.ndim > 4 else ()), rows, columns), a.dtype)
    if 0 in y.shape:
        return y
    if cublas.wanted() and bias is None and not relu:
        return cublas.gemm(a, b, transpose_a, transpose_b, y)
    between = tuple(0 if x.ndim == 2 or x.shape[0] == 1 else x.shape[-1] * x.shape[-2] for x in (a, b))
    finish = np.uint32(finish_bits(bias, relu))
    sizes = [np.uint32(n) for n in (rows, columns, depth)]
    arrays = a, b, a if bias is None else bias, y  # without a bias, something that is not read stands in its place
    if readable():
        blocks = batch * ceil_div(rows, SIDE) * ceil_div(columns, SIDE)
        steps = _steps(a, transpose_a), _steps(b, transpose_b)
        run(gemm_tile, blocks, (SIDE, SIDE), *arrays, *sizes, *steps, between, finish)
    else:
        fast = generated.GEMM[transpose_a, transpose_b]
        blocks = batch * ceil_div(rows, generated.TILE) * ceil_div(columns, generated.TILE)
        run(fast, blocks, generated.THREADS, *arrays, *sizes, between, finish)
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


def _steps(x: Array, transposed: bool) -> tuple[int, int]:
    return (1, x.shape[-1]) if transposed else (x.shape[-1], 1)
