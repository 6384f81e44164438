"""Relaxation of a declared spiral at a fixed axis, and how wave vector and spins of the relaxed one move.

At rest the energy of :mod:`~spinscape.simulate.spiral_energy` has no slope by x = (2π k, tangent displacements of the
spins). Differentiated (implicit function theorem), with the Hessian H of x,

    H ∂x/∂θ_m = -∂(∂E/∂x)/∂θ_m

H is singular along the turn of all spins, and along components of k that no bond knows; nothing drives these, and the
pseudo-inverse leaves them where they are. The axis does not move: the couplings are invariant under turns about it.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from ..errors import ConfigError, UnstableError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import Model
from ..hamiltonian.spiral import SpiralStructure
from .modes import checked_couplings
from .relaxation import relaxed_structure
from .spiral import check_turns
from .spiral_energy import SpiralEnergy, energy_and_slopes, perpendicular_frame, spiral_energy

AT_REST = 1e-9
"""Largest slope of the energy, relative to its scale, of a spiral that counts as stationary."""
ZERO_MODE = 1e-7
"""Eigenvalues of the Hessian below this part of that scale are zero modes (or soft ones)."""
SOFT = 1e-6
"""Part of the driving force that a zero mode may carry."""
_STEP = 1e-3
"""Of differences of fourth order of exact slopes: their error is 1e-12 of the scale."""
_NEWTON, _ESCAPES, _ESCAPE = 6, 6, 2e-2


class SpiralMotion(NamedTuple):
    """How a spiral at rest moves with the couplings.

    Parameters
    ----------
    k : (n_parameter, 3) float64, r.l.u./meV
    direction : (n_parameter, n_site, 3) float64, 1/meV
        Of the unit vectors in the cell R = 0.
    """

    k: np.ndarray
    direction: np.ndarray


class _Chart:
    """Coordinates x about a spiral: 2π k, then two displacements of each spin, in its own tangent plane."""

    def __init__(self, spiral: SpiralStructure):
        self.axis, self.k = spiral.axis, spiral.k
        self.frame = np.concatenate([perpendicular_frame(spiral.axis), spiral.axis[None]])
        self.local = spiral.direction @ self.frame.T
        self.tangent = np.stack([perpendicular_frame(n) for n in self.local])  # (n_site, 2, 3)
        self.size = 3 + 2 * len(self.local)

    def at(self, x):
        """Return k, the spins' local vectors (n_site, 3), and their lengths before they were normalised."""
        moved = self.local + np.einsum("sm,sma->sa", x[3:].reshape(-1, 2), self.tangent)
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        return self.k + x[:3] / (2.0 * np.pi), moved / length, length

    def slope(self, form: SpiralEnergy, x):
        """Return the energy and its slope by x."""
        k, local, length = self.at(x)
        energy, by_k, _, by_local = energy_and_slopes(form, k, self.axis, local)
        across = (by_local - local * np.sum(local * by_local, axis=1, keepdims=True)) / length
        return energy, np.concatenate([by_k / (2.0 * np.pi), np.einsum("sa,sma->sm", across, self.tangent).ravel()])

    def hessian(self, form: SpiralEnergy):
        """Return the second derivative of the energy at x = 0, (n, n)."""
        columns = []
        for axis in np.eye(self.size):
            a, b, c, d = (self.slope(form, n * _STEP * axis)[1] for n in (-2, -1, 1, 2))
            columns.append((8.0 * (c - b) - (d - a)) / (12.0 * _STEP))
        return 0.5 * (np.array(columns) + np.array(columns).T)

    def spiral(self, x) -> SpiralStructure:
        """Return the spiral at x."""
        k, local, _ = self.at(x)
        return SpiralStructure(k, self.axis, local @ self.frame)


def relaxed_spiral(
    model: Model, spiral: SpiralStructure, theta, conditions: Conditions | None = None
) -> SpiralStructure:
    """Return the spiral of the same axis that a declared one relaxes to: wave vector, angles and cones.

    Parameters
    ----------
    model : Model
    spiral : SpiralStructure
        The start. One that is at rest but in no minimum leaves it along its softest mode.
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional

    Returns
    -------
    SpiralStructure

    Raises
    ------
    UnstableError
        Where it does not come to rest.
    ConfigError
        Where a term is not invariant under all turns about the axis.
    """
    values, conditions = checked_couplings(theta, model.parameter_names), conditions or Conditions()
    check_free_turns(model, spiral, conditions)
    form, here = spiral_energy(model, values, conditions), spiral
    for _ in range(_ESCAPES):
        here = _descended(form, here)
        chart = _Chart(here)
        slope = np.abs(chart.slope(form, np.zeros(chart.size))[1]).max() / form.size
        if slope > AT_REST:
            break
        values_of_h, modes = np.linalg.eigh(chart.hessian(form))
        if values_of_h[0] >= -ZERO_MODE * form.size:
            return here
        mode = modes[:, 0]
        mode = mode * np.sign(mode[np.argmax(np.abs(np.round(mode, 9)))])
        here = chart.spiral(_ESCAPE * mode)
    raise UnstableError(
        "the spiral does not relax at these couplings",
        where=", ".join(f"{k} = {v:.6g} meV" for k, v in zip(model.parameter_names, values, strict=True)),
        expected=f"a minimum with a relative slope below {AT_REST:g}",
        got=f"slope {slope:.3g} at k = {np.round(here.k, 6).tolist()}",
        fix="declare a spiral nearer to the ground state, or search for it with minimise_spiral",
    )


def relaxed(model: Model, structure, theta, conditions: Conditions | None = None):
    """Return what a declared structure relaxes to: a spiral with its axis, any other one in its magnetic cell."""
    one = relaxed_spiral if isinstance(structure, SpiralStructure) else relaxed_structure
    return one(model, structure, theta, conditions)


def spiral_motion(model: Model, spiral: SpiralStructure, theta, conditions: Conditions | None = None) -> SpiralMotion:
    """Return how a relaxed spiral moves with the couplings.

    Parameters
    ----------
    model : Model
    spiral : SpiralStructure
        At rest, from :func:`relaxed_spiral` with the same θ and conditions.
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional

    Returns
    -------
    SpiralMotion

    Raises
    ------
    UnstableError
        Where a soft mode is driven: the spiral then does not move smoothly, as at a Lifshitz point.
    """
    values, conditions = checked_couplings(theta, model.parameter_names), conditions or Conditions()
    chart, form = _Chart(spiral), spiral_energy(model, values, conditions)
    stiffness, modes = np.linalg.eigh(chart.hessian(form))
    zero = np.zeros(chart.size)
    # The energy is linear in the couplings, without a field.
    force = np.array([chart.slope(spiral_energy(model, unit), zero)[1] for unit in np.eye(len(values))])
    driven, soft = force @ modes, stiffness <= ZERO_MODE * form.size
    size = np.linalg.norm(force, axis=1)
    if np.any(np.abs(driven[:, soft]).max(axis=1, initial=0.0) > SOFT * np.maximum(size, form.size / 1e3)):
        raise UnstableError(
            "the spiral does not move smoothly with the couplings: a mode without stiffness is driven",
            where=", ".join(f"{k} = {v:.6g} meV" for k, v in zip(model.parameter_names, values, strict=True)),
            expected="soft modes that symmetry makes, which no coupling drives",
            got=f"lowest stiffness {stiffness[0]:.3g} meV",
            fix="leave the phase boundary",
        )
    inverse = np.divide(1.0, stiffness, out=np.zeros_like(stiffness), where=~soft)
    x = -(driven * inverse) @ modes.T
    turned = np.einsum("psm,sma->psa", x[:, 3:].reshape(len(values), -1, 2), chart.tangent)
    return SpiralMotion(x[:, :3] / (2.0 * np.pi), turned @ chart.frame)


def _descended(form, spiral):
    """Return the minimum near a spiral: quasi-Newton, then Newton steps to the last digits."""
    chart = _Chart(spiral)

    def value(x):
        energy, slope = chart.slope(form, x)
        return energy / form.size, slope / form.size

    found = minimize(value, np.zeros(chart.size), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
    here = chart.spiral(found.x)
    for _ in range(_NEWTON):
        chart = _Chart(here)
        slope = chart.slope(form, np.zeros(chart.size))[1]
        if np.abs(slope).max() <= 1e-14 * form.size:
            break
        stiffness, modes = np.linalg.eigh(chart.hessian(form))
        stiff = np.abs(stiffness) > ZERO_MODE * form.size
        step = -(modes[:, stiff] @ ((slope @ modes[:, stiff]) / stiffness[stiff]))
        if np.abs(step).max() > 1e-3:
            break  # not near a minimum: what BFGS found is told as it is
        here = chart.spiral(step)
    return here


def check_free_turns(model, spiral, conditions):
    """Raise :class:`ConfigError` unless all turns about the axis are free, whatever k is now."""
    generic = SpiralStructure(np.array([0.1234, 0.2345, 0.3456]), spiral.axis, spiral.direction)
    try:
        check_turns(model, generic, conditions)
    except ConfigError as error:
        raise ConfigError(
            "a spiral can only be relaxed where its wave vector may be any: " + error.what,
            where=error.where,
            expected=error.expected,
            got=error.got,
            fix="lay the spiral out in a magnetic cell and relax it there",
        ) from None
