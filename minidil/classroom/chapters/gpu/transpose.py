"""A transpose through a tile."""

from minidil.classroom.chapters.gpu.arrays import empty, floats, pieces
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import Case, KernelCheck, KernelMistake


def _matrix(draw: Draw, rows: int, columns: int) -> Case:
    return {"x": floats(draw, rows, columns), "out": empty(columns, rows)}


KERNEL = Text(
    """
def transpose(x, out):
    tile = cuda.shared.array((32, 33), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    row, column = cuda.blockIdx.y * 32 + ty, cuda.blockIdx.x * 32 + tx
    if row < x.shape[0] and column < x.shape[1]:
        tile[ty, tx] = x[row, column]
    cuda.syncthreads()
    row, column = cuda.blockIdx.x * 32 + ty, cuda.blockIdx.y * 32 + tx
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = tile[tx, ty]
"""
)
CHECK = KernelCheck(
    arguments=_matrix,
    grid=lambda case: (pieces(case["x"].shape[1], 32), pieces(case["x"].shape[0], 32)),
    block=(32, 32),
    output="out",
    edges={"one number": (1, 1), "a few": (2, 3), "a full tile": (32, 32), "wide": (5, 40), "tall": (33, 20)},
    sizes=lambda draw: (draw.integer(1, 40), draw.integer(1, 70)),
    counted=(64, 96),
    least=lambda x, out: 8 * x.size,
    best="x read once and out written once",
)
EXERCISE = Exercise(
    name="ex10_3",
    title="Transposing through a tile",
    function="transpose",
    signature="transpose(x, out)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda x, out: x.T,
    hints=(
        "Written directly, either the reading or the writing goes down a column. Let the block read a tile along "
        "rows into shared memory, and write it along rows of `out`; down the columns it goes only in shared memory.",
        "The tile that block (bx, by) reads at rows 32 by, columns 32 bx goes to rows 32 bx, columns 32 by of `out`. "
        "The thread (tx, ty) stores `tile[ty, tx]` and, after a barrier, takes `tile[tx, ty]`.",
        "Both times the last index of the array in global memory ends in `+ tx`. Both times each axis has its own "
        "guard. And rows of the tile that are 33 numbers apart put a column into 32 different banks.",
    ),
    mistakes=(
        KernelMistake(
            "no barrier",
            KERNEL.instead("    cuda.syncthreads()\n", ""),
            "A thread takes from the tile what another thread puts there; all must have put theirs before anybody "
            "takes.",
            kinds=("race",),
            lacks="syncthreads",
        ),
        KernelMistake(
            "a guard for one axis only",
            KERNEL.instead("if row < x.shape[0] and column < x.shape[1]", "if row < x.shape[0]"),
            "A column beyond the last one is the beginning of the next row, or lies behind the array. Each axis needs "
            "its guard.",
            kinds=("row overrun", "out of bounds"),
        ),
        KernelMistake(
            "the tile is turned, but not its place",
            KERNEL.instead(
                "row, column = cuda.blockIdx.x * 32 + ty, cuda.blockIdx.y * 32 + tx",
                "row, column = cuda.blockIdx.y * 32 + ty, cuda.blockIdx.x * 32 + tx",
            ),
            "Inside of the tile rows and columns have changed places; the tile as a whole must go to the mirrored "
            "place of `out`, too: the block's x counts its rows there.",
            kinds=("never written",),
        ),
        KernelMistake(
            "no tile: one side goes down a column",
            KERNEL.body(
                "    column, row = cuda.grid(2)\n"
                "    if row < x.shape[0] and column < x.shape[1]:\n"
                "        out[column, row] = x[row, column]\n"
            ),
            "32 neighbouring threads write into 32 rows, each into 32 bytes of its own. Turn a tile in shared "
            "memory, so that both sides go along rows.",
            counts="scattered",
        ),
        KernelMistake(
            "rows of the tile are 32 numbers apart",
            KERNEL.instead("(32, 33)", "(32, 32)"),
            "A column of the tile then lies in a single bank, and a warp that reads it waits 32 times. Which length "
            "of the rows puts the numbers of a column into different banks?",
            counts="conflicts",
        ),
    ),
    points=3,
    minutes=25,
    forbidden=("minidil.classroom.chapters.gpu.transpose.KERNEL",),
)
