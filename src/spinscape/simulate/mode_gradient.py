"""Derivatives of mode energies and of S^αβ of each mode by the couplings, with degenerate modes flagged.

With X = T†(∂D/∂θ)T of :mod:`~spinscape.simulate.gradient`, for a mode n apart from all others

    ∂ω_n = X_nn,    ∂a_n = Σ_m≠n g_m X_nm a_m / (λ_n - λ_m),    S_n^αβ = (a_n^α)* a_n^β / cells

A single mode of a degenerate group has no derivative by itself: which combination it is depends on the coupling that is
moved. The group's sums have one, Σ_n∈G ∂ω_n = Σ_n∈G X_nn, and Σ_n∈G ∂S_n with m running outside of G. These are given,
an equal part to each mode of the group, and flagged.
"""

from dataclasses import dataclass

import numpy as np

from ..kernels.bogoliubov import signature
from .gradient import eigenmodes, group_labels
from .lines import DEGENERACY
from .modes import REGULARISATION, checked_couplings


@dataclass(frozen=True, eq=False)
class ModeGradient:
    """Modes at a set of wave vectors, and their derivatives by the couplings.

    Parameters
    ----------
    energies : (n_q, n_mode) float64, meV, ascending
    s_ab : (n_q, n_mode, 3, 3) complex128
        Per chemical cell.
    energy_slopes : (n_parameter, n_q, n_mode) float64
        Of a degenerate mode the mean over its group.
    s_ab_slopes : (n_parameter, n_q, n_mode, 3, 3) complex128, 1/meV
        Of a degenerate mode the mean over its group.
    degenerate : (n_q, n_mode) bool
        Modes that share their energy with a neighbour: only sums over their group have derivatives.
    """

    energies: np.ndarray
    s_ab: np.ndarray
    energy_slopes: np.ndarray
    s_ab_slopes: np.ndarray
    degenerate: np.ndarray


def mode_gradient(form, theta, *, regularisation=REGULARISATION, tolerance=DEGENERACY) -> ModeGradient:
    """Return energies and S^αβ of every mode with their derivatives by every coupling.

    Parameters
    ----------
    form : QuadraticForm
    theta : (n_parameter,) float64, meV
    regularisation : float
        See :func:`~spinscape.simulate.modes.solve`.
    tolerance : float
        Neighbours closer than this part of the largest energy at their Q are one group.

    Raises
    ------
    UnstableError
        As :func:`~spinscape.simulate.modes.solve` does.
    """
    values = checked_couplings(theta, form.parameter_names)
    unit = np.tile(np.eye(3), (len(form.q), 1, 1))
    found = eigenmodes(form, values, unit, regularisation=regularisation, tolerance=tolerance)
    n = form.n_mode
    label = group_labels(found.energies, tolerance)
    same = label[:, :, None] == label[:, None]
    share = same / same.sum(axis=2, keepdims=True)  # takes values to means over their group
    factor = _mixing_factors(found, same)
    upper, seen = found.transform[:, :, n:].conj().swapaxes(-1, -2), found.sources[:, n:]
    slopes, tensors = [], []
    for k, dynamical in enumerate(form.dynamical):
        change = upper @ dynamical @ found.transform
        change += found.shift_by_theta[k][:, None, None] * (upper @ found.transform)
        own = np.einsum("qnn->qn", change[:, :, n:]).real
        moved = (factor * change) @ found.sources
        tensor = moved.conj()[..., :, None] * seen[..., None, :] + seen.conj()[..., :, None] * moved[..., None, :]
        slopes.append(np.einsum("qnm,qm->qn", share, own))
        tensors.append(np.einsum("qnm,qmab->qnab", share, tensor) / form.n_cell)
    s_ab = seen.conj()[..., :, None] * seen[..., None, :] / form.n_cell
    return ModeGradient(found.energies, s_ab, np.array(slopes), np.array(tensors), same.sum(axis=2) > 1)


def _mixing_factors(found, same):
    """Return g_m/(λ_n - λ_m), zero inside a group, (n_q, n_mode, 2 n_mode)."""
    n_q, n, _ = same.shape
    inside = np.concatenate([np.zeros((n_q, n, n), dtype=bool), same], axis=2)
    apart = found.energies[:, :, None] - found.values[:, None, :]
    # Eigenvalues ascend: those of b†, where g is -1, come first.
    return np.where(inside, 0.0, -signature(n) / np.where(inside, 1.0, apart))
