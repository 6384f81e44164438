"""Pieces of derivatives of spectra: arrays in, arrays out. What they differentiate stands in `spectrum.py`."""

import math

import numpy as np

from .jit import compiled
from .spectrum import REACH, SIGMA_PER_FWHM, gaussian_window, group_end, polynomial_and_slope

_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


@compiled
def mixing_weights(values, label, sources, weights, scale, by_intensity, by_shift, out):
    """Write K_nm = scale a_n† W a_m × (by_shift_n inside a degenerate group, 2 g_m by_intensity_n / (λ_n - λ_m) else).

    Parameters
    ----------
    values : (n_q, 2N) float64
        Signed eigenvalues, ascending; the last N belong to b, where g is 1.
    label : (n_q, N) int64
        Group of each of the last N.
    sources : (n_q, 2N, 3) complex128
        a.
    weights : (n_q, 3, 3) float64, symmetric
    scale : float
    by_intensity, by_shift : (n_q, N) float64
    out : (n_q, N, 2N) complex128
    """
    n_mode = out.shape[1]
    row = np.empty(3, dtype=np.complex128)
    for q in range(len(out)):
        for n in range(n_mode):
            for b in range(3):
                row[b] = 0.0
                for a in range(3):
                    row[b] += scale * weights[q, a, b] * sources[q, n_mode + n, a].conjugate()
            energy = values[q, n_mode + n]
            for m in range(2 * n_mode):
                if m >= n_mode and label[q, m - n_mode] == label[q, n]:
                    factor = by_shift[q, n]
                else:
                    factor = (-2.0 if m < n_mode else 2.0) * by_intensity[q, n] / (energy - values[q, m])
                overlap = row[0] * sources[q, m, 0] + row[1] * sources[q, m, 1] + row[2] * sources[q, m, 2]
                out[q, n, m] = factor * overlap


@compiled
def broaden_pullback(
    energies,
    intensities,
    cotangent,
    factor,
    offset,
    polynomial,
    width_factor,
    cap,
    tolerance,
    first,
    step,
    by_intensity,
    by_shift,
):
    """Take a cotangent of the spectrum back to the lines: the transpose of `broaden_gradient`.

    Parameters
    ----------
    cotangent : (n_q, n_energy) float64
    by_intensity, by_shift : (n_q, n_mode) float64
        Overwritten: Σ cotangent · out of `broaden_gradient` is Σ by_intensity · brighten + by_shift · shift. The other
        parameters, and what is returned, are those of `broaden`.
    """
    for q in range(energies.shape[0]):
        start = 0
        while start < energies.shape[1]:
            begin, end = start, group_end(energies[q], start, tolerance)
            total, moment = 0.0, 0.0
            for n in range(begin, end):
                total += intensities[q, n]
                moment += intensities[q, n] * energies[q, n]
            start = end
            brighter, faster = 0.0, 0.0
            if total > 0.0:
                energy = factor * moment / total
                fwhm, slope = polynomial_and_slope(polynomial, energy)
                if not fwhm > 0.0:
                    return energy
                sigma = width_factor * fwhm * SIGMA_PER_FWHM
                growth = width_factor * slope * SIGMA_PER_FWHM
                lo, hi, _ = gaussian_window(energy + offset, sigma, first, step, cotangent.shape[1])
                for i in range(lo, hi):
                    x = (first + i * step - energy - offset) / sigma
                    g = cotangent[q, i] * math.exp(-0.5 * x * x) / (sigma * _ROOT_TWO_PI)
                    brighter += g
                    faster += g * factor / sigma * (x + growth * (x * x - 1.0))
                if total > cap:
                    brighter, faster = 0.0, faster * cap / total
            by_intensity[q, begin:end] = brighter
            by_shift[q, begin:end] = faster
    return np.nan


@compiled
def smear_rows_pullback(cotangent, source, distance, weight, sigma, out):
    """Add the transpose of `smear_rows` to rows.

    Parameters
    ----------
    cotangent : (n_q, n_energy) float64
    source : (n_q,) int64
    distance, weight : (n_q,) float64
    sigma : float
    out : (n_row, n_energy) float64
        Added to.
    """
    n = len(distance)
    low = 0
    for i in range(n):
        while distance[low] < distance[i] - REACH * sigma:
            low += 1
        total, high = 0.0, low
        while high < n and distance[high] <= distance[i] + REACH * sigma:
            x = (distance[i] - distance[high]) / sigma
            total += weight[high] * math.exp(-0.5 * x * x)
            high += 1
        if not total > 0.0:
            out[source[i]] += cotangent[i]
            continue
        for j in range(low, high):
            x = (distance[i] - distance[j]) / sigma
            share = weight[j] * math.exp(-0.5 * x * x) / total
            for k in range(cotangent.shape[1]):
                out[source[j], k] += share * cotangent[i, k]
