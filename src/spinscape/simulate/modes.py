"""Mode energies and correlations of a quadratic form, and their derivatives by the couplings."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, SpinscapeError, UnstableError, check_shape
from ..kernels.bogoliubov import REGULARISED, UNSTABLE, find_blocks, signature, solve_blocks
from ..observables.structure_factor import correlation_tensor

REGULARISATION = 1e-10
"""Shift of D, relative to its scale, where it is singular: a zero mode gets 1e-5 of that scale, or less."""
STATIONARITY = 1e-7
"""Largest torque on a spin, relative to the scale of D, of a structure that counts as stationary."""
_ZERO = 1e-13


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks that D falls apart into at every Q.

    Parameters
    ----------
    members : (2N,) int64
        Indices of D, the blocks one after the other.
    start : (n_block + 1,) int64
        Where each block starts in ``members``.
    """

    members: np.ndarray
    start: np.ndarray


@dataclass(frozen=True, eq=False)
class Modes:
    """Spin waves at a set of wave vectors.

    Parameters
    ----------
    energies : (n_q, n_mode) float64, meV, ascending
    amplitudes : (n_q, n_mode, 3) complex128
        <n|S^α(Q)|0> per magnetic cell.
    s_ab : (n_q, n_mode, 3, 3) complex128
        <0|S^α(Q)†|n><n|S^β(Q)|0> per chemical cell. Inside a group of degenerate modes only sums have a meaning.
    regularised : (n_q,) bool
        Where D was singular and was shifted.
    """

    energies: np.ndarray
    amplitudes: np.ndarray
    s_ab: np.ndarray
    regularised: np.ndarray


def blocks_of(form):
    """Return the blocks of a quadratic form, found from where any D_k(q) has an element."""
    size = np.array([np.abs(d).max(axis=0) for d in [*form.dynamical, form.constant]])
    largest = size.max(axis=(1, 2), keepdims=True)
    blocks = find_blocks(np.any(size > _ZERO * largest, axis=0))
    return Blocks(np.concatenate(blocks), np.cumsum([0, *(len(b) for b in blocks)]))


def checked_couplings(theta, names):
    """Return θ as a float64 array (n_parameter,), or raise where it is misshapen or not finite."""
    values = np.asarray(theta, dtype=np.float64)
    check_shape("theta", values, (len(names),), hint=f"One value for each of {', '.join(names)}.")
    if not np.all(np.isfinite(values)):
        raise ConfigError("a coupling is not finite", where="theta", got=dict(zip(names, values.tolist(), strict=True)))
    return values


def check_stationary(form, theta):
    """Raise :class:`UnstableError` where a spin does not lie along its local field."""
    scale = form.scale(theta)
    torque = np.linalg.norm(form.torques(theta), axis=1)
    worst = int(np.argmax(torque))
    if torque[worst] > STATIONARITY * scale:
        raise UnstableError(
            "the structure is not stationary at these couplings: a spin does not lie along its local field",
            where=f"sublattice {worst}, {_named(form, theta)}",
            expected=f"a torque below {STATIONARITY:g} of the scale {scale:.6g} meV",
            got=f"{torque[worst]:.6g} meV",
            fix="relax the structure at these couplings, give directions with more digits, or leave this region out",
        )


def raise_unstable(form, theta, dynamical, where):
    """Raise :class:`UnstableError` that names the worst of the wave vectors ``where`` and its lowest eigenvalue."""
    lowest = np.linalg.eigvalsh(dynamical[where])[:, 0]
    worst = int(np.argmin(lowest))
    q = ", ".join(f"{x:.6g}" for x in form.q[where][worst])
    raise UnstableError(
        "the structure is not stable at these couplings: the quadratic form is not positive definite",
        where=f"Q = ({q}) r.l.u., {_named(form, theta)}",
        expected="no negative eigenvalue",
        got=f"lowest eigenvalue {lowest[worst]:.6g} meV",
        fix="use the ground state of these couplings, or leave this region out",
    )


def _named(form, theta):
    return ", ".join(f"{name} = {value:.6g} meV" for name, value in zip(form.parameter_names, theta, strict=True))


def solve(form, theta, *, blocks, regularisation=REGULARISATION):
    """Return energies, amplitudes and status of the form at θ; the fast route.

    Parameters
    ----------
    form : QuadraticForm
    theta : (n_parameter,) float64, meV
    blocks : Blocks
        From :func:`blocks_of`.
    regularisation : float
        Where the smallest squared Cholesky pivot of D is below this part of D's scale, as it is at zero modes, this
        part of the scale is put on D's diagonal.

    Returns
    -------
    energies : (n_q, n_mode) float64, meV, ascending
    amplitudes : (n_q, n_mode, 3) complex128
    status : (n_q,) int64

    Raises
    ------
    UnstableError
        Where the structure is not stationary, or D not even positive after the shift.
    """
    check_stationary(form, theta)
    dynamical = form.assembled(theta)
    n_q, n = len(form.q), form.n_mode
    energies, amplitudes = np.zeros((n_q, n)), np.zeros((n_q, n, 3), dtype=np.complex128)
    status = np.empty(n_q, dtype=np.int64)
    tiny = regularisation * form.scale(theta)
    converged = solve_blocks(
        dynamical, form.vectors, blocks.members, blocks.start, signature(n), tiny, energies, amplitudes, status
    )
    if np.any(status == UNSTABLE):
        raise_unstable(form, theta, dynamical, status == UNSTABLE)
    if not converged:
        raise SpinscapeError(
            "the eigenvalues of a quadratic form did not converge", where=_named(form, theta), fix="please report this"
        )
    return energies, amplitudes, status


def modes(form, theta, *, blocks=None, regularisation=REGULARISATION):
    """Return the spin waves of a quadratic form at given couplings.

    Parameters
    ----------
    form : QuadraticForm
    theta : (n_parameter,) float64, meV
    blocks : Blocks, optional
        From :func:`blocks_of`, for a form of the same structure.
    regularisation : float
        See :func:`solve`.

    Returns
    -------
    Modes

    Raises
    ------
    UnstableError
        Names Q and the lowest eigenvalue, or the spin that is not along its field.
    """
    values = checked_couplings(theta, form.parameter_names)
    blocks = blocks or blocks_of(form)
    energies, amplitudes, status = solve(form, values, blocks=blocks, regularisation=regularisation)
    tensor = correlation_tensor(amplitudes, n_cell=form.n_cell)
    return Modes(energies, amplitudes, tensor, status == REGULARISED)


def complex_frequencies(form, theta):
    """Return the eigenvalues of g D: mode energies without any demand on the structure.

    The route for structures that are known not to be the ground state: D may be indefinite, frequencies complex, and
    the spins need not lie along their fields. There are no intensities.

    Parameters
    ----------
    form : QuadraticForm
    theta : (n_parameter,) float64, meV

    Returns
    -------
    (n_q, 2 n_mode) complex128, meV
        Ascending by the real part: those of -Q, negative, come first where the structure is stable.
    """
    values = checked_couplings(theta, form.parameter_names)
    return np.sort_complex(np.linalg.eigvals(signature(form.n_mode)[:, None] * form.assembled(values)))
