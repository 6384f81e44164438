"""Spin waves of single-Q spirals in the rotating frame, commensurate or not.

In the frame that turns with the spins, S(R) = R(φ) S'(R) with φ = 2π k·R, the exchange between cells becomes
M R(2π k·offset) and the structure repeats with the chemical cell, where the Hamiltonian is invariant under rotations
about the axis. With R(φ) = R_0 + e^{iφ} R_1 + e^{-iφ} R_1*, R_0 = n nᵀ and R_1 = ½ (1 - n nᵀ - i [n]×),

    S(Q) = R_0 S'(Q) + R_1 S'(Q + k) + R_1* S'(Q - k):

each Q shows the magnons of the rotating frame at Q, Q + k and Q - k. Where 2k is a reciprocal lattice vector the last
two are one magnon, and their amplitudes add; where k is one, all three are.

Dipoles turn into M'(q) = M(q) R_0 + M(q + k) R_1 exp(-2πi k·d) + M(q - k) R_1* exp(2πi k·d), d the way between two
sites of a cell. They know the lattice, and are invariant under turns about an axis only where the moments g·S have no
part across it. Where 2k is a reciprocal lattice vector, invariance under half a turn is enough for all terms; where k
is one, nothing turns.
"""

from dataclasses import replace

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.dipolar import empty_dipolar
from ..hamiltonian.dipole_sums import dipole_bound, dipole_interaction
from ..hamiltonian.model import MagneticStructure
from ..observables.structure_factor import correlation_tensor
from .modes import Modes, modes
from .quadratic import quadratic_form, with_interaction

_TOLERANCE = 1e-9
_GENERIC = np.array([[0.1432, 0.2718, 0.3819], [-0.3217, 0.1193, 0.4473]])
"""Wave vectors of no symmetry: a matrix that vanishes at them vanishes everywhere."""


def turn_matrices(axis, angle):
    """Return rotations about a unit axis, (n, 3, 3), by (n,) angles in radians (Rodrigues)."""
    cross = np.cross(np.eye(3), axis)
    angle = np.asarray(angle)[:, None, None]
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def _kind_of_k(spiral):
    """Return whether k, and whether 2k, is a reciprocal lattice vector."""
    return tuple(bool(np.all(np.abs(x - np.round(x)) < _TOLERANCE)) for x in (spiral.k, 2.0 * spiral.k))


def check_turns(model, spiral, conditions):
    """Raise :class:`ConfigError` unless every term is invariant under the rotations that the spiral makes."""
    whole, half = _kind_of_k(spiral)
    if whole:
        return
    turn = turn_matrices(spiral.axis, [np.pi])[0] if half else np.cross(np.eye(3), spiral.axis)
    tables = {
        "a bond": model.bonds.matrix,
        "an on-site term": model.onsite.matrix,
        "a biquadratic term": model.biquadratic.turn,
    }
    for name, matrix in tables.items():
        _check_commutes(name, matrix, turn)
    if model.dipolar.n_row:
        between = dipole_interaction(model.crystal, one_cell(spiral), _GENERIC).reshape(-1, 3, 3)
        scale = np.abs(between).max()
        clash = np.abs(turn @ between - between @ turn).max()
        if clash > _TOLERANCE * scale:
            raise ConfigError(
                "dipoles have no rotating frame here: turns about the axis of the spiral change them",
                where="dipolar",
                expected="moments without a part across the axis (g), or a k that is a reciprocal lattice vector",
                got=f"a change by {clash / scale:.3g} of the largest",
                fix="use a supercell",
            )
    pull = np.einsum("a,iab->ib", np.asarray(conditions.field, dtype=np.float64), model.crystal.g)
    turned = pull @ turn.T - pull * half
    if np.any(np.abs(turned) > _TOLERANCE * max(1.0, float(np.abs(pull).max(initial=0.0)))):
        raise ConfigError(
            "a field across the axis of a spiral",
            where="conditions.field",
            expected=f"along {spiral.axis.tolist()}",
            got=list(conditions.field),
            fix="use a supercell",
        )


def _check_commutes(name, matrix, turn):
    """Raise unless every matrix (n, 3, 3) of a table commutes with a turn."""
    clash = np.abs(turn @ matrix - matrix @ turn).max(axis=(1, 2), initial=0.0)
    if np.any(clash > _TOLERANCE * np.maximum(np.abs(matrix).max(axis=(1, 2), initial=0.0), 1.0)):
        worst = int(np.argmax(clash))
        raise ConfigError(
            f"{name} is not invariant under rotations about the axis of the spiral",
            where=f"row {worst} of its table",
            expected="isotropic exchange, DM along the axis, anisotropy about the axis",
            got=matrix[worst].tolist(),
            fix="use a supercell",
        )


def one_cell(spiral):
    """Return the spins of the cell R = 0 as a structure of one cell."""
    n = len(spiral.direction)
    return MagneticStructure(np.eye(3), np.arange(n), np.zeros((n, 3)), spiral.direction)


def rotating_frame(model, spiral):
    """Return the model, without dipoles, and the one-cell structure that a spiral is in the frame that turns with it.

    Returns
    -------
    Model, MagneticStructure
    """

    def turned(table, matrix):
        return matrix @ turn_matrices(spiral.axis, 2.0 * np.pi * (table.offset @ spiral.k))

    bonds = replace(model.bonds, matrix=turned(model.bonds, model.bonds.matrix))
    quartic = replace(model.biquadratic, turn=turned(model.biquadratic, model.biquadratic.turn))
    return replace(model, bonds=bonds, biquadratic=quartic, dipolar=empty_dipolar()), one_cell(spiral)


def _turn_parts(axis):
    """Return R_0, R_1 and R_1*: (3, 3, 3) complex128."""
    along = np.outer(axis, axis)
    plus = 0.5 * (np.eye(3) - along - 1j * np.cross(np.eye(3), axis))
    return np.stack([along.astype(np.complex128), plus, plus.conj()])


def turned_dipoles(model, spiral, q):
    """Return the dipole tensors M'(q) of the rotating frame, (n_q, n_site, n_site, 3, 3) complex128."""
    crystal, structure = model.crystal, one_cell(spiral)
    between = (crystal.positions[None] - crystal.positions[:, None]) @ spiral.k
    out = np.zeros((len(q), crystal.n_site, crystal.n_site, 3, 3), dtype=np.complex128)
    for sign, part in zip((0.0, 1.0, -1.0), _turn_parts(spiral.axis), strict=True):
        phase = np.exp(-2j * np.pi * sign * between)[:, :, None, None]
        out += phase * (dipole_interaction(crystal, structure, q + sign * spiral.k) @ part)
    return out


def frame_components(spiral):
    """Return the matrices that go with S'(Q), S'(Q + k) and S'(Q - k): (3, 3, 3) complex128."""
    parts = _turn_parts(spiral.axis)
    whole, half = _kind_of_k(spiral)
    if whole:
        return np.stack([parts.sum(axis=0), np.zeros((3, 3)), np.zeros((3, 3))])
    return np.stack([parts[0], parts[1] + parts[2], np.zeros((3, 3))]) if half else parts


def rotating_form(model, spiral, q, conditions=None):
    """Return the quadratic form of a spiral in the frame that turns with it, at Q alone; as of :func:`spiral_form`."""
    conditions = conditions or Conditions()
    check_turns(model, spiral, conditions)
    turned, structure = rotating_frame(model, spiral)
    form = quadratic_form(turned, structure, q, conditions)
    if not model.dipolar.n_row:
        return form
    at_zero = turned_dipoles(model, spiral, np.zeros((1, 3)))[0].real
    bound = 3.0 * dipole_bound(model.crystal, structure)
    return with_interaction(form, model, structure, at_zero, turned_dipoles(model, spiral, form.q), bound)


def spiral_form(model, spiral, q, conditions=None):
    """Return the quadratic form of a spiral at Q, Q + k and Q - k, one after the other.

    Parameters
    ----------
    model : Model
        Invariant under the rotations about the axis that the spiral makes.
    spiral : SpiralStructure
    q : (n_q, 3) float64, r.l.u. of the chemical cell
    conditions : Conditions, optional
        A field must lie along the axis.

    Returns
    -------
    QuadraticForm
        With 3 n_q wave vectors; :func:`spiral_modes` puts them together again.
    """
    points = np.asarray(q, dtype=np.float64)
    form = rotating_form(model, spiral, np.concatenate([points, points + spiral.k, points - spiral.k]), conditions)
    # φ counts cells, not positions: S' at Q ± k carries the phase of its site in the cell.
    phase = np.exp(-2j * np.pi * np.outer([0.0, 1.0, -1.0], model.crystal.positions @ spiral.k))
    phase = np.tile(phase, (1, 2)).reshape(3, 1, 1, -1)
    vectors = form.vectors.reshape(3, len(points), 3, -1)
    seen = np.einsum("pab,pqbm->pqam", frame_components(spiral), vectors) * phase
    return replace(form, vectors=seen.reshape(form.vectors.shape))


def spiral_modes(form, theta, **how):
    """Return the spin waves of a spiral.

    Parameters
    ----------
    form : QuadraticForm
        From :func:`spiral_form`.
    theta : (n_parameter,) float64, meV
    **how
        Those of :func:`~spinscape.simulate.modes.modes`.

    Returns
    -------
    Modes
        With 3 n_site modes at each Q, ascending. Magnons that coincide stand there more than once, one of them with
        all the intensity.
    """
    found = modes(form, theta, **how)
    energies, *numbers = merged_parts(3, found.energies, *np.moveaxis(found.amplitudes, 2, 0))
    amplitudes = np.stack(numbers, axis=2)
    regularised = found.regularised.reshape(3, -1).any(axis=0)
    return Modes(energies, amplitudes, correlation_tensor(amplitudes, n_cell=form.n_cell), regularised)


def merged_parts(n_part, energies, *others):
    """Put the modes of several wave vectors that show at one Q together, in ascending order.

    Parameters
    ----------
    n_part : int
        Wave vectors for each Q; their blocks stand one after the other.
    energies : (n_part n_q, n_mode) float64
    *others : (..., n_part n_q, n_mode) arrays

    Returns
    -------
    list of (..., n_q, n_part n_mode) arrays
        The energies first.
    """
    if n_part == 1:
        return [energies, *others]
    together = [
        np.moveaxis(x.reshape(*x.shape[:-2], n_part, -1, x.shape[-1]), -3, -2).reshape(
            *x.shape[:-2], x.shape[-2] // n_part, -1
        )
        for x in (energies, *others)
    ]
    order = np.argsort(together[0], axis=1, kind="stable")
    return [np.take_along_axis(x, np.broadcast_to(order, x.shape), axis=-1) for x in together]
