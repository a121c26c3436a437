"""Memory asked for before it is needed: a line of the cache takes as long to come as some hundred multiplications of vectors.

The processor looks ahead by itself, but only as far as the instructions that it has begun, and along an array rather than from
row to row of a tile. The functions here name lines that will be needed, and wait for none. A few of them between the
multiplications come while those go on; many at once fill the buffers that the loads of the moment need as well.
Source: Callahan, Kennedy & Porterfield 1991, "Software prefetching", ASPLOS IV.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from minidil.array import Array
from minidil.kernels.cpu.layout import compiled
from minidil.kernels.cpu.registers import address, emitted, parts

LINE_BYTES = 64
_FIRST_LEVEL, _SECOND_LEVEL = 3, 2  # of the cache, as the compiler counts them


@emitted
def fetch(typing: Any, array: Any, starts: Any, further: Any) -> Any:
    """Ask for the lines that hold array[start + further], for each of the starts, which are read next."""
    return types.void(array, starts, types.intp), _asking(array, _FIRST_LEVEL, to_write=False)


@emitted
def fetch_to_write(typing: Any, array: Any, starts: Any, further: Any) -> Any:
    """The same for lines that are written: as long as they are not here, a store waits for them too."""
    return types.void(array, starts, types.intp), _asking(array, _FIRST_LEVEL, to_write=True)


@emitted
def fetch_for_later(typing: Any, array: Any, starts: Any, further: Any) -> Any:
    """The same for lines that are read after others have been, which they must not drive out of the first level."""
    return types.void(array, starts, types.intp), _asking(array, _SECOND_LEVEL, to_write=False)


def _asking(array: Any, level: int, *, to_write: bool) -> Callable[..., Any]:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        how = [ir.Constant(number, hint) for hint in (int(to_write), level, 1)]  # 1: data
        shifted = address(context, builder, array, args[0], args[2])
        for start in parts(builder, args[1], signature.args[1]):
            builder.call(ask, [builder.bitcast(builder.gep(shifted, [start]), pointer), *how])
        return context.get_dummy_value()

    return code


@compiled
def fetch_rows_for_later(array: Array, starts: Any, count: int) -> None:
    """All lines that hold `count` numbers from each of the starts on."""
    for further in range(0, count, LINE_BYTES // array.itemsize):
        fetch_for_later(array, starts, further)
