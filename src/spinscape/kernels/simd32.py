"""Vectors of WIDE 32-bit integers and floats inside compiled functions, for single precision: see ``kernels.simd``.

Operations take and give whole vectors; arrays are one-dimensional, of 32-bit numbers, and indexed by their elements.
They exist inside functions compiled by numba only.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

WIDE = 16
"""Numbers side by side: one AVX-512 register, two of AVX2."""
_INT = ir.VectorType(ir.IntType(32), WIDE)
_FLOAT = ir.VectorType(ir.FloatType(), WIDE)
_CONTRACT = ("contract",)


class IntsType(types.Type):
    """Type of WIDE 32-bit integers, whose sign is a matter of the operation."""

    def __init__(self):
        super().__init__(name=f"Ints{WIDE}")


class FloatsType(types.Type):
    """Type of WIDE floats."""

    def __init__(self):
        super().__init__(name=f"Floats{WIDE}")


INTS, FLOATS = IntsType(), FloatsType()


@register_model(IntsType)
class _IntsModel(models.PrimitiveModel):
    """Held as one LLVM vector."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, _INT)


@register_model(FloatsType)
class _FloatsModel(models.PrimitiveModel):
    """Held as one LLVM vector."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, _FLOAT)


def _place(context, builder, kind, value, index, vector):
    """Return the address of array[index] as that of a vector."""
    array = context.make_array(kind)(context, builder, value)
    place = cgutils.get_item_pointer(context, builder, kind, array, [index], wraparound=False)
    return builder.bitcast(place, vector.as_pointer())


def _spread(builder, vector, value):
    """Return a vector of one value."""
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), WIDE), [0] * WIDE)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), order)


@intrinsic
def load_ints(typing, array, index):
    """Return array[index : index + WIDE] of 32-bit integers."""

    def generate(context, builder, signature, values):
        place = _place(context, builder, signature.args[0], values[0], values[1], _INT)
        return builder.load(place, align=4, typ=_INT)

    return INTS(array, types.intp), generate


@intrinsic
def store_ints(typing, array, index, value):
    """Write array[index : index + WIDE] of 32-bit integers."""

    def generate(context, builder, signature, values):
        builder.store(values[2], _place(context, builder, signature.args[0], values[0], values[1], _INT), align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, INTS), generate


@intrinsic
def load_floats(typing, array, index):
    """Return array[index : index + WIDE] of float32."""

    def generate(context, builder, signature, values):
        place = _place(context, builder, signature.args[0], values[0], values[1], _FLOAT)
        return builder.load(place, align=4, typ=_FLOAT)

    return FLOATS(array, types.intp), generate


@intrinsic
def store_floats(typing, array, index, value):
    """Write array[index : index + WIDE] of float32."""

    def generate(context, builder, signature, values):
        builder.store(values[2], _place(context, builder, signature.args[0], values[0], values[1], _FLOAT), align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, FLOATS), generate


@intrinsic
def fill_ints(typing, value):
    """Return a vector of one integer, of which 32 bits are taken."""

    def generate(context, builder, signature, values):
        return _spread(builder, _INT, builder.trunc(values[0], ir.IntType(32)))

    return INTS(types.int64), generate


@intrinsic
def fill_floats(typing, value):
    """Return a vector of one number, rounded to float32."""

    def generate(context, builder, signature, values):
        return _spread(builder, _FLOAT, builder.fptrunc(values[0], ir.FloatType()))

    return FLOATS(types.float64), generate


@intrinsic
def add_ints(typing, x, y):
    """Return x + y, modulo 2³²."""

    def generate(context, builder, signature, values):
        return builder.add(*values)

    return INTS(INTS, INTS), generate


@intrinsic
def subtract_ints(typing, x, y):
    """Return x - y, modulo 2³²."""

    def generate(context, builder, signature, values):
        return builder.sub(*values)

    return INTS(INTS, INTS), generate


@intrinsic
def xor_ints(typing, x, y):
    """Return x ^ y."""

    def generate(context, builder, signature, values):
        return builder.xor(*values)

    return INTS(INTS, INTS), generate


@intrinsic
def and_ints(typing, x, y):
    """Return x & y."""

    def generate(context, builder, signature, values):
        return builder.and_(*values)

    return INTS(INTS, INTS), generate


@intrinsic
def or_ints(typing, x, y):
    """Return x | y."""

    def generate(context, builder, signature, values):
        return builder.or_(*values)

    return INTS(INTS, INTS), generate


@intrinsic
def left(typing, x, n):
    """Return x << n."""

    def generate(context, builder, signature, values):
        return builder.shl(values[0], _spread(builder, _INT, builder.trunc(values[1], ir.IntType(32))))

    return INTS(INTS, types.int64), generate


@intrinsic
def right(typing, x, n):
    """Return x >> n with zeros coming in."""

    def generate(context, builder, signature, values):
        return builder.lshr(values[0], _spread(builder, _INT, builder.trunc(values[1], ir.IntType(32))))

    return INTS(INTS, types.int64), generate


@intrinsic
def to_floats(typing, x):
    """Return signed integers as floats."""

    def generate(context, builder, signature, values):
        return builder.sitofp(values[0], _FLOAT)

    return FLOATS(INTS), generate


@intrinsic
def to_ints(typing, x):
    """Return floats cut to signed integers; they must be in range."""

    def generate(context, builder, signature, values):
        return builder.fptosi(values[0], _INT)

    return INTS(FLOATS), generate


@intrinsic
def bits(typing, x):
    """Return the bits of floats."""

    def generate(context, builder, signature, values):
        return builder.bitcast(values[0], _INT)

    return INTS(FLOATS), generate


@intrinsic
def from_bits(typing, x):
    """Return the floats that have these bits."""

    def generate(context, builder, signature, values):
        return builder.bitcast(values[0], _FLOAT)

    return FLOATS(INTS), generate


@intrinsic
def below(typing, x, y):
    """Return a word whose bit n says whether x[n] < y[n], of signed integers."""

    def generate(context, builder, signature, values):
        found = builder.bitcast(builder.icmp_signed("<", *values), ir.IntType(WIDE))
        return builder.zext(found, ir.IntType(64))

    return types.uint64(INTS, INTS), generate


@intrinsic
def lowest_bit(typing, word):
    """Return the place of the lowest bit of a word that is not zero."""

    def generate(context, builder, signature, values):
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


@intrinsic
def times_floats(typing, x, y):
    """Return x · y."""

    def generate(context, builder, signature, values):
        return builder.fmul(*values, flags=_CONTRACT)

    return FLOATS(FLOATS, FLOATS), generate


@intrinsic
def add_floats(typing, x, y):
    """Return x + y."""

    def generate(context, builder, signature, values):
        return builder.fadd(*values, flags=_CONTRACT)

    return FLOATS(FLOATS, FLOATS), generate


@intrinsic
def plus_floats(typing, t, x, y):
    """Return t + x · y, fused."""

    def generate(context, builder, signature, values):
        return builder.fadd(values[0], builder.fmul(values[1], values[2], flags=_CONTRACT), flags=_CONTRACT)

    return FLOATS(FLOATS, FLOATS, FLOATS), generate


@intrinsic
def smaller(typing, x, y):
    """Return the smaller of x and y; y where one is not a number."""

    def generate(context, builder, signature, values):
        return builder.select(builder.fcmp_ordered("<", *values), *values)

    return FLOATS(FLOATS, FLOATS), generate


@intrinsic
def larger(typing, x, y):
    """Return the larger of x and y; y where one is not a number."""

    def generate(context, builder, signature, values):
        return builder.select(builder.fcmp_ordered(">", *values), *values)

    return FLOATS(FLOATS, FLOATS), generate
