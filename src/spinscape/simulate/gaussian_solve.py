"""Lagrange multipliers of the self-consistent Gaussian approximation, and how they move with couplings and temperature.

    ⟨A_m A_n*⟩/n_cell = k_B T G_mn(q),   G = (K(q) + Λ)⁻¹,   mean over q of k_B T Tr_a G = Σ_a |S|²

a runs over classes of sites, each with a multiplier λ_a. The left side is the gradient of a concave function,
mean k_B T log det(K + Λ) − Σ_a λ_a Σ_a|S|², so that Newton's method with a bound on its step finds the only solution.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import SpinscapeError

_CONVERGED = 1e-12
_ITERATIONS = 200


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
        Where the equations cannot be solved to 1e-12.
    """
    energies, vectors = np.linalg.eigh(sums.k)
    if len(sums.target) == 1:
        value = np.array([_one(energies, sums, thermal)])
        return _finished(value, energies + value[0], vectors, sums, thermal)
    scale = sums.degeneracy * sums.member.sum(axis=1) * thermal / sums.target
    value = np.full(len(sums.target), float(scale.max()) - energies.min())
    for _ in range(_ITERATIONS):
        inside = value @ sums.member
        energies, vectors = np.linalg.eigh(sums.k + inside[:, None] * np.eye(len(inside)))
        state = _finished(value, energies, vectors, sums, thermal)
        rest = thermal * _traces(state, sums) - sums.target
        if np.abs(rest / sums.target).max() < _CONVERGED:
            return state
        step = np.linalg.solve(thermal * state.slope, rest)
        # The Newton decrement in units of one mesh point: a step that is shorter stays where K + Λ is positive.
        decrement = np.sqrt(max(float(rest @ step) / (thermal * sums.weight.min()), 0.0))
        value = value + step * (1.0 if decrement < 0.25 else 1.0 / (1.0 + decrement))
        if np.abs(rest / sums.target).max() < 1e3 * _CONVERGED and np.abs(step).max() < 1e-14 * np.abs(value).max():
            return state
    raise OrderedError(
        "no Lagrange multipliers were found",
        where="self-consistent Gaussian approximation",
        expected=f"constraints met to {_CONVERGED:g} in {_ITERATIONS} steps",
        got=f"{np.abs(rest / sums.target).max():.2g}",
        fix="raise the temperature",
    )


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


def _one(energies, sums, thermal):
    """Return the only multiplier.

    1/Σ 1/(ε + λ) is concave and rises: Newton's method on it comes from below and never passes the solution.
    """
    lowest = energies.min()
    rest, weight = (energies - lowest).ravel(), np.repeat(sums.weight, energies.shape[1])
    goal = float(sums.target[0]) / (thermal * sums.degeneracy)
    x = float(weight[rest == 0.0].sum()) / goal
    for _ in range(_ITERATIONS):
        inverse = 1.0 / (rest + x)
        total, square = float(weight @ inverse), float(weight @ inverse**2)
        step = total * (total / goal - 1.0) / square
        x += step
        if abs(step) <= 1e-15 * x:
            break
    return x - lowest
