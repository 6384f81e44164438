"""Moves of vector spins that all interact, with cached fields: arrays in, arrays out.

One spin after the other; each accepted move goes into the fields of all others at once, by one row of the couplings. So
every trial sees the fields of the present state, and the moves are exactly those of ``kernels.single_spin``. Several
moves cannot be put into the fields together, as by a Fourier transform after a batch: the trials of the batch
would have seen fields of the past, and detailed balance would be lost.

Places and tiles are those of ``kernels.long_range``, LANES wide; ``table`` is a tuple of

    rows : (width * 9 * n_row_tile, LANES) float64; −M by place in the first cell, component, tile
    tiles : (n_cell, n_tile) int32; which tile of a row stands where, for a spin of each cell
    width : int

and a field (3, n_tile, LANES).
"""

from .jit import borrowing
from .lane_rounds import RESTORE, adapted_width
from .metropolis import HEAT_BATH, OVER_RELAXATION, SMALL_STEP
from .random_numbers import next_exponential
from .simd import LANES, fill, load, plus_product, store
from .single_spin import _bath, _half_turn, _step, curvature_of, restore_plain


@borrowing
def shift_fields(table, place, x, y, z, field):
    """Add what a change (x, y, z) of the spin at a place makes of the fields.

    Parameters
    ----------
    table : tuple
    place : int
    x, y, z : float
    field : (3, n_tile, LANES) float64
    """
    rows, tiles, width = table
    n_row_tile = len(rows) // (9 * width)
    cell = place // width
    first = (place - cell * width) * 9 * n_row_tile
    p, q, r = fill(x), fill(y), fill(z)
    for t in range(tiles.shape[1]):
        at = first + tiles[cell, t]
        for a in range(3):
            k = at + 3 * a * n_row_tile
            value = plus_product(load(field, (a, t)), p, load(rows, k))
            value = plus_product(value, q, load(rows, k + n_row_tile))
            store(field, (a, t), plus_product(value, r, load(rows, k + 2 * n_row_tile)))


@borrowing
def cached_sweep(kind, width, beta, lattice, couplings, table, place, spins, field, state):
    """Try to move every spin of the order once; return the number of accepted moves.

    Parameters
    ----------
    kind : int
        As in ``kernels.metropolis``.
    width : float
        Of small steps.
    beta : float, 1/meV
    lattice : PlainLattice
    couplings : Couplings
        Its links are not read.
    table : tuple
    place : (n_spin,) int64
    spins : (n_spin, 3) float64
    field : (3, n_tile, LANES) float64, meV
        h of each spin, without what its own images add; kept up to date.
    state : (2, N_STREAM) uint64
    """
    n_accepted = 0
    for i in lattice.order:
        site, length, k = lattice.site[i], lattice.length[i], place[i]
        x, y, z = spins[i, 0], spins[i, 1], spins[i, 2]
        a, b, c = field[0, k // LANES, k % LANES], field[1, k // LANES, k % LANES], field[2, k // LANES, k % LANES]
        if kind == HEAT_BATH:
            u, v, w = _bath(site, length, couplings, beta, state, a, b, c)
        elif kind == OVER_RELAXATION:
            u, v, w = _half_turn(site, couplings, x, y, z, a, b, c)
        else:
            u, v, w = _step(kind, width, site, length, couplings, state, x, y, z)
        weighed = 0.0
        if couplings.curved[site]:
            weighed = curvature_of(i, lattice, couplings, spins, u, v, w)
            weighed -= curvature_of(i, lattice, couplings, spins, x, y, z)
        if kind != HEAT_BATH and kind != OVER_RELAXATION:
            weighed += (x - u) * a + (y - v) * b + (z - w) * c
        if beta * weighed <= 0.0 or beta * weighed <= next_exponential(state):
            spins[i, 0], spins[i, 1], spins[i, 2] = u, v, w
            shift_fields(table, k, u - x, v - y, w - z, field)
            n_accepted += 1
    return n_accepted


@borrowing
def cached_rounds(
    kinds, counts, widths, adapt, n_round, beta, lattice, couplings, table, place, spins, field, state, age, tally
):
    """Make rounds of moves; arguments beyond those of :func:`cached_sweep` as in ``single_spin.plain_rounds``.

    ``tally`` (n_move,) int64 receives the accepted moves.
    """
    for _ in range(n_round):
        for move in range(len(kinds)):
            kind, accepted = kinds[move], 0
            for _ in range(counts[move]):
                own = (lattice, couplings, table, place, spins, field, state)
                accepted += cached_sweep(kind, widths[move], beta, *own)
                if kind == OVER_RELAXATION:
                    age[0] += 1
                    if age[0] >= RESTORE:
                        restore_plain(lattice, spins)
                        age[0] = 0
            tally[move] += accepted
            if adapt[move] and kind == SMALL_STEP:
                widths[move] = adapted_width(widths[move], accepted / max(len(lattice.order) * counts[move], 1))
