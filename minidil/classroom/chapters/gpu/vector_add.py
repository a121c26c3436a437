"""Adding two vectors with fewer threads than elements."""

from minidil.classroom.chapters.gpu.arrays import UNGUARDED, empty, floats
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise
from minidil.classroom.kernel_text import Text
from minidil.classroom.kernels import Case, KernelCheck, KernelMistake


def _vectors(draw: Draw, n: int) -> Case:
    return {"x": floats(draw, n), "y": floats(draw, n), "out": empty(n)}


KERNEL = Text(
    """
def vector_add(x, y, out):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = x[i] + y[i]
"""
)
FROM = "cuda.grid(1), out.size, cuda.gridsize(1)"
CHECK = KernelCheck(
    arguments=_vectors,
    grid=lambda case: (2,),
    block=(64,),
    output="out",
    edges={"one element": (1,), "one for each thread": (128,), "one more than threads": (129,), "many": (700,)},
    sizes=lambda draw: (draw.integer(2, 400),),
    counted=(1024,),
    least=lambda x, y, out: 12 * x.size,
    best="x and y read once and out written once",
)
EXERCISE = Exercise(
    name="ex10_1",
    title="Adding two vectors",
    function="vector_add",
    signature="vector_add(x, y, out)",
    check=CHECK,
    cases=CHECK.cases,
    expected=lambda x, y, out: x + y,
    hints=(
        "There are 128 threads and any number of elements. Which elements can thread number `cuda.grid(1)` take, so "
        "that each is taken by one thread, and neighbours take neighbours?",
        "The threads take the first 128 elements, then the next 128, and so on: from its own number a thread goes on "
        "in steps of `cuda.gridsize(1)`, the number of all threads.",
        "`for i in range(first, out.size, step):` with the two numbers of the hint before. The end of the range is "
        "the guard.",
    ),
    mistakes=(
        KernelMistake(
            "one element for each thread",
            KERNEL.body("    i = cuda.grid(1)\n    if i < out.size:\n        out[i] = x[i] + y[i]\n"),
            "The launch has 128 threads, whatever the size of the arrays; each of them must go on to further elements.",
            kinds=("never written",),
        ),
        KernelMistake(
            "no guard at the end of the array",
            KERNEL.body("    i = cuda.grid(1)\n    out[i] = x[i] + y[i]\n"),
            UNGUARDED,
            kinds=("out of bounds",),
        ),
        KernelMistake(
            "every block begins at 0",
            KERNEL.instead(FROM, "cuda.threadIdx.x, out.size, cuda.blockDim.x"),
            "cuda.threadIdx.x counts the threads of one block, so that both blocks do all of the work. The number in "
            "the whole grid is cuda.grid(1), the number of all threads cuda.gridsize(1).",
            kinds=("benign race", "race"),
        ),
        KernelMistake(
            "a piece of its own for each thread",
            KERNEL.body(
                "    share = (out.size + 127) // 128\n"
                "    for i in range(cuda.grid(1) * share, min(out.size, cuda.grid(1) * share + share)):\n"
                "        out[i] = x[i] + y[i]\n"
            ),
            "On a CPU each thread takes a piece of the array; on a GPU the 32 threads of a warp then read places "
            "that lie a piece apart, each in 32 bytes of its own. Let thread i and thread i + 1 read neighbours.",
            counts="scattered",
        ),
    ),
    minutes=10,
    forbidden=("minidil.classroom.chapters.gpu.vector_add.KERNEL",),
)
