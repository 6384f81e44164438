"""Spins in a heat bath, for thermalising: Landau-Lifshitz with damping and noise, by stochastic Heun.

    ħ dS/dt = S × (H + η) − (λ/|S|) S × (S × (H + η)),   <η_a(t) η_b(t')> = 2D δ_ab δ(t − t')

with D = λ ħ k_BT/((1 + λ²)|S|), in the sense of Stratonovich. The noise turns a spin by diffusion with (1 + λ²) D/ħ²;
the balance with the drift λ H/ħ gives D. Source: García-Palacios and Lázaro, Phys. Rev. B 58, 14937 (1998). The error
of averages is of first order in dt.
"""

import numpy as np

from ..errors import ConfigError
from ..kernels.precession_bath import correct, predict
from ..units import HBAR, K_B
from .integrators_field import Interactions


def langevin(of: Interactions, spins, *, temperature, n_step, dt, generator, damping=0.3):
    """Return spins after some time in a heat bath.

    Parameters
    ----------
    of : Interactions
    spins : (n_spin, 3) float64
    temperature : float, K
        0 for damping alone.
    n_step : int
    dt : float, ps
    generator : numpy.random.Generator
    damping : float
        λ, dimensionless.

    Returns
    -------
    (n_spin, 3) float64
        |S| to rounding.
    """
    if not (temperature >= 0 and dt > 0 and damping > 0):
        raise ConfigError(
            "a heat bath out of range",
            where="dynamics.langevin",
            expected="temperature ≥ 0, dt > 0, damping > 0",
            got=f"{temperature} K, {dt} ps, {damping}",
        )
    system = of.system
    spins = system.check_spins(spins)
    length = np.where(system.occupied, system.lengths[system.site], 1.0)
    # The mean of η over a step has the variance 2D/dt.
    width = np.sqrt(2.0 * damping * HBAR * K_B * temperature / ((1.0 + damping**2) * length * dt))[:, None]
    rate, predicted = np.empty_like(spins), np.empty_like(spins)
    for _ in range(n_step):
        noise = generator.normal(size=spins.shape)
        noise *= width
        predict(spins, of.fields(spins), noise, damping, dt / HBAR, rate, predicted)
        correct(spins, predicted, of.fields(predicted), noise, damping, dt / HBAR, rate)
    return spins
