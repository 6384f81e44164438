"""Amplitudes of waves at the frequencies of a trajectory, squared and added up.

A wave is Σ_R exp(−iq·R) S(R) of one site and component; of real spins only half are kept, and the one at −q is its
conjugate: beyond[Q] says that Q belongs to the conjugate.
"""

import numpy as np

from .jit import compiled

TINY = 1e-7
"""Part of the transform of a window, relative to its largest, that does not count."""


@compiled
def take_off_steady(wave, kept, hat, steady):
    """Take the steady part off records that a window was multiplied to.

    Parameters
    ----------
    wave : (n_sample, n_site, 3, n_wave) complex64, changed
        Transform in time of w_t C_t.
    kept : (n_kept,) int64
        Frequencies at which the transform of the window counts.
    hat : (n_kept,) complex64
        That transform there; the squared weights add up to n_sample.
    steady : (n_site, 3, n_wave) complex64, written
        Σ w² C / Σ w².
    """
    n_sample, n_site, _, n_wave = wave.shape
    steady[:] = 0.0
    scale = np.float32(1.0 / (float(n_sample) * n_sample))
    for k in range(len(kept)):
        factor = np.conj(hat[k]) * scale
        for s in range(n_site):
            for a in range(3):
                for r in range(n_wave):
                    steady[s, a, r] += factor * wave[kept[k], s, a, r]
    for k in range(len(kept)):
        for s in range(n_site):
            for a in range(3):
                for r in range(n_wave):
                    wave[kept[k], s, a, r] -= hat[k] * steady[s, a, r]


@compiled
def _amplitude(values, phase, g, has_g, q, r, beyond, out):
    """Write C^a(Q) of waves (n_site, 3, n_wave)."""
    for a in range(3):
        out[a] = 0.0
    for s in range(len(values)):
        x, y, z = values[s, 0, r], values[s, 1, r], values[s, 2, r]
        if beyond:
            x, y, z = np.conj(x), np.conj(y), np.conj(z)
        if has_g:
            t = g[s]
            x, y, z = (
                t[0, 0] * x + t[0, 1] * y + t[0, 2] * z,
                t[1, 0] * x + t[1, 1] * y + t[1, 2] * z,
                t[2, 0] * x + t[2, 1] * y + t[2, 2] * z,
            )
        f = phase[s, q]
        out[0] += f * x
        out[1] += f * y
        out[2] += f * z


@compiled
def _square(c, factors):
    """Return Σ_k |Σ_a L_ka C_a|²."""
    total = np.float32(0.0)
    for k in range(len(factors)):
        x = factors[k, 0] * c[0] + factors[k, 1] * c[1] + factors[k, 2] * c[2]
        total += x.real * x.real + x.imag * x.imag
    return total


@compiled
def add_power(wave, index, row, beyond, phase, g, has_g, factors, out):
    """Add Σ W_ab C^a C^b* of wave vectors at some frequencies.

    Parameters
    ----------
    wave : (n_sample, n_site, 3, n_wave) complex64
    index : (n_frequency,) int64
    row : (n_q,) int64
        Wave of each Q.
    beyond : (n_q,) bool
    phase : (n_site, n_q) complex64
    g : (n_site, 3, 3) float32
    has_g : bool
        Whether to put g·S in place of S.
    factors : (n_q, n_form, 3) float32
        L of W = Σ L_k L_kᵀ.
    out : (n_frequency, n_q) float32, changed
    """
    n_sample = len(wave)
    c = np.empty(3, dtype=np.complex64)
    for m in range(len(index)):
        here, mirror = wave[index[m]], wave[(n_sample - index[m]) % n_sample]
        for q in range(len(row)):
            _amplitude(mirror if beyond[q] else here, phase, g, has_g, q, row[q], beyond[q], c)
            out[m, q] += _square(c, factors[q])


@compiled
def add_trace(wave, index, row, beyond, weight, out):
    """Add weight Σ_a |C^a|² of waves of a single site: :func:`add_power` where phases and directions do not count.

    Parameters
    ----------
    weight : (n_q,) float32
    others : as of :func:`add_power`
    """
    n_sample = len(wave)
    for m in range(len(index)):
        here, mirror = wave[index[m], 0], wave[(n_sample - index[m]) % n_sample, 0]
        for q in range(len(row)):
            values = mirror if beyond[q] else here
            x, y, z = values[0, row[q]], values[1, row[q]], values[2, row[q]]
            total = x.real * x.real + x.imag * x.imag + y.real * y.real + y.imag * y.imag
            out[m, q] += weight[q] * (total + z.real * z.real + z.imag * z.imag)
