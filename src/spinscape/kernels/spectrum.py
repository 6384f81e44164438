"""From modes to a spectrum on a uniform energy axis: arrays in, arrays out."""

import math

import numpy as np

from .jit import compiled

REACH = 8.0
"""A Gaussian is followed to this many standard deviations (1e-14 of its peak)."""
SIGMA_PER_FWHM = 1.0 / (2.0 * math.sqrt(2.0 * math.log(2.0)))
_ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


@compiled
def mode_intensities(amplitudes, weights, scale, out):
    """Write scale · Σ_ab W_ab Re(m_a* m_b) of each mode.

    Parameters
    ----------
    amplitudes : (n_q, n_mode, 3) complex128
    weights : (n_q, 3, 3) float64, symmetric
    scale : float
    out : (n_q, n_mode) float64
    """
    for q in range(amplitudes.shape[0]):
        for n in range(amplitudes.shape[1]):
            total = 0.0
            for a in range(3):
                x = amplitudes[q, n, a]
                for b in range(3):
                    y = amplitudes[q, n, b]
                    total += weights[q, a, b] * (x.real * y.real + x.imag * y.imag)
            out[q, n] = scale * total


@compiled
def group_end(energies, start, tolerance):
    """Return where the group of degenerate modes ends that begins at ``start``; energies (n_mode,) ascend."""
    end = start + 1
    gap = tolerance * energies[-1]
    while end < len(energies) and energies[end] - energies[end - 1] <= gap:
        end += 1
    return end


@compiled
def polynomial_and_slope(coefficients, x):
    """Return Σ c_n xⁿ and its derivative."""
    value, slope = 0.0, 0.0
    for k in range(len(coefficients) - 1, -1, -1):
        slope = slope * x + value
        value = value * x + coefficients[k]
    return value, slope


@compiled
def gaussian_window(centre, sigma, first, step, n_energy):
    """Return the bins within reach of a Gaussian, lo to hi - 1, and the one that is nearest to its centre."""
    lo = max(0.0, math.ceil((centre - REACH * sigma - first) / step))
    hi = min(float(n_energy), math.floor((centre + REACH * sigma - first) / step) + 1.0)
    if not hi > lo:
        return 0, 0, 0
    nearest = min(max(round((centre - first) / step), lo), hi - 1.0)
    return int(lo), int(hi), int(nearest)


@compiled
def _add_gaussian(area, centre, sigma, first, step, row):
    """Add a normalised Gaussian to bin centres, by recurrence from its peak outwards."""
    lo, hi, start = gaussian_window(centre, sigma, first, step, len(row))
    if hi <= lo:
        return
    x = first + start * step - centre
    scale = 1.0 / (sigma * sigma)
    peak = area / (sigma * _ROOT_TWO_PI) * math.exp(-0.5 * x * x * scale)
    shrink = math.exp(-step * step * scale)
    value, ratio = peak, math.exp(-(x + 0.5 * step) * step * scale)
    for k in range(start, hi):
        row[k] += value
        value *= ratio
        ratio *= shrink
    ratio = math.exp((x - 0.5 * step) * step * scale)
    value = peak * ratio
    for k in range(start - 1, lo - 1, -1):
        row[k] += value
        ratio *= shrink
        value *= ratio


@compiled
def broaden(energies, intensities, factor, offset, polynomial, width_factor, cap, tolerance, first, step, out):
    """Add up Gaussians at the mode energies, groups of degenerate modes as one line each.

    Parameters
    ----------
    energies : (n_q, n_mode) float64, meV, ascending
    intensities : (n_q, n_mode) float64, not negative
    factor : float
        Multiplies the energies.
    offset : float, meV
        Added to the line's position after its width was read off.
    polynomial : (n_coefficient,) float64
        FWHM in meV of the energy transfer in meV, the constant first.
    width_factor : float
        Multiplies the width.
    cap : float
        Largest intensity of a group; infinite for none.
    tolerance : float
        Neighbours closer than this part of the largest energy at their Q belong to one group.
    first, step : float, meV
        First bin centre and bin width.
    out : (n_q, n_energy) float64
        Overwritten, per meV.

    Returns
    -------
    float
        NaN, or the energy of the first line whose width is not positive.
    """
    out[:] = 0.0
    for q in range(energies.shape[0]):
        start = 0
        while start < energies.shape[1]:
            end = group_end(energies[q], start, tolerance)
            total, moment = 0.0, 0.0
            for n in range(start, end):
                total += intensities[q, n]
                moment += intensities[q, n] * energies[q, n]
            start = end
            if not total > 0.0:
                continue
            energy = factor * moment / total
            fwhm = width_factor * polynomial_and_slope(polynomial, energy)[0]
            if not fwhm > 0.0:
                return energy
            _add_gaussian(min(total, cap), energy + offset, fwhm * SIGMA_PER_FWHM, first, step, out[q])
    return np.nan


@compiled
def broaden_gradient(
    energies,
    intensities,
    brighten,
    shift,
    factor,
    offset,
    polynomial,
    width_factor,
    cap,
    tolerance,
    first,
    step,
    out,
):
    """Differentiate :func:`broaden` by the couplings.

    Parameters
    ----------
    brighten : (n_parameter, n_q, n_mode) float64
        Derivative of the intensities, mixing inside a group left out.
    shift : (n_parameter, n_q, n_mode) float64, meV
        Intensity times derivative of the energy, summed over a group in its own right basis.
    out : (n_parameter, n_q, n_energy) float64
        Overwritten. The other parameters, and what is returned, are those of :func:`broaden`.
    """
    out[:] = 0.0
    n_energy = out.shape[2]
    for q in range(energies.shape[0]):
        start = 0
        while start < energies.shape[1]:
            begin, end = start, group_end(energies[q], start, tolerance)
            total, moment = 0.0, 0.0
            for n in range(begin, end):
                total += intensities[q, n]
                moment += intensities[q, n] * energies[q, n]
            start = end
            # An intensity is never negative: where it vanishes, so does its derivative.
            if not total > 0.0:
                continue
            energy = factor * moment / total
            fwhm, slope = polynomial_and_slope(polynomial, energy)
            if not fwhm > 0.0:
                return energy
            sigma = width_factor * fwhm * SIGMA_PER_FWHM
            growth = width_factor * slope * SIGMA_PER_FWHM
            lo, hi, _ = gaussian_window(energy + offset, sigma, first, step, n_energy)
            for k in range(out.shape[0]):
                brighter, faster = 0.0, 0.0
                for n in range(begin, end):
                    brighter += brighten[k, q, n]
                    faster += shift[k, q, n]
                if total > cap:
                    brighter, faster = 0.0, faster * cap / total
                for i in range(lo, hi):
                    x = (first + i * step - energy - offset) / sigma
                    g = math.exp(-0.5 * x * x) / (sigma * _ROOT_TWO_PI)
                    out[k, q, i] += g * (brighter + faster * factor / sigma * (x + growth * (x * x - 1.0)))
    return np.nan


@compiled
def smear_rows(rows, source, distance, weight, sigma, out):
    """Average rows with Gaussian weights in the distance between them.

    Parameters
    ----------
    rows : (n_row, n_energy) float64
    source : (n_q,) int64
        The row that stands at each point.
    distance : (n_q,) float64, ascending
    weight : (n_q,) float64
        Length of path that each point stands for.
    sigma : float
        Positive; in the unit of ``distance``.
    out : (n_q, n_energy) float64
        Overwritten. A point with no weight in reach keeps its own row.
    """
    n = len(distance)
    low = 0
    for i in range(n):
        while distance[low] < distance[i] - REACH * sigma:
            low += 1
        target = out[i]
        target[:] = 0.0
        total, j = 0.0, low
        while j < n and distance[j] <= distance[i] + REACH * sigma:
            x = (distance[i] - distance[j]) / sigma
            share = weight[j] * math.exp(-0.5 * x * x)
            total += share
            row = rows[source[j]]
            for k in range(len(target)):
                target[k] += share * row[k]
            j += 1
        if total > 0.0:
            target /= total
        else:
            out[i] = rows[source[i]]
