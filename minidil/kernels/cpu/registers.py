"""Vectors of the processor's registers as Numba values, and the one step that matrix products are made of.

A compiled loop over numbers is vectorised only if the compiler sees how, and it never keeps a whole tile of sums in registers.
Here a register is a value of its own: `Vector` is its type, and the functions below put together what the compiler shall do with
it. A *tile* is a tuple of such values, R rows of C registers each:

    tile[i][j] += left[starts[i] + k] * right[at + j]          for i < R, j < C           (`multiply_add`)

is R C multiplications of whole vectors for C loads and R numbers that are spread over a vector. With 16 registers, as AVX2 has,
6 x 2 sums, 2 vectors of `right` and a number leave one free; with 32 of AVX-512, 6 x 4 do. More rows than 4 hide the time that an
addition takes before the next can begin (4 cycles, 2 of them started in each), and each load serves at least 2 sums.
Source: Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication", ACM TOMS 34 (3), section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

# What makes the code of a function when it is compiled. Called from compiled code, it has no `typing`; mypy would ask for it.
emitted: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic

_WITH_512_BITS = ("avx512", "cascadelake", "cooperlake", "icelake", "tigerlake", "rapids", "znver4", "znver5")


def _register_bytes() -> int:
    """Of the processor that Numba compiles for, which is this one unless NUMBA_CPU_NAME says another."""
    config: Any = numba.config
    if config.CPU_NAME:
        known = f"{config.CPU_NAME} {config.CPU_FEATURES or ''}"
        return 64 if any(word in known for word in _WITH_512_BITS) else 32
    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


BYTES = _register_bytes()
ROWS = 6
COLUMNS = 4 if BYTES == 64 else 2  # at most


class Vector(types.Type):
    """Numba's type of a register full of numbers, or of half of one."""

    def __init__(self, number: Any, halves: int = 2) -> None:
        self.number = number
        self.lanes = lanes(number.bitwidth // 8) * halves // 2
        super().__init__(name=f"{number} x {self.lanes}")

    def llvm(self) -> Any:
        """The compiler's own type of it."""
        bits = self.number.bitwidth
        if isinstance(self.number, types.Integer):
            return ir.VectorType(ir.IntType(bits), self.lanes)
        return ir.VectorType(ir.FloatType() if bits == 32 else ir.DoubleType(), self.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.llvm())


def address(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


def loaded(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Vector) -> Any:
    return loaded_from(builder, address(context, builder, kind, array, index), vector)


def loaded_from(builder: Any, place: Any, vector: Vector) -> Any:
    value = builder.load(builder.bitcast(place, vector.llvm().as_pointer()))
    value.align = (
        vector.number.bitwidth // 8
    )  # else the whole vector's size is assumed, and an odd address ends the process
    return value


def everywhere(builder: Any, number: Any, vector: Vector) -> Any:
    nothing = ir.Constant(vector.llvm(), ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), [0] * vector.lanes)
    return builder.shuffle_vector(first, nothing, everywhere)


def parts(builder: Any, values: Any, kind: Any) -> list[Any]:
    return [builder.extract_value(values, i) for i in range(kind.count)]


def offset(builder: Any, index: Any, by: int) -> Any:
    return builder.add(index, ir.Constant(index.type, by)) if by else index


@emitted
def multiply_add(typing: Any, tile: Any, left: Any, starts: Any, k: Any, right: Any, at: Any) -> Any:
    """The tile plus left[starts[i] + k] right[at + j] for rows i, and registers j of numbers at `at` and after it."""
    vector, rows = tile.dtype, starts.count
    columns = tile.count // rows

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, kept = parts(builder, args[0], tile), parts(builder, args[2], starts)
        across = [
            loaded(context, builder, right, args[4], offset(builder, args[5], j * vector.lanes), vector)
            for j in range(columns)
        ]
        shifted = address(context, builder, left, args[1], args[3])
        for i in range(rows):
            number = everywhere(builder, builder.load(builder.gep(shifted, [kept[i]])), vector)
            for j in range(columns):
                product = builder.fmul(number, across[j], flags=("contract",))
                sums[i * columns + j] = builder.fadd(sums[i * columns + j], product, flags=("contract",))
        return cgutils.pack_array(builder, sums)

    return tile(tile, left, starts, types.intp, right, types.intp), code


@emitted
def multiply_add_each(typing: Any, tile: Any, left: Any, starts: Any, k: Any, right: Any, at: Any) -> Any:
    """The tile plus left[starts[i] + k + n] right[at + n] for rows i, number by number."""
    vector, rows = tile.dtype, starts.count
    columns = tile.count // rows

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, kept = parts(builder, args[0], tile), parts(builder, args[2], starts)
        for j in range(columns):
            shared = loaded(context, builder, right, args[4], offset(builder, args[5], j * vector.lanes), vector)
            shifted = address(context, builder, left, args[1], offset(builder, args[3], j * vector.lanes))
            for i in range(rows):
                own = loaded_from(builder, builder.gep(shifted, [kept[i]]), vector)
                product = builder.fmul(own, shared, flags=("contract",))
                sums[i * columns + j] = builder.fadd(sums[i * columns + j], product, flags=("contract",))
        return cgutils.pack_array(builder, sums)

    return tile(tile, left, starts, types.intp, right, types.intp), code


@emitted
def sums_of_rows(typing: Any, tile: Any, rows: Any) -> Any:
    """For each row of the tile the sum of all its numbers, as a tuple: the halves of a register are added, until one is left."""
    vector, count = tile.dtype, rows.count
    columns, kind = tile.count // count, types.UniTuple(vector.number, count)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums = []
        for i in range(count):
            total, *others = parts(builder, args[0], tile)[i * columns : (i + 1) * columns]
            for other in others:
                total = builder.fadd(total, other)
            sums.append(_sum(builder, total, vector.lanes))
        return cgutils.pack_array(builder, sums)

    return kind(tile, rows), code


def _sum(builder: Any, register: Any, count: int) -> Any:
    while count > 1:
        count //= 2
        halves = [
            builder.shuffle_vector(
                register,
                ir.Constant(register.type, ir.Undefined),
                ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(first, first + count))),
            )
            for first in (0, count)
        ]
        register = builder.fadd(*halves)
    return builder.extract_element(register, ir.Constant(ir.IntType(32), 0))


@emitted
def load(typing: Any, array: Any, index: Any) -> Any:
    """A register of the array's numbers at `index` and after it."""
    vector = Vector(array.dtype)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return loaded(context, builder, array, args[0], args[1], vector)

    return vector(array, types.intp), code


@emitted
def save(typing: Any, vector: Any, array: Any, index: Any) -> Any:
    """The register into the array, at `index` and after it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        saved(context, builder, array, args[1], args[2], args[0], vector)
        return context.get_dummy_value()

    return types.void(vector, array, types.intp), code


@emitted
def add_to(typing: Any, tile: Any, array: Any, starts: Any) -> Any:
    """Store the sum of the tile and what is in the array: row i goes to starts[i] and after it."""
    vector, rows = tile.dtype, starts.count
    columns = tile.count // rows

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store_rows(context, builder, array, args, vector, rows, columns, adding=True)
        return context.get_dummy_value()

    return types.void(tile, array, starts), code


@emitted
def store(typing: Any, tile: Any, array: Any, starts: Any) -> Any:
    """Store the tile: row i goes to starts[i] and after it."""
    vector, rows = tile.dtype, starts.count
    columns = tile.count // rows

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store_rows(context, builder, array, args, vector, rows, columns, adding=False)
        return context.get_dummy_value()

    return types.void(tile, array, starts), code


def _store_rows(
    context: Any, builder: Any, array: Any, args: Any, vector: Vector, rows: int, columns: int, *, adding: bool
) -> None:
    for i in range(rows):
        start = builder.extract_value(args[2], i)
        for j in range(columns):
            index = offset(builder, start, j * vector.lanes)
            value = builder.extract_value(args[0], i * columns + j)
            if adding:
                value = builder.fadd(value, loaded(context, builder, array, args[1], index, vector))
            saved(context, builder, array, args[1], index, value, vector)


def saved(context: Any, builder: Any, kind: Any, array: Any, index: Any, value: Any, vector: Vector) -> None:
    place = builder.bitcast(address(context, builder, kind, array, index), vector.llvm().as_pointer())
    builder.store(value, place).align = vector.number.bitwidth // 8


@emitted
def numbers_at(typing: Any, places: Any, further: Any, size: Any, base: Any) -> Any:
    """base + (place + further) size, for each of the places: where in a flat array their numbers begin."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        moved = (builder.add(part, args[1]) for part in parts(builder, args[0], places))
        return cgutils.pack_array(builder, [builder.add(builder.mul(part, args[2]), args[3]) for part in moved])

    return places(places, types.intp, types.intp, types.intp), code


@emitted
def equal_rows(typing: Any, array: Any, index: Any, rows: Any, columns: Any) -> Any:
    """A tile with a row for each entry of `rows` and a register for each of `columns`: all rows are the array's at `index`.

    Without columns a row is half a register.
    """
    count, vector = max(columns.count, 1), Vector(array.dtype, 2 if columns.count else 1)
    kind = types.UniTuple(vector, rows.count * count)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        indices = [offset(builder, args[1], j * vector.lanes) for j in range(count)]
        row = [loaded(context, builder, array, args[0], each, vector) for each in indices]
        return cgutils.pack_array(builder, row * rows.count)

    return kind(array, types.intp, rows, columns), code


@emitted
def taken(typing: Any, table: Any, first: Any, last: Any, rows: Any) -> Any:
    """table[first], table[first + 1], ..., one for each entry of `rows`; from `last` - 1 on always that one."""
    kind = types.UniTuple(types.intp, rows.count)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        numbers, final = [], builder.sub(args[2], ir.Constant(args[2].type, 1))
        for i in range(rows.count):
            index = offset(builder, args[1], i)
            index = builder.select(builder.icmp_signed("<", index, final), index, final)
            numbers.append(builder.load(address(context, builder, table, args[0], index)))
        return cgutils.pack_array(builder, numbers)

    return kind(table, types.intp, types.intp, rows), code


def lanes(itemsize: int) -> int:
    """Numbers of that many bytes in a register."""
    return BYTES // itemsize


def width_of(columns: tuple[int, ...], itemsize: int) -> int:
    """Numbers in a row of a tile with these columns."""
    return len(columns) * lanes(itemsize) or lanes(itemsize) // 2


def tile_for(width: int, itemsize: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tile for a product with so many columns, as two tuples of as many zeros as it has rows, and registers in each row.

    Compiled code is made for the lengths of these. Of the tiles that leave the fewest lanes empty it is the widest.
    """
    sizes = [columns for columns in (4, 2, 1) if columns <= COLUMNS]
    columns = min(sizes, key=lambda columns: -(-width // (columns * lanes(itemsize))) * columns)
    return (0,) * (ROWS if columns > 1 else 8), (0,) * columns


def tile_or_half_for(width: int, itemsize: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same, or rows of half a register, which have no columns, if that holds them all.

    Only of 64 bytes: products of 32 bytes are begun as often in a cycle, or twice as often.
    """
    if BYTES == 64 and 2 * width <= lanes(itemsize):
        return (0,) * 8, ()
    return tile_for(width, itemsize)
