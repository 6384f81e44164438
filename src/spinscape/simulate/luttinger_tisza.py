"""Ordering vectors by Luttinger and Tisza: the lowest eigenvalue of the exchange over the zone.

With n_i(R) = Re u_i exp(2πi q·R) the energy per cell is ¼ u†A(q)u, A(q)_ij = Σ θ S_i S_j M exp(2πi q·offset). Under the
weak constraint Σ_i |n_i|² = n_site alone, its minimum is ½ n_site λ_min. That is a lower bound of the energy, and the
ground-state energy where an eigenvector also meets the strong constraint |n_i| = 1 on every site: Luttinger and
Tisza, Phys. Rev. 70, 954 (1946). Biquadratic terms are bounded by their tangents, see
:mod:`~spinscape.simulate.tangents`. Any multipliers d_i with Σ d_i = 0 may stand on the diagonal of A, and the best
ones give the best bound: Lyons and Kaplan, Phys. Rev. 120, 1580 (1960).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares, linprog, minimize

from ..errors import ConfigError
from ..hamiltonian.model import Model
from ..rng import stream
from .exchange import Exchange, exchange, local_minima, zone_mesh
from .tangents import Quartic, best_tangents, quartic

DEGENERATE = 1e-8
"""Difference, relative to the size of A, within which eigenvalues are one."""
SAME_VECTOR = 1e-5
"""r.l.u. Ordering vectors nearer than this are one: errors of a minimum are the square root of those of its value."""
EXACT = 1e-7
"""Energy above the bound, relative to the size of A, with which a state of unit vectors counts as reaching it."""
_NEAR = 1e-3
"""Error of |n_i|² from which unit vectors are made; it enters the energy in second order."""
_MIXED = 1e-6
"""As DEGENERATE, for eigenvalues that multipliers have brought together."""
_MAX_VECTOR = 12
_TRIES = 12
_MAX_CUT = 60
_BATCH = 1_000_000
"""Matrix elements at once: 16 MB."""
_KEPT = 4_000_000
"""Matrix elements of a mesh that are kept for all multipliers: 64 MB."""


@dataclass(frozen=True, eq=False)
class Order:
    """An ordering vector and its eigenvectors.

    Parameters
    ----------
    vector : (3,) float64, r.l.u.
        One of ±q, in (-1/2, 1/2].
    eigenvalue : float, meV
    degeneracy : int
        Eigenvectors of that eigenvalue, the directions of spin space among them.
    amplitudes : (n_site, 3) complex128, or None
        u of a state Re u_i exp(2πi q·R) with |n_i(R)| = 1 everywhere; None where no eigenvector at ±q was found to
        make one. A state of several ordering vectors may then.
    """

    vector: np.ndarray
    eigenvalue: float
    degeneracy: int
    amplitudes: np.ndarray | None

    @property
    def meets_constraint(self):
        """Whether spins of equal length can be made of the eigenvectors at ±q: the bound is then the energy."""
        return self.amplitudes is not None

    def directions(self, cells) -> np.ndarray:
        """Return the unit vectors in chemical cells (n_cell, 3): (n_cell, n_site, 3)."""
        if self.amplitudes is None:
            raise ConfigError("no state of this ordering vector has spins of equal length", got=self.vector.tolist())
        phase = np.exp(2j * np.pi * (np.asarray(cells, dtype=np.float64) @ self.vector))
        return (phase[:, None, None] * self.amplitudes).real


@dataclass(frozen=True, eq=False)
class LuttingerTisza:
    """What the lowest eigenvalue over the zone says.

    Parameters
    ----------
    bound : float, meV per spin
        No state of these couplings has less energy.
    orders : tuple of Order
        Ordering vectors, at most 12; ±q is one.
    flat : float
        Part of the mesh where the lowest eigenvalue is the minimum: near 1 for a flat band, where the vectors
        are no selection.
    multipliers : (n_site,) float64, meV
        d; zero where ``multipliers`` was not asked for.
    """

    bound: float
    orders: tuple[Order, ...]
    flat: float
    multipliers: np.ndarray

    @property
    def exact(self):
        """Whether a state of one ordering vector reaches the bound."""
        return any(order.meets_constraint for order in self.orders)


def luttinger_tisza(
    model: Model, theta, *, n_mesh: int = 12, multipliers: bool = False, seed: int = 0
) -> LuttingerTisza:
    """Return ordering vectors and the lower bound of the classical energy, without field.

    Parameters
    ----------
    model : Model
    theta : (n_parameter,) float64, meV
    n_mesh : int
        Points along each axis of the zone; even, and a multiple of 3, so that high-symmetry points are on it. Minima on
        the mesh are refined with the exact gradient.
    multipliers : bool
        Whether to find the multipliers of inequivalent sites that give the best bound.
    seed : int
        Of the tries to meet the strong constraint.

    Returns
    -------
    LuttingerTisza
    """
    base, terms = exchange(model, theta), quartic(model, theta)
    mesh, where = zone_mesh(np.concatenate([base.links, terms.offset]), n_mesh)
    x = best_tangents(base, terms, mesh)
    matrix = terms.tangents(base, x) if terms.n_family else base
    orbit = model.crystal.orbit
    d = np.zeros(matrix.n_site)
    if multipliers and len(set(orbit.tolist())) > 1:
        d = _best_multipliers(matrix, mesh, orbit)
    values = _Mesh(matrix, mesh).lowest(d)
    bottom = local_minima(np.round(values / matrix.size, 9)[where])
    starts = _lowest_first(mesh, np.round(values / matrix.size, 9), np.unique(where[bottom]))[:_MAX_VECTOR]
    vectors = np.concatenate([starts, [_downhill(matrix, q, d) for q in starts]])
    refined = _lowest(matrix, vectors, d)
    lowest, tiny = refined.min(), DEGENERATE * matrix.size
    best = vectors[refined <= lowest + tiny]
    bound = 0.5 * matrix.n_site * float(lowest) + terms.floor(x)
    state = _State(base, terms, bound + EXACT * matrix.n_site * (matrix.size + terms.size))
    orders = [_order(matrix, best[k], d, state, seed) for k in _distinct_vectors(best)]
    flat = float(np.mean(values[where] <= lowest + tiny))
    return LuttingerTisza(bound / matrix.n_site, tuple(orders[:_MAX_VECTOR]), flat, d)


def _lowest(matrix, q, multipliers):
    """Return the lowest eigenvalue of A at every q, (n_q,)."""
    step = max(1, _BATCH // (3 * matrix.n_site) ** 2)
    begins = range(0, len(q), step)
    return np.concatenate([np.linalg.eigvalsh(matrix.at(q[k : k + step], multipliers))[:, 0] for k in begins])


class _Mesh:
    """The lowest eigenvalue of A on a mesh, at any multipliers; the matrices are kept where they are not too many."""

    def __init__(self, matrix, q):
        self.matrix, self.q = matrix, q
        self.kept = matrix.at(q) if len(q) * (3 * matrix.n_site) ** 2 <= _KEPT else None

    def lowest(self, multipliers):
        if self.kept is None:
            return _lowest(self.matrix, self.q, multipliers)
        return np.linalg.eigvalsh(self.kept + np.diag(np.repeat(multipliers, 3)))[:, 0]


def _lowest_first(mesh, values, chosen):
    """Return the chosen wave vectors, the lowest first; of equal ones those near the origin first."""
    q = mesh[chosen] - np.round(mesh[chosen])
    return mesh[chosen][np.lexsort((np.round(np.linalg.norm(q, axis=1), 9), values[chosen]))]


def _downhill(matrix, start, multipliers):
    """Return the wave vector of the minimum of the lowest eigenvalue that a start leads to."""
    free = np.any(matrix.links != 0, axis=0)

    def value(q):
        w, v = np.linalg.eigh(matrix.at(q[None], multipliers)[0])
        return w[0] / matrix.size, np.where(free, matrix.slope(q, v[:, 0]), 0.0) / matrix.size

    return _tidied(minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-11}).x)


def _tidied(q):
    """Return q in (-1/2, 1/2], with what differs from a small fraction by rounding put on it."""
    q = q - np.ceil(q - 0.5 - 1e-9)
    fraction = np.round(q * 24.0) / 24.0
    return np.where(np.abs(q - fraction) < 1e-7, fraction, q) + 0.0  # no negative zeros


def _distinct_vectors(vectors):
    """Return the indices of vectors that differ by more than a sign and a reciprocal lattice vector."""
    kept: list[int] = []
    for k, q in enumerate(vectors):
        gaps = [x - np.round(x) for other in kept for x in (q - vectors[other], q + vectors[other])]
        if all(np.max(np.abs(gap)) > SAME_VECTOR for gap in gaps):
            kept.append(k)
    return kept


class _State(NamedTuple):
    """What tells whether a state reaches the bound: exchange, quartic terms, and the energy per cell not to exceed."""

    base: Exchange
    terms: Quartic
    most: float

    def reached(self, q, unit, *, real):
        flat = unit.ravel()
        bilinear = 0.5 * (flat.conj() @ self.base.at(q[None])[0] @ flat).real / (1.0 if real else 2.0)
        return bilinear + self.terms.energy(q, unit, real=real) <= self.most


def _order(matrix, q, multipliers, state, seed):
    """Return the eigenvectors of one ordering vector, and unit vectors made of them."""
    w, v = np.linalg.eigh(matrix.at(q[None], multipliers)[0])
    space = v[:, w <= w[0] + (_MIXED if np.any(multipliers) else DEGENERATE) * matrix.size]
    twice = 2.0 * q
    real = bool(np.max(np.abs(twice - np.round(twice))) < SAME_VECTOR)
    unit = _equal_lengths(space.reshape(matrix.n_site, 3, -1), real, seed)
    if unit is not None and not state.reached(q, unit, real=real):
        unit = None
    return Order(np.array(q), float(w[0]), space.shape[1], unit)


def _equal_lengths(space, real, seed):
    """Return u near a space (n_site, 3, m) whose spins have length one everywhere, or None.

    Where -q is q, u may be taken real with |u_i| = 1. Elsewhere |Re u_i exp(iφ)| = 1 for all φ: u_i·u_i = 0 and
    |u_i|² = 2.
    """
    space = _real_basis(space) if real else space
    m = space.shape[2]

    def amplitudes(x):
        return space @ (x if real else x[:m] + 1j * x[m:])

    def error(x):
        u = amplitudes(x)
        length, square = np.sum(np.abs(u) ** 2, axis=1), np.sum(u * u, axis=1)
        return length - 1.0 if real else np.concatenate([length - 2.0, square.real, square.imag])

    def slope(x):
        u = amplitudes(x)
        length = 2.0 * np.einsum("ia,iam->im", u.conj(), space)
        if real:
            return length.real
        square = 2.0 * np.einsum("ia,iam->im", u, space)
        square = np.concatenate([square, 1j * square], axis=1)
        return np.concatenate([np.concatenate([length.real, -length.imag], axis=1), square.real, square.imag])

    generator = stream(seed, "start", "equal lengths", len(space), m)
    for _ in range(_TRIES):
        x = generator.normal(size=m if real else 2 * m)
        found = least_squares(error, x, jac=slope, method="trf", xtol=1e-12, ftol=1e-12, gtol=1e-12)
        if np.max(np.abs(found.fun)) < _NEAR:
            return _unit_amplitudes(amplitudes(found.x))
    return None


def _unit_amplitudes(u):
    """Return amplitudes (n_site, 3) made exact: real unit vectors, or a + i b with a, b orthonormal."""
    if np.isrealobj(u):
        return (u / np.linalg.norm(u, axis=1, keepdims=True)).astype(np.complex128)
    left, _, right = np.linalg.svd(np.stack([u.real, u.imag], axis=1), full_matrices=False)
    pair = left @ right
    return pair[:, 0] + 1j * pair[:, 1]


def _real_basis(space):
    """Return a real basis of a space that complex conjugation maps onto itself."""
    n_site, _, m = space.shape
    flat = space.reshape(3 * n_site, m)
    u, _, _ = np.linalg.svd(np.concatenate([flat.real, flat.imag], axis=1))
    return u[:, :m].reshape(n_site, 3, m)


def _best_multipliers(matrix, mesh, orbit):
    """Return the multipliers, constant on each orbit, that lift the lowest eigenvalue most (cutting planes).

    λ_min(d) is concave; the weight of its eigenvectors on each orbit is a supergradient. Each step maximises the least
    of the planes found so far; first those of the mesh, which are cheap, then those of refined wave vectors, from
    the best multipliers of the mesh and from none.
    """
    members = (orbit[:, None] == np.unique(orbit)).astype(np.float64)
    planes: list[tuple] = []
    table = _Mesh(matrix, mesh)
    d = np.zeros(members.shape[1])
    for refined in (False, True):
        best, queue = (-np.inf, d), [d, np.zeros_like(d)]
        for _ in range(_MAX_CUT):
            d = queue.pop(0)
            q = mesh[np.argmin(table.lowest(members @ d))]
            lowest, weight = _plane(matrix, _downhill(matrix, q, members @ d) if refined else q, members, d)
            best = max(best, (lowest, d), key=lambda pair: pair[0])
            planes.append((weight, lowest - weight @ d))
            if not queue:
                d, promised = _highest(planes, members.sum(axis=0), matrix.size)
                if promised <= best[0] + DEGENERATE * matrix.size:
                    break
                queue = [d]
        d = best[1]
    return members @ d


def _highest(planes, count, size):
    """Return where the least of some planes weight·d + limit is highest, with Σ count·d = 0, and its height."""
    n = len(count)
    cut = linprog(
        [*np.zeros(n), -1.0],
        A_ub=[[*-weight, 1.0] for weight, _ in planes],
        b_ub=[limit for _, limit in planes],
        A_eq=[[*count, 0.0]],
        b_eq=[0.0],
        bounds=[(-2 * size, 2 * size)] * n + [(None, None)],
    )
    return cut.x[:n], cut.x[n]


def _plane(matrix, q, members, d):
    """Return the lowest eigenvalue at q and its slope by the multipliers: the mean over degenerate eigenvectors."""
    w, v = np.linalg.eigh(matrix.at(q[None], members @ d)[0])
    space = v[:, w <= w[0] + DEGENERATE * matrix.size]
    return float(w[0]), np.mean(np.abs(space.reshape(matrix.n_site, -1)) ** 2, axis=1) @ members * 3.0
