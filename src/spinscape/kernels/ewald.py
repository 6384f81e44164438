"""Ewald sums of the dipole tensor 1/r³ - 3 r r/r⁵ = -∇∇(1/r) at finite q: arrays in, arrays out.

1/r = erfc(αr)/r + erf(αr)/r. The first part is summed over the lattice, the second over wave vectors: with the Fourier
transform 4π/k² exp(-k²/4α²),

    Σ_R -∂_a∂_b [erf(αr)/r] exp(iq·r) = (4π/V) Σ_G k_a k_b/k² exp(-k²/4α²) exp(iG·d),   r = R + d, k = G - q.

k = 0 is left out (tin-foil). Source: de Leeuw, Perram and Smith, Proc. R. Soc. A 373, 27 (1980).
"""

import math

import numpy as np

from .jit import compiled


@compiled
def screened_tensors(way, splitting, out):
    """Write -∇∇ erfc(αr)/r.

    Parameters
    ----------
    way : (n_term, 3) float64, not zero
    splitting : float
        α, in the inverse unit of ``way``.
    out : (n_term, 3, 3) float64
    """
    for t in range(len(way)):
        x, y, z = way[t]
        square = x * x + y * y + z * z
        r = math.sqrt(square)
        complement = math.erfc(splitting * r) / r
        tail = 2.0 * splitting / math.sqrt(math.pi) * math.exp(-splitting * splitting * square)
        isotropic = (complement + tail) / square
        axial = (3.0 * isotropic + 2.0 * splitting * splitting * tail) / square
        for a in range(3):
            for b in range(3):
                out[t, a, b] = -axial * way[t, a] * way[t, b]
            out[t, a, a] += isotropic


@compiled
def add_lattice_sum(q, way, pair, tensor, out):
    """Add Σ_t tensor_t exp(iq·way_t), each term to its pair.

    Parameters
    ----------
    q : (n_q, 3) float64
    way : (n_term, 3) float64
    pair : (n_term,) int64
    tensor : (n_term, 3, 3) float64
    out : (n_q, n_pair, 3, 3) complex128
    """
    for i in range(len(q)):
        for t in range(len(way)):
            angle = q[i, 0] * way[t, 0] + q[i, 1] * way[t, 1] + q[i, 2] * way[t, 2]
            phase = complex(math.cos(angle), math.sin(angle))
            for a in range(3):
                for b in range(3):
                    out[i, pair[t], a, b] += phase * tensor[t, a, b]


@compiled
def add_wave_sum(q, g, phase, splitting, prefactor, cutoff, tiny, out):
    """Add prefactor Σ_G k_a k_b/k² exp(-k²/4α²) exp(iG·d) with k = G - q.

    Parameters
    ----------
    q : (n_q, 3) float64
    g : (n_g, 3) float64
    phase : (n_g, n_pair) complex128
        exp(iG·d) of each pair.
    splitting, prefactor : float
        α and 4π/V.
    cutoff, tiny : float
        Terms with k beyond ``cutoff``, or not beyond ``tiny``, are left out.
    out : (n_q, n_pair, 3, 3) complex128
    """
    k = np.empty(3)
    for i in range(len(q)):
        for n in range(len(g)):
            square = 0.0
            for a in range(3):
                k[a] = g[n, a] - q[i, a]
                square += k[a] * k[a]
            if square > cutoff * cutoff or square <= tiny * tiny:
                continue
            weight = prefactor * math.exp(-0.25 * square / (splitting * splitting)) / square
            for p in range(phase.shape[1]):
                factor = weight * phase[n, p]
                for a in range(3):
                    for b in range(3):
                        out[i, p, a, b] += factor * (k[a] * k[b])
