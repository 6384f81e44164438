"""More operations on LANES doubles, and on LANES 64-bit words beside them, inside functions compiled by numba only."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from .simd import _CONTRACT, _LANES, _VECTOR, LANES, _pointer

_INTEGER = ir.IntType(64)
_BITS = ir.VectorType(_INTEGER, LANES)


class WordsType(types.Type):
    """Type of LANES words of 64 bits."""

    def __init__(self):
        super().__init__(name=f"Words{LANES}")


_WORDS = WordsType()


@register_model(WordsType)
class _WordsModel(models.PrimitiveModel):
    """Held as one LLVM vector."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, _BITS)


def _all(kind, value):
    """Return a constant vector of one value."""
    return ir.Constant(kind, [value] * LANES)


def _call(builder, name, *values):
    """Call an LLVM intrinsic function on vectors."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(values))
    function = cgutils.get_or_insert_function(builder.module, kind, f"{name}.v{LANES}f64")
    return builder.call(function, values)


@intrinsic
def item(typing, array, index):
    """Return array[index] for an index that is known to lie inside: without the test for a negative one."""

    def generate(context, builder, signature, values):
        kinds = signature.args
        where = cgutils.unpack_tuple(builder, values[1]) if isinstance(kinds[1], types.BaseTuple) else [values[1]]
        view = context.make_array(kinds[0])(context, builder, values[0])
        place = cgutils.get_item_pointer(context, builder, kinds[0], view, where, wraparound=False)
        return context.unpack_value(builder, kinds[0].dtype, place)

    return array.dtype(array, index), generate


@intrinsic
def plus(typing, x, y):
    """Return x + y."""
    return _LANES(_LANES, _LANES), lambda _, builder, __, values: builder.fadd(*values, flags=_CONTRACT)


@intrinsic
def minus(typing, x, y):
    """Return x − y."""
    return _LANES(_LANES, _LANES), lambda _, builder, __, values: builder.fsub(*values, flags=_CONTRACT)


@intrinsic
def root(typing, x):
    """Return the square root."""
    return _LANES(_LANES), lambda _, builder, __, values: _call(builder, "llvm.sqrt", *values)


@intrinsic
def whole(typing, x):
    """Return the largest whole number that is not above x."""
    return _LANES(_LANES), lambda _, builder, __, values: _call(builder, "llvm.floor", *values)


@intrinsic
def with_sign(typing, x, y):
    """Return |x| with the sign of y."""
    return _LANES(_LANES, _LANES), lambda _, builder, __, values: _call(builder, "llvm.copysign", *values)


@intrinsic
def size(typing, x):
    """Return |x|."""
    return _LANES(_LANES), lambda _, builder, __, values: _call(builder, "llvm.fabs", *values)


@intrinsic
def larger(typing, x, y):
    """Return the larger of x and y; y where they do not compare."""

    def generate(context, builder, signature, values):
        return builder.select(builder.fcmp_ordered(">", *values), *values)

    return _LANES(_LANES, _LANES), generate


@intrinsic
def smaller(typing, x, y):
    """Return the smaller of x and y; y where they do not compare."""

    def generate(context, builder, signature, values):
        return builder.select(builder.fcmp_ordered("<", *values), *values)

    return _LANES(_LANES, _LANES), generate


@intrinsic
def where_less(typing, x, y, yes, no):
    """Return ``yes`` where x < y, and ``no`` elsewhere."""

    def generate(context, builder, signature, values):
        return builder.select(builder.fcmp_ordered("<", values[0], values[1]), values[2], values[3])

    return _LANES(_LANES, _LANES, _LANES, _LANES), generate


@intrinsic
def load_words(typing, array, index):
    """Return array[index], a row of LANES uint64."""

    def generate(context, builder, signature, values):
        place = _pointer(context, builder, signature.args[0], values[0], signature.args[1], values[1])
        return builder.load(builder.bitcast(place, _BITS.as_pointer()), align=8, typ=_BITS)

    return _WORDS(array, index), generate


@intrinsic
def store_words(typing, array, index, value):
    """Write array[index] = value, a row of LANES uint64."""

    def generate(context, builder, signature, values):
        place = _pointer(context, builder, signature.args[0], values[0], signature.args[1], values[1])
        builder.store(values[2], builder.bitcast(place, _BITS.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.none(array, index, value), generate


@intrinsic
def word_sum(typing, s, t):
    """Return s + t of words, modulo 2⁶⁴."""
    return _WORDS(_WORDS, _WORDS), lambda _, builder, __, values: builder.add(*values)


@intrinsic
def words_after(typing, s, t):
    """Return the state of xoroshiro128+ that follows (s, t).

    Source: Blackman and Vigna, ACM Trans. Math. Softw. 47, 36 (2021), with the rotations 24, 16, 37.
    """

    def rotated(builder, x, k):
        return builder.or_(builder.shl(x, _all(_BITS, k)), builder.lshr(x, _all(_BITS, 64 - k)))

    def generate(context, builder, signature, values):
        s, t = values
        t = builder.xor(s, t)
        first = builder.xor(builder.xor(rotated(builder, s, 24), t), builder.shl(t, _all(_BITS, 16)))
        return context.make_tuple(builder, signature.return_type, [first, rotated(builder, t, 37)])

    return types.UniTuple(_WORDS, 2)(_WORDS, _WORDS), generate


@intrinsic
def one_to_two(typing, word):
    """Return numbers in [1, 2) from the upper 52 bits of words."""

    def generate(context, builder, signature, values):
        bits = builder.or_(builder.lshr(values[0], _all(_BITS, 12)), _all(_BITS, 0x3FF << 52))
        return builder.bitcast(bits, _VECTOR)

    return _LANES(_WORDS), generate


def _top(builder, word, bit):
    """Return words whose sign bit is one bit of the given ones."""
    away = builder.sub(ir.Constant(_INTEGER, 63), bit)
    first = builder.insert_element(ir.Constant(_BITS, ir.Undefined), away, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shl(word, builder.shuffle_vector(first, ir.Constant(_BITS, ir.Undefined), order))


@intrinsic
def where_bit(typing, word, bit, yes, no):
    """Return ``yes`` where the bit (0 to 63) of the word is set, and ``no`` elsewhere."""

    def generate(context, builder, signature, values):
        is_set = builder.icmp_signed("<", _top(builder, values[0], values[1]), _all(_BITS, 0))
        return builder.select(is_set, values[2], values[3])

    return _LANES(_WORDS, types.int64, _LANES, _LANES), generate


@intrinsic
def signed_by_bit(typing, x, word, bit):
    """Return −x where the bit (0 to 63) of the word is set, and x elsewhere."""

    def generate(context, builder, signature, values):
        sign = builder.and_(_top(builder, values[1], values[2]), _all(_BITS, 1 << 63))
        return builder.bitcast(builder.xor(builder.bitcast(values[0], _BITS), sign), _VECTOR)

    return _LANES(_LANES, _WORDS, types.int64), generate


@intrinsic
def halves(typing, word):
    """Return two numbers in [1, 2), from the upper 32 bits of words and from the lowest 30."""

    def generate(context, builder, signature, values):
        one = _all(_BITS, 0x3FF << 52)
        upper = builder.lshr(builder.and_(values[0], _all(_BITS, 0xFFFFFFFF << 32)), _all(_BITS, 12))
        lower = builder.lshr(builder.shl(values[0], _all(_BITS, 34)), _all(_BITS, 12))
        pair = [builder.bitcast(builder.or_(half, one), _VECTOR) for half in (upper, lower)]
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(_LANES, 2)(_WORDS), generate


@intrinsic
def times_power(typing, x, shifted):
    """Return x · 2ⁿ, n the whole number that ``shifted`` − 1.5 · 2⁵² is: x and the result are normal."""

    def generate(context, builder, signature, values):
        power = builder.shl(builder.bitcast(values[1], _BITS), _all(_BITS, 52))
        return builder.bitcast(builder.add(builder.bitcast(values[0], _BITS), power), _VECTOR)

    return _LANES(_LANES, _LANES), generate


_HALF_ROOT = 0x3FE6A09E667F3BCD  # bits of sqrt(1/2)
_ONE = 0x3FF << 52
_EXPONENT = 0xFFF << 52
_MAGIC = 0x433 << 52  # bits of 2⁵²: a whole number below that, put into the mantissa, is the number plus 2⁵²


@intrinsic
def mantissa_and_exponent(typing, x):
    """Return m in [√½, √2) and the whole number k of x = m 2ᵏ, for normal x > 0."""

    def generate(context, builder, signature, values):
        bits = builder.bitcast(values[0], _BITS)
        # Biased, so that the shift need not know of signs.
        moved = builder.add(bits, _all(_BITS, _ONE - _HALF_ROOT))
        exponent = builder.and_(moved, _all(_BITS, _EXPONENT))
        mantissa = builder.bitcast(builder.sub(bits, builder.sub(exponent, _all(_BITS, _ONE))), _VECTOR)
        raised = builder.bitcast(builder.or_(builder.lshr(moved, _all(_BITS, 52)), _all(_BITS, _MAGIC)), _VECTOR)
        power = builder.fsub(raised, _all(_VECTOR, 2.0**52 + 1023.0))
        return context.make_tuple(builder, signature.return_type, [mantissa, power])

    return types.UniTuple(_LANES, 2)(_LANES), generate
