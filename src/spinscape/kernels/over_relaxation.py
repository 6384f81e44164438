"""Over-relaxation of vector spins, LANES at once: arrays in, arrays out.

A spin makes half a turn about the field it feels (in the plane of an XY spin: is mirrored at it). The energy stays, and
nothing is random, unless the energy has more than a field: that part accepts or refuses.
"""

from .jit import borrowing, inlined
from .lane_field import curvature_change, local_field, put
from .metropolis import BLOCK, TINY, draw_thresholds
from .simd import divided, fill, load, minus_product, plus_product, store, times
from .simd_math import larger, minus, plus, where_less


@inlined
def _within(normal, a, b, c):
    """Return the part of a field across a normal."""
    p, q, r = fill(normal[0]), fill(normal[1]), fill(normal[2])
    along = plus_product(plus_product(times(a, p), b, q), c, r)
    return minus_product(a, along, p), minus_product(b, along, q), minus_product(c, along, r)


@borrowing
def over_relaxation_sweep(beta, lattice, couplings, spins, state, draws, tally):
    """Turn every spin once; arguments as of :func:`spinscape.kernels.metropolis.metropolis_sweep`."""
    accepted, gained = load(tally, 0), load(tally, 1)
    zero, one = fill(0.0), fill(1.0)
    for first in range(0, len(lattice.site), BLOCK):
        last = min(first + BLOCK, len(lattice.site))
        if couplings.any_curved:
            draw_thresholds(first, last, state, draws)
        for group in range(first, last):
            site = lattice.site[group]
            x, y, z = load(spins, (group, 0)), load(spins, (group, 1)), load(spins, (group, 2))
            a, b, c = local_field(group, lattice, couplings, spins)
            if couplings.planar[site]:
                a, b, c = _within(couplings.frame[site, 2], a, b, c)
            square = plus_product(plus_product(times(a, a), b, b), c, c)
            dot = plus_product(plus_product(times(a, x), b, y), c, z)
            factor = divided(plus(dot, dot), larger(square, fill(TINY)))
            u, v, w = minus(times(factor, a), x), minus(times(factor, b), y), minus(times(factor, c), z)
            # Without a field there is nothing to turn about.
            u, v, w = (
                where_less(square, fill(TINY), x, u),
                where_less(square, fill(TINY), y, v),
                where_less(square, fill(TINY), z, w),
            )
            taken = where_less(zero, load(lattice.length, group), one, zero)
            if couplings.curved[site]:
                curved = curvature_change(group, lattice, couplings, spins, u, v, w)
                threshold, scaled = load(draws, (group - first, 3)), times(fill(beta), curved)
                taken = where_less(threshold, scaled, zero, taken)
                u = where_less(threshold, scaled, x, u)
                v = where_less(threshold, scaled, y, v)
                w = where_less(threshold, scaled, z, w)
                gained = plus_product(gained, taken, curved)
            accepted = plus(accepted, taken)
            put(group, lattice, spins, u, v, w)
    store(tally, 0, accepted)
    store(tally, 1, gained)


@borrowing
def restore_lengths(lattice, spins):
    """Give spins back the length that rounding has changed, to first order in the change."""
    for group in range(len(lattice.site)):
        x, y, z = load(spins, (group, 0)), load(spins, (group, 1)), load(spins, (group, 2))
        length = load(lattice.length, group)
        square = plus_product(plus_product(times(x, x), y, y), z, z)
        ratio = divided(square, larger(times(length, length), fill(TINY)))
        factor = minus_product(fill(1.5), fill(0.5), ratio)
        put(group, lattice, spins, times(factor, x), times(factor, y), times(factor, z))
