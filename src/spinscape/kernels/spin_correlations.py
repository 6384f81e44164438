"""Sums of products of neighbouring spins, from which the energy of each coupling follows: arrays in, arrays out.

Couplings do not enter: there are as many sums as links, however many couplings a model has.
"""

from .jit import borrowing
from .simd import fill, load, plus_product, store, times


@borrowing
def _one_link(site, link, first, lattice, spins, products):
    """Add Σ S_i S_jᵀ of one link, in registers."""
    xx = xy = xz = yx = yy = yz = zx = zy = zz = fill(0.0)
    for group in range(len(lattice.site)):
        if lattice.site[group] == site:
            slot = lattice.slot[group, link - first]
            x, y, z = load(spins, (group, 0)), load(spins, (group, 1)), load(spins, (group, 2))
            a, b, c = load(spins, (slot, 0)), load(spins, (slot, 1)), load(spins, (slot, 2))
            xx, xy, xz = plus_product(xx, x, a), plus_product(xy, x, b), plus_product(xz, x, c)
            yx, yy, yz = plus_product(yx, y, a), plus_product(yy, y, b), plus_product(yz, y, c)
            zx, zy, zz = plus_product(zx, z, a), plus_product(zy, z, b), plus_product(zz, z, c)
    for k, value in enumerate((xx, xy, xz, yx, yy, yz, zx, zy, zz)):
        store(products, (link, k), value)


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
        Σ S_i S_jᵀ.
    squares : (n_square, LANES) float64, zero before
        Σ (S_i·R·S_j)².
    """
    for site in range(len(start) - 1):
        for link in range(start[site], start[site + 1]):
            if keep[link]:
                _one_link(site, link, start[site], lattice, spins, products)
    for group in range(len(lattice.site) if len(turn) > 0 else 0):
        site = lattice.site[group]
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
