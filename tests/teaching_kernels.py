"""The kernels that courses on CUDA teach, in the usual way, and for each some mistakes that students make in them.

A mistake is a piece of the source, what stands in its place, and the kinds of findings of which one must be named for it.
"""

import linecache
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import cuda, float32, int32


@dataclass
class Lesson:
    """A kernel as text; `work` launches it for a size and returns what it found and what is right."""

    source: str
    work: Callable[[Any, int], tuple[np.ndarray, np.ndarray]]
    sizes: tuple[int, ...]
    mistakes: dict[str, tuple[str, str, set[str]]] = field(default_factory=dict)

    def kernel(self, mistake: str = "") -> Any:
        """The kernel, with one mistake if it is named."""
        text = self.source
        if mistake:
            old, new, _ = self.mistakes[mistake]
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file = f"<lesson {abs(hash(text))}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        names = {"cuda": cuda, "float32": float32, "int32": int32, "math": __import__("math")}
        exec(compile(text, file, "exec"), names)
        return cuda.jit(names["kernel"])


def numbers(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def blocks(n, threads):
    return -(-n // threads)


LESSONS: dict[str, Lesson] = {}

# --- reduction: a tree in shared memory


def reduce(kernel, n):
    x, out = numbers(n), np.zeros(blocks(n, 64), np.float32)
    kernel[len(out), 64](x, out)
    return out, np.add.reduceat(x, np.arange(0, n, 64))


LESSONS["reduction"] = Lesson(
    """
def kernel(x, out):
    part = cuda.shared.array(64, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.size else float32(0)
    cuda.syncthreads()
    half = 32
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()  # each round
        half //= 2
    if t == 0:
        out[cuda.blockIdx.x] = part[0]
""",
    reduce,
    (1, 63, 64, 65, 1000),
    {
        "no barrier between the rounds": ("        cuda.syncthreads()  # each round\n", "", {"race"}),
        "no guard at the end of the array": ("x[i] if i < x.size else float32(0)", "x[i]", {"out of bounds"}),
        "the rest of the tile is left empty": (
            "    part[t] = x[i] if i < x.size else float32(0)",
            "    if i < x.size:\n        part[t] = x[i]",
            {"uninitialised"},
        ),
    },
)

# --- inclusive scan of each block (Hillis and Steele 1986)


def scan(kernel, n):
    x, out = numbers(n), np.zeros(n, np.float32)
    kernel[blocks(n, 64), 64](x, out)
    return out, np.concatenate([np.cumsum(x[start : start + 64]) for start in range(0, n, 64)])


LESSONS["scan"] = Lesson(
    """
def kernel(x, out):
    part = cuda.shared.array(64, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    part[t] = x[i] if i < x.size else float32(0)
    cuda.syncthreads()
    step = 1
    while step < 64:
        left = part[t - step] if t >= step else float32(0)
        cuda.syncthreads()  # all have read
        part[t] += left
        cuda.syncthreads()
        step *= 2
    if i < out.size:
        out[i] = part[t]
""",
    scan,
    (1, 64, 100, 640),
    {
        "written before all have read": ("        cuda.syncthreads()  # all have read\n", "", {"race"}),
        "no guard on the left": ("part[t - step] if t >= step else float32(0)", "part[t - step]", {"negative index"}),
        "an exclusive scan one place too far": (
            "        out[i] = part[t]",
            "        out[i + 1] = part[t]",
            {"out of bounds"},
        ),
    },
)

# --- histogram, in shared memory and in global memory


def histogram(kernel, n):
    x, out = np.random.default_rng(1).integers(0, 16, n).astype(np.int32), np.zeros(16, np.int32)
    kernel[blocks(n, 64), 64](x, out)
    return out, np.bincount(x, minlength=16)


LESSONS["histogram, shared"] = Lesson(
    """
def kernel(x, out):
    bins = cuda.shared.array(16, int32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    if t < 16:
        bins[t] = 0
    cuda.syncthreads()  # all are zero
    if i < x.size:
        cuda.atomic.add(bins, x[i], 1)
    cuda.syncthreads()
    if t < 16:
        cuda.atomic.add(out, t, bins[t])
""",
    histogram,
    (1, 64, 65, 1000),
    {
        "counted without atomics": ("cuda.atomic.add(bins, x[i], 1)", "bins[x[i]] += 1", {"race"}),
        "counted before all are zero": ("    cuda.syncthreads()  # all are zero\n", "", {"race", "uninitialised"}),
        "bins that do not begin at zero": ("        bins[t] = 0\n", "        pass\n", {"uninitialised"}),
    },
)
LESSONS["histogram, global"] = Lesson(
    """
def kernel(x, out):
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(out, x[i], 1)
""",
    histogram,
    (1, 64, 65, 1000),
    {
        "counted without atomics": ("cuda.atomic.add(out, x[i], 1)", "out[x[i]] += 1", {"race"}),
        "a guard with <=": ("i < x.size", "i <= x.size", {"out of bounds"}),
        "bins that are counted from one": ("out, x[i], 1", "out, x[i] - 1, 1", {"negative index"}),
    },
)

# --- transpose through a tile, both sides coalesced


def transpose(kernel, n):
    x, out = numbers(n * (n + 3)).reshape(n, n + 3), np.zeros((n + 3, n), np.float32)
    kernel[(blocks(n + 3, 8), blocks(n, 8)), (8, 8)](x, out)
    return out, x.T


LESSONS["transpose"] = Lesson(
    """
def kernel(x, out):
    tile = cuda.shared.array((8, 9), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    i, j = cuda.blockIdx.y * 8 + ty, cuda.blockIdx.x * 8 + tx
    if i < x.shape[0] and j < x.shape[1]:
        tile[ty, tx] = x[i, j]
    cuda.syncthreads()
    i, j = cuda.blockIdx.x * 8 + ty, cuda.blockIdx.y * 8 + tx
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = tile[tx, ty]
""",
    transpose,
    (1, 5, 8, 20),
    {
        "no barrier": ("    cuda.syncthreads()\n", "", {"race", "uninitialised"}),
        "only the rows are guarded": ("if i < x.shape[0] and j < x.shape[1]", "if i < x.shape[0]", {"row overrun"}),
        "a tile that is too narrow": ("(8, 9)", "(8, 7)", {"row overrun"}),
    },
)

# --- matrix product by tiles


def product(kernel, n):
    a, b, c = numbers(n * 11).reshape(n, 11), numbers(11 * n, 1).reshape(11, n), np.zeros((n, n), np.float32)
    kernel[(blocks(n, 8), blocks(n, 8)), (8, 8)](a, b, c)
    return c, a @ b


LESSONS["tiled matmul"] = Lesson(
    """
def kernel(a, b, c):
    left, right = cuda.shared.array((8, 8), float32), cuda.shared.array((8, 8), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    j, i = cuda.grid(2)
    total = float32(0)
    for start in range(0, a.shape[1], 8):
        left[ty, tx] = a[i, start + tx] if i < a.shape[0] and start + tx < a.shape[1] else float32(0)
        right[ty, tx] = b[start + ty, j] if j < b.shape[1] and start + ty < b.shape[0] else float32(0)
        cuda.syncthreads()  # both tiles are there
        for k in range(8):
            total += left[ty, k] * right[k, tx]
        cuda.syncthreads()  # both tiles are used
    if i < c.shape[0] and j < c.shape[1]:
        c[i, j] = total
""",
    product,
    (1, 8, 13, 16),
    {
        "no barrier before": ("        cuda.syncthreads()  # both tiles are there\n", "", {"race", "uninitialised"}),
        "no barrier after": ("        cuda.syncthreads()  # both tiles are used\n", "", {"race"}),
        "a tile too small for the loop": ("for k in range(8)", "for k in range(9)", {"row overrun", "out of bounds"}),
    },
)

# --- a stencil over the inner elements; the edges are copied


def stencil(kernel, n):
    x, out = numbers(n), np.zeros(n, np.float32)
    kernel[blocks(n, 32), 32](x, out)
    expected = x.copy()
    expected[1:-1] = (x[:-2] + x[1:-1] + x[2:]) / 3
    return out, expected


LESSONS["stencil"] = Lesson(
    """
def kernel(x, out):
    i = cuda.grid(1)
    if 0 < i < x.size - 1:
        out[i] = (x[i - 1] + x[i] + x[i + 1]) / float32(3)
    elif i < x.size:
        out[i] = x[i]
""",
    stencil,
    (1, 2, 32, 33, 100),
    {
        "no guard on the left": ("if 0 < i < x.size - 1", "if i < x.size - 1", {"negative index"}),
        "no guard on the right": ("if 0 < i < x.size - 1", "if 0 < i < x.size", {"out of bounds"}),
        "the edges are forgotten": ("    elif i < x.size:\n        out[i] = x[i]\n", "", {"never written"}),
    },
)

# --- bitonic sort of a block (Batcher 1968)


def sort(kernel, n):
    x = numbers(n * 32)
    kernel[n, 32](x)
    return x, np.sort(numbers(n * 32).reshape(n, 32), axis=1).ravel()


LESSONS["bitonic sort"] = Lesson(
    """
def kernel(x):
    keys = cuda.shared.array(32, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    keys[t] = x[i]
    cuda.syncthreads()
    size = 2
    while size <= 32:
        step = size // 2
        while step > 0:
            other = t ^ step
            if other > t:  # one of the two swaps
                low, high = keys[t], keys[other]
                if (low > high) == (t & size == 0):
                    keys[t], keys[other] = high, low
            cuda.syncthreads()  # each step
            step //= 2
        size *= 2
    x[i] = keys[t]
""",
    sort,
    (1, 2, 5),
    {
        "no barrier between the steps": ("            cuda.syncthreads()  # each step\n", "", {"race"}),
        "both of a pair swap": ("if other > t:", "if other != t:", {"race"}),
        "the partner is step further on": ("other = t ^ step", "other = t + step", {"out of bounds"}),
    },
)

# --- softmax of the rows, a block each


def softmax(kernel, n):
    x, out = numbers(3 * n).reshape(3, n), np.zeros((3, n), np.float32)
    kernel[3, 32](x, out)
    powers = np.exp(x - x.max(1, keepdims=True))
    return out, powers / powers.sum(1, keepdims=True)


LESSONS["softmax"] = Lesson(
    """
def kernel(x, out):
    part = cuda.shared.array(32, float32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    part[t] = -math.inf
    for j in range(t, x.shape[1], 32):
        part[t] = max(part[t], x[row, j])
    cuda.syncthreads()
    half = 16
    while half > 0:
        if t < half:
            part[t] = max(part[t], part[t + half])
        cuda.syncthreads()
        half //= 2
    largest = part[0]
    cuda.syncthreads()  # all have the largest
    part[t] = float32(0)
    for j in range(t, x.shape[1], 32):
        part[t] += math.exp(x[row, j] - largest)
    cuda.syncthreads()
    half = 16
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()  # each round
        half //= 2
    for j in range(t, x.shape[1], 32):
        out[row, j] = math.exp(x[row, j] - largest) / part[0]
""",
    softmax,
    (1, 20, 32, 50),
    {
        "overwritten before all have the largest": ("    cuda.syncthreads()  # all have the largest\n", "", {"race"}),
        "no barrier between the rounds": ("        cuda.syncthreads()  # each round\n", "", {"race"}),
        "the sum begins with nothing": ("    part[t] = -math.inf\n", "", {"uninitialised"}),
    },
)

# --- dot product


def dot(kernel, n):
    x, y, out = numbers(n), numbers(n, 1), np.zeros(1, np.float32)
    kernel[3, 64](x, y, out)
    return out, np.dot(x, y)[None]


LESSONS["dot product"] = Lesson(
    """
def kernel(x, y, out):
    part = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    total = float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        total += x[i] * y[i]
    part[t] = total
    cuda.syncthreads()
    half = 32
    while half > 0:
        if t < half:
            part[t] += part[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        cuda.atomic.add(out, 0, part[0])
""",
    dot,
    (1, 64, 200, 1000),
    {
        "the blocks add up without atomics": ("cuda.atomic.add(out, 0, part[0])", "out[0] += part[0]", {"race"}),
        "shared memory for half of the block": ("array(64,", "array(32,", {"out of bounds"}),
        "a barrier in the condition": (
            "            part[t] += part[t + half]\n        cuda.syncthreads()\n",
            "            part[t] += part[t + half]\n            cuda.syncthreads()\n",
            {"exited threads", "race", "divergent barrier"},
        ),
    },
)
