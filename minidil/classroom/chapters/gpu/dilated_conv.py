"""A dilated convolution of two axes by tiles."""

import numpy as np

from minidil.array import Array
from minidil.classroom.chapters.gpu.arrays import empty, floats, pieces
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import Case, KernelCheck, KernelMistake


def _conv(x: Array, w: Array, y: Array, d: int) -> Array:
    """y[i, j] = sum_ab w[a, b] x[i + a d, j + b d]."""
    made = np.zeros_like(y)
    for a, b in np.ndindex(w.shape):
        made += w[a, b] * x[a * d : a * d + y.shape[0], b * d : b * d + y.shape[1]]
    return made


def _image(draw: Draw, rows: int, columns: int, taps: int, d: int) -> Case:
    """An image for so many outputs."""
    reach = d * (taps - 1)
    return {
        "x": floats(draw, rows + reach, columns + reach),
        "w": floats(draw, taps, taps),
        "y": empty(rows, columns),
        "d": d,
    }


def _tiles_of(x: Array, w: Array, y: Array, d: int) -> int:
    """The bytes that the blocks of 8 x 32 outputs need: of x with its rim, of y, and of w for each warp."""
    reach, taps = d * (w.shape[0] - 1), w.size
    seen = sum(
        (min(8, y.shape[0] - top) + reach) * (min(32, y.shape[1] - left) + reach)
        for top in range(0, y.shape[0], 8)
        for left in range(0, y.shape[1], 32)
    )
    warps = 8 * pieces(y.shape[0], 8) * pieces(y.shape[1], 32)
    return 4 * seen + 4 * y.size + 32 * taps * warps


KERNEL = Text(
    """
def dilated_conv(x, w, y, d):
    tile = cuda.shared.array((24, 48), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    top, left, reach = cuda.blockIdx.y * 8, cuda.blockIdx.x * 32, d * (w.shape[0] - 1)
    for r in range(ty, 8 + reach, 8):
        for c in range(tx, 32 + reach, 32):
            if top + r < x.shape[0] and left + c < x.shape[1]:
                tile[r, c] = x[top + r, left + c]
    cuda.syncthreads()
    if top + ty < y.shape[0] and left + tx < y.shape[1]:
        total = float32(0)
        for a in range(w.shape[0]):
            for b in range(w.shape[1]):
                total += w[a, b] * tile[ty + a * d, tx + b * d]
        y[top + ty, left + tx] = total
"""
)
CHECK = KernelCheck(
    arguments=_image,
    grid=lambda case: (pieces(case["y"].shape[1], 32), pieces(case["y"].shape[0], 8)),
    block=(32, 8),
    output="y",
    edges={
        "one output": (1, 1, 1, 1),
        "two outputs": (1, 2, 2, 2),
        "a full block": (8, 32, 3, 1),
        "the largest reach": (10, 34, 3, 8),
        "several blocks": (10, 37, 3, 2),
    },
    sizes=lambda draw: (draw.integer(1, 12), draw.integer(1, 40), draw.integer(1, 3), draw.integer(1, 5)),
    counted=(16, 64, 3, 4),
    least=_tiles_of,
    best="of x what each block needs, y once, and w once for each warp",
    slack=1.25,
)
EXERCISE = Exercise(
    name="ex10_9",
    title="A dilated convolution by tiles",
    function="dilated_conv",
    signature="dilated_conv(x, w, y, d)",
    check=CHECK,
    cases=CHECK.cases,
    expected=_conv,
    hints=(
        "A block of 8 x 32 outputs needs (8 + r) x (32 + r) numbers of x, with the reach r = d (K - 1). Its 256 "
        "threads bring them into shared memory, several each; then a barrier; then every output is computed from "
        "there.",
        "`for r in range(ty, 8 + reach, 8):` and in it `for c in range(tx, 32 + reach, 32):` bring every number "
        "once, neighbours by neighbours, if it is inside of x. The largest reach is 16, so a tile of 24 x 48 is "
        "enough.",
        "The sum of thread (tx, ty) takes `tile[ty + a * d, tx + b * d]` times `w[a, b]`. The guard for the output "
        "stands behind the barrier: also threads without an output bring numbers for others.",
    ),
    mistakes=(
        KernelMistake(
            "no barrier",
            KERNEL.instead("    cuda.syncthreads()\n", ""),
            "A thread multiplies what others bring into the tile. All must have brought theirs.",
            kinds=("race",),
            lacks="syncthreads",
        ),
        KernelMistake(
            "a reach of K d instead of (K - 1) d",
            KERNEL.instead("d * (w.shape[0] - 1)", "d * w.shape[0]"),
            "K taps have K - 1 gaps between them, so that the dilated kernel spans d (K - 1) + 1 numbers. What is "
            "brought on top of that does not fit into the tile.",
            kinds=("out of bounds", "row overrun"),
            first="the largest reach",
        ),
        KernelMistake(
            "a guard for one axis only",
            KERNEL.instead("if top + r < x.shape[0] and left + c < x.shape[1]", "if top + r < x.shape[0]"),
            "A column beyond the last one is the beginning of the next row, or lies behind the array. Each axis needs "
            "its guard.",
            kinds=("row overrun", "out of bounds"),
        ),
        KernelMistake(
            "the rim of the tile is missing",
            KERNEL.instead("8 + reach, 8", "8, 8").instead("32 + reach, 32", "32, 32"),
            "The outputs at the edge of a block read up to d (K - 1) numbers beyond its 8 x 32. Somebody must bring "
            "them.",
            kinds=("uninitialised",),
        ),
        KernelMistake(
            "without dilation",
            KERNEL.instead("tile[ty + a * d, tx + b * d]", "tile[ty + a, tx + b]"),
            "Two taps are d numbers apart, along both axes.",
            values=lambda x, w, y, d: _conv(x, w, y, 1),
        ),
        KernelMistake(
            "the kernel is flipped",
            KERNEL.instead("tile[ty + a * d, tx + b * d]", "tile[ty + reach - a * d, tx + reach - b * d]"),
            "y[i, j] takes w[a, b] times x[i + a d, j + b d]: as in all of minidil, the kernel is not flipped.",
            values=lambda x, w, y, d: _conv(x, w[::-1, ::-1], y, d),
        ),
        KernelMistake(
            "without a tile",
            KERNEL.body(
                "    column, row = cuda.grid(2)\n"
                "    if row < y.shape[0] and column < y.shape[1]:\n"
                "        total = float32(0)\n"
                "        for a in range(w.shape[0]):\n"
                "            for b in range(w.shape[1]):\n"
                "                total += w[a, b] * x[row + a * d, column + b * d]\n"
                "        y[row, column] = total\n"
            ),
            "Every number of x is brought once for each tap. In a tile the threads of a block bring it once and "
            "share it.",
            counts="bytes",
        ),
    ),
    points=5,
    minutes=45,
    forbidden=("minidil.classroom.chapters.gpu.dilated_conv.KERNEL",),
)
