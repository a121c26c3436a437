"""Loads of four numbers at once: one instruction of 128 bits where four of 32 would stand.

Numba has no such load, so this is what LLVM is told: take the address of x[i] as that of four numbers, and load them. The address
must be divisible by 16 bytes, that is x aligned so and i divisible by 4; the emulator reports one that is not.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.cuda import cgutils
from numba.cuda.extending import intrinsic

from minidil.kernels.cuda.seam import types


def _load4(typing_context: Any, x: Any, i: Any) -> Any:
    """x[i], x[i + 1], x[i + 2], x[i + 3]."""
    four: Any = types.UniTuple

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row = context.make_array(signature.args[0])(context, builder, arguments[0])
        first = builder.gep(row.data, [arguments[1]])
        vector = ir.VectorType(first.type.pointee, 4)
        quad = builder.load(builder.bitcast(first, vector.as_pointer(getattr(first.type, "addrspace", 0))))
        quad.align = 16
        numbers = [builder.extract_element(quad, ir.Constant(ir.IntType(32), lane)) for lane in range(4)]
        return cgutils.pack_array(builder, numbers)

    return four(x.dtype, 4)(x, i), generate


load4: Any = intrinsic(_load4)
