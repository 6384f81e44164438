"""Relaxation of a declared magnetic structure, and how the relaxed one moves with the couplings.

At rest every spin lies along its field: the gradient g(n, θ) on the spheres is zero. Differentiated (implicit function
theorem), with tangent displacements y and the Hessian H on the tangent space,

    H y_k = -∂g/∂θ_k,      dn/dθ_k = y_k

Where H is singular because the energy has a continuous symmetry, ∂g/∂θ has no part along the zero modes; the
pseudo-inverse then gives the motion without any turn along them.
"""

from dataclasses import replace

import numpy as np

from ..errors import UnstableError, check_shape
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure, Model
from ..lattice.supercell import supercell
from .classical_form import ClassicalForm, classical_form
from .groundstate import TORQUE, relax
from .modes import checked_couplings
from .quadratic import local_axes, sublattice_finder

ZERO_MODE = 1e-7
"""Eigenvalues of the Hessian below this part of the scale of the local fields are zero modes (or soft ones)."""
SOFT = 1e-6
"""Part of the driving field, relative to its scale, that a zero mode may carry."""
_MAX_ESCAPE = 10
_ESCAPE = 1e-2
_ROUNDS = ((0, 25), (100, 25), (1000, 25), (3000, 100))
"""Without sweeps at first: the structure stays in the valley that it was declared in."""


def relaxed_structure(
    model: Model, structure: MagneticStructure, theta, conditions: Conditions | None = None
) -> MagneticStructure:
    """Return the stable state that a declared structure relaxes to in its own magnetic cell.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure
        The start. One that is at rest but not in a minimum leaves it along its softest mode.
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional

    Returns
    -------
    MagneticStructure
        With the sublattices of the declared one.

    Raises
    ------
    UnstableError
        Where the structure does not come to rest.

    Notes
    -----
    Stable in its magnetic cell; modes at other wave vectors are for the spectrum to check.
    """
    values = checked_couplings(theta, model.parameter_names)
    form, order = structure_form(model, structure, conditions)
    direction = np.empty_like(structure.direction)
    direction[order] = structure.direction
    for _ in range(_MAX_ESCAPE):
        n, _, torque, _ = relax(form, values[None], direction[None, None], rounds=_ROUNDS)
        direction = n[0, 0]
        if torque[0, 0] > TORQUE:
            break
        lowest, vectors, scale = _tangent_modes(form, values, direction)
        if lowest[0] >= -ZERO_MODE * scale:
            return replace(structure, direction=direction[order])
        direction = _pushed(direction, vectors[0])
    raise UnstableError(
        "the structure does not relax at these couplings",
        where=", ".join(f"{k} = {v:.6g} meV" for k, v in zip(model.parameter_names, values, strict=True)),
        expected=f"a minimum with a relative torque below {TORQUE:g}",
        got=f"torque {torque[0, 0]:.3g}",
        fix="declare a structure nearer to the ground state, or search for it with minimise_energy",
    )


def structure_derivative(
    model: Model, structure: MagneticStructure, theta, conditions: Conditions | None = None
) -> np.ndarray:
    """Return how the spins of a relaxed structure move with the couplings, dS/dθ.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure
        At rest and stable, from :func:`relaxed_structure` with the same θ and conditions.
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional

    Returns
    -------
    (n_parameter, n_sublattice, 3) float64, 1/meV
        Of the vectors of length S, each across its spin. Turns along zero modes of the energy are left out.

    Raises
    ------
    UnstableError
        Where the structure is not at rest or not stable, or a soft mode is driven: it then does not move smoothly.
    """
    values = checked_couplings(theta, model.parameter_names)
    form, order = structure_form(model, structure, conditions)
    direction = np.empty_like(structure.direction)
    direction[order] = structure.direction
    lowest, vectors, scale = _tangent_modes(form, values, direction)
    _check_at_rest(form, values, direction, lowest, scale)
    pull = form.pulls(direction)
    driven = np.einsum("mia,kia->km", vectors, pull)
    soft = lowest <= ZERO_MODE * scale
    worst = np.abs(driven[:, soft]).max(axis=1, initial=0.0)
    size = np.linalg.norm(pull, axis=(1, 2))
    if np.any(worst > SOFT * size):
        name = model.parameter_names[int(np.argmax(worst / np.maximum(size, 1e-300)))]
        raise UnstableError(
            f"the structure does not move smoothly with {name}: a mode without stiffness is driven",
            where=", ".join(f"{k} = {v:.6g} meV" for k, v in zip(model.parameter_names, values, strict=True)),
            expected="soft modes that symmetry makes, which no coupling drives",
            got=f"lowest eigenvalue {lowest[0]:.3g} meV",
            fix="leave the phase boundary, or pin the degenerate states with a field or an anisotropy",
        )
    inverse = np.divide(1.0, lowest, out=np.zeros_like(lowest), where=~soft)
    moved = -np.einsum("km,m,mia->kia", driven, inverse, vectors) * form.lengths[:, None]
    return moved[:, order]


def structure_form(model: Model, structure: MagneticStructure, conditions=None) -> tuple[ClassicalForm, np.ndarray]:
    """Return the classical energy of the magnetic cell, and the spin of the form that each sublattice is."""
    sublattice_finder(structure, model.crystal.n_site)  # says where moments do not fill the cell
    cell = supercell(structure.magnetic_cell, n_site=model.crystal.n_site)
    form = classical_form(model, cell=cell, conditions=conditions)
    return form, cell.site_index(structure.site, structure.cell)


def tangent_hessian(form: ClassicalForm, theta, direction) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the second derivative of the energy along the spheres.

    Parameters
    ----------
    form : ClassicalForm
    theta : (n_parameter,) float64, meV
    direction : (n_spin, 3) float64, unit vectors

    Returns
    -------
    hessian : (2 n_spin, 2 n_spin) float64, meV
        e_iμ·(∂f_i/∂n_j)·e_jν - δ_ij δ_μν n_i·f_i.
    axes : (2, n_spin, 3) float64
        e_iμ.
    scale : float, meV
        Upper estimate of the local fields.
    """
    check_shape("direction", np.asarray(direction), (form.n_spin, 3))
    at, frame = form.at(np.asarray(theta, dtype=np.float64)[None]), local_axes(direction)
    axes = np.stack([frame.real, frame.imag])
    blocks, field = form.hessian(at, 0, direction), form.fields(at, 0, direction)
    hessian = np.einsum("mia,ijab,njb->minj", axes, blocks, axes, optimize=True)
    size = 2 * form.n_spin
    along = np.tile(np.sum(field * direction, axis=1), 2)
    return hessian.reshape(size, size) - np.diag(along), axes, float(at.scale[0])


def _tangent_modes(form, theta, direction):
    """Return eigenvalues, eigenvectors (n_mode, n_spin, 3) and the scale of the Hessian."""
    hessian, axes, scale = tangent_hessian(form, theta, direction)
    values, vectors = np.linalg.eigh(hessian)
    return values, np.einsum("uim,uia->mia", vectors.reshape(2, form.n_spin, -1), axes), scale


def _pushed(direction, mode):
    """Return the directions a little way along a mode; its sign is fixed by its largest component."""
    largest = mode.ravel()[np.argmax(np.abs(np.round(mode.ravel(), 9)))]
    out = direction + _ESCAPE * np.sqrt(len(mode)) * np.sign(largest) * mode
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def _check_at_rest(form, theta, direction, lowest, scale):
    """Raise unless the structure is stationary and stable."""
    field = np.tensordot(theta, form.pulls(direction), axes=1) + form.linear
    across = field - direction * np.sum(field * direction, axis=1, keepdims=True)
    torque = float(np.max(np.linalg.norm(across, axis=1))) / scale
    # A structure that went through a file or a normalisation is at rest to rounding, not to TORQUE.
    if torque > 10 * TORQUE or lowest[0] < -ZERO_MODE * scale:
        raise UnstableError(
            "only a relaxed structure has a derivative",
            expected=f"a relative torque below {10 * TORQUE:g} and no negative eigenvalue",
            got=f"torque {torque:.3g}, lowest eigenvalue {lowest[0]:.6g} meV",
            fix="relax it at these couplings with relaxed_structure",
        )
