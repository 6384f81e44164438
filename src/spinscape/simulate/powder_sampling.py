"""The wave vectors of a powder average: rules on the sphere, one for each |Q|, chosen once and then frozen.

A rule that adapts itself at every set of couplings makes steps in the spectrum as a function of them; here its degree
is found once, at couplings that are named, and kept. Where model and structure have symmetry, one direction of each
orbit stands for all.
"""

import functools
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.model import MagneticStructure, Model
from ..hamiltonian.operations import axial_rotations, model_operations
from ..hamiltonian.primitive import CellLattice
from ..hamiltonian.spiral import SpiralStructure
from ..lattice.powder_axis import PowderAxis
from ..lattice.symmetry import cartesian_rotations, site_maps
from ..observables.powder import MAX_DEGREE, sphere_rule
from ..observables.structure_factor import polarisation_weights
from .sampling import Means, Samples
from .spiral_energy import perpendicular_frame

FIRST_DEGREE = 15
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class PowderSampling:
    """Directions and weights for each |Q|; a sampling as of :mod:`.sampling`.

    Parameters
    ----------
    axis : PowderAxis
    degrees : tuple of int
        Degree of the rule of each |Q|.
    rotations : (n, 3, 3) float64
        Cartesian operations under which the spectrum is the same; the identity and the inversion at least.
    reciprocal : (3, 3) float64, 1/Å
        Reciprocal vectors as rows: Q come in their units.
    bin_order : int
        Points across each bin of |Q| (Gauss-Legendre), for means over it; 0 for its centre alone.
    """

    axis: PowderAxis
    degrees: tuple[int, ...]
    rotations: np.ndarray
    reciprocal: np.ndarray
    bin_order: int = 0

    @property
    def counts(self):
        """Points of each |Q|, (n_q,) int64."""
        return np.array([len(self._rule(degree)[1]) for degree in self.degrees], np.int64) * max(1, self.bin_order)

    def at(self, start, stop):
        """Return :class:`~spinscape.simulate.sampling.Samples` of |Q| number start to stop - 1."""
        rules = [self._rule(degree) for degree in self.degrees[start:stop]]
        moduli, shares = self._moduli(start, stop)
        q = [np.kron(radii[:, None], rule[0]) for radii, rule in zip(moduli, rules, strict=True)]
        weights = [np.kron(shares, rule[1]) for rule in rules]
        row = np.repeat(np.arange(len(rules)), [len(w) for w in weights])
        points = np.concatenate(q)
        means = Means(row, np.arange(len(points)), np.concatenate(weights), (len(rules), len(points)))
        return Samples(points @ np.linalg.inv(self.reciprocal), means)

    def _moduli(self, start, stop):
        """Return the |Q| across each bin, (n_row, n), and their weights (n,) of sum 1."""
        if not self.bin_order:
            return self.axis.centres[start:stop, None], np.ones(1)
        nodes, weights = np.polynomial.legendre.leggauss(self.bin_order)
        low, high = self.axis.edges[start:stop, None], self.axis.edges[start + 1 : stop + 1, None]
        return 0.5 * (low + high) + 0.5 * (high - low) * nodes, 0.5 * weights

    def _rule(self, degree):
        """Return one direction of each orbit, and the orbits' weights."""
        return reduced_directions(degree, self.rotations)


def reduced_directions(degree: int, rotations) -> tuple[np.ndarray, np.ndarray]:
    """Return one direction of each orbit of a rule on the sphere under rotations, and the weights of the orbits.

    Parameters
    ----------
    degree : int
    rotations : (n, 3, 3) float64, Cartesian
        A group. Rotations that do not map the rule to itself are not used: mirrors across the axes and halves or
        quarters of a turn about z do.

    Returns
    -------
    directions : (n_direction, 3) float64
    weights : (n_direction,) float64, of sum 1
    """
    return _reduced(int(degree), np.ascontiguousarray(rotations, dtype=np.float64).tobytes())


@functools.lru_cache(maxsize=32)
def _reduced(degree, rotations):
    rule = sphere_rule(degree)
    place = _places(rule.directions)
    order = np.argsort(place, kind="stable")
    label = np.arange(rule.n_direction)
    for rotation in np.frombuffer(rotations).reshape(-1, 3, 3):
        image = _places(rule.directions @ rotation.T)
        there = order[np.minimum(np.searchsorted(place[order], image), len(order) - 1)]
        if np.array_equal(place[there], image):
            label = np.minimum(label, label[there])
    # Orbits of a group are reached by its elements at once; of generators step by step.
    while not np.array_equal(label, label[label]):
        label = label[label]
    kept, index = np.unique(label, return_inverse=True)
    return rule.directions[kept], np.bincount(index.reshape(-1), weights=rule.weights)


def _places(directions):
    """Return one integer for each direction: its coordinates in steps of 1e-6."""
    steps = np.round(directions / _SAME).astype(np.int64) + 2**20
    return (steps[:, 0] << 42) + (steps[:, 1] << 21) + steps[:, 2]


def spectrum_rotations(
    model: Model, structure: MagneticStructure | SpiralStructure, *, field=(0.0, 0.0, 0.0), operations=None
) -> np.ndarray:
    """Return the Cartesian operations under which S(Q, ω) of a structure is the same, (n, 3, 3) float64.

    An operation R of the model that maps the structure to itself, perhaps after a translation, gives S(R Q) = S(Q).
    One that maps it to its reverse is a symmetry together with the reversal of time, which turns Q round as well:
    S(-R Q) = S(Q). That the spectrum is the same at Q and -Q is not assumed: it is where one of them says so, and it is
    not where inversion changes the sublattices of an antiferromagnet.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure
    field : (3,) float, T
    operations : (n,) int, optional
        Those of the model, where they are known.
    """
    crystal = model.crystal
    axial = axial_rotations(crystal)
    cartesian = cartesian_rotations(crystal.vectors, crystal.rotations)
    maps = site_maps(crystal.vectors, crystal.positions, crystal.rotations, crystal.translations)
    table = _SpiralSpins(structure) if isinstance(structure, SpiralStructure) else _Spins(structure)
    kept = [
        sign * cartesian[o]
        for o in (model_operations(model, field=field) if operations is None else operations)
        for sign in table.signs(crystal.rotations[o], axial[o], maps.site[o], maps.cell[o])
    ]
    return np.unique(np.round(kept, 12) + 0.0, axis=0)


class _Spins:
    """The directions of a magnetic cell, to be looked up anywhere."""

    def __init__(self, structure):
        self.structure, self.lattice = structure, CellLattice(structure.magnetic_cell)
        self.index = {
            (int(s), *self.lattice.key(c)): k
            for k, (s, c) in enumerate(zip(structure.site, structure.cell, strict=True))
        }

    def signs(self, rotation, axial, site, cell):
        """Return a set: 1 where an operation keeps the structure, up to a translation, -1 where it reverses it."""
        s, found = self.structure, set()
        if not np.all(self.lattice.holds(s.magnetic_cell @ rotation.T)):
            return found
        turned, where, moved = s.direction @ axial.T, site[s.site], s.cell @ rotation.T + cell[s.site]
        for shift in self.lattice.cells():
            image = [self.index[(int(k), *self.lattice.key(c + shift))] for k, c in zip(where, moved, strict=True)]
            found |= {sign for sign in (1, -1) if np.abs(s.direction[image] - sign * turned).max() <= _SAME}
        return found


class _SpiralSpins:
    """The directions of a spiral, which may be turned about its axis as a whole: its spectrum does not see it."""

    def __init__(self, spiral):
        self.spiral = spiral
        # Half turns and whole ones leave terms that know a direction across the axis: nothing turns freely then.
        self.free = bool(np.any(np.abs(2.0 * spiral.k - np.round(2.0 * spiral.k)) > _SAME))

    def signs(self, rotation, axial, site, cell):
        """Return a set: 1 where an operation keeps the spiral, -1 where it reverses all its spins.

        S_i(c) = R(a, 2π k·c) n_i becomes A S_i(c) at the site j of the cell d = W c + t_i. Where A a = s a that is
        R(a, 2π s k·W⁻¹(d - t_i)) A n_i, the same spiral if s k W⁻¹ is k but for a reciprocal vector, and A n_i is n_j
        turned by k·t_i and by one angle for all sites.
        """
        s, turned_axis = self.spiral, axial @ self.spiral.axis
        hand = next((h for h in (1, -1) if np.abs(turned_axis - h * s.axis).max() <= _SAME), 0)
        moved = hand * s.k @ np.linalg.inv(rotation) - s.k
        if hand == 0 or np.abs(moved - np.round(moved)).max() > _SAME:
            return set()
        turned, there = s.direction @ axial.T, s.directions(cell)[np.arange(len(site)), site]
        return {sign for sign in (1, -1) if self._same(sign * turned, there)}

    def _same(self, first, second):
        """Tell whether two sets of directions differ by a turn about the axis, none where turns are not free."""
        if not self.free:
            return np.abs(first - second).max() <= _SAME
        x, y = perpendicular_frame(self.spiral.axis)
        one, two = (n @ x + 1j * (n @ y) for n in (first, second))
        overlap = np.vdot(one, two)
        phase = overlap / abs(overlap) if abs(overlap) > _SAME else 1.0
        along = np.abs((first - second) @ self.spiral.axis).max()
        return max(along, np.abs(phase * one - two).max()) <= _SAME


def seen_rotations(rotations, component: str) -> np.ndarray:
    """Return the rotations (n, 3, 3) that a component of S^αβ may be averaged with: all but for Cartesian ones.

    S(R Q) = R S(Q) Rᵀ, so that W·S is the same at R Q where Rᵀ W(R Q) R = W(Q).
    """
    q = np.array([[0.3, 0.5, 0.7]])
    here = polarisation_weights(component, q)[0]
    there = [r.T @ polarisation_weights(component, q @ r.T)[0] @ r for r in rotations]
    return rotations[[np.abs(w - here).max() <= _SAME for w in there]]


def frozen_sampling(
    axis: PowderAxis, function, *, rotations, reciprocal, tolerance: float, bin_order=0, max_degree=MAX_DEGREE
):
    """Return the sampling whose averages have converged at one set of couplings.

    Parameters
    ----------
    axis : PowderAxis
    function : callable
        (n, 3) float64, r.l.u. -> (n, n_energy): the spectrum at wave vectors.
    rotations, reciprocal, bin_order
        As of :class:`PowderSampling`.
    tolerance : float
        Largest root mean square change of a row when the degree of its rule would be doubled, relative to the root
        mean square of all rows.
    max_degree : int

    Returns
    -------
    PowderSampling

    Raises
    ------
    ConfigError
        Where a row has not converged at ``max_degree``.
    """
    if not 0 < tolerance < 1:
        raise ConfigError("a tolerance lies between 0 and 1", where="powder.tolerance", got=tolerance)
    degrees = np.full(axis.shape[0], FIRST_DEGREE)

    def row(k):
        samples = PowderSampling(axis, tuple(degrees.tolist()), rotations, reciprocal, bin_order).at(k, k + 1)
        return samples.means(function(samples.q))[0]

    rows = np.array([row(k) for k in range(len(degrees))])
    moving = np.arange(len(degrees))
    while len(moving):
        degrees[moving] = 2 * degrees[moving] + 1
        if degrees.max() > max_degree:
            raise ConfigError(
                "a powder average has not converged",
                where=f"|Q| = {axis.centres[moving[0]]:.4g} 1/Å",
                expected=f"a relative change of at most {tolerance:g} up to degree {max_degree}",
                got=f"degree {degrees.max() // 2} is not enough",
                fix="widen the energy resolution, or loosen powder.tolerance",
            )
        finer = np.array([row(k) for k in moving])
        change = np.sqrt(np.mean((finer - rows[moving]) ** 2, axis=1))
        rows[moving] = finer
        still = change > tolerance * np.sqrt(np.mean(rows**2))
        degrees[moving[~still]] //= 2
        moving = moving[still]
    return PowderSampling(axis, tuple(int(d) for d in degrees), rotations, reciprocal, bin_order)
