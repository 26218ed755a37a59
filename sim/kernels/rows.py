"""Rows of four numbers as vectors of the processor, which Numba does not make of so short a loop.

Both functions take a node's 4 × 4 rows in a flat grid: row (m, n) begins at index + m stride_y + n stride_z, and its
weights are those along x times the m-th along y times the n-th along z, as `sim.kernels.ibm3d.weights` writes them.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


def _vector(context, builder, kind, array, index):
    """Return where four numbers from `index` on lie in a contiguous array."""
    data = context.make_array(kind)(context, builder, array).data
    row = ir.VectorType(data.type.pointee, 4).as_pointer()
    return builder.bitcast(builder.gep(data, [index]), row)


def _alignment(pointer):
    return 8 if isinstance(pointer.type.pointee.element, ir.DoubleType) else 4


def _load(builder, pointer):
    return builder.load(pointer, align=_alignment(pointer))


def _splat(builder, number):
    empty, one = ir.Constant(ir.VectorType(number.type, 4), ir.Undefined), ir.IntType(32)(0)
    filled = builder.insert_element(empty, number, one)
    return builder.shuffle_vector(filled, empty, ir.Constant(ir.VectorType(ir.IntType(32), 4), [0] * 4))


def _multiply_add(builder, a, b, c):
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _rows(context, builder, kinds, values):
    """Yield the flat index and the weight along y and z of each row; first of all the weights along x."""
    index, stride_y, stride_z, weight, node = values
    first = builder.mul(node, ir.IntType(64)(12))
    along = [
        _load(builder, _vector(context, builder, kinds[3], weight, builder.add(first, ir.IntType(64)(4 * axis))))
        for axis in range(3)
    ]
    yield along[0]
    for n in range(4):
        for m in range(4):
            y, z = (builder.extract_element(along[axis], ir.IntType(32)(i)) for axis, i in ((1, m), (2, n)))
            row = builder.add(index, builder.mul(stride_y, ir.IntType(64)(m)))
            yield builder.add(row, builder.mul(stride_z, ir.IntType(64)(n))), builder.fmul(y, z)


@intrinsic
def add_to_rows(typing, fx, fy, fz, index, stride_y, stride_z, weight, node, gx, gy, gz):
    """Add a vector times the weights to three fields; all numbers of one floating-point type."""

    def generate(context, builder, signature, arguments):
        rows = _rows(context, builder, signature.args[3:8], arguments[3:8])
        along_x = next(rows)
        for row, share in rows:
            for axis in range(3):
                pointer = _vector(context, builder, signature.args[axis], arguments[axis], row)
                part = _splat(builder, builder.fmul(share, arguments[8 + axis]))
                total = _multiply_add(builder, along_x, part, _load(builder, pointer))
                builder.store(total, pointer, align=_alignment(pointer))
        return context.get_dummy_value()

    number = fx.dtype
    return types.void(fx, fy, fz, types.int64, types.int64, types.int64, weight, types.int64, *(number,) * 3), generate


@intrinsic
def sum_of_rows(typing, ux, uy, uz, index, stride_y, stride_z, weight, node):
    """Return the sums of three fields times the weights, each as a float64."""

    def generate(context, builder, signature, arguments):
        rows = _rows(context, builder, signature.args[3:8], arguments[3:8])
        along_x: Any = next(rows)
        totals = [ir.Constant(along_x.type, [0.0] * 4)] * 3
        for row, share in rows:
            part = builder.fmul(along_x, _splat(builder, share))
            for axis in range(3):
                values = _load(builder, _vector(context, builder, signature.args[axis], arguments[axis], row))
                totals[axis] = _multiply_add(builder, part, values, totals[axis])
        sums = []
        for total in totals:
            lanes = [builder.extract_element(total, ir.IntType(32)(i)) for i in range(4)]
            if isinstance(lanes[0].type, ir.FloatType):
                lanes = [builder.fpext(lane, ir.DoubleType()) for lane in lanes]
            sums.append(builder.fadd(builder.fadd(lanes[0], lanes[1]), builder.fadd(lanes[2], lanes[3])))
        return context.make_tuple(builder, signature.return_type, sums)

    result = types.UniTuple(types.float64, 3)
    return result(ux, uy, uz, types.int64, types.int64, types.int64, weight, types.int64), generate
