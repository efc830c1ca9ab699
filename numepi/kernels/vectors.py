"""Vectors as values in kernels, for loops that must keep what they gather in registers: matrix products, searches.

A vector holds `VECTOR_BYTES` of consecutive elements: a register of AVX-512 or AVX2, two of narrower machines.  LLVM's
own vectoriser takes one loop and keeps nothing from turn to turn of an outer one: sums go to memory and back at each.

    load(a, i)               a[i], a[i + 1], ...                store(a, i, x)    write x there
    broadcast(a, i)          a[i] in every place                zeros(a)          of the element type of a
    spread(a, x)             x, one of the element type of a, in every place
    add, subtract, multiply  x + y, x - y, x y                  multiply_add(x, y, z)   x y + z, fused where it can be
    where_at_least(x, y, u, v)  u where x >= y, v elsewhere        where_equal(x, y, u, v)   u where x == y, v elsewhere
    add_sums(a, i, x0, x1, x2, x3)   a[i + j] += sum of x_j, in a fixed order

Arrays are C-contiguous, of any rank; i counts elements from the first and is not checked.
"""

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

__all__ = [
    "VECTOR_BYTES", "add", "add_sums", "broadcast", "load", "multiply", "multiply_add", "spread", "store", "subtract",
    "where_at_least", "where_equal", "zeros",
]  # fmt: skip

VECTOR_BYTES = 64 if get_host_cpu_features().get("avx512f") else 32


class _Vector(types.Type):
    def __init__(self, dtype, size):
        self.dtype, self.size = dtype, size
        super().__init__(f"vector({dtype}, {size})")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        element = manager.lookup(vector.dtype).get_value_type()
        super().__init__(manager, vector, ir.VectorType(element, vector.size))


def _vector_of(array):
    if not isinstance(array, types.Array) or array.layout != "C":
        raise TypeError(f"{array}: vectors are read from and written to C-contiguous arrays")
    return _Vector(array.dtype, VECTOR_BYTES // (array.dtype.bitwidth // 8))


def _pointer(context, builder, signature, arguments, pointee=None):
    """To element ``arguments[1]`` of the array ``arguments[0]``, as one to ``pointee``."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    pointer = cgutils.gep_inbounds(builder, array.data, arguments[1])
    return pointer if pointee is None else builder.bitcast(pointer, pointee.as_pointer())


def _alignment(signature):
    return signature.args[0].dtype.bitwidth // 8


def _pick(builder, x, y, places):
    """Elements of x and y joined."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places))
    return builder.shuffle_vector(x, y, mask)


def _everywhere(context, builder, vector, element):
    empty = ir.Constant(context.get_value_type(vector), ir.Undefined)
    first = builder.insert_element(empty, element, ir.Constant(ir.IntType(32), 0))
    return _pick(builder, first, empty, [0] * vector.size)


@intrinsic
def load(typing_context, array, i):
    """The vector that begins at element i."""
    vector = _vector_of(array)

    def codegen(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments, context.get_value_type(vector))
        return builder.load(pointer, align=_alignment(signature))

    return vector(array, types.intp), codegen


@intrinsic
def store(typing_context, array, i, x):
    """Write a vector from element i on."""
    if x != _vector_of(array):
        raise TypeError(f"store: {x} into {array}")

    def codegen(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature, arguments, arguments[2].type)
        builder.store(arguments[2], pointer, align=_alignment(signature))
        return context.get_dummy_value()

    return types.void(array, types.intp, x), codegen


@intrinsic
def broadcast(typing_context, array, i):
    """Element i in every place."""
    vector = _vector_of(array)

    def codegen(context, builder, signature, arguments):
        element = builder.load(_pointer(context, builder, signature, arguments))
        return _everywhere(context, builder, vector, element)

    return vector(array, types.intp), codegen


@intrinsic
def spread(typing_context, array, x):
    """X, of the element type of ``array``, in every place."""
    vector = _vector_of(array)
    if x != vector.dtype:
        raise TypeError(f"spread: {x} among elements of {array}")

    def codegen(context, builder, signature, arguments):
        return _everywhere(context, builder, vector, arguments[1])

    return vector(array, x), codegen


@intrinsic
def zeros(typing_context, array):
    """Zeros of the element type of ``array``."""
    vector = _vector_of(array)

    def codegen(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(vector), [0.0] * vector.size)

    return vector(array), codegen


def _of_two(operation):
    def codegen(context, builder, signature, arguments):
        return getattr(builder, operation)(*arguments, flags=["contract"])

    return codegen


@intrinsic
def add(typing_context, x, y):
    """X + y."""
    return x(x, x), _of_two("fadd")


@intrinsic
def subtract(typing_context, x, y):
    """X - y."""
    return x(x, x), _of_two("fsub")


@intrinsic
def multiply(typing_context, x, y):
    """X y."""
    return x(x, x), _of_two("fmul")


def _chosen(comparison):
    def codegen(context, builder, signature, arguments):
        x, y, u, v = arguments
        return builder.select(builder.fcmp_ordered(comparison, x, y), u, v)

    return codegen


@intrinsic
def where_at_least(typing_context, x, y, u, v):
    """U where x >= y, v elsewhere and where one is NaN."""
    return x(x, x, x, x), _chosen(">=")


@intrinsic
def where_equal(typing_context, x, y, u, v):
    """U where x == y, v elsewhere and where one is NaN."""
    return x(x, x, x, x), _chosen("==")


@intrinsic
def multiply_add(typing_context, x, y, z):
    """X y + z."""

    def codegen(context, builder, signature, arguments):
        x, y, z = arguments
        return builder.fadd(builder.fmul(x, y, flags=["contract"]), z, flags=["contract"])

    return x(x, x, x), codegen


@intrinsic
def add_sums(typing_context, array, i, x0, x1, x2, x3):
    """Add the sums of four vectors to elements i ... i + 3."""

    def codegen(context, builder, signature, arguments):
        sums = [_fold(builder, x, signature.args[2].size) for x in arguments[2:]]
        total = _pair_sums(builder, _pair_sums(builder, *sums[:2]), _pair_sums(builder, *sums[2:]))
        pointer = _pointer(context, builder, signature, arguments, total.type)
        before = builder.load(pointer, align=_alignment(signature))
        builder.store(builder.fadd(before, total), pointer, align=_alignment(signature))
        return context.get_dummy_value()

    return types.void(array, types.intp, x0, x1, x2, x3), codegen


def _fold(builder, x, size):
    """Four partial sums: each half added to the other until four are left."""
    while size > 4:
        size //= 2
        x = builder.fadd(_pick(builder, x, x, range(size)), _pick(builder, x, x, range(size, 2 * size)))
    return x


def _pair_sums(builder, x, y):
    """[x0 + x1, x2 + x3, y0 + y1, y2 + y3] of vectors of four."""
    return builder.fadd(_pick(builder, x, y, (0, 2, 4, 6)), _pick(builder, x, y, (1, 3, 5, 7)))
