"""Lines of a magnetic structure that comes to rest anew at every set of couplings, with exact derivatives.

With J(q; θ) the exchange between the sublattices and L the local axes of the spins,

    D(q; θ) = L J(q; θ) L† - diag(n_i·h_i),      h_i = Σ_j J_ij(0; θ) S_j n_j + field

where the directions n, and with them L, depend on θ: at rest dn/dθ is known from the implicit function theorem
(:mod:`~spinscape.simulate.relaxation`), and dD/dθ_k = L J_k L† + L' J L† + L J L'† - ... follows by the product rule.
Local axes are carried along without a twist, e' = -(n'·e) n: what a line shows does not depend on them. Biquadratic
terms have an exchange about the structure, J(q; θ, n); its derivative along the motion is a difference of fourth order.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..hamiltonian.biquadratic import empty_biquadratic
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.dipolar import empty_dipolar
from ..hamiltonian.dipole_sums import dipole_interaction
from ..hamiltonian.model import BondTable, empty_onsite
from ..hamiltonian.spiral import SpiralStructure
from ..hamiltonian.zeeman import zeeman_field
from ..kernels.spectrum import mode_intensities
from .directed import directed_bonds
from .gradient import eigenmodes, line_gradient
from .lines import DEGENERACY, SlopedLines
from .modes import blocks_of, checked_couplings, solve
from .quadratic import QuadraticForm, local_axes, quadratic_form
from .relaxation import structure_derivative
from .seen import seen_form
from .spectrum_settings import SpinwaveSettings
from .spiral_relaxation import SpiralMotion, relaxed, spiral_motion

_STEP = 2e-4
"""Of differences, r.l.u. and parts of a turn: a bond over n cells turns by 0.0013 n, and the error is the fourth power
of it over 30 of its part of J."""
_NO_BONDS = BondTable(*(np.zeros(shape) for shape in (0, 0, (0, 3), 0, (0, 3, 3))))
_STILL = 1e-12
"""1/meV: what moves by less stands still, as symmetry makes it."""


class Relaxation:
    """The structure at rest, found anew at each θ from the declared one; the last answer is kept.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure
        Where every relaxation starts: results do not depend on the order of questions.
    conditions : Conditions, optional
    """

    def __init__(self, model, structure, conditions=None):
        self.model, self.declared, self.conditions = model, structure, conditions or Conditions()
        self._theta, self._structure, self._motion = None, None, None

    def at(self, theta):
        """Return the structure at rest at θ; raises ``UnstableError``."""
        key = np.asarray(theta, dtype=np.float64).tobytes()
        if key != self._theta:
            self._structure = relaxed(self.model, self.declared, theta, self.conditions)
            self._theta, self._motion = key, None
        return self._structure

    def slopes(self, theta):
        """Return how its unit vectors move with the couplings, (n_parameter, N, 3), 1/meV."""
        return self.motion(theta).direction

    def motion(self, theta):
        """Return how structure and wave vector move with the couplings, a :class:`SpiralMotion`; k of a cell stays."""
        structure = self.at(theta)
        if self._motion is None:
            arguments = (self.model, structure, theta, self.conditions)
            if isinstance(structure, SpiralStructure):
                self._motion = spiral_motion(*arguments)
            else:
                moved = structure_derivative(*arguments) / self.model.crystal.spins[structure.site][:, None]
                self._motion = SpiralMotion(np.zeros((len(moved), 3)), moved)
        return self._motion


@dataclass(frozen=True, eq=False)
class TangentForm(QuadraticForm):
    """The quadratic form at one θ: D itself in ``constant``, its full derivatives in ``dynamical``."""

    def assembled(self, theta):
        """Return D(q) at the θ that the form was made at."""
        return self.constant.copy()


class RelaxedSource:
    """Lines at fixed wave vectors of a structure that is relaxed at every θ; a source as of :mod:`.lines`.

    Parameters
    ----------
    relaxation : Relaxation
        Shared by the sources of one spectrum.
    q : (n_q, 3) float64, r.l.u.
    weights : (n_q, 3, 3) float64, symmetric
        W of the intensity Σ_αβ W_αβ Re S^αβ.
    settings : SpinwaveSettings, optional
        Its ``regularisation``, ``form_factor`` and ``units``.

    Notes
    -----
    Memory: 144 (n_parameter + 2) n_q N² bytes.
    """

    def __init__(self, relaxation, q, weights, *, settings=None):
        model, structure = relaxation.model, relaxation.declared
        self.settings = settings or SpinwaveSettings()
        self.parameter_names, self.regularisation = model.parameter_names, self.settings.regularisation
        self._relaxation, self._weights = relaxation, np.ascontiguousarray(weights)
        self._q, self._followed, self._along = np.asarray(q, dtype=np.float64), None, None
        site = self._lay_out(model, structure)
        self._spins = model.crystal.spins[site]
        # The derivative of the energy, not the field: the other sign.
        self._field = -zeeman_field(model, relaxation.conditions)[site]

    def _lay_out(self, model, structure):
        """Prepare what the directions of the spins do not change; return the site of each sublattice."""
        self._plain = self._matrices(replace(model, biquadratic=empty_biquadratic()), structure)
        self._exchange, self._uniform = self._plain
        self._base = quadratic_form(model, structure, np.zeros((1, 3)), self._relaxation.conditions)
        return structure.site

    def _matrices(self, model, structure):
        """Return J(q), and the J(0) that fields come from, of unit couplings."""
        at_zero = exchange_matrices(model, structure, np.zeros((1, 3)), fields=True)
        return exchange_matrices(model, structure, self._q), at_zero[:, 0].real

    def _follow(self, theta):
        """Prepare the exchange of the structure at rest at θ, where it depends on it."""
        key = np.asarray(theta, dtype=np.float64).tobytes()
        if key == self._followed or not self._depends:
            return
        self._followed = None  # should the relaxation fail
        self._structure = self._relaxation.at(theta)
        self._exchange, self._uniform = self._at_structure(self._structure)
        self._along, self._followed = None, key

    @property
    def _depends(self):
        """Whether the exchange depends on the structure: that of biquadratic terms does."""
        return bool(self._relaxation.model.biquadratic.n_bond)

    def _at_structure(self, structure):
        """Return J(q), and the J(0) that fields come from, about a structure."""
        model = self._relaxation.model
        squares = replace(model, bonds=_NO_BONDS, onsite=empty_onsite(), dipolar=empty_dipolar())
        return tuple(a + b for a, b in zip(self._plain, self._matrices(squares, structure), strict=True))

    def _rows(self, motion):
        """Return the motion of what the exchange depends on, (n_parameter, n)."""
        return motion.direction.reshape(len(motion.direction), -1)

    def _displaced(self, way):
        """Return the structure moved along a row of :meth:`_rows`."""
        return replace(self._structure, direction=self._structure.direction + way.reshape(-1, 3))

    def lines(self, theta):
        """Return energies, ascending, and intensities at θ, (n_q, n_mode) each; meV and per chemical cell.

        Raises
        ------
        UnstableError
            Where the structure does not come to rest, or is not stable at one of the wave vectors.
        """
        values = checked_couplings(theta, self.parameter_names)
        self._follow(values)
        form = self._form(values)
        energies, amplitudes, _ = solve(form, values, blocks=blocks_of(form), regularisation=self.regularisation)
        intensities = np.empty_like(energies)
        mode_intensities(amplitudes, self._weights, 1.0 / form.n_cell, intensities)
        return energies, intensities

    def lines_with_slopes(self, theta):
        """Return :class:`~spinscape.simulate.lines.SlopedLines` at θ: the motion of the structure is in them."""
        values = checked_couplings(theta, self.parameter_names)
        self._follow(values)
        direction, slopes = self._relaxation.at(values).direction, self._relaxation.slopes(values)
        found = self._eigenmodes(values, direction, slopes)
        lines = line_gradient(found)
        motion = self._relaxation.motion(values)
        turned = [self._turned(found, self._vector_change(direction, motion, k)) for k in range(len(slopes))]
        brighten = lines.brighten + np.stack(turned)
        return SlopedLines(found.energies, found.intensities, brighten, lines.shift)

    def lines_with_pullback(self, theta):
        """Return energies and intensities at θ, and the adjoint of their derivatives; see :mod:`.lines`.

        The adjoint is the forward mode, contracted: the structure's motion couples every bond to every coupling.
        """
        lines = self.lines_with_slopes(theta)

        def pullback(by_intensity, by_shift):
            by_theta = np.einsum("qn,kqn->k", by_intensity, lines.brighten)
            return by_theta + np.einsum("qn,kqn->k", by_shift, lines.shift)

        return lines.energies, lines.intensities, pullback

    def _form(self, theta):
        """Return the form at θ without derivatives."""
        direction = self._relaxation.at(theta).direction
        axes, exchange = frames(direction, self._spins), self._summed(theta)
        value = _sandwich(axes, exchange, axes)
        value -= self._diagonal(self._fields(theta, direction), direction)
        return self._made(theta, direction, np.zeros((0, *value.shape), dtype=np.complex128), value)

    def _eigenmodes(self, theta, direction, slopes):
        """Return the eigenmodes of the tangent form of spins that move by ``slopes`` (n_parameter, N, 3)."""
        axes, exchange = frames(direction, self._spins), self._summed(theta)
        right = _right(exchange, axes)
        value = _left(axes, right)
        field = self._fields(theta, direction)
        value -= self._diagonal(field, direction)
        total = np.empty((len(theta), *value.shape), dtype=np.complex128)
        for k, slope in enumerate(slopes):
            turned = _left(_moved(axes, direction, slope), right)
            exchange, uniform = self._changes(theta, k)
            total[k] = _sandwich(axes, exchange, axes) + turned + turned.conj().swapaxes(-1, -2)
            pulled = _uniform_field(uniform, self._spins, direction)
            pulled += _uniform_field(np.tensordot(theta, self._uniform, axes=1), self._spins, slope)
            total[k] -= self._diagonal(pulled, direction) + self._diagonal(field, slope)
        form = self._made(theta, direction, total, value)
        how = {"regularisation": self.regularisation, "tolerance": DEGENERACY}
        return eigenmodes(form, theta, self._weights, **how)

    def _made(self, theta, direction, dynamical, value):
        """Return the tangent form of a structure at rest."""
        torque = self._fields(theta, direction)
        torque = torque - direction * np.sum(torque * direction, axis=1, keepdims=True)
        form = TangentForm(
            **{name: getattr(self._base, name) for name in ("parameter_names", "n_cell", "magnitude")},
            q=self._q,
            dynamical=dynamical,
            constant=value,
            vectors=self._base.vectors,
            magnitude_constant=self._base.magnitude_constant,
            torque=np.zeros_like(self._base.torque),
            torque_constant=torque,
            classical=self._base.classical,
            classical_constant=self._base.classical_constant,
        )
        return self._as_seen(form, self._vectors(frames(direction, self._spins)))

    def _summed(self, theta):
        """Return J(q; θ), (n_q, 3N, 3N) complex128, meV."""
        return np.tensordot(theta, self._exchange, axes=1)

    def _fields(self, theta, direction):
        """Return dE/dS_i, (N, 3) float64, meV."""
        return _uniform_field(np.tensordot(theta, self._uniform, axes=1), self._spins, direction) + self._field

    @staticmethod
    def _diagonal(field, direction):
        return np.diag(np.tile(np.sum(field * direction, axis=1), 2))

    def _changes(self, theta, k):
        """Return the derivatives by the coupling k of J(q) and of J(0), the motion of what they depend on included."""
        if not self._depends:
            return self._exchange[k], self._uniform[k]
        if self._along is None:
            # Structures move along few directions: one difference for each of them.
            rows = self._rows(self._relaxation.motion(theta))
            _, size, ways = np.linalg.svd(rows, full_matrices=False)
            ways = ways[size > _STILL]
            self._along = rows @ ways.T, [self._slope_along(way, theta) for way in ways]
        shares, slopes = self._along
        out = self._exchange[k].copy(), self._uniform[k].copy()
        for share, pair in zip(shares[k], slopes, strict=True):
            for part, slope in zip(out, pair, strict=True):
                part += share * slope
        return out

    def _slope_along(self, way, theta):
        """Return the derivatives of Σ θ_n J_n(q) and Σ θ_n J_n(0) by a motion, differences of fourth order."""
        parts = []
        for n in (-2, -1, 1, 2):
            found = self._at_structure(self._displaced(n * _STEP * way))
            parts.append([np.tensordot(theta, part, axes=1) for part in found])
        a, b, c, d = parts
        return tuple((8.0 * (c[m] - b[m]) - (d[m] - a[m])) / (12.0 * _STEP) for m in range(2))

    def _vector_change(self, direction, motion, k):
        """Return how v^α moves with the coupling k, (n_q, 3, 2N)."""
        return self._vectors(_moved(frames(direction, self._spins), direction, motion.direction[k]))

    def _turned(self, found, vectors):
        """Return what a change of v^α, (n_q, 3, 2N), adds to the derivative of intensities, (n_q, n_mode)."""
        n, form = found.form.n_mode, found.form
        change = self._as_seen(form, vectors).vectors
        moved = found.transform[:, :, n:].conj().swapaxes(-1, -2) @ change.swapaxes(-1, -2)
        seen = found.sources[:, n:] @ self._weights
        return 2.0 * np.sum(seen.conj() * moved, axis=2).real / form.n_cell

    def _vectors(self, axes):
        """Return the vectors v^α of S^α = Σ_m x_m† v^α_m that L (2, N, 3) gives, (n_q, 3, 2N)."""
        return np.tile(axes.reshape(-1, 3).T, (len(self._q), 1, 1))

    def _as_seen(self, form, vectors):
        """Return a form with the vectors v^α (n_q, 3, 2N) as the settings see them."""
        model, structure = self._relaxation.model, self._relaxation.declared
        shown = replace(form, vectors=vectors)
        return seen_form(shown, crystal=model.crystal, structure=structure, settings=self.settings)


def exchange_matrices(model, structure, q, *, fields=False):
    """Return J_k(q) of unit couplings between the sublattices of a structure: (n_parameter, n_q, 3N, 3N) complex128.

    J_ij(q) = Σ M exp(i q·d) over the bonds i → j, d the way from site to site; an on-site S·A·S is A + Aᵀ, dipoles
    stand between all pairs. The directions of the spins do not matter, but for biquadratic terms, which are taken about
    them. With ``fields`` their rows that act across the spins only are left out: they pull nothing.
    """
    bonds, n = directed_bonds(model, structure), structure.n_sublattice
    points = np.asarray(q, dtype=np.float64)
    out = np.zeros((model.n_parameter, len(points), n, 3, n, 3), dtype=np.complex128)
    for b in np.flatnonzero(bonds.share > 0.0) if fields else range(len(bonds.tail)):
        phase = np.exp(2j * np.pi * (points @ bonds.way[b]))
        out[bonds.parameter[b], :, bonds.tail[b], :, bonds.head[b], :] += phase[:, None, None] * bonds.matrix[b]
    if model.dipolar.n_row:
        between = dipole_interaction(model.crystal, structure, points).transpose(0, 1, 3, 2, 4)
        for k, factor in zip(model.dipolar.parameter, model.dipolar.factor, strict=True):
            out[k] += factor * between
    return out.reshape(model.n_parameter, len(points), 3 * n, 3 * n)


def frames(direction, spins):
    """Return L: rows sqrt(S/2) (e1 + i e2) and their conjugates, (2, N, 3) complex128."""
    axes = np.sqrt(spins / 2.0)[:, None] * local_axes(direction)
    return np.stack([axes, axes.conj()])


def _moved(axes, direction, slope):
    """Return the change of L when the spins turn by ``slope`` (N, 3) and carry their axes along."""
    return -np.einsum("uia,ia->ui", axes, slope)[..., None] * direction


def _uniform_field(exchange, spins, direction):
    """Return Σ_j J_ij(0) S_j n_j, (N, 3)."""
    return (exchange @ (spins[:, None] * direction).ravel()).reshape(-1, 3)


def _dense(axes):
    """Return L as a matrix, (2N, 3N)."""
    n = axes.shape[1]
    out = np.zeros((2, n, n, 3), dtype=np.complex128)
    out[:, np.arange(n), np.arange(n)] = axes
    return out.reshape(2 * n, 3 * n)


def _right(exchange, axes):
    """Return J L†, (n_q, 3N, 2N): one product of matrices for all wave vectors."""
    n_q, size, _ = exchange.shape
    return (exchange.reshape(n_q * size, size) @ _dense(axes).conj().T).reshape(n_q, size, -1)


def _left(axes, right):
    """Return L X, (n_q, 2N, 2N), block by block of L."""
    n = axes.shape[1]
    blocks = right.reshape(len(right), n, 3, -1)
    return np.einsum("uia,qiam->quim", axes, blocks, optimize=True).reshape(len(right), 2 * n, -1)


def _sandwich(axes, exchange, other):
    return _left(axes, _right(exchange, other))
