"""Writes `generated.py`: products and convolutions that hold a piece of the result in registers.

    python -m minidil.kernels.cuda.generate

Why generated. The readable kernels load two numbers from shared memory for each multiplication, and a GPU can do four to eight
multiplications in the time of such a load. A thread that computes 8 x 4 numbers instead of one loads 8 + 4 numbers for 32
multiplications. The 32 sums must lie in registers, and only names do so for sure: whether a loop over a local array is
unrolled, and the array thereby kept out of memory, differs from compiler to compiler. So a program writes out the names.

One skeleton serves six kernels, all of them a product y = a b of tiles of 64 x 64 in steps of 8 along k:

    bring   128 threads fetch 64 x 8 numbers of a and 8 x 64 of b, four of each per thread, 0 where the matrices end. This is
    all that
            differs: b of a convolution is never in memory, its numbers are fetched from the image where they belong (implicit
            GEMM).
    use     thread (tx, ty) loads the rows 4 ty .. 4 ty + 3 and 32 + 4 ty .. 32 + 4 ty + 3 of a column of tile a, and the columns
            4 tx .. 4 tx + 3 of a row of tile b, as three loads of 128 bits, and adds their 32 products to its sums.
    store   the sums that lie within y.

Tile a is stored by columns, so that the four rows of a load lie next to each other. Both tiles have rows of 68 numbers:
writing eight neighbours along k then hits 32 different banks, and 68 is divisible by 4, as loads of 128 bits require.

The mapping of matrices to convolutions, for each group of channels, with T taps, P output positions per image and S input
positions:

    forward      y (filters, N P)    = weight (filters, channels T)   x  patches of x
    grad input   dx (channels, N S)  = turned weight (channels, filters T)  x  what of grad was computed from each place
    grad weight  dw (filters, channels T) = grad (filters, N P)   x  patches of x, in parts along N P that are added up afterwards

A table tells what the k (or, for the last, the column) of a patch means: the offset of its channel, and its tap's distance from
the window's first position on three axes. Grad input reads geometry backwards (see `window`): of z = position + before - tap,
only multiples of the stride count, and these are powers of two here, so a mask and a shift take the place of a division.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

TILE, STEP, PITCH = 64, 8, 68  # the side of a tile; its depth; the distance of its rows in shared memory
ROWS, COLUMNS = 8, 4  # that a thread computes
THREADS = (TILE // ROWS) * (TILE // COLUMNS)
EACH = TILE * STEP // THREADS  # numbers of each tile that a thread brings
UNROLLED = 2  # steps of k that are written out; the loop around them does the rest

HEADER = '''"""Products and convolutions with a piece of the result in registers.

Written by `generate.py`, which explains them.
"""

# mypy: ignore-errors

from math import inf

from minidil.kernels.cuda.grid import types
from minidil.kernels.cuda.launch import kernel
from minidil.kernels.cuda.seam import cuda, float32, int32, uint32
from minidil.kernels.cuda.vector import load4

TILE, THREADS = {tile}, {threads}
'''


# --- bringing the numbers of a step into shared memory: what holds for all steps, and what is done in each


def along_depth(tile: str, array: str, first: str, bound: str) -> tuple[list[str], list[str]]:
    """A matrix (first, k): eight threads take neighbours along k, so what they read is contiguous."""
    row, k, put = f"r{tile}", f"q{tile}", f"put_{tile}"
    apart = THREADS // STEP
    before = [
        f"{row}, {k} = uint32({first} + (t >> uint32(3))), uint32(t & uint32(7))",
        f"{put} = uint32({k} * uint32({PITCH}) + (t >> uint32(3)))",
    ]
    each = []
    for n in range(0, EACH * apart, apart):
        each += [
            "v = float32(0)",
            f"if {row} + uint32({n}) < {bound} and k + {k} < depth:",
            f"    v = {array}[uint32(start_{tile} + ({row} + uint32({n})) * depth + k + {k})]",
            f"tile_{tile}[uint32({put} + uint32({n}))] = v",
        ]
    return before, each


def across(tile: str, array: str, first: str, bound: str) -> tuple[list[str], list[str]]:
    """A matrix (k, first): 64 threads take neighbours across."""
    column, k, put = f"r{tile}", f"q{tile}", f"put_{tile}"
    apart = THREADS // TILE
    before = [
        f"{column}, {k} = uint32({first} + (t & uint32({TILE - 1}))), uint32(t >> uint32(6))",
        f"{put} = uint32({k} * uint32({PITCH}) + (t & uint32({TILE - 1})))",
    ]
    each = []
    for n in range(0, EACH * apart, apart):
        each += [
            "v = float32(0)",
            f"if {column} < {bound} and k + {k} + uint32({n}) < depth:",
            f"    v = {array}[uint32(start_{tile} + (k + {k} + uint32({n})) * {bound} + {column})]",
            f"tile_{tile}[uint32({put} + uint32({n * PITCH}))] = v",
        ]
    return before, each


def patches(backward: bool) -> tuple[list[str], list[str]]:
    """Patches of the image: the column, a position, is the same for all that a thread brings; k is a channel and a tap."""
    before = [
        f"rb, qb = uint32(column0 + (t & uint32({TILE - 1}))), uint32(t >> uint32(6))",
        f"put_b = uint32(qb * uint32({PITCH}) + (t & uint32({TILE - 1})))",
        "within = rb < columns",
        "n, p = uint32(rb // positions), uint32(rb % positions)",
        *START,
        "image = uint32((n * groups + group) * image_size)",
    ]
    each = []
    for n in range(0, EACH * THREADS // TILE, THREADS // TILE):
        each += [
            "v = float32(0)",
            f"if within and k + qb + uint32({n}) < depth:",
            f"    offset, dz, dh, dw = load4(table, uint32((k + qb + uint32({n})) * uint32(4)))",
            *(f"    {line}" for line in fetch(backward)),
            f"tile_b[uint32(put_b + uint32({n * PITCH}))] = v",
        ]
    return before, each


def gradient_and_patches() -> tuple[list[str], list[str]]:
    """k is a position, the same for every number that a thread brings; rows are filters, columns are channels with taps."""
    before = [
        "ra, rb, q = uint32(row0 + (t >> uint32(3))), uint32(column0 + (t >> uint32(3))), uint32(t & uint32(7))",
        f"put = uint32(q * uint32({PITCH}) + (t >> uint32(3)))",
    ]
    each = [
        "within = k + q < last",
        "n, p = uint32((k + q) // positions), uint32((k + q) % positions)",
        *START,
        "image = uint32((n * groups + group) * image_size)",
    ]
    for n in range(0, EACH * THREADS // STEP, THREADS // STEP):
        each += [
            "v = float32(0)",
            f"if within and ra + uint32({n}) < rows:",
            f"    v = grad[uint32(((n * groups + group) * rows + ra + uint32({n})) * positions + p)]",
            f"tile_a[uint32(put + uint32({n}))] = v",
            "v = float32(0)",
            f"if within and rb + uint32({n}) < columns:",
            f"    offset, dz, dh, dw = load4(table, uint32((rb + uint32({n})) * uint32(4)))",
            *(f"    {line}" for line in fetch(False)),
            f"tile_b[uint32(put + uint32({n}))] = v",
        ]
    return before, each


# Where the window of position p, an index over three axes, starts.
START = [
    "w0 = int32(int32(p % uint32(out[2])) * stride[2] - before[2])",
    "p2 = uint32(p // uint32(out[2]))",
    "h0 = int32(int32(p2 % uint32(out[1])) * stride[1] - before[1])",
    "z0 = int32(int32(p2 // uint32(out[1])) * stride[0] - before[0])",
]


def fetch(backward: bool) -> list[str]:
    """v = the number of the image that the tap meets, if there is one."""
    inside = "uint32(z) < uint32(size[0]) and uint32(h) < uint32(size[1]) and uint32(w) < uint32(size[2])"
    lines = ["z, h, w = int32(z0 + dz), int32(h0 + dh), int32(w0 + dw)"]
    if backward:
        lines += [
            "odd = (z & mask[0]) | (h & mask[1]) | (w & mask[2])",
            "z, h, w = int32(z >> shift[0]), int32(h >> shift[1]), int32(w >> shift[2])",
        ]
        inside = f"odd == 0 and {inside}"
    return [*lines, f"if {inside}:", "    v = x[uint32(image + offset + (z * size[1] + h) * size[2] + w)]"]


# --- the skeleton


def opening(stacked: str) -> Iterator[str]:
    """Which tile a block computes, of which matrix of the stack; and the sums."""
    yield f"tile_a = cuda.shared.array({STEP * PITCH}, float32, alignment=16)"
    yield f"tile_b = cuda.shared.array({STEP * PITCH}, float32, alignment=16)"
    yield "t, block = uint32(cuda.threadIdx.x), uint32(cuda.blockIdx.x)"
    yield f"tx, ty = uint32(t & uint32({TILE // COLUMNS - 1})), uint32(t >> uint32(4))"
    yield f"across = uint32((columns + uint32({TILE - 1})) // uint32({TILE}))"
    yield f"down = uint32((rows + uint32({TILE - 1})) // uint32({TILE}))"
    yield f"{stacked}, rest = uint32(block // uint32(across * down)), uint32(block % uint32(across * down))"
    yield f"row0, column0 = uint32(uint32(rest // across) * uint32({TILE})), uint32(uint32(rest % across) * uint32({TILE}))"
    for i in range(ROWS):
        yield ", ".join(f"c{i}{j}" for j in range(COLUMNS)) + " = " + ", ".join(["float32(0)"] * COLUMNS)


def middle(bring: list[str], first: str, last: str) -> Iterator[str]:
    """Bring, wait, use, wait, for every step along k."""
    yield f"for k in range({first}, {last}, uint32({STEP})):"
    yield from (f"    {line}" for line in bring)
    yield "    cuda.syncthreads()"
    yield "    at_a, at_b = uint32(ty * uint32(4)), uint32(tx * uint32(4))"
    yield f"    for _ in range({STEP // UNROLLED}):"
    for _ in range(UNROLLED):
        for i in range(0, ROWS, 4):
            names = ", ".join(f"a{i + lane}" for lane in range(4))
            yield f"        {names} = load4(tile_a, uint32(at_a + uint32({i // 4 * (TILE // 2)})))"
        yield "        " + ", ".join(f"b{j}" for j in range(COLUMNS)) + " = load4(tile_b, at_b)"
        for i in range(ROWS):
            yield "        " + "; ".join(f"c{i}{j} += a{i} * b{j}" for j in range(COLUMNS))
        yield f"        at_a, at_b = uint32(at_a + uint32({PITCH})), uint32(at_b + uint32({PITCH}))"
    yield "    cuda.syncthreads()"


def closing(of_row: str, of_column: list[str], bias: str = "") -> Iterator[str]:
    """Store the sums that lie within y.

    of_row, of_column: how far the row i, and the column j, lie from the start of y; what is needed for a column stands before it.
    bias: which number of it a sum gets, by i or by j; without one the sums are stored as they are.
    """
    *prepare, offset = of_column
    by_row = "i" in bias
    if bias:
        yield "low = float32(0) if finish & uint32(2) else float32(-inf)"
    for j in range(COLUMNS):
        yield f"j{j} = uint32(column0 + tx * uint32(4) + uint32({j}))"
        yield from (line.replace("{j}", f"j{j}") for line in prepare)
        yield f"o{j} = uint32({offset})".replace("{j}", f"j{j}")
        if bias and not by_row:
            yield f"s{j} = float32(0)"
            yield f"if finish & uint32(1) and j{j} < columns:"
            yield f"    s{j} = bias[j{j}]"
    for i in range(ROWS):
        yield f"i = uint32(row0 + ty * uint32(4) + uint32({i // 4 * (TILE // 2) + i % 4}))"
        yield "if i < rows:"
        yield f"    at = uint32({of_row})"
        if by_row:
            yield "    s = float32(0)"
            yield "    if finish & uint32(1):"
            yield f"        s = bias[uint32({bias})]"
        for j in range(COLUMNS):
            yield f"    if j{j} < columns:"
            if bias:
                yield f"        v = c{i}{j} + " + ("s" if by_row else f"s{j}")
                yield f"        y[uint32(at + o{j})] = v if not v < low else low"  # which lets a NaN through
            else:
                yield f"        y[uint32(at + o{j})] = c{i}{j}"


def function(name: str, code: str, arguments: str, doc: str, body: list[str]) -> str:
    """The text of a kernel."""
    lines = "\n".join(f"    {line}" for line in body)
    return f'\n\n@kernel(types("{code}"))\ndef {name}({arguments}):\n    """{doc}"""\n{lines}\n'


# --- the kernels


def gemm(transpose_a: bool, transpose_b: bool) -> str:
    """y = a b, with one of them stored transposed or none."""
    before_a, bring_a = (across if transpose_a else along_depth)("a", "a", "row0", "rows")
    before_b, bring_b = (along_depth if transpose_b else across)("b", "b", "column0", "columns")
    body = [
        *opening("matrix"),
        "start_a, start_b = uint32(matrix * between[0]), uint32(matrix * between[1])",
        *before_a,
        *before_b,
        *middle(bring_a + bring_b, "uint32(0)", "depth"),
        *closing("(matrix * rows + i) * columns", ["{j}"], "j"),
    ]
    arguments = "a, b, bias, y, rows, columns, depth, between, finish"
    name = "gemm_" + "nt"[transpose_a] + "nt"[transpose_b]
    return function(name, "ffffuuu2u", arguments, "y = a b; n: as it is, t: stored transposed.", body)


def conv(backward: bool) -> str:
    """The forward convolution, or the gradient of its input."""
    before_a, bring_a = along_depth("a", "weight", "row0", "rows")
    before_b, bring_b = patches(backward)
    body = [
        *opening("group"),
        "start_a = uint32(group * rows * depth)",
        *before_a,
        *before_b,
        *middle(bring_a + bring_b, "uint32(0)", "depth"),
        *closing(
            "(group * rows + i) * positions",
            ["n, p = uint32({j} // positions), uint32({j} % positions)", "n * groups * rows * positions + p"],
            "group * rows + i",
        ),
    ]
    name = "conv_grad_input" if backward else "conv_forward"
    code = "fffif" + "uuuuuu" + "3333" + ("33" if backward else "") + "u"
    arguments = (
        "weight, x, bias, table, y, rows, columns, depth, groups, positions, image_size, size, out, stride, before"
    )
    arguments += (", mask, shift" if backward else "") + ", finish"
    return function(name, code, arguments, "See the table of matrices in generate.py.", body)


def conv_grad_weight() -> str:
    """The gradient of the weight."""
    before, bring = gradient_and_patches()
    body = [
        *opening("stacked"),
        "part, group = uint32(stacked // groups), uint32(stacked % groups)",
        "first = uint32(part * share)",
        "last = uint32(min(first + share, depth))",
        *before,
        *middle(bring, "first", "last"),
        *closing("(stacked * rows + i) * columns", ["{j}"]),
    ]
    arguments = (
        "grad, x, table, y, rows, columns, depth, share, groups, positions, image_size, size, out, stride, before"
    )
    return function("conv_grad_weight", "ffif" + "uuuuuuu" + "3333", arguments, "See the table in generate.py.", body)


def text() -> str:
    """The whole file."""
    kernels = [gemm(False, False), gemm(False, True), gemm(True, False), conv(False), conv(True), conv_grad_weight()]
    table = "\n\nGEMM = {(False, False): gemm_nn, (False, True): gemm_nt, (True, False): gemm_tn}\n"
    return HEADER.format(tile=TILE, threads=THREADS) + "".join(kernels) + table


def main() -> None:
    """Write the file."""
    Path(__file__).with_name("generated.py").write_text(text())


if __name__ == "__main__":
    main()
