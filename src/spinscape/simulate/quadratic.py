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

from dataclasses import dataclass, replace

import numpy as np

from ..errors import check_shape
from ..hamiltonian.biquadratic import biquadratic_parts
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.dipole_sums import dipole_bound, dipole_interaction
from ..kernels.bogoliubov import combine
from ..lattice.crystal import read_only
from ..units import MU_B
from .directed import directed_bonds, sublattice_finder

__all__ = [
    "QuadraticForm",
    "directed_bonds",
    "dynamical_matrices",
    "local_axes",
    "local_fields",
    "quadratic_form",
    "sublattice_finder",
]


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


def _biquadratic_constants(model):
    """Return what biquadratic terms give whatever the spins do, per spin and unit coupling, (n_parameter,)."""
    table, crystal = model.biquadratic, model.crystal
    weights = biquadratic_parts(table, crystal.spins).constant / crystal.n_site
    return np.bincount(table.parameter, weights=weights, minlength=model.n_parameter)


def _across(field, direction):
    """Return the part of a local field that is perpendicular to the spins."""
    return field - direction * np.sum(field * direction, axis=-1, keepdims=True)


def quadratic_form(model, structure, q, conditions=None, *, apply_g=False):
    """Return the quadratic form of spin waves on a commensurate structure.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure
    q : (n_q, 3) float64, r.l.u. of the chemical cell
    conditions : Conditions, optional
        The field enters as + μ_B Σ B·g·S.
    apply_g : bool
        Let the moments g·S stand in place of the spins in the correlations.

    Returns
    -------
    QuadraticForm

    Notes
    -----
    Large S: no factors 1 - 1/(2S), but for biquadratic terms in the renormalised form.
    Memory: 64 (n_parameter + 1) n_q N² bytes.
    """
    points = read_only(q)
    check_shape("q", points, ("n_q", 3), hint="One row (h, k, l) for each wave vector.")
    crystal, direction = model.crystal, structure.direction
    spins, g = crystal.spins[structure.site], crystal.g[structure.site]
    bonds = directed_bonds(model, structure)
    n, n_parameter = structure.n_sublattice, model.n_parameter
    zeeman = MU_B * np.einsum("a,iab->ib", np.asarray((conditions or Conditions()).field, dtype=np.float64), g)
    along = np.sum(zeeman * direction, axis=1)
    fields = local_fields(bonds, spins=spins, direction=direction, n_parameter=n_parameter)
    axes = local_axes(direction) if not apply_g else np.einsum("iab,ib->ia", g, local_axes(direction))
    vectors = np.sqrt(spins / 2.0) * np.concatenate([axes, axes.conj()]).T.reshape(3, 2, n)
    form = QuadraticForm(
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
        classical=_classical_energies(bonds, spins, direction, n_parameter) + _biquadratic_constants(model),
        classical_constant=float(spins @ along) / n,
    )
    return _with_dipoles(form, model, structure) if model.dipolar.n_row else form


def dipolar_matrices(between, at_zero, *, spins, direction):
    """Return D(q) of interactions M_ij(q) between all sublattices.

    Parameters
    ----------
    between : (n_q, N, N, 3, 3) complex128
        M_ij(q).
    at_zero : (N, N, 3, 3) float64
        M_ij(0).
    spins : (N,) float64
    direction : (N, 3) float64

    Returns
    -------
    (n_q, 2N, 2N) complex128
    """
    n = len(spins)
    axes = np.stack([local_axes(direction), local_axes(direction).conj()]) * np.sqrt(0.5 * spins)[:, None]
    out = np.einsum("aix,qijxy,bjy->qaibj", axes, between, axes.conj(), optimize=True).reshape(-1, 2 * n, 2 * n)
    along = np.einsum("ix,ijxy,jy,j->i", direction, at_zero, direction, spins)
    return out - np.diag(np.tile(along, 2))


def _with_dipoles(form, model, structure):
    """Return a form with the dipole-dipole interaction of its model added."""
    at_zero = dipole_interaction(model.crystal, structure, np.zeros((1, 3)))[0].real
    between = dipole_interaction(model.crystal, structure, form.q)
    return with_interaction(form, model, structure, at_zero, between, dipole_bound(model.crystal, structure))


def with_interaction(form, model, structure, at_zero, between, bound):
    """Return a form with an interaction between all spins added, multiplied as the dipoles of the model are.

    Parameters
    ----------
    form : QuadraticForm
    model : Model
    structure : MagneticStructure
    at_zero : (N, N, 3, 3) float64
        M_ij(0), for a strength of 1.
    between : (n_q, N, N, 3, 3) complex128
        M_ij(q).
    bound : float
        How much larger M(q) may be than M(0): a block of wave vectors must not depend on its neighbours.

    Returns
    -------
    QuadraticForm
    """
    table, direction = model.dipolar, structure.direction
    spins = model.crystal.spins[structure.site]
    dynamical = dipolar_matrices(between, at_zero, spins=spins, direction=direction)
    field = np.einsum("ijxy,jy,j->ix", at_zero, direction, spins)
    energy = 0.5 * np.mean(spins * np.sum(direction * field, axis=1))
    size = np.linalg.norm(at_zero, ord=2, axis=(2, 3)) * (np.sqrt(np.outer(spins, spins)) + spins)
    magnitude = size.sum(axis=1).max() + bound * spins.max()
    parts = {"dynamical": dynamical, "torque": _across(field, direction), "classical": energy, "magnitude": magnitude}
    arrays = {name: getattr(form, name).copy() for name in parts}
    for name, part in parts.items():
        for k, factor in zip(table.parameter, table.factor, strict=True):
            arrays[name][k] += part * (abs(factor) if name == "magnitude" else factor)
    return replace(form, **arrays)
