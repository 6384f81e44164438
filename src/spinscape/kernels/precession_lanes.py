"""LANES consecutive doubles of a one-dimensional array, at any place in it, and how LANES spins turn at once."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .jit import compiled
from .simd import _LANES, _VECTOR, LANES, divided, fill, minus_product, plus_product, times

__all__ = ["LANES", "load_at", "store_at", "turned"]


def _place(context, builder, kind, value, index):
    array = context.make_array(kind)(context, builder, value)
    return builder.bitcast(builder.gep(array.data, [index]), _VECTOR.as_pointer())


@intrinsic
def load_at(typing, array, index):
    """Return array[index : index + LANES] of a contiguous one-dimensional float64 array; nothing is checked."""

    def generate(context, builder, signature, values):
        place = _place(context, builder, signature.args[0], values[0], values[1])
        return builder.load(place, align=8, typ=_VECTOR)

    return _LANES(array, types.intp), generate


@intrinsic
def store_at(typing, array, index, value):
    """Write array[index : index + LANES] = value; nothing is checked."""

    def generate(context, builder, signature, values):
        place = _place(context, builder, signature.args[0], values[0], values[1])
        builder.store(values[2], place, align=8)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), generate


@intrinsic
def broadcast_at(typing, array, index):
    """Return LANES times array[index] of a contiguous one-dimensional float64 array; nothing is checked."""

    def generate(context, builder, signature, values):
        array = context.make_array(signature.args[0])(context, builder, values[0])
        value = builder.load(builder.gep(array.data, [values[1]]), align=8, typ=ir.DoubleType())
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        order = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), order)

    return _LANES(array, types.intp), generate


@compiled
def series_tangent(q):
    """Return tan(x)/x of q = x²: :func:`spinscape.kernels.precession.tangent_series` by lanes."""
    t = plus_product(fill(62.0 / 2835), fill(1382.0 / 155925), q)
    t = plus_product(fill(17.0 / 315), t, q)
    t = plus_product(fill(2.0 / 15), t, q)
    t = plus_product(fill(1.0 / 3), t, q)
    return plus_product(fill(1.0), t, q)


@compiled
def turned(x, y, z, gx, gy, gz, true_angle):
    """Return S turned about w: :func:`spinscape.kernels.precession.rotated` by lanes."""
    w2 = plus_product(plus_product(times(gx, gx), gy, gy), gz, gz)
    if true_angle:
        t = series_tangent(w2)
        gx, gy, gz, w2 = times(gx, t), times(gy, t), times(gz, t), times(w2, times(t, t))
    # S' = (r − 1) S + r (w × S + w (w·S)), r = 2/(1 + w²)
    r = divided(fill(2.0), plus_product(fill(1.0), fill(1.0), w2))
    along = times(r, plus_product(plus_product(times(gx, x), gy, y), gz, z))
    rest = minus_product(r, fill(1.0), fill(1.0))
    rx, ry, rz = times(r, gx), times(r, gy), times(r, gz)
    nx = minus_product(plus_product(plus_product(times(rest, x), along, gx), ry, z), rz, y)
    ny = minus_product(plus_product(plus_product(times(rest, y), along, gy), rz, x), rx, z)
    nz = minus_product(plus_product(plus_product(times(rest, z), along, gz), rx, y), ry, x)
    return nx, ny, nz
