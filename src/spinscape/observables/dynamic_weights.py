"""From classical dynamics to quantum spectra: the length of the spins, and factors that depend on energy over k_BT.

A harmonic oscillator has the energy k_BT classically and E (1 + n) quantum mechanically: that ratio takes a classical
spectrum to one in detailed balance. Source: docs/theory/observables.md; Huberman et al., J. Stat. Mech. (2008) P05017.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from .quantum import quantum_factor, reduced_energy, symmetric_factor

WEIGHTINGS = {
    "classical": "1",
    "detailed_balance": "x/(1 − exp(−x)), x = E/(k_B T): loss and gain of energy in detailed balance",
    "symmetric": "(x/2) coth(x/2): the even part of detailed_balance",
    "density_of_states": "|x|: classical intensities of modes are k_BT/E of their number",
    "susceptibility": "π x: χ''(E) of the classical fluctuation-dissipation theorem",
}
"""Factors on a classical spectrum."""
LENGTHS = ("S", "sqrt(S(S+1))", "interpolated", "sum_rule")


def weighting_factor(kind, energy, *, temperature):
    """Return the factor on a classical spectrum.

    Parameters
    ----------
    kind : str
        A key of :data:`WEIGHTINGS`.
    energy : (...) float64, meV
    temperature : float or None, K
        Needed for all but ``classical``.

    Returns
    -------
    (...) float64
    """
    if kind not in WEIGHTINGS:
        raise ConfigError(
            "no such weighting", where="dynamics.weighting", expected=f"one of {', '.join(WEIGHTINGS)}", got=kind
        )
    if kind == "classical":
        return np.ones(np.shape(energy))
    if temperature is None:
        raise ConfigError(
            "a factor of E/(k_B T) needs a temperature", where=f"dynamics.weighting: {kind}", fix="give the temperature"
        )
    if kind == "detailed_balance":
        return quantum_factor(energy, temperature=temperature)
    if kind == "symmetric":
        return symmetric_factor(energy, temperature=temperature)
    x = reduced_energy(energy, temperature=temperature)
    return np.abs(x) if kind == "density_of_states" else np.pi * x


@dataclass(frozen=True)
class SpinLength:
    """Which length the classical spins have.

    Parameters
    ----------
    kind : str
        ``"S"``; ``"sqrt(S(S+1))"``; ``"interpolated"``: linear in temperature between the two, S up to ``low`` and
        sqrt(S(S+1)) from ``high`` on; or ``"sum_rule"``: that at which the spectrum in detailed balance has the total
        moment S(S+1), which only the dynamics itself can tell.
    low, high : float, K
        Of ``interpolated``.
    """

    kind: str = "S"
    low: float | None = None
    high: float | None = None

    def __post_init__(self):
        if self.kind not in LENGTHS:
            raise ConfigError(
                "no such spin length", where="dynamics.length", expected=f"one of {', '.join(LENGTHS)}", got=self.kind
            )
        given = self.low is not None and self.high is not None and 0 <= self.low < self.high
        if given != (self.kind == "interpolated"):
            raise ConfigError(
                "an interpolated spin length, and only that, needs two temperatures",
                where="dynamics.length",
                expected="0 ≤ low < high, in K",
                got=f"{self.kind}, low {self.low}, high {self.high}",
            )

    def factor(self, spins, *, temperature=None):
        """Return the length over S of each site.

        Parameters
        ----------
        spins : (n_site,) float64
        temperature : float, K
            Needed for an interpolated length.

        Returns
        -------
        (n_site,) float64
        """
        spins = np.asarray(spins, dtype=np.float64)
        if self.kind == "sum_rule":
            raise ConfigError("the length of the sum rule follows from a simulation", where="dynamics.length")
        full = np.sqrt((spins + 1.0) / spins)
        if self.kind != "interpolated":
            return full if self.kind != "S" else np.ones(spins.shape)
        if temperature is None:
            raise ConfigError("an interpolated spin length needs a temperature", where="dynamics.length")
        share = np.clip((temperature - self.low) / (self.high - self.low), 0.0, 1.0)
        return 1.0 + share * (full - 1.0)
