"""Spin waves that soften with temperature: the square-lattice antiferromagnet in self-consistent (Oguchi) theory.

    E = J Σ S_i·S_j + D Σ (S_i^z)²,   J > 0, D ≤ 0, spins of length L up on one sublattice and down on the other

The quartic terms of the Holstein-Primakoff expansion, each product replaced by its means, leave a harmonic magnet with

    A = 4JL α + 2|D|L β,   B_k = 4JL α γ_k,   ω_k² = A² − B_k²,   γ_k = (cos k_x + cos k_y)/2               (1)
    α = 1 − (<n> + <ab>)/L,   β = 1 − 2<n>/L                                                                 (2)
    <n> = Σ_k (A/ω_k) c_k,   <ab> = −Σ_k γ_k (B_k/ω_k) c_k                                                   (3)

with c = k_BT/ω of classical waves. Without D both sums together are k_BT/4JLα, whatever the lattice beyond its four
neighbours: α = 1 − k_BT/(4JL²α), finite in two dimensions, and no more solution from k_BT = JL² on. Of quantum waves
c = ½ coth(ω/2k_BT), <n> is less by ½ and β by 1/2L (normal order): α = 1.0316 for S = 5/2 at T = 0.
Source: T. Oguchi, Phys. Rev. 117, 117 (1960); docs/theory/dynamics.md.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from ..errors import ConfigError, SpinscapeError
from ..units import K_B

STATISTICS = ("classical", "quantum")
_MAX_ROUND = 2000
_SETTLED = 1e-13


class UnstableOrderError(SpinscapeError):
    """Fluctuations leave no order about which to expand."""


@dataclass(frozen=True)
class SoftenedWaves:
    """Spin waves at a temperature.

    Parameters
    ----------
    exchange_factor, axis_factor : float
        α and β: what the temperature makes of J and D.
    boundary, gap : float, meV
        ω where γ = 0, the edge of the magnetic zone; and at the ordering vector.
    """

    exchange_factor: float
    axis_factor: float
    boundary: float
    gap: float


def softened_antiferromagnet(
    *, exchange, length, temperature, axis=0.0, statistics="classical", n_wave=128
) -> SoftenedWaves:
    """Return the self-consistent spin waves of the square-lattice antiferromagnet.

    Parameters
    ----------
    exchange : float, meV
        J of each bond, positive.
    length : float
        L; S of quantum waves.
    temperature : float, K
    axis : float, meV
        D of D (S^z)², not positive.
    statistics : str
        One of :data:`STATISTICS`.
    n_wave : int
        Wave vectors along each axis of the zone, half a step off its centre.

    Returns
    -------
    SoftenedWaves

    Examples
    --------
    >>> from spinscape.units import K_B
    >>> found = softened_antiferromagnet(exchange=1.0, length=1.0, temperature=0.36 / K_B)
    >>> round(found.exchange_factor, 9), round(found.boundary, 9)
    (0.9, 3.6)
    """
    _check(exchange, length, temperature, axis, statistics)
    wave = 2.0 * np.pi * (np.arange(n_wave) + 0.5) / n_wave
    gamma = 0.5 * (np.cos(wave)[:, None] + np.cos(wave))
    ordered = 0.5 if statistics == "quantum" else 0.0
    factors = np.array([1.0, 1.0 - ordered / length])
    for _ in range(_MAX_ROUND):
        a, b = _strengths(factors, exchange, length, axis)
        square = a**2 - (b * gamma) ** 2
        if a < b or not np.all(square > 0):
            break
        number = _occupation(np.sqrt(square), temperature, statistics) / np.sqrt(square)
        n, pair = np.mean(a * number) - ordered, -np.mean(b * gamma**2 * number)
        last, factors = factors, 1.0 - np.array([n + pair, 2.0 * n + ordered]) / length
        if np.max(np.abs(factors - last)) < _SETTLED:
            return SoftenedWaves(float(factors[0]), float(factors[1]), float(a), float(np.sqrt(a**2 - b**2)))
    raise UnstableOrderError(
        "fluctuations leave no antiferromagnetic order to expand about", where="temperature",
        expected=f"well below J L²/k_B = {exchange * length**2 / K_B:.4g} K", got=f"{temperature:.4g} K",
    )  # fmt: skip


def length_of_boundary(boundary, *, exchange, temperature, axis=0.0, largest=10.0, n_wave=128):
    """Return the length of classical spins whose softened zone-boundary energy is a given one.

    Parameters
    ----------
    boundary : float, meV
    exchange, axis : float, meV
    temperature : float, K
    largest : float
        A length that is too long.
    n_wave : int

    Returns
    -------
    float
    """

    def excess(length):
        try:
            found = softened_antiferromagnet(
                exchange=exchange, length=length, temperature=temperature, axis=axis, n_wave=n_wave
            )
        except UnstableOrderError:
            return -boundary
        return found.boundary - boundary

    # Shorter than without any softening it cannot be.
    shortest = boundary / (4.0 * exchange + 2.0 * abs(axis))
    return float(brentq(excess, 0.999 * shortest, largest, xtol=1e-9))


def _check(exchange, length, temperature, axis, statistics):
    for name, value, fits in (
        ("exchange", exchange, exchange > 0),
        ("length", length, length > 0),
        ("temperature", temperature, temperature > 0),
        ("axis", axis, axis <= 0),
        ("statistics", statistics, statistics in STATISTICS),
    ):
        if not fits:
            raise ConfigError("out of range for an antiferromagnet with an easy axis", where=name, got=value)


def _strengths(factors, exchange, length, axis):
    b = 4.0 * exchange * length * factors[0]
    return b + 2.0 * abs(axis) * length * factors[1], b


def _occupation(energy, temperature, statistics):
    """Return c: the mean square of a wave's amplitude, the half of the vacuum with it."""
    x = energy / (K_B * temperature)
    return 1.0 / x if statistics == "classical" else 0.5 / np.tanh(0.5 * x)
