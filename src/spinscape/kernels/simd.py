"""A vector of LANES doubles inside compiled functions: one SIMD register (or two) by name, not by the compiler's luck.

The compiler does not vectorise loops over lanes by itself: it cannot know that arrays do not overlap. These few
operations say what is meant. They exist inside functions compiled by numba only.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

LANES = 8
"""Doubles side by side: one AVX-512 register, two of AVX2."""
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_CONTRACT = ("contract",)


class LanesType(types.Type):
    """Type of LANES doubles."""

    def __init__(self):
        super().__init__(name=f"Lanes{LANES}")


_LANES = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    """Held as one LLVM vector."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, _VECTOR)


def _pointer(context, builder, kind, value, index_kind, index):
    """Return the address of array[(*index, 0)]."""
    where = cgutils.unpack_tuple(builder, index) if isinstance(index_kind, types.BaseTuple) else [index]
    array = context.make_array(kind)(context, builder, value)
    where = [*where, context.get_constant(types.intp, 0)]
    place = cgutils.get_item_pointer(context, builder, kind, array, where, wraparound=False)
    return builder.bitcast(place, _VECTOR.as_pointer())


@intrinsic
def load(typing, array, index):
    """Return array[index], a row of LANES float64; ``index`` is an integer, or a tuple of them."""

    def generate(context, builder, signature, values):
        place = _pointer(context, builder, signature.args[0], values[0], signature.args[1], values[1])
        return builder.load(place, align=8, typ=_VECTOR)

    return _LANES(array, index), generate


@intrinsic
def store(typing, array, index, value):
    """Write array[index] = value, a row of LANES float64."""

    def generate(context, builder, signature, values):
        place = _pointer(context, builder, signature.args[0], values[0], signature.args[1], values[1])
        builder.store(values[2], place, align=8)
        return context.get_dummy_value()

    return types.none(array, index, value), generate


@intrinsic
def fill(typing, value):
    """Return a vector of one float64 value."""

    def generate(context, builder, signature, values):
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), values[0], ir.Constant(ir.IntType(32), 0))
        order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), order)

    return _LANES(types.float64), generate


@intrinsic
def times(typing, x, y):
    """Return x · y."""

    def generate(context, builder, signature, values):
        return builder.fmul(*values, flags=_CONTRACT)

    return _LANES(_LANES, _LANES), generate


@intrinsic
def divided(typing, x, y):
    """Return x / y."""

    def generate(context, builder, signature, values):
        return builder.fdiv(*values)

    return _LANES(_LANES, _LANES), generate


@intrinsic
def plus_product(typing, t, x, y):
    """Return t + x · y, fused."""

    def generate(context, builder, signature, values):
        return builder.fadd(values[0], builder.fmul(values[1], values[2], flags=_CONTRACT), flags=_CONTRACT)

    return _LANES(_LANES, _LANES, _LANES), generate


@intrinsic
def minus_product(typing, t, x, y):
    """Return t - x · y, fused."""

    def generate(context, builder, signature, values):
        return builder.fsub(values[0], builder.fmul(values[1], values[2], flags=_CONTRACT), flags=_CONTRACT)

    return _LANES(_LANES, _LANES, _LANES), generate
