"""Ewald sums of the dipole-dipole interaction, in the units of ``hamiltonian.dipolar``.

In a file of its own: the table of a model is read by many that need no compiled kernels.
"""

import numpy as np

from ..errors import ConfigError
from ..kernels.ewald import add_lattice_sum, add_wave_sum, screened_tensors

_REACH = 6.2
"""Both sums end where the Gaussian is exp(-reach²) = 2e-17."""
_CLOSEST = 1e-6
"""Two sites closer than this, in Å, are one."""
_ZERO = 1e-10
"""A wave vector below this part of the shortest edge of the reciprocal cell is zero."""


_FLAT = 1e-9
"""A cell whose volume is below this part of the product of its edges is flat."""
_CHUNK = 4_000_000
"""Numbers of one block of phases."""
_TRACE = 1e-6
"""Rounding that a demagnetisation tensor may come with."""
SPHERE = np.eye(3) / 3.0
"""Demagnetisation tensor of a sphere."""


def natural_splitting(vectors):
    """Return the splitting parameter at which both sums have equally many terms, 1/Å."""
    return float(np.sqrt(np.pi) / np.abs(np.linalg.det(vectors)) ** (1.0 / 3.0))


def _check_volume(vectors):
    """Raise :class:`ConfigError` for vectors that span no volume; dipoles have no charge to be balanced."""
    a, b, c = np.asarray(vectors, dtype=np.float64)
    volume = abs(a @ np.cross(b, c))
    if not _FLAT * np.prod(np.linalg.norm(vectors, axis=1)) < volume < np.inf:
        raise ConfigError(
            "a dipole sum over a cell without a volume",
            where="dipolar",
            expected="three vectors that span one",
            got=np.asarray(vectors).tolist(),
            fix="check the lattice vectors",
        )


def _lattice_points(vectors, radius):
    """Return every lattice vector not longer than ``radius``, (n, 3)."""
    reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(vectors), axis=0)).astype(np.int64)
    steps = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    points = steps @ vectors
    return points[np.linalg.norm(points, axis=1) <= radius]


def _lattice_terms(vectors, between, splitting):
    """Return way and pair of every term of the sum over the lattice; ``between`` holds the way of each pair."""
    radius = _REACH / splitting
    ways, pairs = [], []
    for p, way in enumerate(between):
        candidates = _lattice_points(vectors, radius + float(np.linalg.norm(way))) + way
        length = np.linalg.norm(candidates, axis=1)
        here = not np.any(way)
        if np.any(length < _CLOSEST) and not here:
            raise ConfigError("two sites lie at the same place", where="dipolar", fix="give each site its own position")
        kept = candidates[(length <= radius) & (length >= _CLOSEST)]
        ways.append(kept)
        pairs.append(np.full(len(kept), p))
    return np.concatenate(ways), np.concatenate(pairs)


def dipole_sums(vectors, positions, q, *, splitting=None):
    """Return A_ij(q) = Σ_R (1/r³ - 3 r r/r⁵) exp(iq·r), r = R + r_j - r_i ≠ 0, of a lattice with a basis.

    Parameters
    ----------
    vectors : (3, 3) float64, Å
        Rows.
    positions : (n_site, 3) float64, Å
        Cartesian.
    q : (n_q, 3) float64, 1/Å
        Cartesian.
    splitting : float, optional
        α of Ewald's method, 1/Å; the sums do not depend on it.

    Returns
    -------
    (n_q, n_site, n_site, 3, 3) complex128, 1/Å³
        A_ji(q) = A_ij(q)†. The term that depends on the direction in which q goes to zero (or to a reciprocal lattice
        vector) is left out there.

    Notes
    -----
    Memory: 288 n_q n_site² bytes. The sites may lie anywhere, in one cell or not.
    """
    _check_volume(vectors)
    alpha = natural_splitting(vectors) if splitting is None else splitting
    first, second = np.triu_indices(len(positions))
    between = np.asarray(positions, dtype=np.float64)[second] - np.asarray(positions, dtype=np.float64)[first]
    # A_ij(q + G) = A_ij(q) exp(iG·d): the wave vectors are summed around one in the first cell.
    cell = 2.0 * np.pi * np.linalg.inv(vectors).T
    fractional = np.asarray(q, dtype=np.float64) @ np.linalg.inv(cell)
    whole = np.round(fractional)
    inside = np.ascontiguousarray((fractional - whole) @ cell)
    half = np.array([[0.5, y, z] for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) @ cell
    cutoff = 2.0 * alpha * _REACH
    out = np.zeros((len(inside), len(between), 3, 3), dtype=np.complex128)

    way, pair = _lattice_terms(vectors, between, alpha)
    tensor = np.empty((len(way), 3, 3))
    screened_tensors(way, alpha, tensor)
    add_lattice_sum(inside, way, pair, tensor, out)
    g = _lattice_points(cell, cutoff + float(np.linalg.norm(half, axis=1).max()))
    prefactor = 4.0 * np.pi / abs(np.linalg.det(vectors))
    tiny = _ZERO * float(np.linalg.norm(cell, axis=1).min())
    add_wave_sum(inside, g, np.exp(1j * (g @ between.T)), alpha, prefactor, cutoff, tiny, out)
    # What the wave sum counts of a spin with itself: -∇∇ erf(αr)/r at the origin.
    out[:, first == second] -= 4.0 * alpha**3 / (3.0 * np.sqrt(np.pi)) * np.eye(3)
    out *= np.exp(1j * (whole @ cell) @ between.T)[:, :, None, None]

    full = np.empty((len(inside), len(positions), len(positions), 3, 3), dtype=np.complex128)
    full[:, second, first] = out.conj().swapaxes(-1, -2)
    full[:, first, second] = out
    return full


def dipole_interaction(crystal, structure, q):
    """Return M_ij(q) = g_iᵀ A_ij(q) g_j between the sublattices of a magnetic cell, for a strength of 1.

    Parameters
    ----------
    crystal : Crystal
    structure : MagneticStructure
    q : (n_q, 3) float64, r.l.u. of the chemical cell

    Returns
    -------
    (n_q, N, N, 3, 3) complex128
        S_i·M_ij·S_j is an energy for each meV of strength.
    """
    positions = (crystal.positions[structure.site] + structure.cell) @ crystal.vectors
    sums = dipole_sums(structure.magnetic_cell @ crystal.vectors, positions, q @ crystal.reciprocal)
    g = crystal.g[structure.site]
    return np.swapaxes(g, 1, 2)[:, None] @ sums @ g


def dipole_bound(crystal, structure):
    """Return an upper estimate of how much the largest M_ij(q) differs from that at q = 0: (4π/V) |g|²."""
    volume = abs(np.linalg.det(structure.magnetic_cell @ crystal.vectors))
    return 4.0 * np.pi / volume * float(np.linalg.norm(crystal.g, ord=2, axis=(1, 2)).max()) ** 2


def commensurate_waves(cell):
    """Return the wave vectors that a supercell holds, (n_cell, 3) r.l.u., in the order of a discrete Fourier transform.

    For a supercell with a diagonal matrix this is the order of ``numpy.fft.fftn`` over ``cell.shape``.
    """
    # hermite·q is integer; two such q are one wave where it is so modulo the columns of hermite, and a box with the
    # edges of its diagonal holds each class once.
    return cell.cells.astype(np.float64) @ np.linalg.inv(cell.hermite.astype(np.float64)).T


def dipole_couplings(crystal, cell, *, demagnetisation=None):
    """Return the dipole tensor between every site of the first chemical cell and every site of a periodic supercell.

        A_ij(R) = Σ_L (1/r³ - 3 r r/r⁵),   r = R + L + r_j - r_i ≠ 0, L over the lattice of the supercell

    so that E = ½ θf Σ m_i·A_ij·m_j as in :mod:`spinscape.hamiltonian.dipolar`.

    Parameters
    ----------
    crystal : Crystal
    cell : Supercell
    demagnetisation : (3, 3) float64, symmetric with trace 1, optional
        N of the surface term (4π/V) N of each pair, V the volume of the supercell: :data:`SPHERE` for a sphere in
        vacuum. Without it there is no demagnetising field (tin-foil).

    Returns
    -------
    (n_site, n_cell, n_site, 3, 3) float64, 1/Å³
        [i, cell, j]: from site i of cell (0, 0, 0) to site j of ``cell``. A site meets its own images: [i, 0, i] is
        not zero. For any other cell of site i, take the difference of the cells, wrapped.

    Notes
    -----
    Inverse Fourier transform of the Ewald sums over the wave vectors that the supercell holds: n_cell n_site² of
    them in place of n_cell² n_site².
    """
    waves = commensurate_waves(cell)
    positions = crystal.positions @ crystal.vectors
    between = crystal.positions[None] - crystal.positions[:, None]
    out = np.zeros((cell.n_cell, crystal.n_site, crystal.n_site, 3, 3))
    for part in _wave_blocks(cell, crystal.n_site):
        sums = dipole_sums(crystal.vectors, positions, waves[part] @ crystal.reciprocal)
        # From exp(iq·r) of the distance to exp(iq·R) of the cells.
        sums *= np.exp(-2j * np.pi * np.einsum("qa,ija->qij", waves[part], between))[..., None, None]
        _add_transform(cell, waves[part], sums, out)
    out = np.moveaxis(out, 0, 1) / cell.n_cell
    if demagnetisation is not None:
        volume = cell.n_cell * abs(np.linalg.det(crystal.vectors))
        out += 4.0 * np.pi / volume * checked_demagnetisation(demagnetisation)
    return np.ascontiguousarray(out)


def _wave_blocks(cell, n_site):
    """Return slices over the waves whose sums and phases stay small."""
    size = max(1, _CHUNK // (9 * n_site**2 + cell.n_cell))
    return [slice(start, min(start + size, cell.n_cell)) for start in range(0, cell.n_cell, size)]


def _add_transform(cell, waves, values, out):
    """Add Re Σ_q values_q exp(-iq·R) for each cell R."""
    turns = waves @ cell.cells.T.astype(np.float64)
    phase = np.exp(-2j * np.pi * (turns - np.round(turns)))
    flat = values.reshape(len(waves), -1)
    out += (phase.real.T @ flat.real - phase.imag.T @ flat.imag).reshape(out.shape)


def checked_demagnetisation(tensor):
    """Return a demagnetisation tensor, (3, 3) float64, or raise :class:`ConfigError` where it cannot be one."""
    tensor = np.asarray(tensor, dtype=np.float64)
    fits = tensor.shape == (3, 3) and np.all(np.isfinite(tensor)) and np.allclose(tensor, tensor.T, atol=_TRACE)
    if not fits or abs(np.trace(tensor) - 1.0) > _TRACE or np.linalg.eigvalsh(tensor)[0] < -_TRACE:
        raise ConfigError(
            "this is no demagnetisation tensor",
            where="demagnetisation",
            expected="a symmetric 3×3 tensor with trace 1 and no negative eigenvalue (a sphere: 1/3 on the diagonal)",
            got=tensor.tolist(),
            fix="divide it by its trace if it is in other units (4π, or 1 of a cube)",
        )
    return tensor
