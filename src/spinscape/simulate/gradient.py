"""First derivatives of intensities and energies by the couplings, safe at degeneracies: forward and adjoint.

With the paraunitary T (T†DT = |Λ|, T†gT = g), signed eigenvalues λ, sources a = T†v and X = T† (∂D/∂θ) T,

    ∂λ_n = X_nn,    ∂a_m = Σ_n≠m g_n X_mn a_n / (λ_m - λ_n).

Inside a group of degenerate modes only sums have derivatives: Σ_n∈G f(λ_n) a_n† W a_n changes by
f'(λ_G) Σ_nm∈G Re(a_n† W a_m X_nm) and by the mixing with modes outside of the group. So nothing here divides by the
difference of energies inside a group. Every derivative is Re Σ_nm K_nm X_nm with K from
:func:`~spinscape.kernels.adjoint.mixing_weights`; the adjoint moves T to the other side, Re Σ_ij (∂D)_ij Z_ij with
Z = T* K Tᵀ, and meets each coupling in one product of numbers.
"""

from dataclasses import dataclass

import numpy as np

from ..kernels.adjoint import mixing_weights
from ..kernels.bogoliubov import REGULARISED, paraunitary_from_factor
from .modes import blocks_of, check_stationary, solve
from .quadratic import QuadraticForm


@dataclass(frozen=True, eq=False)
class Eigenmodes:
    """The full transformation at every wave vector, and what derivatives need of it.

    Parameters
    ----------
    form : QuadraticForm
    values : (n_q, 2 n_mode) float64, meV
        Signed eigenvalues, ascending.
    transform : (n_q, 2 n_mode, 2 n_mode) complex128
        T.
    sources : (n_q, 2 n_mode, 3) complex128
        a = T†v.
    weights : (n_q, 3, 3) float64
        W of the intensity Σ_αβ W_αβ Re S^αβ.
    label : (n_q, n_mode) int64
        Number of the degenerate group of each mode of positive energy.
    shift_by_theta : (n_parameter, n_q) float64
        Derivative of what regularisation puts on the diagonal of D.
    """

    form: QuadraticForm
    values: np.ndarray
    transform: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    label: np.ndarray
    shift_by_theta: np.ndarray

    @property
    def energies(self):
        """Mode energies, (n_q, n_mode) float64, meV, ascending."""
        return np.ascontiguousarray(self.values[:, self.form.n_mode :])

    @property
    def intensities(self):
        """Intensity of each mode, (n_q, n_mode) float64, per chemical cell."""
        seen = self.sources[:, self.form.n_mode :]
        return np.sum(seen.conj() * (seen @ self.weights), axis=2).real / self.form.n_cell

    def mixing(self, by_intensity, by_shift):
        """Return K for the derivatives that a sum over modes has, (n_q, n_mode, 2 n_mode) complex128.

        Parameters
        ----------
        by_intensity, by_shift : (n_q, n_mode) float64
            Factors of ∂(intensity) and of intensity · ∂(energy) of each mode.
        """
        out = np.empty((*self.energies.shape, self.values.shape[1]), dtype=np.complex128)
        scale = 1.0 / self.form.n_cell
        mixing_weights(self.values, self.label, self.sources, self.weights, scale, by_intensity, by_shift, out)
        return out


@dataclass(frozen=True, eq=False)
class LineGradient:
    """Derivatives of lines by the couplings; inside a group of degenerate modes only sums have a meaning.

    Parameters
    ----------
    brighten : (n_parameter, n_q, n_mode) float64, 1/meV
        Derivative of the intensities, mixing inside a group left out.
    shift : (n_parameter, n_q, n_mode) float64
        Intensity times derivative of the energy.
    """

    brighten: np.ndarray
    shift: np.ndarray


def group_labels(energies, tolerance):
    """Return the number of the degenerate group of each mode, (n_q, n_mode) int64; energies ascend."""
    apart = np.diff(energies, axis=1) > tolerance * energies[:, -1:]
    return np.concatenate([np.zeros((len(energies), 1), dtype=np.int64), np.cumsum(apart, axis=1)], axis=1)


def _factorised(form, theta, regularisation):
    """Return C of D = C C† and where D had to be shifted before, (n_q,) float64 of 0 and 1."""
    check_stationary(form, theta)
    dynamical = form.assembled(theta)
    tiny = regularisation * form.scale(theta)
    try:
        lower = np.linalg.cholesky(dynamical)
        smallest = np.diagonal(lower, axis1=1, axis2=2).real.min() ** 2
    except np.linalg.LinAlgError:
        smallest = -np.inf
    if smallest >= tiny:
        return lower, np.zeros(len(dynamical))
    # The fast route says which matrices are shifted, and raises where the structure is not stable.
    _, _, status = solve(form, theta, blocks=blocks_of(form), regularisation=regularisation)
    shifted = (status == REGULARISED).astype(np.float64)
    return np.linalg.cholesky(dynamical + (tiny * shifted)[:, None, None] * np.eye(2 * form.n_mode)), shifted


def eigenmodes(form, theta, weights, *, regularisation, tolerance):
    """Return the full transformation of a quadratic form, ready for derivatives.

    Parameters
    ----------
    form : QuadraticForm
    theta : (n_parameter,) float64, meV
    weights : (n_q, 3, 3) float64
    regularisation : float
        See :func:`spinscape.simulate.modes.solve`.
    tolerance : float
        Neighbours closer than this part of the largest energy at their Q are one group.

    Returns
    -------
    Eigenmodes

    Raises
    ------
    UnstableError
        As :func:`spinscape.simulate.modes.solve` does.

    Notes
    -----
    Memory: about 200 n_q N² bytes, beside the form.
    """
    lower, shifted = _factorised(form, theta, regularisation)
    values, transform = paraunitary_from_factor(lower)
    sources = transform.conj().swapaxes(-1, -2) @ form.vectors.swapaxes(-1, -2)
    label = group_labels(values[:, form.n_mode :], tolerance)
    by_theta = regularisation * np.sign(theta) * form.magnitude
    return Eigenmodes(form, values, transform, sources, weights, label, by_theta[:, None] * shifted)


def line_gradient(found):
    """Return the derivatives of lines by each coupling: the forward mode.

    Parameters
    ----------
    found : Eigenmodes

    Returns
    -------
    LineGradient

    Notes
    -----
    One product T† D_k T for each coupling.
    """
    n, form = found.form.n_mode, found.form
    one, none = np.ones_like(found.energies), np.zeros_like(found.energies)
    brightens, moves = found.mixing(one, none), found.mixing(none, one)
    upper, norm = found.transform[:, :, n:].conj().swapaxes(-1, -2), None
    brighten, shift = np.empty((2, len(form.dynamical), *found.energies.shape))
    for k, dynamical in enumerate(form.dynamical):
        change = (upper @ dynamical) @ found.transform
        if np.any(found.shift_by_theta[k]):
            norm = upper @ found.transform if norm is None else norm
            change += found.shift_by_theta[k][:, None, None] * norm
        brighten[k] = np.einsum("qnm,qnm->qn", brightens, change).real
        shift[k] = np.einsum("qnm,qnm->qn", moves, change).real
    return LineGradient(brighten, shift)


def line_pullback(found, by_intensity, by_shift):
    """Return the derivative of one number by all couplings: the adjoint of :func:`line_gradient`.

    Parameters
    ----------
    found : Eigenmodes
    by_intensity, by_shift : (n_q, n_mode) float64
        What the number changes by for each unit of ``brighten`` and ``shift`` of a line.

    Returns
    -------
    (n_parameter,) float64
        Σ by_intensity · brighten + by_shift · shift.
    """
    n, form = found.form.n_mode, found.form
    turned = found.mixing(by_intensity, by_shift) @ found.transform.swapaxes(-1, -2)
    dual = found.transform[:, :, n:].conj() @ turned
    # Re(D Z) = Re D Re Z - Im D Im Z: one real product over all wave vectors.
    flat = dual.conj().reshape(-1).view(np.float64)
    out = form.dynamical.reshape(len(form.dynamical), -1).view(np.float64) @ flat
    return out + found.shift_by_theta @ np.trace(dual, axis1=1, axis2=2).real
