"""Over-relaxation of vector spins, LANES at once: arrays in, arrays out.

A spin makes half a turn about the field it feels (in the plane of an XY spin: is mirrored at it). The energy stays, and
nothing is random, unless the energy has more than a field: that part accepts or refuses.
"""

from .jit import borrowing, inlined
from .lane_field import curvature_change, local_fields, put, refresh_copies
from .metropolis import TINY, accepted_of, draw_numbers
from .simd import divided, fill, load, minus_product, plus_product, store, times
from .simd_math import item, larger, minus, plus, where_less


@inlined
def _within(normal, a, b, c):
    """Return the part of a field across a normal."""
    p, q, r = fill(normal[0]), fill(normal[1]), fill(normal[2])
    along = plus_product(plus_product(times(a, p), b, q), c, r)
    return minus_product(a, along, p), minus_product(b, along, q), minus_product(c, along, r)


@borrowing
def over_relaxation_sweep(beta, lattice, couplings, spins, state, draws, fields, tally):
    """Turn every spin once; arguments as of :func:`spinscape.kernels.metropolis.metropolis_sweep`."""
    accepted, gained = load(tally, 0), load(tally, 1)
    zero, one = fill(0.0), fill(1.0)
    for batch in range(len(lattice.batch_start) - 1):
        first, last = lattice.batch_start[batch], lattice.batch_start[batch + 1]
        local_fields(first, last, lattice, couplings, spins, fields)
        if couplings.any_curved:
            draw_numbers(first, last, state, draws)
        for group in range(first, last):
            site, at = item(lattice.site, group), group - first
            x, y, z = load(spins, (group, 0)), load(spins, (group, 1)), load(spins, (group, 2))
            a, b, c = load(fields, (at, 0)), load(fields, (at, 1)), load(fields, (at, 2))
            if item(couplings.planar, site):
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
            length = load(lattice.length, group)
            taken = where_less(zero, length, one, zero)
            if item(couplings.curved, site):
                curved = curvature_change(group, lattice, couplings, spins, u, v, w)
                taken = accepted_of(fill(beta), curved, load(draws, (at, 3)), length)
                u, v, w = where_less(zero, taken, u, x), where_less(zero, taken, v, y), where_less(zero, taken, w, z)
                gained = plus_product(gained, taken, curved)
            accepted = plus(accepted, taken)
            put(group, spins, u, v, w)
        refresh_copies(first, last, lattice, spins)
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
        put(group, spins, times(factor, x), times(factor, y), times(factor, z))
    refresh_copies(0, len(lattice.site), lattice, spins)
