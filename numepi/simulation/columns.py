"""Columns of a flat array as tuples: how the lane driver hands arrays to scalar functions.

``take(array, start, stride, count)`` is (array[start], array[start + stride], ...), ``count`` numbers (a literal);
``put(array, start, stride, count, values)`` stores a tuple of that many there.  With a constant ``stride`` the
optimiser sees that rows do not overlap.  There is no bounds check: the driver owns the arrays.
"""

from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaTypeError
from numba.extending import intrinsic

__all__ = ["put", "take"]


def _pointers(context, builder, array_type, array, start, stride, count):
    data = context.make_array(array_type)(context, builder, array).data
    for i in range(count):
        offset = builder.mul(stride, stride.type(i), flags=["nsw"])
        yield cgutils.gep_inbounds(builder, data, builder.add(start, offset, flags=["nsw"]))


@intrinsic(prefer_literal=True)
def take(typing_context, array, start, stride, count):
    """Load a tuple of ``count`` (a literal) elements."""
    count_value = count.literal_value
    result = types.UniTuple(array.dtype, count_value)

    def codegen(context, builder, signature, arguments):
        array, start, stride, _ = arguments
        start = context.cast(builder, start, signature.args[1], types.intp)
        stride = context.cast(builder, stride, signature.args[2], types.intp)
        values = [
            builder.load(pointer)
            for pointer in _pointers(context, builder, signature.args[0], array, start, stride, count_value)
        ]
        return context.make_tuple(builder, signature.return_type, values)

    return result(array, start, stride, count), codegen


@intrinsic(prefer_literal=True)
def put(typing_context, array, start, stride, count, values):
    """Store a tuple of ``count`` (a literal) elements of the array's own type."""
    if not isinstance(count, types.IntegerLiteral):
        return None  # numba's second try, after it was refused with the literal
    if not isinstance(values, types.BaseTuple) or len(values) != count.literal_value:
        raise NumbaTypeError(f"put: {values} where there is room for {count.literal_value} numbers")
    if any(item != array.dtype for item in values.types):
        raise NumbaTypeError(f"put: {values} into {array}: the elements must be {array.dtype} (an untyped literal?)")

    def codegen(context, builder, signature, arguments):
        array, start, stride, _, values = arguments
        start = context.cast(builder, start, signature.args[1], types.intp)
        stride = context.cast(builder, stride, signature.args[2], types.intp)
        pointers = _pointers(context, builder, signature.args[0], array, start, stride, count.literal_value)
        for i, pointer in enumerate(pointers):
            builder.store(builder.extract_value(values, i), pointer)
        return context.get_dummy_value()

    return types.void(array, start, stride, count, values), codegen
