"""Threads that branch, wait for each other, and exchange values: small kernels in PTX against what CUDA says they do."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from ptx_kernels import run

from minidil.emulator import KernelError
from minidil.emulator.control import LANES

# Each thread's own int in a: its address is in %rd21. %r21 is its number in the whole launch.
OWN = """
mov.u32 %r22, %ctaid.x;
mov.u32 %r23, %ntid.x;
mad.lo.u32 %r21, %r22, %r23, %r20;
mul.wide.u32 %rd22, %r21, 4;
add.u64 %rd21, %rd0, %rd22;
"""
SHARED = ".shared .align 16 .b8 tile[256];"
SHARED_OWN = "shl.b32 %r24, %r20, 2;\nmov.u32 %r25, tile;\nadd.u32 %r24, %r24, %r25;\n"


def test_each_thread_runs_its_own_branch_and_loop():
    body = (
        OWN
        + """
    mov.u32 %r1, 0;
    and.b32 %r2, %r20, 1;
    setp.eq.u32 %p1, %r2, 1;
    @%p1 bra ODD;
    mov.u32 %r3, 0;
LOOP:
    setp.ge.u32 %p2, %r3, %r20;
    @%p2 bra DONE;
    add.u32 %r1, %r1, %r3;
    add.u32 %r3, %r3, 1;
    bra.uni LOOP;
ODD:
    mov.u32 %r1, 1000;
DONE:
    st.global.u32 [%rd21], %r1;
    """
    )
    (out,) = run(body, np.full(64, -1, np.int32), block=64)
    threads = np.arange(64)
    assert_array_equal(out, np.where(threads % 2, 1000, threads * (threads - 1) // 2))


def test_guards_and_early_returns():
    body = (
        OWN
        + """
    mov.u32 %r1, 5;
    setp.lt.u32 %p1, %r20, 10;
    @%p1 mov.u32 %r1, 6;
    @!%p1 add.u32 %r1, %r1, 100;
    st.global.u32 [%rd21], %r1;
    setp.ge.u32 %p2, %r20, 20;
    @%p2 ret;
    st.global.u32 [%rd21], 7;
    setp.lt.u32 %p3, %r20, 2;
    @%p3 bra LAST;
    exit;
LAST:
    st.global.u32 [%rd21], 8;
    """
    )
    (out,) = run(body, np.zeros(32, np.int32), block=32)
    assert_array_equal(out, [8] * 2 + [7] * 18 + [105] * 12)


def test_blocks_and_threads_in_three_dimensions():
    body = "".join(
        f"mov.u32 %r{i}, %{name}.{axis};\n"
        for i, (name, axis) in enumerate((n, a) for n in ("ctaid", "nctaid") for a in "xyz")
    )
    body += """
    mad.lo.u32 %r6, %r2, %r4, %r1;
    mad.lo.u32 %r6, %r6, %r3, %r0;
    mul.wide.u32 %rd22, %r6, 12;
    add.u64 %rd21, %rd0, %rd22;
    st.global.u32 [%rd21], %r0;
    st.global.u32 [%rd21+4], %r1;
    st.global.u32 [%rd21+8], %r2;
    """
    (out,) = run(body, np.zeros((24, 3), np.int32), grid=(4, 3, 2), block=1)
    assert_array_equal(out.view(np.int32).reshape(2, 3, 4, 3)[1, 2, 3], [3, 2, 1])
    assert_array_equal(np.unique(out, axis=0).shape, (24, 3))


@pytest.mark.parametrize("block", [1, 32, 33, 100, 1024])
def test_more_blocks_than_are_run_at_once(block):
    grid = 2 * LANES // block + 3 if block > 1 else 50
    (out,) = run(OWN + "st.global.u32 [%rd21], %r21;", np.zeros(grid * block, np.int32), grid=grid, block=block)
    assert_array_equal(out, np.arange(grid * block))


def test_a_barrier_makes_shared_values_visible():
    body = (
        OWN
        + SHARED_OWN
        + """
    st.shared.u32 [%r24], %r21;
    bar.sync 0;
    sub.u32 %r1, 63, %r20;
    shl.b32 %r1, %r1, 2;
    add.u32 %r1, %r1, %r25;
    ld.shared.u32 %r2, [%r1];
    st.global.u32 [%rd21], %r2;
    """
    )
    (out,) = run(body, np.zeros(192, np.int32), grid=3, block=64, declarations=SHARED)
    assert_array_equal(out, np.arange(192).reshape(3, 64)[:, ::-1].reshape(-1))


def test_a_barrier_waits_for_threads_that_come_later():
    body = (
        OWN
        + SHARED_OWN
        + """
    mov.u32 %r3, 0;
    setp.lt.u32 %p1, %r20, 40;
    @%p1 bra WRITE;
WORK:
    add.u32 %r3, %r3, 1;
    setp.lt.u32 %p2, %r3, 9;
    @%p2 bra WORK;
WRITE:
    st.shared.u32 [%r24], %r3;
    bar.sync 0;
    ld.shared.u32 %r2, [tile+252];
    st.global.u32 [%rd21], %r2;
    """
    )
    (out,) = run(body, np.zeros(64, np.int32), block=64, declarations=SHARED)
    assert_array_equal(out, np.full(64, 9))


def test_every_thread_has_its_own_local_memory():
    body = (
        OWN
        + """
    mov.u64 %rd1, depot;
    cvta.local.u64 %rd2, %rd1;
    st.local.u32 [%rd1+4], %r20;
    st.u32 [%rd2], %r20;
    ld.local.u32 %r1, [%rd1];
    ld.local.u32 %r2, [depot+4];
    add.u32 %r1, %r1, %r2;
    st.global.u32 [%rd21], %r1;
    """
    )
    (out,) = run(body, np.zeros(64, np.int32), block=64, declarations=".local .align 8 .b8 depot[8];")
    assert_array_equal(out, 2 * np.arange(64))


def test_generic_addresses_find_shared_and_global_memory():
    body = (
        OWN
        + """
    mov.u64 %rd1, tile;
    cvta.shared.u64 %rd2, %rd1;
    mul.wide.u32 %rd3, %r20, 4;
    add.u64 %rd2, %rd2, %rd3;
    st.u32 [%rd2], %r20;
    bar.sync 0;
    cvta.to.shared.u64 %rd4, %rd2;
    ld.shared.u32 %r1, [%rd4];
    st.u32 [%rd21], %r1;
    """
    )
    (out,) = run(body, np.zeros(64, np.int32), block=64, declarations=SHARED)
    assert_array_equal(out, np.arange(64))


def test_constants_that_the_kernel_brings():
    declared = ".global .align 4 .u32 table[4] = {10, 20, 30, 0x28};"
    body = (
        OWN
        + """
    and.b32 %r1, %r20, 3;
    mul.wide.u32 %rd1, %r1, 4;
    mov.u64 %rd2, table;
    add.u64 %rd1, %rd1, %rd2;
    ld.global.u32 %r2, [%rd1];
    st.global.u32 [%rd21], %r2;
    """
    )
    (out,) = run(body, np.zeros(8, np.int32), block=8, declarations=declared)
    assert_array_equal(out, [10, 20, 30, 40] * 2)


@pytest.mark.parametrize("width", [2, 4])
def test_vectors_are_loaded_and_stored_whole(width):
    registers = ", ".join(f"%r{i}" for i in range(width))
    backwards = ", ".join(f"%r{i}" for i in reversed(range(width)))
    body = f"""
    mul.wide.u32 %rd22, %r20, {4 * width};
    add.u64 %rd21, %rd0, %rd22;
    add.u64 %rd23, %rd1, %rd22;
    ld.global.v{width}.u32 {{{registers}}}, [%rd21];
    st.global.v{width}.u32 [%rd23], {{{backwards}}};
    """
    values = np.arange(8 * width, dtype=np.int32)
    _, out = run(body, values, np.zeros_like(values), block=8)
    assert_array_equal(out.reshape(8, width), values.reshape(8, width)[:, ::-1])


@pytest.mark.parametrize("kind", ["u8", "s8", "u16", "s16"])
def test_narrow_values_are_extended_when_loaded_and_cut_when_stored(kind):
    dtype = {"u8": np.uint8, "s8": np.int8, "u16": np.uint16, "s16": np.int16}[kind]
    size = np.dtype(dtype).itemsize
    body = f"""
    mul.wide.u32 %rd22, %r20, {size};
    add.u64 %rd21, %rd0, %rd22;
    ld.global.{kind} %r1, [%rd21];
    mul.wide.u32 %rd23, %r20, 4;
    add.u64 %rd23, %rd1, %rd23;
    st.global.u32 [%rd23], %r1;
    add.u32 %r1, %r1, 300;
    st.global.{kind} [%rd21], %r1;
    """
    values = np.array([0, 1, 127, 128, 200, 255, 130, 7] * 2, np.uint8).view(dtype)
    changed, wide = run(body, values, np.zeros(values.size, np.int32), block=values.size)
    assert_array_equal(wide, values.astype(np.int32))
    assert_array_equal(changed.view(dtype), (values.astype(np.int64) + 300).astype(dtype))


ATOMICS = {
    "add.u32": lambda old, values: old + values.sum(),
    "max.s32": lambda old, values: max(old, values.max()),
    "min.s32": lambda old, values: min(old, values.min()),
    "or.b32": lambda old, values: old | np.bitwise_or.reduce(values),
    "and.b32": lambda old, values: old & np.bitwise_and.reduce(values),
    "xor.b32": lambda old, values: old ^ np.bitwise_xor.reduce(values),
    "exch.b32": lambda old, values: values[-1],
}


@pytest.mark.parametrize("op", ATOMICS)
@pytest.mark.parametrize("form", ["red.{space}.{op} [{address}], %r1;", "atom.{space}.{op} %r2, [{address}], %r1;"])
@pytest.mark.parametrize("space", ["global", "shared"])
def test_atomics_lose_nothing(op, form, space):
    values = np.random.default_rng(0).integers(1, 1000, 64).astype(np.int32)
    instruction = form.format(space=space, op=op, address="%rd1" if space == "global" else "tile")
    body = OWN + "ld.global.u32 %r1, [%rd21];\n"
    if space == "shared":
        body += "setp.eq.u32 %p1, %r20, 0;\n@%p1 st.shared.u32 [tile], 77;\nbar.sync 0;\n"
    body += instruction
    if space == "shared":
        body += "\nbar.sync 0;\n@%p1 ld.shared.u32 %r3, [tile];\n@%p1 st.global.u32 [%rd1], %r3;"
    _, out = run(body, values, np.array([77], np.int32), block=64, declarations=SHARED)
    assert out[0] == ATOMICS[op](77, values)


def test_an_atomic_returns_what_was_there():
    body = OWN + "atom.global.add.u32 %r1, [%rd1], 1;\nst.global.u32 [%rd21], %r1;"
    out, counter = run(body, np.zeros(96, np.int32), np.array([5], np.int32), block=48, grid=2)
    assert counter[0] == 5 + 96
    assert_array_equal(np.sort(out), np.arange(5, 101))  # everybody got another ticket


def test_floats_are_added_atomically():
    values = np.random.default_rng(1).standard_normal(64, np.float32)
    body = OWN + "ld.global.f32 %f1, [%rd21];\natom.global.add.f32 %f2, [%rd1], %f1;"
    _, out = run(body, values, np.zeros(1, np.float32), block=64)
    np.testing.assert_allclose(out.view(np.float32), values.sum(), atol=1e-5)


def test_compare_and_swap_in_a_loop_finds_the_maximum():
    body = (
        OWN
        + """
    ld.global.u32 %r1, [%rd21];
    ld.volatile.global.u32 %r2, [%rd1];
AGAIN:
    max.s32 %r3, %r1, %r2;
    atom.global.cas.b32 %r4, [%rd1], %r2, %r3;
    setp.eq.s32 %p1, %r4, %r2;
    mov.u32 %r2, %r4;
    @!%p1 bra AGAIN;
    """
    )
    values = np.random.default_rng(2).integers(0, 10**6, 96).astype(np.int32)
    _, out = run(body, values, np.zeros(1, np.int32), block=48, grid=2)
    assert out[0] == values.max()


SHUFFLES = {
    ("down", 3): lambda lane: np.where(lane + 3 < 32, lane + 3, lane),
    ("up", 3): lambda lane: np.where(lane >= 3, lane - 3, lane),
    ("bfly", 5): lambda lane: lane ^ 5,
    ("idx", 9): lambda lane: np.full_like(lane, 9),
}


@pytest.mark.parametrize(("mode", "by"), SHUFFLES)
def test_shuffles_read_other_lanes(mode, by):
    clamp = 0 if mode == "up" else 31
    body = (
        OWN
        + f"""
    add.u32 %r1, %r21, 100;
    shfl.sync.{mode}.b32 %r2|%p1, %r1, {by}, {clamp}, -1;
    selp.u32 %r3, 1000, 0, %p1;
    add.u32 %r2, %r2, %r3;
    st.global.u32 [%rd21], %r2;
    """
    )
    (out,) = run(body, np.zeros(128, np.int32), block=64, grid=2)
    lane = np.arange(32)
    source = SHUFFLES[mode, by](lane)
    inside = (source != lane) | (mode in ("bfly", "idx"))
    expected = [32 * warp + 100 + source + 1000 * inside for warp in range(4)]
    assert_array_equal(out, np.concatenate(expected))


def test_shuffles_within_parts_of_a_warp():
    # The mask 0b11000 keeps lanes in groups of eight: bits 8 and up of the last operand.
    body = OWN + f"shfl.sync.down.b32 %r2, %r21, 2, {0b11000 << 8 | 31}, -1;\nst.global.u32 [%rd21], %r2;"
    (out,) = run(body, np.zeros(32, np.int32))
    lane = np.arange(32)
    assert_array_equal(out, np.where(lane % 8 < 6, lane + 2, lane))


def test_votes():
    body = (
        OWN
        + """
    setp.lt.u32 %p1, %r20, 40;
    vote.sync.ballot.b32 %r1, %p1, -1;
    vote.sync.all.pred %p2, %p1, -1;
    vote.sync.any.pred %p3, !%p1, -1;
    vote.sync.uni.pred %p4, %p1, -1;
    selp.u32 %r2, 1, 0, %p2;
    selp.u32 %r3, 2, 0, %p3;
    selp.u32 %r4, 4, 0, %p4;
    add.u32 %r2, %r2, %r3;
    add.u32 %r2, %r2, %r4;
    activemask.b32 %r5;
    mul.wide.u32 %rd22, %r20, 12;
    add.u64 %rd21, %rd0, %rd22;
    st.global.u32 [%rd21], %r1;
    st.global.u32 [%rd21+4], %r2;
    st.global.u32 [%rd21+8], %r5;
    """
    )
    (out,) = run(body, np.zeros((64, 3), np.int32), block=64)
    rows = out.view(np.uint32).reshape(64, 3)
    assert_array_equal(rows[:32], [[2**32 - 1, 1 + 4, 2**32 - 1]] * 32)
    assert_array_equal(rows[32:], [[255, 2, 2**32 - 1]] * 32)


def test_lanes_and_warps_are_numbered():
    body = (
        OWN
        + "mov.u32 %r1, %laneid;\nmov.u32 %r2, %warpid;\nmad.lo.u32 %r1, %r2, 100, %r1;\nst.global.u32 [%rd21], %r1;"
    )
    (out,) = run(body, np.zeros(80, np.int32), block=80)
    assert_array_equal(out, np.arange(80) // 32 * 100 + np.arange(80) % 32)


def test_fences_do_nothing_and_a_trap_stops():
    (out,) = run(OWN + "membar.gl;\nfence.sc.cta;\nst.global.u32 [%rd21], 1;", np.zeros(32, np.int32))
    assert out.all()
    with pytest.raises(KernelError, match=r"trap in kernel ptx, block \(0, 0, 0\), thread \(4, 0, 0\)"):
        run(OWN + "setp.ge.u32 %p1, %r20, 4;\n@%p1 trap;", np.zeros(32, np.int32))


def test_lanes_wait_at_a_shuffle_for_those_that_come_from_a_loop_behind_it():
    # The loop stands after the shuffle, as compilers place it at times: those who leave it jump back.
    body = (
        OWN
        + """
    mov.u32 %r1, 0;
    bra TEST;
SUM:
    shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1;
    add.u32 %r2, %r2, %r1;
    st.global.u32 [%rd21], %r2;
    ret;
LOOP:
    add.u32 %r1, %r1, 1;
TEST:
    setp.ge.u32 %p1, %r1, %r20;
    @%p1 bra SUM;
    bra LOOP;
    """
    )
    (out,) = run(body, np.zeros(64, np.int32), block=64)
    lane = np.arange(64)
    assert_array_equal(out, lane + (lane ^ 1))


def test_numbers_of_eight_bytes_behind_a_part_of_odd_size():
    declared = ".shared .align 8 .b8 wide[8];\n.shared .align 4 .b8 narrow[4];\n.local .align 8 .b8 depot[12];"
    body = (
        OWN
        + """
    cvt.u64.u32 %rd5, %r21;
    setp.eq.u32 %p1, %r20, 0;
    @%p1 st.shared.u64 [wide], %rd5;
    st.local.u64 [depot], %rd5;
    bar.sync 0;
    ld.shared.u64 %rd6, [wide];
    ld.local.u64 %rd7, [depot];
    cvt.u32.u64 %r1, %rd6;
    cvt.u32.u64 %r2, %rd7;
    mad.lo.u32 %r1, %r1, 1000, %r2;
    st.global.u32 [%rd21], %r1;
    """
    )
    (out,) = run(body, np.zeros(96, np.int32), block=32, grid=3, declarations=declared)
    assert_array_equal(out, np.arange(96) // 32 * 32 * 1000 + np.arange(96))
