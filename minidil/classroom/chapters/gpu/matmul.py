"""A matrix product by tiles."""

from minidil.classroom.chapters.gpu.arrays import empty, floats, pieces
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import Case, KernelCheck, KernelMistake


def _matrices(draw: Draw, m: int, k: int, n: int) -> Case:
    return {"a": floats(draw, m, k), "b": floats(draw, k, n), "c": empty(m, n)}


KERNEL = Text(
    """
def matmul(a, b, c):
    left, right = cuda.shared.array((16, 16), float32), cuda.shared.array((16, 16), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    column, row = cuda.grid(2)
    total = float32(0)
    for start in range(0, a.shape[1], 16):
        left[ty, tx] = a[row, start + tx] if row < a.shape[0] and start + tx < a.shape[1] else float32(0)
        right[ty, tx] = b[start + ty, column] if start + ty < b.shape[0] and column < b.shape[1] else float32(0)
        cuda.syncthreads()  # both tiles are there
        for k in range(16):
            total += left[ty, k] * right[k, tx]
        cuda.syncthreads()  # both tiles are used
    if row < c.shape[0] and column < c.shape[1]:
        c[row, column] = total
"""
)
CHECK = KernelCheck(
    arguments=_matrices,
    grid=lambda case: (pieces(case["c"].shape[1], 16), pieces(case["c"].shape[0], 16)),
    block=(16, 16),
    output="c",
    edges={
        "one product": (1, 1, 1),
        "a few": (2, 3, 2),
        "one tile": (16, 16, 16),
        "two tiles": (16, 32, 16),
        "no whole tiles": (13, 20, 18),
    },
    sizes=lambda draw: (draw.integer(1, 20), draw.integer(1, 40), draw.integer(1, 20)),
    counted=(32, 48, 32),
    least=lambda a, b, c: 4 * (a.size * pieces(b.shape[1], 16) + b.size * pieces(a.shape[0], 16) + c.size),
    best="by tiles of 16 x 16, each of a and b read once for every 16 columns and rows of c",
    slack=1.1,
    conflicts=400,  # rows of the tiles that are 17 apart, by habit, have 384 in 3,456 requests
)
EXERCISE = Exercise(
    name="ex10_7",
    title="A matrix product by tiles",
    function="matmul",
    signature="matmul(a, b, c)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda a, b, c: a @ b,
    hints=(
        "A block computes 16 x 16 numbers of c. It goes along k in steps of 16: it brings a tile of a and a tile of "
        "b into shared memory, and adds 16 products to each total from there.",
        "Each thread brings one number of each tile, a 0 where the matrix has ended, along rows: the last index ends "
        "in `+ tx`. There are two barriers in the loop: before the tiles are used, and before the next ones are "
        "brought.",
        "`left[ty, tx] = a[row, start + tx]` and `right[ty, tx] = b[start + ty, column]`, each with a guard for both "
        "axes; then `total += left[ty, k] * right[k, tx]` for the 16 k. The total is stored once, behind its own "
        "guard.",
    ),
    mistakes=(
        KernelMistake(
            "no barrier before the tiles are used",
            KERNEL.instead("        cuda.syncthreads()  # both tiles are there\n", ""),
            "A thread multiplies what 31 other threads bring into the tiles. All must have brought theirs.",
            kinds=("race",),
            first="one product",
        ),
        KernelMistake(
            "no barrier after the tiles are used",
            KERNEL.instead("        cuda.syncthreads()  # both tiles are used\n", ""),
            "A fast thread brings the next tiles while a slow one still multiplies these. With one tile it does not "
            "show, with two it does.",
            kinds=("race",),
            first="two tiles",
        ),
        KernelMistake(
            "no guard along k",
            KERNEL.instead("if row < a.shape[0] and start + tx < a.shape[1]", "if row < a.shape[0]"),
            "The last tile may be wider than what is left of a row of a, and behind the row lies the next one. Put 0 "
            "there.",
            kinds=("row overrun", "out of bounds"),
        ),
        KernelMistake(
            "without tiles",
            KERNEL.body(
                "    column, row = cuda.grid(2)\n"
                "    if row < c.shape[0] and column < c.shape[1]:\n"
                "        total = float32(0)\n"
                "        for k in range(a.shape[1]):\n"
                "            total += a[row, k] * b[k, column]\n"
                "        c[row, column] = total\n"
            ),
            "Every number is brought again for each product that it stands in. In a tile of 16 x 16 it is used 16 "
            "times.",
            counts="bytes",
        ),
        KernelMistake(
            "a tile that is stored sideways",
            KERNEL.instead("left[ty, tx] =", "left[tx, ty] =").instead("left[ty, k]", "left[k, ty]"),
            "Neighbouring threads store into neighbouring rows of the tile, 16 numbers apart: 16 of them share two "
            "banks. Store it as it is read from global memory.",
            counts="conflicts",
        ),
    ),
    points=4,
    minutes=35,
    forbidden=("minidil.classroom.chapters.gpu.matmul.KERNEL",),
)
