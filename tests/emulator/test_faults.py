"""What the emulator must notice, each in a kernel that does only this wrong: the kind, the line, the block and the thread."""

import numpy as np
import pytest
from ptx_kernels import kernel, run, run_ptx

from minidil.emulator import KernelError, KernelWarning, recording
from minidil.emulator.memory import DEVICE
from minidil.emulator.toolchain import missing
from minidil.errors import BackendError
from minidil.kernels.cuda.array import empty, to_device
from minidil.kernels.cuda.memory import pool

compiles = pytest.mark.skipif(missing() is not None, reason=f"the emulator {missing()}")

OWN = """
mov.u32 %r22, %ctaid.x;
mov.u32 %r23, %ntid.x;
mad.lo.u32 %r21, %r22, %r23, %r20;
mul.wide.u32 %rd22, %r21, 4;
add.u64 %rd21, %rd0, %rd22;
"""
SHARED = ".shared .align 16 .b8 tile[256];"
SHARED_OWN = "shl.b32 %r24, %r20, 2;\nmov.u32 %r25, tile;\nadd.u32 %r24, %r24, %r25;\n"
NEIGHBOUR = "xor.b32 %r26, %r20, 1;\nshl.b32 %r26, %r26, 2;\nadd.u32 %r26, %r26, %r25;\n"
LINE = ".loc 1 42 5\n"  # the instruction that is wrong stands in line 42


def fault(body, *arrays, **options):
    """The finding that a kernel is stopped with."""
    with pytest.raises(KernelError) as caught:
        run(body, *arrays, **options)
    finding = caught.value.finding
    assert str(finding) == str(caught.value)
    return finding


def zeros(size=64):
    return np.zeros(size, np.int32)


def where(finding):
    return finding.kind, finding.line, finding.block[0], finding.thread[0], finding.count


def test_a_load_beyond_the_end():
    finding = fault(OWN + LINE + "ld.global.u32 %r1, [%rd21+8];", zeros(), block=32, grid=2)
    assert where(finding) == ("out of bounds", 42, 1, 30, 2)
    assert finding.message == "global memory, 4 bytes at byte 256 of an array of 256 bytes"


def test_a_load_before_the_beginning():
    finding = fault(OWN + LINE + "ld.global.u32 %r1, [%rd21+-8];", zeros(), block=32, grid=2)
    assert where(finding) == ("out of bounds", 42, 0, 0, 2)
    assert "8 bytes before an array of 256 bytes" in finding.message


@pytest.mark.parametrize("address", [0, 4096, (1 << 40) - 4, 1 << 50])
def test_an_address_that_is_no_memory_at_all(address):
    finding = fault(f"mov.u64 %rd5, {address};\n{LINE}ld.global.u32 %r1, [%rd5];", zeros(), block=1)
    assert where(finding) == ("out of bounds", 42, 0, 0, 1)


@pytest.mark.parametrize("instruction", ["st.global.u32 [%rd21+4], 1;", "red.global.add.u32 [%rd21+4], 1;"])
def test_a_store_beyond_the_end(instruction):
    assert where(fault(OWN + LINE + instruction, zeros(), block=64)) == ("out of bounds", 42, 0, 63, 1)


def test_a_vector_that_sticks_out():
    body = "mul.wide.u32 %rd22, %r20, 16;\nadd.u64 %rd21, %rd0, %rd22;\n" + LINE
    finding = fault(body + "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd21];", zeros(62), block=16)
    assert where(finding) == ("out of bounds", 42, 0, 15, 1)


def test_an_array_that_was_given_back():
    array = to_device(zeros(), pool("emulator"))
    address = array.address
    del array
    with pytest.raises(KernelError, match="out of bounds"):
        run_ptx(kernel("ld.param.u64 %rd0, [a];\nld.global.u32 %r1, [%rd0];"), (1, 1, 1), (1, 1, 1), [address])


def test_shared_memory_beyond_its_end():
    finding = fault(SHARED_OWN + LINE + "st.shared.u32 [%r24+4], 1;", zeros(), block=64, declarations=SHARED)
    assert where(finding) == ("out of bounds", 42, 0, 63, 1)
    assert finding.message == "shared memory, 4 bytes at byte 256 of 256"


def test_local_memory_beyond_its_end():
    finding = fault(LINE + "st.local.u32 [depot+8], 1;", zeros(), block=3, declarations=".local .align 8 .b8 depot[8];")
    assert where(finding) == ("out of bounds", 42, 0, 0, 3)


def test_generic_addresses_into_two_spaces():
    body = OWN + "setp.lt.u32 %p1, %r20, 9;\nselp.b64 %rd5, 4294967296, %rd0, %p1;\n" + LINE + "ld.u32 %r1, [%rd5];"
    finding = fault(body, zeros(), block=32, declarations=SHARED)
    assert where(finding) == ("out of bounds", 42, 0, 9, 23)


def test_misaligned_addresses():
    body = OWN + LINE + "ld.global.v2.u32 {%r1, %r2}, [%rd21];"
    finding = fault(body, zeros(65), block=64)
    assert where(finding) == ("misaligned", 42, 0, 1, 32)
    assert finding.message == "8 bytes are accessed at once, so their address must be a multiple of 8"
    assert (
        fault(SHARED_OWN + LINE + "st.shared.u32 [%r24+2], 1;", zeros(), block=4, declarations=SHARED).kind
        == "misaligned"
    )


def test_reading_what_was_never_written():
    body = SHARED_OWN + "setp.lt.u32 %p1, %r20, 20;\n@%p1 st.shared.u32 [%r24], 1;\nbar.sync 0;\n"
    finding = fault(body + LINE + "ld.shared.u32 %r1, [%r24];", zeros(), block=32, declarations=SHARED)
    assert where(finding) == ("uninitialised", 42, 0, 20, 12)
    fresh = empty((64,), np.int32, pool("emulator"))
    with pytest.raises(KernelError, match="reads global memory that nothing was written into"):
        run_ptx(kernel("ld.param.u64 %rd0, [a];\nld.global.u32 %r1, [%rd0];"), (1, 1, 1), (1, 1, 1), [fresh])
    with pytest.raises(KernelError, match="reads global memory that nothing was written into"):
        run_ptx(kernel("ld.param.u64 %rd0, [a];\nred.global.add.u32 [%rd0], 1;"), (1, 1, 1), (1, 1, 1), [fresh])


def test_a_result_that_was_not_written_whole():
    fresh = empty((64,), np.int32, pool("emulator"))
    with pytest.raises(
        BackendError, match="256 of the 256 bytes of this array were never written, the first at byte 0"
    ):
        fresh.copy_to_host()
    run_ptx(kernel("ld.param.u64 %rd0, [a];\nst.global.u32 [%rd0], 3;"), (1, 1, 1), (1, 1, 1), [fresh])
    with pytest.raises(BackendError, match=r"252 of the 256 bytes .* the first at byte 4"):
        fresh.copy_to_host()


# --- races


def test_reading_what_a_neighbour_writes_without_a_barrier():
    body = SHARED_OWN + NEIGHBOUR + LINE + "st.shared.u32 [%r24], 1;\n.loc 1 43 5\nld.shared.u32 %r1, [%r26];"
    finding = fault(body, zeros(), block=64, declarations=SHARED)
    assert where(finding) == ("race", 42, 0, 0, 64)
    assert finding.message == (
        "this thread writes shared memory that thread (1, 0, 0) of block (0, 0, 0) reads in line 43, and no barrier lies "
        "between"
    )


def test_overwriting_what_a_neighbour_still_reads():
    body = SHARED_OWN + NEIGHBOUR + "st.shared.u32 [%r24], 1;\nbar.sync 0;\n"
    body += "ld.shared.u32 %r1, [%r26];\n" + LINE + "st.shared.u32 [%r24], %r1;"
    assert where(fault(body, zeros(), block=64, declarations=SHARED)) == ("race", 42, 0, 1, 64)
    repaired = body.replace(LINE, "bar.sync 0;\n")
    run(repaired, zeros(), block=64, declarations=SHARED)


def test_two_threads_that_write_one_word():
    body = OWN + LINE + "st.global.u32 [%rd0], %r20;"
    finding = fault(body, zeros(), block=32)
    assert where(finding) == ("race", 42, 0, 0, 1)
    assert "writes global memory that thread (1, 0, 0)" in finding.message


def test_a_race_between_blocks_that_no_barrier_can_prevent():
    # Block 0 writes its words; block 1 reads them after a barrier, which orders nothing between blocks.
    body = (
        OWN
        + """
    setp.eq.u32 %p1, %r22, 0;
    mul.wide.u32 %rd23, %r20, 4;
    add.u64 %rd24, %rd0, %rd23;
    @%p1 st.global.u32 [%rd24], 1;
    bar.sync 0;
    .loc 1 42 5
    @!%p1 ld.global.u32 %r1, [%rd24];
    """
    )
    finding = fault(body, zeros(), block=32, grid=2)
    assert finding.kind == "race"
    assert "of block (1, 0, 0) reads in line 42" in finding.message


def test_blocks_that_are_not_run_at_once_race_as_well():
    body = OWN + LINE + "st.global.u32 [%rd0], %r20;"
    finding = fault(body, zeros(1), block=1, grid=40_000)
    assert where(finding)[:2] == ("race", 42)


def test_reads_before_a_write_in_another_block_are_remembered():
    # All blocks read word 0; the last one writes it.
    body = OWN + "ld.global.u32 %r1, [%rd0];\nsetp.eq.u32 %p1, %r22, 39;\nsetp.eq.and.u32 %p2, %r20, 0, %p1;\n"
    finding = fault(body + LINE + "@%p2 st.global.u32 [%rd0], 1;", zeros(1), block=1024, grid=40)
    assert where(finding)[:3] == ("race", 42, 39)


def test_one_array_as_input_and_output():
    body = OWN + "ld.global.u32 %r1, [%rd1];\nadd.u64 %rd24, %rd22, %rd0;\nst.global.u32 [%rd24], %r1;"
    run(body, zeros(), zeros(), block=64)
    array = to_device(zeros(), pool("emulator"))
    text = kernel("ld.param.u64 %rd0, [a];\nld.param.u64 %rd1, [b];\n" + body, ("a", "b"))
    with pytest.raises(KernelError, match="race"):
        run_ptx(text, (1, 1, 1), (64, 1, 1), [array, array])


def test_atomics_do_not_race_with_each_other_but_with_everything_else():
    run(OWN + "red.global.add.u32 [%rd0], 1;\natom.global.max.u32 %r1, [%rd0], 3;", zeros(), block=64, grid=3)
    finding = fault(OWN + "red.global.add.u32 [%rd0], 1;\n" + LINE + "ld.global.u32 %r1, [%rd0];", zeros(), block=64)
    assert finding.kind == "race"
    assert "changes atomically" in finding.message
    run(OWN + "red.global.add.u32 [%rd0], 1;\nbar.sync 0;\nld.global.u32 %r1, [%rd0];", zeros(), block=64)


def test_neighbouring_bytes_are_no_race_and_one_word_of_a_vector_is():
    run(
        "mov.u64 %rd5, %rd0;\ncvt.u64.u32 %rd6, %r20;\nadd.u64 %rd5, %rd5, %rd6;\nst.global.u8 [%rd5], 1;",
        zeros(),
        block=64,
    )
    body = "mul.wide.u32 %rd22, %r20, 16;\nadd.u64 %rd21, %rd0, %rd22;\nst.global.v4.u32 [%rd21], {1, 2, 3, 4};\n"
    run(body, zeros(), block=16)
    finding = fault(body + LINE + "setp.eq.u32 %p1, %r20, 0;\n@%p1 st.global.u32 [%rd0+28], 9;", zeros(), block=16)
    assert finding.kind == "race"


def test_a_warp_barrier_orders_the_lanes_of_a_warp_only():
    body = (
        SHARED_OWN
        + "st.shared.u32 [%r24], 1;\nbar.warp.sync -1;\n{index}shl.b32 %r26, %r26, 2;\nadd.u32 %r26, %r26, %r25;\n"
    )
    body += LINE + "ld.shared.u32 %r1, [%r26];"
    run(body.format(index="xor.b32 %r26, %r20, 1;\n"), zeros(), block=64, declarations=SHARED)
    finding = fault(body.format(index="xor.b32 %r26, %r20, 32;\n"), zeros(), block=64, declarations=SHARED)
    assert finding.kind == "race"


def test_a_thread_may_read_what_it_wrote_itself():
    run(OWN + "st.global.u32 [%rd21], 1;\nld.global.u32 %r1, [%rd21];\nst.global.u32 [%rd21], %r1;", zeros(), block=64)


def test_many_accesses_are_condensed_without_losing_the_race(monkeypatch):
    monkeypatch.setattr("minidil.emulator.races._MANY", 100)
    loop = "mov.u32 %r1, 0;\nLOOP:\nld.global.u32 %r2, [%rd21];\nst.global.u32 [%rd21], %r2;\nadd.u32 %r1, %r1, 1;\n"
    loop += "setp.lt.u32 %p1, %r1, 9;\n@%p1 bra LOOP;\n"
    run(OWN + loop, zeros(), block=64)
    finding = fault(OWN + loop + LINE + "setp.eq.u32 %p2, %r20, 5;\n@%p2 st.global.u32 [%rd0], 1;", zeros(), block=64)
    assert finding.kind == "race"


# --- barriers and shuffles


def warning(body, *arrays, **options):
    """The only finding of a kernel that runs through."""
    with recording() as report:
        run(body, *arrays, **options)
    (finding,) = report.findings
    assert finding.severity == "warning"
    assert report.errors == []
    return finding


@compiles
def test_a_barrier_that_some_threads_do_not_reach():
    body = OWN + "setp.ge.u32 %p1, %r20, 40;\n@%p1 ret;\n" + LINE + "bar.sync 0;"
    finding = warning(body, zeros(), block=64, grid=2)
    assert where(finding)[:4] == ("exited threads", 42, 0, 40)
    assert "GPUs since Volta wait only for threads that have not exited" in finding.message
    with pytest.warns(
        KernelWarning, match=r"warning: exited threads in kernel ptx, block \(0, 0, 0\), thread \(40, 0, 0\)"
    ):
        run(body, zeros(), block=64, grid=2)


def test_two_barriers_for_one_block():
    body = (
        OWN
        + "setp.lt.u32 %p1, %r20, 5;\n@%p1 bra OTHER;\n.loc 1 41 1\nbar.sync 0;\nret;\nOTHER:\n"
        + LINE
        + "bar.sync 0;"
    )
    finding = fault(body, zeros(), block=64)
    assert finding.kind == "divergent barrier"
    assert finding.message == "some threads of the block wait here, these at the barrier of line 42"
    assert (finding.line, finding.thread, finding.count) == (41, (0, 0, 0), 5)


@compiles
def test_a_guarded_barrier():
    finding = warning(OWN + "setp.lt.u32 %p1, %r20, 5;\n" + LINE + "@%p1 bar.sync 0;", zeros(), block=32)
    assert where(finding) == ("exited threads", 42, 0, 5, 27)


def test_a_shuffle_from_a_lane_that_is_elsewhere():
    body = OWN + "setp.ge.u32 %p1, %r20, 16;\n@%p1 bra END;\n" + LINE
    body += "shfl.sync.down.b32 %r1, %r20, 4, 31, {mask};\nEND:\nmov.u32 %r2, 1;"
    finding = fault(body.format(mask=0xFFFFFFFF), zeros(), block=32)
    assert where(finding)[:4] == ("shuffle", 42, 0, 0)
    assert finding.message == "other threads that the mask names are elsewhere, or have ended"
    finding = fault(body.format(mask=0xFFFF), zeros(), block=32)
    assert where(finding) == ("shuffle", 42, 0, 12, 4)
    assert finding.message == "the value is that of lane 16, which takes no part"
    finding = fault(body.format(mask=0xFF), zeros(), block=32)
    assert where(finding) == ("shuffle", 42, 0, 8, 8)
    assert finding.message == "these threads are not named in the mask of those that take part"


def test_a_shuffle_in_a_warp_that_is_not_full():
    finding = fault(OWN + LINE + "shfl.sync.down.b32 %r1, %r20, 1, 31, -1;", zeros(), block=40)
    assert where(finding) == ("shuffle", 42, 0, 39, 1)


def test_the_emulated_device_is_left_clean_after_a_fault():
    fault(OWN + "ld.global.u32 %r1, [%rd21+8];", zeros(), block=64)
    (out,) = run(OWN + "st.global.u32 [%rd21], 2;", zeros(), block=64)
    assert (out == 2).all()
    assert DEVICE.target == "emulator"
