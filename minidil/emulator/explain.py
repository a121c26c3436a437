"""What each kind of finding means, and what to do about it."""

EXPLANATIONS = {
    "out of bounds": (
        "The address or index is not part of the array. A GPU reads or overwrites whatever lies there, or stops the "
        "program much later. Guard the access, as in `if i < x.size:`, or launch fewer threads."
    ),
    "misaligned": (
        "A number of several bytes must lie at a multiple of its size. It happens where memory is seen as another type."
    ),
    "uninitialised": (
        "Nobody wrote there before. Shared and local arrays, and those of cuda.device_array, begin with whatever the "
        "memory held. Write first, and let a barrier lie between the writing and the reading of another thread."
    ),
    "race": (
        "Two threads touch the same place, at least one writes, and nothing says who comes first: the result is a "
        "matter of luck. Where threads add to one place, as in a histogram or a sum, use cuda.atomic.add. Elsewhere, within "
        "a block, put cuda.syncthreads() between the two; between blocks use cuda.atomic, or a second launch."
    ),
    "benign race": (
        "Several threads write the same value to the same place. The result is right on the GPUs of today. Nobody "
        "promises that it stays so."
    ),
    "divergent barrier": (
        "Threads of one block wait at different calls of cuda.syncthreads(). A GPU may hang or mix up the two. Move the "
        "barrier out of the condition, so that all threads of the block come to the same one."
    ),
    "exited threads": (
        "A barrier stands behind a return or in a condition that not all threads of the block enter. Since Volta it "
        "waits only for threads that have not exited, but CUDA's guide allows a barrier in conditional code only if the "
        "condition is the same for the whole block. Let all threads reach it, and guard the work instead."
    ),
    "shuffle": (
        "A lane takes the value of a lane that is not there. Let the whole warp call the shuffle, and name in the mask "
        "those that do."
    ),
    "division by zero": ("Numba's CUDA code gives 0 for an integer that is divided by zero, and goes on. Guard it."),
    "exception": (
        "The kernel raised an exception, or an assert failed. On a GPU the thread just ends, unless the kernel is "
        "compiled with debug=True, opt=False."
    ),
    "endless loop": (
        "The loop does not come to an end. If it waits for another thread: a GPU runs blocks in any order, and not all "
        "at once, so that whom it waits for may never be started."
    ),
    "trap": ("The kernel stopped itself."),
    "negative index": (
        "As in Python, x[-1] is the last element. In `x[i - 1]` this is seldom meant: for i = 0 it reads the other end."
    ),
    "row overrun": (
        "The index is too large for its axis, but the array goes on in memory: this is the beginning of the next row. "
        "Check each axis by itself, as in `if i < x.shape[0] and j < x.shape[1]:`."
    ),
    "never written": (
        "The kernel stores to this array, but not to all of it. Perhaps the grid has too few threads: (n + threads - 1) "
        "// threads blocks are needed for n elements."
    ),
}
