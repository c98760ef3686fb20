"""How functions are compiled: by numba, once for a processor, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled by numba to run without the GIL, taken from numba's cache on disk where it is.

    The cache is in $NUMBA_CACHE_DIR if that is set, else beside the source, else in the user's cache folder; where
    none of them can be written, every process compiles anew.
    """
    try:
        kernel = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba finds no folder for its cache
        kernel = njit(nogil=True)(function)
    return cast("Callable[..., Any]", kernel)


@intrinsic
def read_uint64(typing: Any, address: Any) -> Any:
    """Return the eight bytes at `address`, an int64, the first one lowest; without a check."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.PointerType(ir.IntType(64)))
        return builder.load(pointer, align=1)

    return types.uint64(types.int64), emit


@intrinsic
def write_uint64(typing: Any, address: Any, number: Any) -> Any:
    """Write eight bytes at `address`, an int64, the lowest first; without a check."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.PointerType(ir.IntType(64)))
        builder.store(arguments[1], pointer, align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), emit


@intrinsic
def prefetch(typing: Any, address: Any) -> Any:
    """Have what is at `address`, an int64, brought into the cache; nothing happens if there is nothing."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, number = ir.PointerType(ir.IntType(8)), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        builder.call(function, [builder.inttoptr(arguments[0], pointer), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(types.int64), emit


@intrinsic
def trailing_zeros(typing: Any, number: Any) -> Any:
    """Return how many of the low bits of a uint64 are 0; 64 for 0."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), emit
