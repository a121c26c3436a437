"""Compiling with checks: what Python knows of an access and PTX no longer does is left in the code as instructions of our own.

A GPU's code has forgotten that an array has axes, and where in the thread's memory one local array ends and another begins. While
a kernel is compiled inside `checks()`, numba.cuda therefore also writes, as inline assembly that only the emulator knows,

    minidil.index.s64 AXIS, AXES, index, size  before an array is indexed, by a signed number or an unsigned one (u64)
    minidil.local BYTES, address               where a local array begins: nothing was written into it yet
    minidil.zero                               where an integer is divided by zero, which gives 0
    minidil.raise TEXT                         where an exception is raised or an assert fails, which ends the thread

The rest of the code is the same but for what the compiler may no longer reorder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def checks() -> Iterator[None]:
    """Within the block, numba.cuda compiles with checks. Nothing compiled here is used outside, or the other way round."""
    from numba.cuda import cgutils, cudaimpl, dispatcher
    from numba.cuda.core import callconv
    from numba.cuda.descriptor import cuda_target
    from numba.cuda.np import arrayobj

    with ExitStack() as stack:
        for place, name, wrap in (
            (arrayobj, "basic_indexing", _noting_axes),
            (arrayobj, "fix_integer_index", _checking_index),
            (cgutils, "get_item_pointer2", _checking_pointer),
            (cudaimpl, "_generic_array", _marking_local),
            (callconv.NumpyErrorModel, "fp_zero_division", _marking_zero),
            (callconv.MinimalCallConv, "return_user_exc", _marking_raise),
            (dispatcher, "compile_cuda", _noting_lines),
        ):
            stack.enter_context(patch.object(place, name, wrap(getattr(place, name))))
        stack.enter_context(patch.object(dispatcher.CUDADispatcher, "overloads", _Apart(), create=True))
        stack.enter_context(patch.object(cuda_target.target_context, "cached_internal_func", {}))
        yield


def _noting_lines(original: Callable[..., Any]) -> Callable[..., Any]:
    """Device functions are compiled with the lines of their source, as the kernel is.

    Of numba's own, the line of the call says more.
    """

    def compiled(function: Any, *given: Any, **options: Any) -> Any:
        if not str(function.__module__).startswith("numba."):
            options["lineinfo"] = True
        return original(function, *given, **options)

    return compiled


def _emit(builder: Any, text: str, *values: Any) -> None:
    """Write a line of inline assembly, $0, $1, ... standing for values of 64 bits."""
    from llvmlite import ir

    kinds = [value.type for value in values]
    made = ir.InlineAsm(
        ir.FunctionType(ir.VoidType(), kinds), text, ",".join(["l"] * len(values) + ["~{memory}"]), side_effect=True
    )
    builder.call(made, values)


_axes: list[
    list[tuple[int, int]]
] = []  # of each access that is being written: (axis, axes) of the indices still to come


def _noting_axes(original: Callable[..., Any]) -> Callable[..., Any]:
    def basic_indexing(
        context: Any, builder: Any, kind: Any, array: Any, types: Sequence[Any], indices: Any, boundscheck: Any = None
    ) -> Any:
        from numba.cuda.types import Integer, NoneType, ellipsis

        axis, found = 0, []
        taken = sum(not isinstance(one, NoneType) and one is not ellipsis for one in types)
        for one in types:
            if isinstance(one, Integer):
                found.append((axis, kind.ndim))
            axis += kind.ndim - taken if one is ellipsis else not isinstance(one, NoneType)
        _axes.append(found)
        try:
            return original(context, builder, kind, array, types, indices, boundscheck)
        finally:
            _axes.pop()

    return basic_indexing


def _checking_index(original: Callable[..., Any]) -> Callable[..., Any]:
    def fix_integer_index(context: Any, builder: Any, kind: Any, index: Any, size: Any) -> Any:
        from numba.cuda.types import intp, uintp

        axis, axes = _axes[-1].pop(0) if _axes and _axes[-1] else (0, 1)
        wide = context.cast(builder, index, kind, intp if kind.signed else uintp)
        if not _meant(wide):
            _emit(builder, f"minidil.index.{'s' if kind.signed else 'u'}64 {axis}, {axes}, $0, $1;", wide, size)
        return original(context, builder, kind, index, size)

    return fix_integer_index


def _meant(index: Any) -> bool:
    """Whether it is a negative number in the text of the program, such as x[-1]."""
    from llvmlite import ir

    return isinstance(index, ir.Constant) and isinstance(index.constant, int) and index.constant < 0


def _checking_pointer(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_item_pointer2(
        context: Any,
        builder: Any,
        data: Any,
        shape: Any,
        strides: Any,
        layout: str,
        inds: Any,
        wraparound: bool = False,
        boundscheck: bool = False,
    ) -> Any:
        if wraparound:
            for axis, (index, size) in enumerate(zip(inds, shape, strict=True)):
                if not _meant(index):
                    _emit(builder, f"minidil.index.s64 {axis}, {len(inds)}, $0, $1;", index, size)
        return original(context, builder, data, shape, strides, layout, inds, wraparound, boundscheck)

    return get_item_pointer2


def _marking_local(original: Callable[..., Any]) -> Callable[..., Any]:
    def _generic_array(
        context: Any, builder: Any, shape: Any, dtype: Any, symbol_name: str, addrspace: int, *rest: Any, **named: Any
    ) -> Any:
        from numba.cuda.cudadrv import nvvm
        from numba.cuda.np.arrayobj import make_array
        from numba.cuda.types import Array

        made = original(context, builder, shape, dtype, symbol_name, addrspace, *rest, **named)
        if addrspace == nvvm.ADDRSPACE_LOCAL:
            array = make_array(Array(dtype, len(shape), "C"))(context, builder, made)
            size = context.get_abi_sizeof(context.get_data_type(dtype))
            for extent in shape:
                size *= extent
            _emit(builder, f"minidil.local {size}, $0;", array.data)
        return made

    return _generic_array


def _marking_zero(original: Callable[..., Any]) -> Callable[..., Any]:
    def fp_zero_division(self: Any, builder: Any, exc_args: Any = None, loc: Any = None) -> Any:
        if exc_args and str(exc_args[0]).startswith("integer"):
            _emit(builder, "minidil.zero;")
        return original(self, builder, exc_args, loc)

    return fp_zero_division


def _marking_raise(original: Callable[..., Any]) -> Callable[..., Any]:
    def return_user_exc(
        self: Any, builder: Any, exc: Any, exc_args: Any = None, loc: Any = None, func_name: Any = None
    ) -> Any:
        said = ": ".join([getattr(exc, "__name__", "exception"), *map(str, exc_args or ())])
        _emit(builder, f"minidil.raise {said.encode().hex()};")
        return original(self, builder, exc, exc_args, loc, func_name)

    return return_user_exc


class _Apart:
    """What a device function was compiled to, kept by itself while there are checks."""

    def __get__(self, function: Any, kind: Any = None) -> Any:
        return function.__dict__.setdefault("_minidil_checked", {})

    def __set__(self, function: Any, compiled: Any) -> None:
        function.__dict__["overloads"] = compiled
