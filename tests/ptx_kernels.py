"""Kernels in PTX for the tests of the emulator: a few instructions that every thread runs on its own values."""

import numpy as np

from minidil.emulator import run_ptx
from minidil.kernels.cuda.array import to_device
from minidil.kernels.cuda.memory import pool

# PTX's type: NumPy's, the register, and the type that it is moved as.
TYPES = {
    "s16": (np.int16, "%rs", "b16"),
    "u16": (np.uint16, "%rs", "b16"),
    "s32": (np.int32, "%r", "b32"),
    "u32": (np.uint32, "%r", "b32"),
    "b32": (np.uint32, "%r", "b32"),
    "s64": (np.int64, "%rd", "b64"),
    "u64": (np.uint64, "%rd", "b64"),
    "b64": (np.uint64, "%rd", "b64"),
    "f16": (np.float16, "%rs", "b16"),
    "f32": (np.float32, "%f", "f32"),
    "f64": (np.float64, "%fd", "f64"),
}
_HEAD = """
.version 8.0
.target sm_80
.address_size 64
{declarations}
.visible .entry test({parameters})
{{
    .reg .pred %p<9>;
    .reg .b16 %rs<9>;
    .reg .b32 %r<30>;
    .reg .f32 %f<9>;
    .reg .b64 %rd<30>;
    .reg .f64 %fd<9>;
    .loc 1 7 1
"""


def kernel(body, parameters=("a",), declarations=""):
    """A kernel with 64-bit parameters, whose thread's number is in %r20 and 8 times it in %rd20."""
    listed = ", ".join(f".param .u64 {name}" for name in parameters)
    start = "mov.u32 %r20, %tid.x;\nmul.wide.u32 %rd20, %r20, 8;\n"
    tail = '\nret;\n}\n.file 1 "kernel.py"\n'
    return _HEAD.format(parameters=listed, declarations=declarations) + start + body + tail


def on_device(array):
    """An array in the emulated memory, as bytes whatever its type."""
    return to_device(np.ascontiguousarray(array).view(np.int32), pool("emulator"))


def run(body, *arrays, block=32, grid=1, declarations=""):
    """Run a kernel on int32 arrays a, b, c, ...; the pointers are in %rd0, %rd1, ... Returns the arrays afterwards."""
    names = [chr(ord("a") + i) for i in range(len(arrays))]
    loads = "".join(f"ld.param.u64 %rd{i}, [{name}];\n" for i, name in enumerate(names))
    held = [on_device(array) for array in arrays]
    blocks = grid if isinstance(grid, tuple) else (grid, 1, 1)
    run_ptx(kernel(loads + body, names, declarations), blocks, (block, 1, 1), held)
    return [array.copy_to_host() for array in held]


def compute(instruction, result, types, *values):
    """What `instruction`, with {d} for its result and {a}, {b}, {c}, {d2} for its operands, gives for every column of values."""
    count = len(values[0])
    body, registers = "", {}
    for number, kind in enumerate(types):
        _, register, moved = TYPES[kind]
        registers["abcd"[number] if number < 3 else "e"] = f"{register}{number + 1}"
        body += f"add.u64 %rd21, %rd{number + 1}, %rd20;\nld.global.{moved} {register}{number + 1}, [%rd21];\n"
    dtype, register, moved = TYPES.get(result, (np.uint32, "%r", "b32"))
    target = "%p1" if result == "pred" else f"{register}7"
    body += instruction.format(d=target, **registers) + "\n"
    if result == "pred":
        body += "selp.b32 %r7, 1, 0, %p1;\n"
    body += f"add.u64 %rd21, %rd0, %rd20;\nst.global.{moved} [%rd21], {register}7;\n"
    wide = []
    for kind, array in zip(types, values, strict=True):  # every value begins at a multiple of 8 bytes
        column = np.zeros((count, 8 // np.dtype(TYPES[kind][0]).itemsize), TYPES[kind][0])
        column[:, 0] = array
        wide.append(column)
    out = run(body, np.zeros(2 * count, np.int32), *wide, block=count)[0]
    return out.view(dtype).reshape(count, -1)[:, 0]
