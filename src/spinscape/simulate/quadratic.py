"""The quadratic form of linear spin-wave theory, linear in the couplings.

With local axes e1, e2, n of each spin (n its direction) and u = e1 + i e2, the large-S expansion
S_i = sqrt(S_i/2) (ū_i b_i + u_i b_i†) + n_i (S_i - b_i† b_i) turns E = Σ S_i·M·S_j into

    H = const + ½ Σ_q x_q† D(q) x_q,     x_q = (b_q, b†_-q)
    D(q)_{ai,bj} = Σ_{i→j} ½ sqrt(S_i S_j) (w_ai·M·w̄_bj) exp(i q·d) - δ_ab δ_ij Σ_{i→j'} S_j' n_i·M·n_j'

where w_0 = u, w_1 = ū, the sums run over directed bonds (met in reverse, M becomes its transpose) and d is the way
from site to site. An on-site S·A·S is one directed bond of a site to itself with A + Aᵀ; the field gives
-μ_B B·g_i·n_i on the diagonal. D = D_0 + Σ_k θ_k D_k.

A biquadratic B (S_i·S_j)² has the second-order part 2Bc (S_i·S_j)₂ + B l², c = S_i S_j n_i·n_j and l = S_j n_j·t_i +
S_i n_i·t_j with t the part of a spin across its axis: an exchange 2Bc and, where the spins are not collinear, rows
that act across the spins only.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.conditions import Conditions
from ..kernels.bogoliubov import combine
from ..lattice.crystal import read_only
from ..units import MU_B


@dataclass(frozen=True, eq=False)
class DirectedBonds:
    """Every bond of the magnetic cell, once in each direction.

    Parameters
    ----------
    tail, head : (n_directed,) int64
        Sublattices i and j of i → j.
    parameter : (n_directed,) int64
    matrix : (n_directed, 3, 3) float64
        M as seen from the tail.
    way : (n_directed, 3) float64
        From i to j, in units of the chemical lattice vectors.
    share : (n_directed,) float64
        Part of S_i·M·S_j that counts as classical energy: 1/2 for what is quadratic in the spins, 1/4 for what is
        quartic, 0 for a row that acts across the spins only.
    """

    tail: np.ndarray
    head: np.ndarray
    parameter: np.ndarray
    matrix: np.ndarray
    way: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """D(q; θ) at a set of wave vectors, and what else of the structure is linear in θ.

    Parameters
    ----------
    parameter_names : tuple of str
    q : (n_q, 3) float64, r.l.u. of the chemical cell
    dynamical : (n_parameter, n_q, 2N, 2N) complex128
        D_k(q); N is the number of spins of the magnetic cell.
    constant : (n_q, 2N, 2N) complex128, meV
        The part that no coupling multiplies (field).
    vectors : (n_q, 3, 2N) complex128
        v^α in S^α(Q) = Σ_m x_m† v^α_m.
    n_cell : int
        Chemical cells in the magnetic cell.
    magnitude, magnitude_constant : (n_parameter,) float64 and float
        Size of D for each unit of a coupling; |θ|·magnitude + magnitude_constant sets the scale of tolerances.
    torque, torque_constant : (n_parameter, N, 3) and (N, 3) float64
        Part of the local field across each spin; zero for a stationary structure.
    classical, classical_constant : (n_parameter,) float64 and float
        Classical energy per spin.
    """

    parameter_names: tuple[str, ...]
    q: np.ndarray
    dynamical: np.ndarray
    constant: np.ndarray
    vectors: np.ndarray
    n_cell: int
    magnitude: np.ndarray
    magnitude_constant: float
    torque: np.ndarray
    torque_constant: np.ndarray
    classical: np.ndarray
    classical_constant: float

    @property
    def n_mode(self):
        """Number of modes at each Q: the spins of the magnetic cell."""
        return self.vectors.shape[2] // 2

    def scale(self, theta):
        """Return an upper estimate of the size of D, meV, the same at every Q."""
        return float(np.abs(theta) @ self.magnitude + self.magnitude_constant)

    def assembled(self, theta):
        """Return D(q; θ), (n_q, 2N, 2N) complex128, meV."""
        out = np.empty_like(self.constant)
        combine(np.asarray(theta, dtype=np.float64), self.dynamical, self.constant, out)
        return out

    def torques(self, theta):
        """Return the local field across each spin, (N, 3) float64, meV per unit of spin."""
        return self.torque_constant + np.tensordot(np.asarray(theta, dtype=np.float64), self.torque, axes=1)

    def classical_energy(self, theta):
        """Return the classical energy per spin, meV."""
        return float(self.classical @ np.asarray(theta, dtype=np.float64) + self.classical_constant)


def local_axes(direction):
    """Return e1 + i e2 of right-handed local frames whose third axis is the spin.

    e1 is the Cartesian axis farthest from the spin, made orthogonal to it: n and -n share it, so that a collinear
    structure shows its blocks.

    Parameters
    ----------
    direction : (n_spin, 3) float64, unit vectors

    Returns
    -------
    (n_spin, 3) complex128
    """
    axis = np.eye(3)[np.argmin(np.round(np.abs(direction), 9), axis=1)]
    first = axis - direction * np.sum(axis * direction, axis=1, keepdims=True)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return first + 1j * np.cross(direction, first)


def _adjugate(cell):
    """Return the integer adjugate of an integer 3×3 matrix: cell @ adjugate = det · 1."""
    a, b, c = (np.asarray(row, dtype=np.int64) for row in cell)
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)


def sublattice_finder(structure, n_site):
    """Return a function (site, cell) -> sublattice that folds any chemical cell into the magnetic one.

    Raises
    ------
    ConfigError
        Where the structure does not list each site of the magnetic cell once.
    """
    adjugate = _adjugate(structure.magnetic_cell)
    volume = abs(int(structure.magnetic_cell[0] @ adjugate[:, 0]))

    def key(site, cell):
        # Cells are equivalent where (c - c')·adjugate is a multiple of the determinant: integers, no rounding.
        return (int(site), *(int(x) for x in (np.asarray(cell) @ adjugate) % max(volume, 1)))

    table = {key(s, c): k for k, (s, c) in enumerate(zip(structure.site, structure.cell, strict=True))}
    if volume == 0 or len(table) != volume * n_site or structure.n_sublattice != len(table):
        raise ConfigError(
            "the moments do not fill the magnetic cell",
            where="structure",
            expected=f"each of {volume * n_site} sites once ({volume} chemical cells of {n_site} sites)",
            got=f"{structure.n_sublattice} moments on {len(table)} different sites",
            fix="list each site of each chemical cell of the magnetic cell once",
        )
    return lambda site, cell: table[key(site, cell)]


def directed_bonds(model, structure, biquadratic=None):
    """Return the bonds and on-site terms of the magnetic cell, each bond once from either end.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure
    biquadratic : BiquadraticTable, optional
        Linearised about the structure.

    Returns
    -------
    DirectedBonds
    """
    crystal, bonds, onsite = model.crystal, model.bonds, model.onsite
    find = sublattice_finder(structure, crystal.n_site)
    members = [np.flatnonzero(structure.site == s) for s in range(crystal.n_site)]

    def pairs(table, b):
        """Yield tail, head and the way between them, for each cell of the magnetic one."""
        i, j, offset = table.site_i[b], table.site_j[b], table.offset[b]
        way = crystal.positions[j] + offset - crystal.positions[i]
        return [(tail, find(j, structure.cell[tail] + offset), way) for tail in members[i]]

    rows = []
    for b in range(bonds.n_bond):
        k, m = bonds.parameter[b], bonds.matrix[b]
        for tail, head, way in pairs(bonds, b):
            rows += [(tail, head, k, m, way, 0.5), (head, tail, k, m.T, -way, 0.5)]
    for b in range(onsite.n_onsite):
        a = onsite.matrix[b]
        rows += [(s, s, onsite.parameter[b], a + a.T, np.zeros(3), 0.5) for s in members[onsite.site[b]]]
    for b in range(0 if biquadratic is None else biquadratic.n_bond):
        for tail, head, way in pairs(biquadratic, b):
            rows += _biquadratic_rows(
                biquadratic.parameter[b], biquadratic.factor[b], tail, head, way, crystal.spins, structure
            )
    tail, head, parameter, matrix, way, share = zip(*rows, strict=True) if rows else ((),) * 6
    return DirectedBonds(
        np.array(tail, dtype=np.int64),
        np.array(head, dtype=np.int64),
        np.array(parameter, dtype=np.int64),
        np.array(matrix, dtype=np.float64).reshape(-1, 3, 3),
        np.array(way, dtype=np.float64).reshape(-1, 3),
        np.array(share, dtype=np.float64),
    )


def _biquadratic_rows(parameter, factor, tail, head, way, spins, structure):
    """Return the directed rows of one biquadratic bond; see the head of this file."""
    first, second = (spins[structure.site[k]] * structure.direction[k] for k in (tail, head))
    exchange = 2.0 * factor * (first @ second) * np.eye(3)
    # l = second·t_tail + first·t_head.
    mixed = 2.0 * factor * np.outer(second, first)
    return [
        (tail, head, parameter, exchange, way, 0.25),
        (head, tail, parameter, exchange, -way, 0.25),
        (tail, head, parameter, mixed, way, 0.0),
        (head, tail, parameter, mixed.T, -way, 0.0),
        (tail, tail, parameter, 2.0 * factor * np.outer(second, second), np.zeros(3), 0.0),
        (head, head, parameter, 2.0 * factor * np.outer(first, first), np.zeros(3), 0.0),
    ]


def dynamical_matrices(bonds, *, spins, direction, q, n_parameter):
    """Return D_k(q) of unit couplings.

    Parameters
    ----------
    bonds : DirectedBonds
    spins : (N,) float64
    direction : (N, 3) float64
    q : (n_q, 3) float64, r.l.u.
    n_parameter : int

    Returns
    -------
    (n_parameter, n_q, 2N, 2N) complex128, dimensionless
    """
    n = len(spins)
    axes = np.stack([local_axes(direction), local_axes(direction).conj()])
    out = np.zeros((n_parameter, len(q), 2, n, 2, n), dtype=np.complex128)
    phase = np.exp(2j * np.pi * (q @ bonds.way.T))
    for b in range(len(bonds.tail)):
        i, j, k, m = bonds.tail[b], bonds.head[b], bonds.parameter[b], bonds.matrix[b]
        hop = 0.5 * np.sqrt(spins[i] * spins[j]) * (axes[:, i] @ m @ axes[:, j].conj().T)
        out[k, :, :, i, :, j] += hop * phase[:, b, None, None]
        if bonds.share[b] > 0.0:
            out[k, :, [0, 1], i, [0, 1], i] -= spins[j] * (direction[i] @ m @ direction[j])
    return out.reshape(n_parameter, len(q), 2 * n, 2 * n)


def local_fields(bonds, *, spins, direction, n_parameter):
    """Return dE/dS_i of unit couplings, (n_parameter, N, 3) float64."""
    out = np.zeros((n_parameter, len(spins), 3))
    pull = spins[bonds.head, None] * np.einsum("bxy,by->bx", bonds.matrix, direction[bonds.head])
    pull[bonds.share == 0.0] = 0.0
    np.add.at(out, (bonds.parameter, bonds.tail), pull)
    return out


def _magnitudes(bonds, spins, n_parameter):
    """Return the largest sum of S_j |M| over the bonds of one spin, for each coupling: (n_parameter,)."""
    out = np.zeros((n_parameter, len(spins)))
    size = np.sqrt(spins[bonds.head] * spins[bonds.tail]) + spins[bonds.head]
    np.add.at(out, (bonds.parameter, bonds.tail), size * np.linalg.norm(bonds.matrix, ord=2, axis=(1, 2)))
    return out.max(axis=1)


def _classical_energies(bonds, spins, direction, n_parameter):
    """Return the classical energy per spin of unit couplings, (n_parameter,)."""
    vectors = spins[:, None] * direction
    energy = np.einsum("bx,bxy,by->b", vectors[bonds.tail], bonds.matrix, vectors[bonds.head])
    return np.bincount(bonds.parameter, weights=bonds.share * energy, minlength=n_parameter) / len(spins)


def _across(field, direction):
    """Return the part of a local field that is perpendicular to the spins."""
    return field - direction * np.sum(field * direction, axis=-1, keepdims=True)


def quadratic_form(model, structure, q, conditions=None, *, biquadratic=None, apply_g=False):
    """Return the quadratic form of spin waves on a commensurate structure.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure
    q : (n_q, 3) float64, r.l.u. of the chemical cell
    conditions : Conditions, optional
        The field enters as + μ_B Σ B·g·S.
    biquadratic : BiquadraticTable, optional
        Terms θ B (S_i·S_j)², in the large-S form.
    apply_g : bool
        Let the moments g·S stand in place of the spins in the correlations.

    Returns
    -------
    QuadraticForm

    Notes
    -----
    Large S: no factors 1 - 1/(2S). Memory: 64 (n_parameter + 1) n_q N² bytes.
    """
    points = read_only(q)
    check_shape("q", points, ("n_q", 3), hint="One row (h, k, l) for each wave vector.")
    crystal, direction = model.crystal, structure.direction
    spins, g = crystal.spins[structure.site], crystal.g[structure.site]
    bonds = directed_bonds(model, structure, biquadratic)
    n, n_parameter = structure.n_sublattice, model.n_parameter
    zeeman = MU_B * np.einsum("a,iab->ib", np.asarray((conditions or Conditions()).field, dtype=np.float64), g)
    along = np.sum(zeeman * direction, axis=1)
    fields = local_fields(bonds, spins=spins, direction=direction, n_parameter=n_parameter)
    axes = local_axes(direction) if not apply_g else np.einsum("iab,ib->ia", g, local_axes(direction))
    vectors = np.sqrt(spins / 2.0) * np.concatenate([axes, axes.conj()]).T.reshape(3, 2, n)
    return QuadraticForm(
        parameter_names=model.parameter_names,
        q=points,
        dynamical=dynamical_matrices(bonds, spins=spins, direction=direction, q=points, n_parameter=n_parameter),
        constant=np.tile(np.diag(np.tile(-along, 2)).astype(np.complex128), (len(points), 1, 1)),
        vectors=np.tile(vectors.reshape(3, 2 * n), (len(points), 1, 1)),
        n_cell=n // crystal.n_site,
        magnitude=_magnitudes(bonds, spins, n_parameter),
        magnitude_constant=float(np.max(np.linalg.norm(zeeman, axis=1))),
        torque=_across(fields, direction),
        torque_constant=_across(zeeman, direction),
        classical=_classical_energies(bonds, spins, direction, n_parameter),
        classical_constant=float(spins @ along) / n,
    )
