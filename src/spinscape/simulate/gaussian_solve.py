"""Lagrange multipliers of the self-consistent Gaussian approximation, and how they move with couplings and temperature.

    ⟨A_m A_n*⟩/n_cell = k_B T G_mn(q),   G = (K(q) + Λ)⁻¹,   mean over q of k_B T Tr_a G = Σ_a |S|²

a runs over classes of sites, each with a multiplier λ_a. The left side is the gradient of a concave function,
mean k_B T log det(K + Λ) − Σ_a λ_a Σ_a|S|², so that Newton's method with steps that climb finds the only solution.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import SpinscapeError

_CONVERGED = 1e-12
_ROUNDING = 1e-9
"""Relative error of a constraint: aimed at, and accepted where rounding stands in the way."""
_ITERATIONS = 100


class OrderedError(SpinscapeError):
    """No multipliers hold the spins at their length without a macroscopic wave: below the ordering."""


@dataclass(frozen=True, eq=False)
class Sums:
    """What is to be solved: K on a mesh, and the constraints.

    Parameters
    ----------
    k : (n_q, n_mode, n_mode) complex128, meV
    weight : (n_q,) float64
        Sums to 1.
    member : (n_class, n_mode) float64
        1 where a mode belongs to a class.
    degeneracy : int
    target : (n_class,) float64
        Σ |S|² over the sites of a class in the primitive cell.
    """

    k: np.ndarray
    weight: np.ndarray
    member: np.ndarray
    degeneracy: int
    target: np.ndarray


@dataclass(frozen=True, eq=False)
class Multipliers:
    """The solution at one set of couplings and one temperature.

    Parameters
    ----------
    value : (n_class,) float64, meV
    thermal : float, meV
        k_B T.
    inverse : (n_q, n_mode, n_mode) complex128, 1/meV
        G on the mesh.
    slope : (n_class, n_class) float64, 1/meV²
        M_ab = mean Σ_{m∈a, n∈b} |G_mn|²: the constraint's derivative is −k_B T M.
    """

    value: np.ndarray
    thermal: float
    inverse: np.ndarray
    slope: np.ndarray

    def by_thermal(self, sums: Sums) -> np.ndarray:
        """Return ∂λ/∂(k_B T), (n_class,), dimensionless."""
        return np.linalg.solve(self.slope, sums.target / self.thermal) / self.thermal

    def by_matrix(self, sums: Sums, derivative) -> np.ndarray:
        """Return ∂λ/∂θ of a coupling with ∂K/∂θ (n_q, n_mode, n_mode) on the mesh: (n_class,)."""
        turned = self.inverse @ derivative @ self.inverse
        diagonal = np.einsum("q,qmm->m", sums.weight, turned).real
        return -np.linalg.solve(self.slope, sums.degeneracy * (sums.member @ diagonal))

    def slope_by_matrix(self, sums: Sums, derivative) -> np.ndarray:
        """Return ∂M/∂θ, (n_class, n_class); ``derivative`` is that of K + Λ."""
        turned = self.inverse @ derivative @ self.inverse
        product = np.einsum("q,qmn,qmn->mn", sums.weight, self.inverse.conj(), turned).real
        return -2.0 * sums.degeneracy * (sums.member @ product @ sums.member.T)


def solve(sums: Sums, thermal: float) -> Multipliers:
    """Return the :class:`Multipliers` at k_B T in meV.

    Raises
    ------
    OrderedError
        Where the equations cannot be solved.
    """
    if len(sums.target) == 1:
        energies, vectors = np.linalg.eigh(sums.k)
        value = np.array([_one(energies, sums.weight, float(sums.target[0]) / (thermal * sums.degeneracy))])
        return _finished(value, energies + value[0], vectors, sums, thermal)
    value = _start(sums, thermal)
    state, height = _at(value, sums, thermal)
    for _ in range(_ITERATIONS):
        rest = thermal * _traces(state, sums) - sums.target
        if np.abs(rest / sums.target).max() < _CONVERGED:
            return state
        step = np.linalg.solve(thermal * state.slope, rest)
        found = _climb(value, step, float(rest @ step), height, sums, thermal)
        if found is None:  # no step gains anything: rounding is all that is left
            break
        value, state, height = found
    if np.abs(rest / sums.target).max() < _ROUNDING:
        return state
    raise OrderedError(
        "no Lagrange multipliers were found",
        where="self-consistent Gaussian approximation",
        expected=f"constraints met to {_ROUNDING:g} in {_ITERATIONS} steps",
        got=f"{np.abs(rest / sums.target).max():.2g}",
        fix="raise the temperature",
    )


def _start(sums, thermal):
    """Return the multipliers that hold the mean length of spins made equally long: exact where all sites are alike."""
    modes = sums.member.sum(axis=1) * sums.degeneracy
    length = (sums.target / modes) @ sums.member
    scaled = sums.k * np.sqrt(length[:, None] * length[None, :])
    common = _one(np.linalg.eigvalsh(scaled), sums.weight, float(modes.sum()) / (thermal * sums.degeneracy))
    return common / (sums.target / modes)


def _at(value, sums, thermal):
    """Return the state at some multipliers and the height of the concave function, or None and -inf outside of it."""
    inside = value @ sums.member
    energies, vectors = np.linalg.eigh(sums.k + inside[:, None] * np.eye(len(inside)))
    if not energies.min() > 0.0:
        return None, -np.inf
    height = thermal * sums.degeneracy * float(sums.weight @ np.log(energies).sum(axis=1)) - float(value @ sums.target)
    return _finished(value, energies, vectors, sums, thermal), height


def _climb(value, step, slope, height, sums, thermal):
    """Return multipliers, state and height after a step that is halved until it gains, or None."""
    size = 1.0
    for _ in range(60):
        state, reached = _at(value + size * step, sums, thermal)
        # Near the top gains are lost in rounding; there the full step is right.
        if state is not None and reached >= height + 0.1 * size * slope - 1e-13 * abs(height):
            return value + size * step, state, reached
        size *= 0.5
    return None


def _finished(value, energies, vectors, sums, thermal):
    """Return the solution from eigenvalues and vectors of K + Λ."""
    if not energies.min() > 0.0:
        raise OrderedError("K + Λ is not positive", where="self-consistent Gaussian approximation", got=energies.min())
    inverse = (vectors / energies[:, None, :]) @ vectors.conj().swapaxes(1, 2)
    square = np.einsum("q,qmn->mn", sums.weight, np.abs(inverse) ** 2)
    return Multipliers(value, thermal, inverse, sums.degeneracy * (sums.member @ square @ sums.member.T))


def _traces(state, sums):
    diagonal = np.einsum("q,qmm->m", sums.weight, state.inverse).real
    return sums.degeneracy * (sums.member @ diagonal)


def _one(energies, weight, goal):
    """Return λ of Σ weight/(energies + λ) = goal, energies (n_q, n_mode) and weight (n_q,).

    1/Σ (ε + λ)⁻¹ is concave and rises: Newton's method on it comes from below and never passes the solution.
    """
    lowest = energies.min()
    rest, weight = (energies - lowest).ravel(), np.repeat(weight, energies.shape[1])
    x = float(weight[rest == 0.0].sum()) / goal
    for _ in range(_ITERATIONS):
        inverse = 1.0 / (rest + x)
        total, square = float(weight @ inverse), float(weight @ inverse**2)
        step = total * (total / goal - 1.0) / square
        x += step
        if abs(step) <= 1e-15 * x:
            break
    return x - lowest
