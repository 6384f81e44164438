"""Sums of products of neighbouring spins, from which the energy of each coupling follows: arrays in, arrays out.

Couplings do not enter: there are as many sums as links, however many couplings a model has.
"""

from .jit import borrowing
from .simd import LANES, fill, load, plus_product, store, times


@borrowing
def lane_correlations(lattice, start, square_start, keep, turn, spins, products, squares):
    """Write sums over all spins i of the source site, j at the far end, of each link and square, lane by lane.

    Parameters
    ----------
    lattice : LaneLattice
    start, square_start : (n_site + 1,) int64
    keep : (n_link,) bool
        Links wanted; the rows of the others stay as they are.
    turn : (n_square, 3, 3) float64
        R.
    spins : (n_row, 3, LANES) float64
    products : (n_link, 9, LANES) float64
        Σ S_i S_jᵀ is added.
    squares : (n_square, LANES) float64
        Σ (S_i·R·S_j)² is added.
    """
    for group in range(len(lattice.site)):
        site = lattice.site[group]
        for link in range(start[site], start[site + 1]):
            if keep[link]:
                slot = lattice.slot[group, link - start[site]]
                for k in range(9):
                    near, far = load(spins, (group, k // 3)), load(spins, (slot, k % 3))
                    store(products, (link, k), plus_product(load(products, (link, k)), near, far))
        for row in range(square_start[site], square_start[site + 1]):
            slot, total = lattice.square_slot[group, row - square_start[site]], fill(0.0)
            for k in range(9):
                far = times(fill(turn[row, k // 3, k % 3]), load(spins, (slot, k % 3)))
                total = plus_product(total, load(spins, (group, k // 3)), far)
            store(squares, row, plus_product(load(squares, row), total, total))


@borrowing
def plain_correlations(lattice, start, square_start, keep, turn, spins, products, squares):
    """Add the same sums to the first lane: as :func:`lane_correlations`, on spins (n_spin, 3) and a plain lattice."""
    for i in lattice.order:
        site = lattice.site[i]
        for link in range(start[site], start[site + 1]):
            if keep[link]:
                j = lattice.near[i, link - start[site]]
                for k in range(9):
                    products[link, k, 0] += spins[i, k // 3] * spins[j, k % 3]
        for row in range(square_start[site], square_start[site + 1]):
            j, total = lattice.square_near[i, row - square_start[site]], 0.0
            for k in range(9):
                total += spins[i, k // 3] * turn[row, k // 3, k % 3] * spins[j, k % 3]
            squares[row, 0] += total * total


N_LANE = LANES
"""Lanes of the sums."""
