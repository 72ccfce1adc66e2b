"""Registers: how numba's functions read and write the arrays that go from piece to piece.

An array is its owner, its place in memory and its lengths, one number after the other; a number is
itself.  What is written here is kept in compiled code: `glue.VERSION` says which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np


def type_of(variable: Any) -> Any:
    """Return numba's type of one of PyTensor's arrays (number after number) or numbers."""
    import numba
    from pytensor.tensor.type import TensorType

    number = numba.from_dtype(np.dtype(variable.type.dtype))
    if isinstance(variable.type, TensorType):
        return numba.types.Array(number, variable.type.ndim, "C")
    return number


def take(types: Sequence[Any], registers: Sequence[int]) -> Any:
    """Return an intrinsic that reads arrays and numbers from registers: a tuple of them."""
    from numba import types as kinds
    from numba.core import cgutils
    from numba.extending import intrinsic
    from numba.np.arrayobj import make_array, populate_array

    @intrinsic
    def taken(typing_context: Any, address: Any) -> Any:
        def read(context: Any, builder: Any, kind: Any, word: Any) -> Any:
            if not isinstance(kind, kinds.Array):
                where = builder.bitcast(word(0), context.get_data_type(kind).as_pointer())
                return context.unpack_value(builder, kind, where)
            array = make_array(kind)(context, builder)
            shape = [builder.load(word(2 + i)) for i in range(kind.ndim)]
            itemsize = context.get_abi_sizeof(context.get_data_type(kind.dtype))
            strides = [context.get_constant(kinds.intp, itemsize)]
            for length in shape[:0:-1]:
                strides.insert(0, builder.mul(strides[0], length))
            populate_array(
                array,
                data=builder.inttoptr(builder.load(word(1)), array.data.type),
                shape=shape,
                strides=strides[: kind.ndim] if kind.ndim else [],
                itemsize=itemsize,
                meminfo=builder.inttoptr(builder.load(word(0)), cgutils.voidptr_t),
            )
            value = array._getvalue()
            context.nrt.incref(builder, kind, value)
            return value

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = [
                read(context, builder, kind, _words(builder, args[0], register))
                for kind, register in zip(types, registers, strict=True)
            ]
            return context.make_tuple(builder, signature.return_type, values)

        return kinds.BaseTuple.from_types(tuple(types))(address), codegen

    return taken


def give(types: Sequence[Any], registers: Sequence[int]) -> Any:
    """Return an intrinsic that writes a tuple of arrays and numbers to registers.

    Arrays have one number after the other then; they belong to the registers.
    """
    from numba import types as kinds
    from numba.core import cgutils
    from numba.core.errors import TypingError
    from numba.extending import intrinsic
    from numba.np.arrayobj import make_array

    def in_order(array: Any) -> Any:
        return array.copy()

    @intrinsic
    def given(typing_context: Any, address: Any, values: Any) -> Any:
        def write(context: Any, builder: Any, kind: Any, word: Any, value: Any, own: Any) -> None:
            if not isinstance(kind, kinds.Array):
                where = builder.bitcast(word(0), context.get_data_type(kind).as_pointer())
                context.pack_value(builder, kind, context.cast(builder, value, own, kind), where)
                return
            if own.layout == "C":
                context.nrt.incref(builder, own, value)
            else:
                copied = own.copy(layout="C", readonly=False)
                value = context.compile_internal(builder, in_order, copied(own), [value])
            array = make_array(kind)(context, builder, value)
            lengths = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
            kept = context.get_value_type(kinds.uintp)
            owner, place = (builder.ptrtoint(p, kept) for p in (array.meminfo, array.data))
            for i, part in enumerate((owner, place, *lengths)):
                builder.store(part, word(i))

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            many = cgutils.unpack_tuple(builder, args[1], len(types))
            for kind, register, value, own in zip(types, registers, many, values, strict=True):
                write(context, builder, kind, _words(builder, args[0], register), value, own)
            return context.get_dummy_value()

        for kind, own in zip(types, values, strict=True):
            same = isinstance(own, kinds.Array) == isinstance(kind, kinds.Array)
            if not same or (
                isinstance(kind, kinds.Array) and (own.dtype, own.ndim) != (kind.dtype, kind.ndim)
            ):
                raise TypingError(f"a piece makes {own}, and {kind} is expected of it")
        return kinds.none(address, values), codegen

    return given


def _words(builder: Any, address: Any, first: int) -> Callable[[int], Any]:
    """Return a function from a number to the pointer to that register after a first one."""
    begin = builder.inttoptr(address, address.type.as_pointer())

    def word(i: int) -> Any:
        return builder.gep(begin, [address.type(first + i)])

    return word


@cache
def pointer() -> Any:
    """Return an intrinsic that turns an address into a pointer."""
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def pointer(typing_context: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], cgutils.voidptr_t)

        return types.voidptr(types.uintp), codegen

    return pointer


@cache
def calls() -> dict[str, Any]:
    """Return intrinsics that call a C function of an address, and that let an array's owner go."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def call(typing_context: Any, address: Any, argument: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.FunctionType(ir.IntType(64), [args[1].type])
            return builder.call(builder.inttoptr(args[0], kind.as_pointer()), [args[1]])

        return types.int64(types.uintp, types.uintp), codegen

    @intrinsic
    def release(typing_context: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            owner = builder.inttoptr(args[0], cgutils.voidptr_t)
            context.nrt.decref(builder, types.MemInfoPointer(types.voidptr), owner)
            return context.get_dummy_value()

        return types.none(types.uintp), codegen

    return {"call": call, "release": release}
