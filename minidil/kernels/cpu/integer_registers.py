"""Registers of whole numbers as Numba values: what registers.py is for float32.

A register holds twice as many int16 numbers as float32 ones, and there is one instruction that multiplies them all and adds each
product to its neighbour's, as an int32: vpmaddwd. So `multiply_add_pairs` does two numbers k at once, whose weights lie side by
side. All sums are modulo 2 to the power of their bits, as the processor's are; nothing saturates.

Where the processor has no such instruction, the compiler makes the same of shifts and products.
"""

from __future__ import annotations

import platform
from typing import Any

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils

from minidil.kernels.cpu.registers import BYTES, Vector, address, emitted, everywhere, loaded, offset, parts, saved

_WITH_AVX2 = ("avx2", "haswell", "broadwell", "skylake", "znver", "alderlake", "sierraforest", "x86-64-v3")


def _pair_instruction() -> str | None:
    """LLVM's name of the processor's instruction for pairs of int16; None if there is none for registers of that size."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    config: Any = numba.config
    known, features = f"{config.CPU_NAME} {config.CPU_FEATURES or ''}", binding.get_host_cpu_features()
    if BYTES == 64:
        return "llvm.x86.avx512.pmaddw.d.512" if config.CPU_NAME or features.get("avx512bw") else None
    if BYTES == 32:
        has = any(word in known for word in _WITH_AVX2) if config.CPU_NAME else features.get("avx2")
        return "llvm.x86.avx2.pmadd.wd" if has else None
    return "llvm.x86.sse2.pmadd.wd"


PAIRS = _pair_instruction()


@emitted
def multiply_add_pairs(typing: Any, tile: Any, left: Any, starts: Any, k: Any, right: Any, at: Any) -> Any:
    """The tile of int32 plus the products of numbers k and k + 1 of each row with theirs of `right`, all of them int16.

    tile[i][j] += left[starts[i] + k] right[at + 2 j] + left[starts[i] + k + 1] right[at + 2 j + 1], modulo 2^32.
    """
    vector, rows = tile.dtype, starts.count
    columns, numbers = tile.count // rows, Vector(right.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, kept = parts(builder, args[0], tile), parts(builder, args[2], starts)
        across = [
            loaded(context, builder, right, args[4], offset(builder, args[5], j * numbers.lanes), numbers)
            for j in range(columns)
        ]
        for i in range(rows):
            place = address(context, builder, left, args[1], builder.add(kept[i], args[3]))
            pair = builder.load(builder.bitcast(place, ir.IntType(32).as_pointer()))
            pair.align = 2
            spread = everywhere(builder, pair, vector)
            for j in range(columns):
                product = _products_of_pairs(builder, spread, across[j], vector, numbers)
                sums[i * columns + j] = builder.add(sums[i * columns + j], product)
        return cgutils.pack_array(builder, sums)

    return tile(tile, left, starts, types.intp, right, types.intp), code


def _products_of_pairs(builder: Any, one: Any, other: Any, vector: Vector, numbers: Vector) -> Any:
    """By the one instruction; else with each pair as the halves of an int32, which shifts tell apart."""
    if PAIRS:
        kind = ir.FunctionType(vector.llvm(), [numbers.llvm()] * 2)
        return builder.call(
            cgutils.get_or_insert_function(builder.module, kind, PAIRS), [builder.bitcast(one, numbers.llvm()), other]
        )
    half = ir.Constant(vector.llvm(), [16] * vector.lanes)
    both = [one, builder.bitcast(other, vector.llvm())]
    low = [builder.ashr(builder.shl(each, half), half) for each in both]
    high = [builder.ashr(each, half) for each in both]
    return builder.add(builder.mul(*low), builder.mul(*high))


@emitted
def plus(typing: Any, one: Any, other: Any) -> Any:
    """one + other, for integers, modulo 2 to the power of their bits."""
    return one(one, other), lambda context, builder, signature, args: builder.add(*args)


@emitted
def minus(typing: Any, one: Any, other: Any) -> Any:
    """one - other, for integers, modulo 2 to the power of their bits."""
    return one(one, other), lambda context, builder, signature, args: builder.sub(*args)


@emitted
def times(typing: Any, vector: Any, number: Any) -> Any:
    """Each number of the register times `number`, for integers, modulo 2 to the power of their bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        factor = builder.trunc(args[1], ir.IntType(vector.number.bitwidth))
        return builder.mul(args[0], everywhere(builder, factor, vector))

    return vector(vector, types.int64), code


@emitted
def halved(typing: Any, vector: Any, times: Any) -> Any:
    """Each number of the register divided by 2 to the power of `times`, rounded down: an arithmetic shift to the right."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        shift = builder.trunc(args[1], ir.IntType(vector.number.bitwidth))
        return builder.ashr(args[0], everywhere(builder, shift, vector))

    return vector(vector, types.int64), code


@emitted
def scaled(typing: Any, sums: Any, bias: Any, multiplier: Any, at: Any) -> Any:
    """float32(sums + bias[at + i]) multiplier[at + i] for each number i of a register of int32."""
    vector = Vector(multiplier.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total = builder.add(args[0], loaded(context, builder, bias, args[1], args[3], sums))
        factors = loaded(context, builder, multiplier, args[2], args[3], vector)
        return builder.fmul(builder.sitofp(total, vector.llvm()), factors)

    return vector(sums, bias, multiplier, types.intp), code


@emitted
def plus_bytes(typing: Any, vector: Any, array: Any, at: Any, zero: Any, multiplier: Any) -> Any:
    """vector + multiplier (array[at + i] - zero) for each number i of a register of float32; the array is of uint8."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        whole = _bytes_at(context, builder, array, args[1], args[2], vector)
        numbers = builder.fsub(builder.uitofp(whole, vector.llvm()), everywhere(builder, args[3], vector))
        return builder.fadd(args[0], builder.fmul(numbers, everywhere(builder, args[4], vector)))

    return vector(vector, array, types.intp, types.float32, types.float32), code


@emitted
def save_rounded(typing: Any, vector: Any, array: Any, at: Any, zero: Any, low: Any, high: Any) -> Any:
    """array[at + i] = rint(number i) + zero, limited to low..high, uint8; where the array is of float32, the number itself."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, kind = args[0], vector.llvm()
        if array.dtype == vector.number:
            saved(context, builder, array, args[1], args[2], value, vector)
            return context.get_dummy_value()
        shift, least, most = (everywhere(builder, each, vector) for each in args[3:])
        rint = ir.FunctionType(kind, [kind])
        rounded = cgutils.get_or_insert_function(builder.module, rint, f"llvm.rint.v{vector.lanes}f32")
        value = builder.fadd(builder.call(rounded, [value]), shift)
        value = builder.select(builder.fcmp_ordered("<", value, least), least, value)
        value = builder.select(builder.fcmp_ordered(">", value, most), most, value)
        whole = builder.fptosi(value, ir.VectorType(ir.IntType(32), vector.lanes))
        place = builder.bitcast(address(context, builder, array, args[1], args[2]), _bytes(vector).as_pointer())
        builder.store(builder.trunc(whole, _bytes(vector)), place).align = 1
        return context.get_dummy_value()

    return types.void(vector, array, types.intp, types.float32, types.float32, types.float32), code


def _bytes(vector: Vector) -> Any:
    return ir.VectorType(ir.IntType(8), vector.lanes)


def _bytes_at(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Vector) -> Any:
    place = builder.bitcast(address(context, builder, kind, array, index), _bytes(vector).as_pointer())
    value = builder.load(place)
    value.align = 1
    return builder.zext(value, ir.VectorType(ir.IntType(32), vector.lanes))
