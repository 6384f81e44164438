"""Precession with damping and noise, by Heun's rule."""

import numpy as np

from .jit import compiled


@compiled
def _rate(s, h, damping, out):
    """Write S × H − (λ/|S|) S × (S × H)."""
    x, y, z = s[0], s[1], s[2]
    cx, cy, cz = y * h[2] - z * h[1], z * h[0] - x * h[2], x * h[1] - y * h[0]
    length = np.sqrt(x * x + y * y + z * z)
    k = damping / length if length > 0.0 else 0.0
    out[0] = cx - k * (y * cz - z * cy)
    out[1] = cy - k * (z * cx - x * cz)
    out[2] = cz - k * (x * cy - y * cx)


@compiled
def predict(spins, field, noise, damping, step, rate, predicted):
    """Write the rates (n_spin, 3) and where a whole step of them leads.

    Parameters
    ----------
    spins, field, noise : (n_spin, 3) float64
        Noise is a field too, meV.
    damping : float
    step : float, 1/meV
        dt/ħ.
    rate, predicted : (n_spin, 3) float64, written
    """
    h = np.empty(3)
    for i in range(len(spins)):
        for a in range(3):
            h[a] = field[i, a] + noise[i, a]
        _rate(spins[i], h, damping, rate[i])
        for a in range(3):
            predicted[i, a] = spins[i, a] + step * rate[i, a]


@compiled
def correct(spins, predicted, field, noise, damping, step, rate):
    """Move the spins by the mean of both rates and renew their lengths; ``field`` is that of ``predicted``."""
    h, second = np.empty(3), np.empty(3)
    for i in range(len(spins)):
        before = spins[i, 0] ** 2 + spins[i, 1] ** 2 + spins[i, 2] ** 2
        for a in range(3):
            h[a] = field[i, a] + noise[i, a]
        _rate(predicted[i], h, damping, second)
        after = 0.0
        for a in range(3):
            spins[i, a] += 0.5 * step * (rate[i, a] + second[a])
            after += spins[i, a] ** 2
        scale = np.sqrt(before / after) if after > 0.0 else 0.0
        for a in range(3):
            spins[i, a] *= scale
