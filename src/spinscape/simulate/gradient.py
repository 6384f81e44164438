"""First derivatives of intensities and energies by the couplings, safe at degeneracies.

With the paraunitary T (T†DT = |Λ|, T†gT = g), signed eigenvalues λ, sources a = T†v and X = T† (∂D/∂θ) T,

    ∂λ_n = X_nn,    ∂a_m = Σ_n≠m g_n X_mn a_n / (λ_m - λ_n).

Inside a group of degenerate modes only sums have derivatives: Σ_n∈G f(λ_n) a_n† W a_n changes by
f'(λ_G) Σ_nm∈G Re(a_n† W a_m X_nm) and by the mixing with modes outside of the group. So nothing here divides by the
difference of energies inside a group.
"""

from dataclasses import dataclass

import numpy as np

from ..kernels.bogoliubov import REGULARISED, paraunitary, signature


@dataclass(frozen=True, eq=False)
class LineGradient:
    """Derivatives of lines by the couplings; inside a group of degenerate modes only sums have a meaning.

    Parameters
    ----------
    energies : (n_q, n_mode) float64, meV, ascending
    intensities : (n_q, n_mode) float64, per chemical cell
    brighten : (n_parameter, n_q, n_mode) float64, 1/meV
        Derivative of the intensities, mixing inside a group left out.
    shift : (n_parameter, n_q, n_mode) float64
        Intensity times derivative of the energy.
    """

    energies: np.ndarray
    intensities: np.ndarray
    brighten: np.ndarray
    shift: np.ndarray


def group_labels(energies, tolerance):
    """Return the number of the degenerate group of each mode, (n_q, n_mode) int64; energies ascend."""
    apart = np.diff(energies, axis=1) > tolerance * energies[:, -1:]
    return np.concatenate([np.zeros((len(energies), 1), dtype=np.int64), np.cumsum(apart, axis=1)], axis=1)


def _shifts(form, theta, status, regularisation):
    """Return what regularisation adds to the diagonal of D, (n_q,), and its derivative, (n_parameter, n_q)."""
    shifted = (status == REGULARISED).astype(np.float64)
    by_theta = np.sign(theta) * form.magnitude
    return regularisation * form.scale(theta) * shifted, regularisation * by_theta[:, None] * shifted


def line_gradient(form, theta, weights, status, *, regularisation, tolerance):
    """Return lines and their derivatives by the couplings.

    Parameters
    ----------
    form : QuadraticForm
    theta : (n_parameter,) float64, meV
    weights : (n_q, 3, 3) float64
        W of the intensity Σ_αβ W_αβ Re S^αβ.
    status : (n_q,) int64
        From :func:`spinscape.simulate.modes.solve` at the same θ: where D has to be shifted.
    regularisation : float
    tolerance : float
        Neighbours closer than this part of the largest energy at their Q are one group.

    Returns
    -------
    LineGradient

    Notes
    -----
    Needs full eigenvectors, in plain numpy. Memory: about 100 (n_parameter + 4) n_q N² bytes.
    """
    n = form.n_mode
    shift, shift_by_theta = _shifts(form, theta, status, regularisation)
    unit = np.eye(2 * n)
    values, transform = paraunitary(form.assembled(theta) + shift[:, None, None] * unit)
    adjoint = transform.conj().swapaxes(-1, -2)
    sources = adjoint @ form.vectors.swapaxes(-1, -2)
    overlap = (sources.conj() @ weights @ sources.swapaxes(-1, -2))[:, n:] / form.n_cell
    energies = values[:, n:]
    label = group_labels(energies, tolerance)
    same = np.zeros((len(values), n, 2 * n), dtype=bool)
    same[:, :, n:] = label[:, :, None] == label[:, None, :]
    distance = energies[:, :, None] - values[:, None, :]
    # Ascending: the first n eigenvalues belong to b†, where g is -1.
    mixing = np.where(same, 0.0, -2.0 * signature(n) / np.where(same, 1.0, distance))
    brighten, moved = np.empty((2, len(theta), len(values), n))
    for k in range(len(theta)):
        change = adjoint[:, n:] @ (form.dynamical[k] + shift_by_theta[k][:, None, None] * unit) @ transform
        product = (overlap * change).real
        brighten[k] = np.sum(product * mixing, axis=2)
        moved[k] = np.sum(product * same, axis=2)
    intensities = np.diagonal(overlap[:, :, n:], axis1=1, axis2=2).real
    return LineGradient(energies, np.ascontiguousarray(intensities), brighten, moved)
