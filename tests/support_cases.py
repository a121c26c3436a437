"""What the emulator supports, as small kernels with the result that they must have; README.md lists the same names."""

import math

import numpy as np
from numba import cuda, float32, float64, int32, types, uint32, vectorize
from numba.cuda import libdevice
from numba.cuda.random import init_xoroshiro128p_state, xoroshiro128p_type, xoroshiro128p_uniform_float32

X = np.arange(64, dtype=np.float32)
CASES = {}


def case(name, expected, *inputs, grid=1, block=64, shared=0):
    """Register a kernel: it writes into its last argument, an array like `expected`."""

    def register(kernel):
        CASES[name] = (kernel, (grid, block, 0, shared), inputs, np.asarray(expected))
        return kernel

    return register


@case("integers of 8 to 64 bits", (np.arange(64) * 2**40 + 7) // 3 % 1000, np.arange(64) * 2**40)
@cuda.jit
def integers(x, out):
    i = cuda.grid(1)
    out[i] = (x[i] + 7) // 3 % 1000


@case("float32", X * np.float32(0.1) + np.float32(1), X)
@cuda.jit
def single(x, out):
    i = cuda.grid(1)
    out[i] = x[i] * float32(0.1) + float32(1)


@case("float64", np.sqrt(X.astype(np.float64)) / 3, X.astype(np.float64))
@cuda.jit
def double(x, out):
    i = cuda.grid(1)
    out[i] = math.sqrt(x[i]) / 3.0


@case("float16", (X.astype(np.float16) * np.float16(0.5) + np.float16(1)), X.astype(np.float16))
@cuda.jit
def half(x, out):
    i = cuda.grid(1)
    out[i] = x[i] * types.float16(0.5) + types.float16(1)


@case("complex numbers", (X + 1j) * (X + 1j), (X + 1j))
@cuda.jit
def squares(x, out):
    i = cuda.grid(1)
    out[i] = x[i] * x[i]


@case("bool and conditional expressions", np.where((X > 3) & (X < 9), 1, 2), (X > 3), X)
@cuda.jit
def chosen(large, x, out):
    i = cuda.grid(1)
    out[i] = 1 if large[i] and x[i] < 9 else 2


@case("math.sin and cos, of any size", np.sin(X * np.float64(1e5)) + np.cos(X * np.float64(1e5)), X * np.float64(1e5))
@cuda.jit
def waves(x, out):
    i = cuda.grid(1)
    out[i] = math.sin(x[i]) + math.cos(x[i])


@case(
    "math.exp, log, pow, tanh, erf, atan2, fmod, floor",
    np.exp(-X / 64.0) + np.log(X + 1.0) + (X + 1.0) ** 0.3,
    X.astype(float),
)
@cuda.jit
def functions(x, out):
    i = cuda.grid(1)
    zero = math.erf(x[i]) - math.erf(x[i]) + math.fmod(x[i], 1.0) + math.floor(x[i]) - x[i]
    zero += math.tanh(x[i]) + math.tanh(-x[i]) + math.atan2(0.0, x[i] + 1)
    out[i] = math.exp(-x[i] / 64) + math.log(x[i] + 1) + math.pow(x[i] + 1, 0.3) + zero


@case(
    "arrays of one to three axes, in any order",
    np.arange(64).reshape(4, 4, 4).T.ravel() + 0.0,
    np.arange(64.0).reshape(4, 4, 4),
)
@cuda.jit
def axes(x, out):
    i = cuda.grid(1)
    out[i] = x[i % 4, i // 4 % 4, i // 16]


@case("slices, shapes, and views", X[::-1] + 64, X)
@cuda.jit
def slices(x, out):
    i = cuda.grid(1)
    row = x[1:]
    out[i] = (x[0] if i == 63 else row[62 - i]) + row.shape[0] + x.ndim


@case("tuples and numbers as arguments", X * 3 + 5, X, (3, 5))
@cuda.jit
def tuples(x, pair, out):
    i = cuda.grid(1)
    out[i] = x[i] * pair[0] + pair[1]


@cuda.jit(device=True)
def twice(value):
    return value + value


@case("device functions", X + X, X)
@cuda.jit
def calls(x, out):
    out[cuda.grid(1)] = twice(x[cuda.grid(1)])


@case("grids and blocks of three axes", np.arange(64), grid=(2, 2, 2), block=(2, 2, 2))
@cuda.jit
def places(out):
    x, y, z = cuda.grid(3)
    out[x + cuda.gridsize(3)[0] * (y + z * cuda.gridDim.y * cuda.blockDim.y)] = x + 4 * y + 16 * z


@case("shared memory and barriers", X[::-1], X)
@cuda.jit
def mirrored(x, out):
    tile = cuda.shared.array(64, float32)
    i = cuda.threadIdx.x
    tile[i] = x[i]
    cuda.syncthreads()
    out[i] = tile[63 - i]


@case("dynamic shared memory", X[::-1], X, shared=256)
@cuda.jit
def dynamic(x, out):
    tile = cuda.shared.array(0, float32)
    i = cuda.threadIdx.x
    tile[i] = x[i]
    cuda.syncthreads()
    out[i] = tile[63 - i]


@case("local arrays", X * 3, X)
@cuda.jit
def local(x, out):
    i = cuda.grid(1)
    mine = cuda.local.array(4, float32)
    for k in range(4):
        mine[k] = x[i] * k
    out[i] = mine[i % 4] + mine[3 - i % 4]


TABLE = np.arange(64, dtype=np.float32) ** 2


@case("constant memory", TABLE)
@cuda.jit
def constant(out):
    table = cuda.const.array_like(TABLE)
    out[cuda.grid(1)] = table[cuda.grid(1)]


@case("counting, all and any at a barrier", np.full(64, 61 + 100), X)
@cuda.jit
def votes(x, out):
    i = cuda.grid(1)
    many = cuda.syncthreads_count(int32(x[i] > 2))
    every = cuda.syncthreads_and(int32(x[i] > 2))
    some = cuda.syncthreads_or(int32(x[i] > 2))
    out[i] = many + 1000 * every + 100 * some


@case("shuffles", np.repeat(X.reshape(2, 32).sum(1), 32), X)
@cuda.jit
def shuffles(x, out):
    i = cuda.grid(1)
    value = x[i]
    for step in (16, 8, 4, 2, 1):
        value += cuda.shfl_xor_sync(0xFFFFFFFF, value, step)
    out[i] = value


@case("votes, ballot and match in a warp", np.array([3] * 32 + [32] * 32) + np.r_[:32, :32] % 2 * 0 + 16, X)
@cuda.jit
def ballots(x, out):
    i = cuda.grid(1)
    above = cuda.popc(cuda.ballot_sync(0xFFFFFFFF, x[i] < 3 or i >= 32))
    out[i] = above + cuda.popc(cuda.match_any_sync(0xFFFFFFFF, i % 2))


@case("atomic add, max, min, exch, cas of 32 bits", [64 + 63 + 0 + 5], X.astype(np.int32))
@cuda.jit
def atomics(x, out):
    marks = cuda.shared.array(4, int32)
    i = cuda.threadIdx.x
    if i < 4:
        marks[i] = 9 if i == 2 else 0
    cuda.syncthreads()
    cuda.atomic.add(marks, 0, 1)
    cuda.atomic.max(marks, 1, x[i])
    cuda.atomic.min(marks, 2, x[i])
    cuda.atomic.cas(marks, 3, 0, 5)
    cuda.syncthreads()
    if i == 0:
        out[0] = marks[0] + marks[1] + marks[2] + marks[3]


@case("atomics of 64 bits", [2016.0 + 2**40, 64 * 2**33], X.astype(np.float64), np.arange(64) + 2**40 - 63)
@cuda.jit
def wide_atomics(x, y, out):
    sums = cuda.shared.array(1, float64)
    top = cuda.shared.array(2, types.int64)
    i = cuda.threadIdx.x
    if i == 0:
        sums[0], top[0], top[1] = 0.0, 0, 0
    cuda.syncthreads()
    cuda.atomic.add(sums, 0, x[i])
    cuda.atomic.max(top, 0, y[i])
    cuda.atomic.add(top, 1, 2**33)
    cuda.syncthreads()
    if i == 0:
        out[0] = sums[0] + top[0]
        out[1] = top[1]


@case("atomic inc and dec", [64 % 11], X)
@cuda.jit
def wrapping(x, out):
    count = cuda.shared.array(1, uint32)
    if cuda.threadIdx.x == 0:
        count[0] = 0
    cuda.syncthreads()
    cuda.atomic.inc(count, 0, 10)
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        out[0] = count[0]


@case("popc, brev, clz, ffs, selp, fma", np.arange(64) + 1 + 31 + 1 + 0, np.arange(64, dtype=np.int32))
@cuda.jit
def bits(x, out):
    i = cuda.grid(1)
    zero = cuda.popc(int32(0)) + cuda.clz(int32(-1)) + cuda.selp(i < 0, 5, 0)
    out[i] = (
        x[i] + cuda.popc(int32(4)) + cuda.clz(int32(1)) + cuda.ffs(int32(1)) + zero + int32(cuda.fma(0.0, 1.0, 0.0))
    )


@case("warp size, lane, fences", np.r_[:32, :32] + 32)
@cuda.jit
def lanes(out):
    cuda.threadfence()
    cuda.syncwarp()
    out[cuda.grid(1)] = cuda.laneid + cuda.warpsize


@case("for, while, break, continue", np.minimum(np.arange(64), 10) * 2)
@cuda.jit
def loops(out):
    i = cuda.grid(1)
    count = 0
    for k in range(100):
        if k >= i:
            break
        if k >= 10:
            continue
        count += 1
    while count > 0:
        out[i] += 2
        count -= 1


RECORD = np.dtype([("a", np.int32), ("b", np.float64)], align=True)


@case("records", X + 1.0, np.array([(1, n) for n in X], RECORD))
@cuda.jit
def records(x, out):
    i = cuda.grid(1)
    out[i] = x[i].a + x[i].b


@case("print", np.ones(64))
@cuda.jit
def prints(out):
    i = cuda.grid(1)
    out[i] = 1
    if i == 3:
        print("thread", i, out[i], i > 2)


@case("assert and raise", np.ones(64))
@cuda.jit
def asserts(out):
    i = cuda.grid(1)
    assert i < 64, "too far"
    if i > 64:
        raise ValueError("much too far")
    out[i] = 1


@case("random numbers of numba.cuda.random", np.ones(64), np.zeros(1))
@cuda.jit
def random(seed, out):
    states = cuda.local.array(1, xoroshiro128p_type)
    i = cuda.grid(1)
    init_xoroshiro128p_state(states, 0, i + 1)
    value = xoroshiro128p_uniform_float32(states, 0)
    out[i] = 0 <= value < 1


@case("vector types and libdevice", np.full(64, 5.5), np.full(64, 4, np.float32))
@cuda.jit
def vectors(x, out):
    four = cuda.float32x4(1, 2, 3, 4)
    out[cuda.grid(1)] = four.x + four.w + libdevice.rsqrtf(x[cuda.grid(1)])


class HostSide:
    """What a script does around kernels, in the place of one."""

    def __init__(self, work):
        self.work = work

    def __getitem__(self, size):
        return self.work


@case("cuda.reduce and forall", [2016.0, 64.0], X)
@HostSide
def reduced(x, out):
    @cuda.reduce
    def add(a, b):
        return a + b

    ones = np.zeros(64)

    @cuda.jit
    def fill(y):
        i = cuda.grid(1)
        if i < y.size:
            y[i] = 1

    fill.forall(64)(ones)
    out[:] = add(x), ones.sum()


@case("signatures, fastmath, vectorize", X * 2 + 1, X)
@HostSide
def declared(x, out):
    @cuda.jit("void(float32[:], float32[:])", fastmath=True)
    def twice_plus_one(a, b):
        b[cuda.grid(1)] = a[cuda.grid(1)] * float32(2) + float32(1)

    @vectorize(["float32(float32)"], target="cuda")
    def same(a):
        return a

    twice_plus_one[1, 64](same(x), out)


@case("streams and events", X + 1, X)
@HostSide
def streamed(x, out):
    @cuda.jit
    def add_one(a):
        a[cuda.grid(1)] += 1

    stream, event = cuda.stream(), cuda.event()
    device = cuda.to_device(x, stream=stream)
    add_one[1, 64, stream](device)
    event.record(stream)
    event.synchronize()
    device.copy_to_host(out, stream=stream)
