"""Couplings between all Ising spins as one table of integers by translation, and local fields that follow flips.

Energies are whole multiples of a unit that is small enough (1e-9 of the largest sum of couplings): sums of them are
exact, so that local fields never drift, however many flips they have followed.

Spins stand in cells of ``width`` places (a multiple of WIDE; places that hold no spin fill them up). The couplings of
a spin are those of its place in the first cell, cells moved: ``table`` is a tuple of

    rows : (width * n_cell * width,) int32, flat; 2 J by place in the first cell, cell, place
    tiles : (n_cell, n_tile) int32; for a spin of each cell, where in its row each WIDE places begin
    width : int

so that 2 J_ij = rows[(i mod width) n_cell width + tiles[i div width, j div WIDE] + j mod WIDE]. A table of a thousand
spins stays in the processor's nearer caches, where the matrix would not. Arrays over spins have n_tile WIDE places,
n_tile a multiple of 4.
"""

from .jit import borrowing, inlined
from .simd32 import WIDE, add_ints, fill_ints, load_ints, store_ints, subtract_ints, xor_ints


@inlined
def row_start(table, site):
    """Return the cell of a spin, and where the row of its place in the cell begins."""
    rows, _, width = table
    cell = site // width
    return cell, (site - cell * width) * (len(rows) // width)


@borrowing
def add_rows(table, index, sign, count, local):
    """Add sign_r 2 J of spin index_r, r < count, to the local fields: what they become when it flips to that sign.

    Parameters
    ----------
    table : tuple
    index : (...,) int64
    sign : (...,) int64
        +1 or -1.
    count : int
    local : (n,) int32
    """
    rows, tiles, _ = table
    r = 0
    while r + 4 <= count:
        _add_four(table, index, sign, r, local)
        r += 4
    for k in range(r, count):
        cell, start = row_start(table, index[k])
        mask = fill_ints((sign[k] - 1) // 2)
        for t in range(tiles.shape[1]):
            row = load_ints(rows, start + tiles[cell, t])
            store_ints(local, t * WIDE, signed_sum(load_ints(local, t * WIDE), row, mask))


@inlined
def signed_sum(x, y, mask):
    """Return x + y where the mask is 0, x - y where it is -1."""
    return add_ints(x, subtract_ints(xor_ints(y, mask), mask))


@borrowing
def _add_four(table, index, sign, r, local):
    """Add four rows at once: the fields are read and written once."""
    rows, tiles, _ = table
    cell_a, a = row_start(table, index[r])
    cell_b, b = row_start(table, index[r + 1])
    cell_c, c = row_start(table, index[r + 2])
    cell_d, d = row_start(table, index[r + 3])
    p, q = fill_ints((sign[r] - 1) // 2), fill_ints((sign[r + 1] - 1) // 2)
    u, v = fill_ints((sign[r + 2] - 1) // 2), fill_ints((sign[r + 3] - 1) // 2)
    for t in range(tiles.shape[1]):
        field = signed_sum(load_ints(local, t * WIDE), load_ints(rows, a + tiles[cell_a, t]), p)
        field = signed_sum(field, load_ints(rows, b + tiles[cell_b, t]), q)
        field = signed_sum(field, load_ints(rows, c + tiles[cell_c, t]), u)
        store_ints(local, t * WIDE, signed_sum(field, load_ints(rows, d + tiles[cell_d, t]), v))


@borrowing
def pair_products(pair, spins, out):
    """Write Σ σ_i σ_j over the copies of each bond.

    Parameters
    ----------
    pair : (2, n_pair, n_cell) int32
    spins : (n_spin,) float32
    out : (n_pair,) float64
    """
    for p in range(pair.shape[1]):
        total = 0
        for c in range(pair.shape[2]):
            total += int(spins[pair[0, p, c]] * spins[pair[1, p, c]])
        out[p] = total


@borrowing
def wave_energy(wave, form, spins, seen, row):
    """Return ½ Σ_q s_q·F_q·s_q of the amplitudes s_q of spins in some pairs of waves.

    Parameters
    ----------
    wave : (2, n_wave, n_cell) float64
        Cosines and sines.
    form : (n_wave, 2 * n_site, 2 * n_site) float64
    spins : (n_cell * n_site,) float32
    seen : (n_wave, 2, n_site) float64
        Work space: receives the amplitudes.
    row : (2 * n_site,) float64
        Work space.
    """
    n_wave, n_site = wave.shape[1], seen.shape[2]
    total = 0.0
    for q in range(n_wave):
        for part in range(2):
            for i in range(n_site):
                seen[q, part, i] = 0.0
            for cell in range(wave.shape[2]):
                factor = wave[part, q, cell]
                for i in range(n_site):
                    seen[q, part, i] += factor * spins[cell * n_site + i]
        row[:] = 0.0
        for i in range(2 * n_site):
            factor = seen[q, i // n_site, i % n_site]
            for j in range(2 * n_site):
                row[j] += factor * form[q, i, j]
        for i in range(2 * n_site):
            total += row[i] * seen[q, i // n_site, i % n_site]
    return 0.5 * total
