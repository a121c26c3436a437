"""Reading PTX, and telling from it which arrays a kernel only reads."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from ptx_kernels import on_device

from minidil.emulator import run_ptx
from minidil.emulator.origins import Origins
from minidil.emulator.ptx import parse
from minidil.errors import BackendError

TEXT = """
.version 9.5 // a comment with { and ;
.target sm_90
.address_size 64
/* .entry not this one ( ) { */
.global .align 4 .u32 table[3] = {1, 0x10, -1};
.const .align 8 .u64 single;
.visible .shared .align 4 .b8 first[6];
.visible .shared .align 16 .b8 second[32];
.visible .entry work(
    .param .u64 .ptr .global .align 16 x,
    .param .u64 .ptr .align 1 y,
    .param .u32 n,
    .param .f32 factor
)
.maxntid 256, 1, 1
{
    .reg .pred %p<2>;
    .reg .b32 %r<3>, %extra;
    .reg .f32 %f<3>;
    .local .align 8 .b8 depot[24];
    .loc 1 10 5
    ld.param.u32 %r1, [n];
$L__BB0_1:
    .pragma "nounroll";
    .loc 2 20 1, function_name $L__info, inlined_at 1 11 3
    { @!%p1 ld.global.v2.f32 {%f1, %f2}, [%r1+8]; }
    .loc 1 0 1
    st.shared.b32 [second+4], %r1;
    @%p1 bra.uni $L__BB0_1;
    ret;
}
.file 1 "/kernels/work.py"
.file 2 "/kernels/other.py"
"""


def test_everything_in_a_kernel_is_found():
    program = parse(TEXT)
    assert program.parameters == [("x", "u64"), ("y", "u64"), ("n", "u32"), ("factor", "f32")]
    assert program.registers["%p1"] == "pred"
    assert program.registers["%r2"] == program.registers["%extra"] == "b32"
    assert "%r3" not in program.registers
    # Between shared arrays lies a gap, which keeps the banks: 16 bytes further on, but for a multiple of 128.
    assert program.symbols == {"first": ("shared", 0), "second": ("shared", 16 + 1024), "depot": ("local", 0)}
    assert program.extents == {"first": 6, "second": 32, "depot": 24}
    assert program.sizes == {"shared": 48 + 1024, "local": 24}
    assert (program.static_shared, program.dynamic) == (38, None)
    assert_array_equal(program.constants["table"], np.array([1, 16, 2**32 - 1], np.uint32))
    assert_array_equal(program.constants["single"], [0])
    assert program.files == {1: "/kernels/work.py", 2: "/kernels/other.py"}
    assert program.labels == {"$L__BB0_1": 1}
    parameter, load, store, branch, last = program.instructions
    assert str(parameter) == "ld.param.u32 %r1, [n]"
    assert (load.op, load.operands) == (("ld", "global", "v2", "f32"), ("{%f1, %f2}", "[%r1+8]"))
    assert (load.guard, load.negated, load.file, load.line) == ("%p1", True, 2, 20)
    assert (store.file, store.line) == (2, 20)  # line 0 says that the compiler does not know: the last one known stays
    assert (branch.op, branch.guard, branch.negated) == (("bra", "uni"), "%p1", False)
    assert (last.op, last.operands) == (("ret",), ())


@pytest.mark.parametrize(("text", "said"), [(TEXT[: TEXT.index("ret;")], "cut short"), ("// nothing", "no .entry")])
def test_what_is_no_kernel_is_refused(text, said):
    with pytest.raises(BackendError, match=said):
        parse(text)


def origins(body):
    declared = ".reg .b64 %rd<20>;\n.reg .pred %p<3>;\n.reg .f32 %f<5>;\n"
    loads = "".join(
        f"ld.param.u64 %rd{i}, [{name}];\ncvta.to.global.u64 %rd{i + 5}, %rd{i};\n" for i, name in enumerate("xyz")
    )
    parameters = ", ".join(f".param .u64 {name}" for name in "xyz")
    program = parse(f".visible .entry work({parameters}) {{\n{declared}{loads}{body}\nret;\n}}")
    found = Origins(program)
    reads = [found.only_read(i) for i in program.instructions if i.op[0] == "ld" and i.op[1] != "param"]
    return found.written, reads


def test_what_is_stored_to_is_told_from_what_is_only_read():
    body = "ld.global.f32 %f1, [%rd5+4];\nld.global.f32 %f2, [%rd6];\nst.global.f32 [%rd6], %f1;"
    assert origins(body) == ({"y"}, [True, False])


def test_addresses_are_followed_through_sums_loops_and_choices():
    body = """
    mov.u64 %rd10, %rd5;
LOOP:
    ld.global.f32 %f1, [%rd10];
    add.s64 %rd11, %rd10, 4;
    mov.u64 %rd10, %rd11;
    selp.b64 %rd12, %rd6, %rd7, %p1;
    mad.lo.s64 %rd13, %rd1, 4, %rd12;
    atom.global.add.f32 %f2, [%rd13], %f1;
    @%p1 bra LOOP;
    ld.global.f32 %f3, [%rd7];
    """
    assert origins(body) == ({"y", "z"}, [True, False])


def test_an_address_that_comes_from_nowhere_may_be_anything():
    # Neither a pointer that was loaded from memory, nor one of unknown origin, says what it reaches.
    body = "ld.global.u64 %rd10, [%rd5];\ncvta.to.global.u64 %rd11, %rd10;\nst.global.f32 [%rd11], %f1;"
    assert origins(body) == (None, [False])
    assert origins("ld.global.f32 %f1, [%rd15];\nst.shared.f32 [%rd15], %f1;") == (frozenset(), [False])


CALLS = """
.func (.param .align 4 .b8 func_retval0[8]) twice(.param .b32 twice_param_0)
;
.extern .shared .align 4 .b8 rest[];
.shared .align 4 .b8 fixed[8];
.visible .entry work(.param .u64 x)
{
    .reg .pred %p<2>;
    .reg .b32 %r<5>;
    .reg .b64 %rd<3>;
    ld.param.u64 %rd1, [x];
    cvta.to.global.u64 %rd2, %rd1;
    ld.global.u32 %r1, [%rd2];
    { .reg .b32 temp_param_reg;
    .param .b32 param0;
    st.param.b32 [param0+0], %r1;
    .param .align 4 .b8 retval0[8];
    call.uni (retval0),
    twice,
    (
    param0
    );
    ld.param.b32 %r2, [retval0+4];
    }
    mov.u32 %r3, 7;
    { .reg .b32 %r<5>;
    mov.u32 %r3, 9;
    }
    add.u32 %r2, %r2, %r3;
    st.global.u32 [%rd2], %r2;
    ret;
}
.func (.param .align 4 .b8 func_retval0[8]) twice(.param .b32 twice_param_0)
{
    .reg .b32 %r<3>;
    ld.param.u32 %r1, [twice_param_0];
    add.u32 %r2, %r1, %r1;
    st.param.b32 [func_retval0+4], %r2;
    ret;
}
"""


def test_a_called_function_is_written_out_and_names_in_braces_are_others():
    program = parse(CALLS)
    assert [i.op[0] for i in program.instructions].count("call") == 0
    assert program.sizes["local"] >= 12  # the parameter and the result of the call
    # Dynamic shared memory begins after the rest and a gap, where a word keeps its bank.
    assert program.symbols["rest"] == ("shared", program.dynamic)
    assert program.dynamic == 1152
    array = on_device(np.array([21], np.int32))
    run_ptx(CALLS, (1, 1, 1), (1, 1, 1), [array])
    assert array.copy_to_host()[0] == 2 * 21 + 7


def test_what_a_kernel_loads_from_is_told_as_well():
    program = parse(CALLS)
    assert Origins(program).read == Origins(program).written == {"x"}
