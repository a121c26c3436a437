"""What the versions of a product share, matrix products and convolutions alike: tiles, numbers in registers, the end of a sum.

Numbers in registers. A number lies in a register for sure if it has a name, or is an entry of a tuple: Numba takes a tuple apart.
An entry of a local array lies there only if the compiler writes out the loop over it, which differs from one compiler to the
next. So four numbers are a tuple here, a quad, and 4 x 4 sums are a tuple of four quads:

    sums + column x row    adds 16 products of 8 numbers; in a tile that holds one number a thread, each product takes 2 loads.

The fast versions. A block of 128 threads computes a tile of 64 x 64 in steps of 8 along k. Thread (tx, ty) holds two blocks of
4 x 4 sums, one below the other: the rows 4 ty .. 4 ty + 3 and 32 + 4 ty .. 32 + 4 ty + 3, the columns 4 tx .. 4 tx + 3. For each
k it loads three quads, in one instruction of 128 bits each, for 32 multiplications. For that, both tiles are stored with k as
their row, so that the four numbers of a quad are neighbours; rows are 68 numbers apart, since then eight neighbours along k are
written into 32 different banks, and 68 is divisible by 4, as quads require.
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple, TypeAlias

from llvmlite import ir
from numba.cuda import cgutils
from numba.cuda.extending import intrinsic

from minidil.kernels.cuda.device import Array, Sizes, ceil_div, inline, run, run_each
from minidil.kernels.cuda.launch import Kernel
from minidil.kernels.cuda.seam import float32, types, uint32

Quad: TypeAlias = tuple[float, float, float, float]
Block: TypeAlias = tuple[Quad, Quad, Quad, Quad]
Share: TypeAlias = tuple[int, ...]
Steps: TypeAlias = tuple[
    int, int, int
]  # from matrix to matrix of a stack, from row to row (of the second, column to column), along k

SIDE = 16  # of a block of threads, in the tiled version and the one with registers
WIDE = 64  # of a tile of the result, where a thread computes several of its numbers
STEP, PITCH, THREADS = 8, 68, 128  # of the fast versions
HELD = STEP * PITCH  # numbers of one of their tiles
BIASED, RECTIFIED = 1, 2  # bits of `finish`


class Version(NamedTuple):
    """A version of a kernel. side: of the tile of the result that a block computes; 0 if a thread computes a number."""

    kernel: Kernel
    side: int = 0
    threads: int | tuple[int, int] = (SIDE, SIDE)


def run_version(version: Version, stack: int, rows: int, columns: int, *arguments: Any) -> None:
    """Launch a version for a stack of results of this size."""
    if not version.side:
        run_each(version.kernel, stack * rows * columns, *arguments)
        return
    blocks = stack * ceil_div(rows, version.side) * ceil_div(columns, version.side)
    run(version.kernel, blocks, version.threads, *arguments)


@inline
def tile_of(block: int, rows: int, columns: int, side: int) -> tuple[int, int, int]:
    """Of block number i: which matrix of the stack it works on, and the first row and column of its tile."""
    across, down = uint32((columns + side - 1) // side), uint32((rows + side - 1) // side)
    matrix, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))
    return matrix, uint32(uint32(rest // across) * side), uint32(uint32(rest % across) * side)


@inline
def starting(bias: Array, i: int, inside: bool, finish: int) -> float:
    """What a sum starts from: its bias, if there is one. So y is written once and never read."""
    value = float32(0)
    if inside and finish & uint32(BIASED):
        value = bias[i]
    return value


@inline
def lowest(finish: int) -> float:
    """What a sum is at least: 0 with ReLU."""
    return float32(0) if finish & uint32(RECTIFIED) else float32(-inf)


@inline
def finished(total: float, low: float) -> float:
    """The sum, rectified. A NaN is not less than anything and stays."""
    return low if total < low else total


@inline
def entry(x: Array, matrix: int, i: int, count: int, k: int, depth: int, steps: Steps) -> float:
    """The number in row i and column k of a matrix of a stack; 0 where it ends."""
    value = float32(0)
    if i < count and k < depth:
        value = x[uint32(matrix * steps[0] + i * steps[1] + k * steps[2])]
    return value


# --- blocks of 4 x 4 numbers in registers


@inline
def zero_quad() -> Quad:
    return float32(0), float32(0), float32(0), float32(0)


@inline
def zero_block() -> Block:
    return zero_quad(), zero_quad(), zero_quad(), zero_quad()


@inline
def four(i: int, apart: int) -> Sizes:
    """Four rows or columns."""
    return uint32(i), uint32(i + apart), uint32(i + 2 * apart), uint32(i + 3 * apart)


@inline
def plus_multiple(sums: Quad, a: float, b: Quad) -> Quad:
    return sums[0] + a * b[0], sums[1] + a * b[1], sums[2] + a * b[2], sums[3] + a * b[3]


@inline
def plus_product(sums: Block, column: Quad, row: Quad) -> Block:
    """sums + column x row: 16 multiply-adds, and nothing is loaded."""
    return (
        plus_multiple(sums[0], column[0], row),
        plus_multiple(sums[1], column[1], row),
        plus_multiple(sums[2], column[2], row),
        plus_multiple(sums[3], column[3], row),
    )


@inline
def store_quad(sums: Quad, y: Array, start: int, columns: Sizes, places: Sizes, count: int, low: float) -> None:
    """Four sums of a row: those of the columns below `count`, to where they stand from `start` on."""
    if columns[0] < count:
        y[uint32(start + places[0])] = finished(sums[0], low)
    if columns[1] < count:
        y[uint32(start + places[1])] = finished(sums[1], low)
    if columns[2] < count:
        y[uint32(start + places[2])] = finished(sums[2], low)
    if columns[3] < count:
        y[uint32(start + places[3])] = finished(sums[3], low)


@inline
def store_block(
    sums: Block,
    y: Array,
    matrix: int,
    own: Sizes,
    rows: int,
    pitch: int,
    columns: Sizes,
    places: Sizes,
    count: int,
    low: float,
) -> None:
    """A block of sums, the rows `own`, into a matrix of a stack with so many rows, which are `pitch` numbers apart."""
    if own[0] < rows:
        store_quad(sums[0], y, uint32((matrix * rows + own[0]) * pitch), columns, places, count, low)
    if own[1] < rows:
        store_quad(sums[1], y, uint32((matrix * rows + own[1]) * pitch), columns, places, count, low)
    if own[2] < rows:
        store_quad(sums[2], y, uint32((matrix * rows + own[2]) * pitch), columns, places, count, low)
    if own[3] < rows:
        store_quad(sums[3], y, uint32((matrix * rows + own[3]) * pitch), columns, places, count, low)


# --- the fast versions


def _load4(typing_context: Any, x: Any, i: Any) -> Any:
    """x[i], x[i + 1], x[i + 2], x[i + 3] in one instruction of 128 bits, where four of 32 would stand.

    Numba has no such load, so this is what LLVM is told: take the address of x[i] as that of four numbers, and load them. It
    must be divisible by 16 bytes, that is x aligned so and i divisible by 4; the emulator reports one that is not.
    """
    four: Any = types.UniTuple

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row = context.make_array(signature.args[0])(context, builder, arguments[0])
        first = builder.gep(row.data, [arguments[1]])
        vector = ir.VectorType(first.type.pointee, 4)
        quad = builder.load(builder.bitcast(first, vector.as_pointer(getattr(first.type, "addrspace", 0))))
        quad.align = 16
        numbers = [builder.extract_element(quad, ir.Constant(ir.IntType(32), lane)) for lane in range(4)]
        return cgutils.pack_array(builder, numbers)

    return four(x.dtype, 4)(x, i), generate


load4: Any = intrinsic(_load4)


@inline
def share(t: int, matrix: int, first: int, steps: Steps) -> Share:
    """Which 4 of 64 x 8 numbers of a matrix a thread brings: the first, and how far down and ahead each next one is.

    Neighbours in memory are brought by neighbouring threads: 8 along k, or else 64 rows.
    Returns: row, column, and how they go on; the place in memory, and how it goes on; the place in the tile, and how it goes on.
    """
    i, q, down, ahead = uint32(t >> uint32(3)), uint32(t & uint32(7)), uint32(16), uint32(0)
    if steps[2] != 1:
        i, q, down, ahead = uint32(t & uint32(63)), uint32(t >> uint32(6)), uint32(0), uint32(2)
    at = uint32(matrix * steps[0] + (first + i) * steps[1] + q * steps[2])
    put, further = uint32(q * uint32(PITCH) + i), uint32(ahead * uint32(PITCH) + down)
    return uint32(first + i), q, down, ahead, at, uint32(down * steps[1] + ahead * steps[2]), put, further


@inline
def into(tile: Array, put: int, x: Array, at: int, row: int, count: int, column: int, depth: int) -> None:
    """A number into a tile; 0 where the matrix ends."""
    value = float32(0)
    if row < count and column < depth:
        value = x[at]
    tile[put] = value


@inline
def bring(tile: Array, x: Array, mine: Share, count: int, k: int, depth: int, steps: Steps) -> None:
    """A thread's share of the step k into a tile."""
    row, q, down, ahead, at, hop, put, further = mine
    q, at = uint32(k + q), uint32(at + k * steps[2])
    into(tile, put, x, at, row, count, q, depth)
    row, q, at, put = uint32(row + down), uint32(q + ahead), uint32(at + hop), uint32(put + further)
    into(tile, put, x, at, row, count, q, depth)
    row, q, at, put = uint32(row + down), uint32(q + ahead), uint32(at + hop), uint32(put + further)
    into(tile, put, x, at, row, count, q, depth)
    row, q, at, put = uint32(row + down), uint32(q + ahead), uint32(at + hop), uint32(put + further)
    into(tile, put, x, at, row, count, q, depth)


@inline
def plus_column(upper: Block, lower: Block, tile_a: Array, tile_b: Array, at_a: int, at_b: int) -> tuple[Block, Block]:
    """The sums with the products of one k: 32 multiply-adds for three loads."""
    row = load4(tile_b, at_b)
    upper = plus_product(upper, load4(tile_a, at_a), row)
    return upper, plus_product(lower, load4(tile_a, uint32(at_a + uint32(WIDE // 2))), row)


@inline
def plus_step(upper: Block, lower: Block, tile_a: Array, tile_b: Array, tx: int, ty: int) -> tuple[Block, Block]:
    """The sums with all products of a step, written out by twos."""
    at_a, at_b = uint32(ty * uint32(4)), uint32(tx * uint32(4))
    for _ in range(STEP // 2):
        upper, lower = plus_column(upper, lower, tile_a, tile_b, at_a, at_b)
        at_a, at_b = uint32(at_a + uint32(PITCH)), uint32(at_b + uint32(PITCH))
        upper, lower = plus_column(upper, lower, tile_a, tile_b, at_a, at_b)
        at_a, at_b = uint32(at_a + uint32(PITCH)), uint32(at_b + uint32(PITCH))
    return upper, lower
