"""A hint to the processor, which Numba does not offer by itself."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

FOR_WRITING, CLOSEST, DATA = 1, 3, 1
"""What is going to be done, to which level of the caches, and with which of them: see `llvm.prefetch`."""


@intrinsic
def prefetch(typing, array, index):
    """Begin to fetch the cache line of an element of a flat array; changes nothing, and may lie outside of it."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        hint = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [pointer, number, number, number]), "llvm.prefetch.p0"
        )
        place = builder.bitcast(builder.gep(data, [arguments[1]]), pointer)
        builder.call(hint, [place, number(FOR_WRITING), number(CLOSEST), number(DATA)])
        return context.get_dummy_value()

    return types.void(array, index), generate
