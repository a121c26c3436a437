"""Reading machine code. What needs NVIDIA's tools is left out where they are not installed."""

import pytest
from cuda_tools import needs_tools

from minidil.emulator import sass
from minidil.emulator.sass import Binary, occupancy
from minidil.errors import BackendError

LISTING = """
	.section	.text.kernel,"ax",@progbits
.text.kernel:
        /*0000*/                   LDC R1, c[0x0][0x37c] ;
        /*0010*/                   IMAD.MOV.U32 R2, RZ, RZ, RZ ;
.L_x_2:
        /*0020*/                   LDS.64 R4, [R2] ;
.L_x_1:
        /*0030*/                   LDS.128 R8, [R2] ;
        /*0040*/                   FFMA R3, R8, R9, R3 ;
        /*0050*/                   FFMA2 R4, R8, R9, R4 ;
        /*0060*/              @!P0 BRA `(.L_x_1) ;
        /*0070*/                   FFMA R3, R4, R5, R3 ;
        /*0080*/               @P1 BRA `(.L_x_2) ;
        /*0090*/                   F2F.F64.F32 R6, R3 ;
        /*00a0*/                   DADD R6, R6, R6 ;
        /*00b0*/                   EXIT ;
.L_x_3:
        /*00c0*/                   BRA `(.L_x_3);
        /*00d0*/                   NOP;
"""


def binary(instructions=(), loops=(), registers=32, shared=0):
    return Binary(registers, shared, 0, 0, tuple(instructions), tuple(loops))


def test_a_listing_is_read_into_instructions_and_loops():
    instructions, loops = sass.parse(LISTING)
    assert instructions[:4] == ("LDC", "IMAD.MOV.U32", "LDS.64", "LDS.128")
    assert len(instructions) == 14
    # from the label to the branch back to it; the branch to itself at the end is none
    assert loops == ((3, 6), (2, 8))


def test_the_hot_loop_is_the_innermost_with_the_most_multiply_adds():
    made = binary(*sass.parse(LISTING))
    assert made.hot_loop() == ("LDS.128", "FFMA", "FFMA2", "BRA")
    assert sass.multiply_adds(made.hot_loop()) == 2
    other = binary(["FFMA", "BRA", "IADD3", "FFMA", "FFMA", "BRA"], [(0, 1), (2, 5)])
    assert other.hot_loop() == ("IADD3", "FFMA", "FFMA", "BRA")
    assert binary(["FFMA"]).hot_loop() == ()


def test_float64_is_found_and_widths_are_counted():
    instructions, _ = sass.parse(LISTING)
    assert sass.float64(instructions) == ["F2F.F64.F32", "DADD"]
    assert sass.widths([*instructions, "LDS", "LDS.U.128", "LDG.E.128"], "LDS") == {32: 1, 64: 1, 128: 2}


@pytest.mark.parametrize(
    ("capability", "threads", "registers", "shared", "share"),
    [
        # 65,536 registers: 64 a thread are 2,048 a warp, for 32 warps of the 64 that sm_80 holds and all that sm_75 holds.
        ((8, 0), 256, 64, 0, 32 / 64),
        ((7, 5), 256, 64, 0, 1),
        # 40 a thread are 1,280 a warp: 51 warps fit, 48 of them by fours, which is all of sm_86.
        ((8, 6), 256, 40, 0, 1),
        # 57 registers are handed out as 64.
        ((8, 0), 256, 57, 0, 32 / 64),
        # Blocks of 48 KB and 1 KB for the system: 3 in the 164 KB of sm_80, 8 warps each.
        ((8, 0), 256, 32, 48 << 10, 24 / 64),
        # One warp a block: the number of blocks is the limit.
        ((8, 0), 32, 16, 0, 32 / 64),
        ((8, 6), 32, 16, 0, 16 / 48),
        # A block of 33 threads has two warps.
        ((12, 0), 33, 16, 0, 1),
        # Too large a block for the warps of a multiprocessor leaves the rest empty.
        ((8, 9), 1024, 32, 0, 32 / 48),
    ],
)
def test_occupancy_by_hand(capability, threads, registers, shared, share):
    assert occupancy(binary(registers=registers, shared=shared), threads, capability) == pytest.approx(share)


def test_a_missing_tool_is_named_with_its_package():
    with pytest.raises(BackendError, match=r"no-such-tool was not found: pip install nvidia-cuda-nvcc"):
        sass.tool("no-such-tool")


@needs_tools
def test_what_the_assembler_refuses_is_one_line():
    with pytest.raises(BackendError, match=r"ptxas failed: .*syntax error") as caught:
        sass.assemble([".version 8.0\n.target sm_80\n.address_size 64\n.nonsense\n"], (8, 0))
    assert "\n" not in str(caught.value)


def test_a_variable_that_two_kernels_share_is_declared_once():
    """Numba gives each device function one, which is in the module of every kernel that calls it."""
    head, shared = (
        ".version 8.0\n.target sm_80\n.address_size 64",
        ".common .global .align 8 .u64 of_a_device_function;",
    )
    kernels = [f".visible .entry {name}()\n{{\n\tret;\n}}" for name in ("one", "other")]
    joined = sass._joined([f"{head}\n{shared}\n{kernel}\n" for kernel in kernels])
    assert joined.count("of_a_device_function") == 1
    assert [kernel in joined for kernel in kernels] == [True, True]
    assert joined.count("\tret;") == 2
