"""Standard deviations for data that come without: counting noise, its size read off neighbouring pixels."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter

from ..errors import FitError

MEDIAN_CHI2_1 = 0.45493642311957
"""Median of the square of a standard normal variable."""
MIN_TRIPLES = 50
"""Fewest triples of neighbours that the size of the noise is read off."""


@dataclass(frozen=True, eq=False)
class NoiseEstimate:
    """Estimated noise of a measurement.

    Parameters
    ----------
    std : (n_q, n_energy) float64
        Positive everywhere; meaningless at masked pixels.
    gain : float
        Intensity of one count, in the unit of the signal; 1/gain counts make one unit.
    n_triple : int
        Triples of neighbours that the gain was read off.
    """

    std: np.ndarray
    gain: float
    n_triple: int


def smoothed(signal, valid, *, window=5):
    """Return the mean of the valid pixels in a window × window box about each pixel, and where there are any.

    Returns
    -------
    (n_q, n_energy) float64, (n_q, n_energy) bool
    """
    filled = np.where(valid, signal, 0.0)
    share = uniform_filter(valid.astype(np.float64), window, mode="constant")
    # A box of 25 pixels with one valid one has a share of 0.04; rounding of the running sums is 1e-16.
    known = share > 0.5 / window**2
    mean = uniform_filter(filled, window, mode="constant") / np.where(known, share, 1.0)
    return np.where(known, mean, 0.0), known


def estimate_noise(measurement, *, window=5):
    """Estimate the noise of a measurement that has no standard deviations, as that of counts.

        var = gain · max(μ, gain),   gain = median(δ² / (6 μ)) / median(χ²₁)
        δ = x[q−1] − 2 x[q] + x[q+1]

    Parameters
    ----------
    measurement : Measurement
        With the background still in it: what was counted makes the noise.
    window : int
        Pixels of the box mean that μ, the smoothed signal, is.

    Returns
    -------
    NoiseEstimate

    Notes
    -----
    The second difference along the path, within a segment and a row of one energy, sees no slope of the signal; under
    independent noise its variance is 6 var. The median leaves out peaks, edges and spots; each percent of triples at an
    edge raises the gain by 2 %.
    Below one count the variance is that of one count. Data × c gives std × c. Limits: neighbours that share counts
    (interpolated data) have less noise in δ than in truth; for such data give standard deviations.
    """
    valid, segment = measurement.valid, measurement.segments
    signal = np.where(valid, measurement.signal, 0.0)
    mean, _ = smoothed(signal, valid, window=window)
    triple = valid[2:] & valid[1:-1] & valid[:-2] & (segment[2:] == segment[:-2])[:, None]
    triple &= mean[1:-1] > 0
    if int(triple.sum()) < MIN_TRIPLES:
        raise FitError(
            "too few neighbouring pixels to estimate the noise from",
            where=f"measurement {measurement.name}",
            expected=f"at least {MIN_TRIPLES} triples of valid neighbours with signal",
            got=int(triple.sum()),
            fix="give the measurement standard deviations",
        )
    second = signal[2:] - 2.0 * signal[1:-1] + signal[:-2]
    ratio = second[triple] ** 2 / (6.0 * mean[1:-1][triple])
    gain = float(np.median(ratio)) / MEDIAN_CHI2_1
    if not gain > 0:
        raise FitError(
            "neighbouring pixels do not differ: the data have no noise to estimate",
            where=f"measurement {measurement.name}",
            expected="counting noise, or standard deviations with the data",
            got="equal neighbours in half of the pixels or more",
            fix="give the measurement standard deviations",
        )
    return NoiseEstimate(np.sqrt(gain * np.maximum(mean, gain)), gain, int(triple.sum()))


def with_estimated_std(measurement, *, window=5):
    """Return the measurement with standard deviations: its own, or those of :func:`estimate_noise`.

    Call it before a background is taken off. The provenance says ``std: estimated`` and holds the gain.
    """
    if measurement.std is not None:
        return measurement
    noise = estimate_noise(measurement, window=window)
    note = {"std": "estimated", "gain": noise.gain, "n_triple": noise.n_triple, "window": window}
    return replace(measurement, std=noise.std, provenance={**measurement.provenance, "noise": note})


def with_fitted_std(measurement, fitted, *, gain):
    """Return the measurement with the standard deviations of counts whose expected numbers a fit has given.

        var = gain · max(fitted, gain)

    Parameters
    ----------
    measurement : Measurement
    fitted : (n_q, n_energy) float64
        The fit with its background, on the scale of the signal.
    gain : float
        Intensity of one count, from the instrument or from :func:`estimate_noise`.

    Returns
    -------
    Measurement

    Notes
    -----
    A second fit with them has the smallest error that there is, and says how large it is. Variances of the smoothed
    signal are too large beside a sharp line and too small on it; those of the signal itself favour pixels that happen
    to be low.
    """
    if not 0 < gain < np.inf:
        raise FitError("the intensity of one count is not positive", where=f"measurement {measurement.name}", got=gain)
    std = np.sqrt(gain * np.maximum(np.asarray(fitted, dtype=np.float64), gain))
    note = {"std": "fitted", "gain": float(gain)}
    return replace(measurement, std=std, provenance={**measurement.provenance, "noise": note})


def has_estimated_std(measurement):
    """Tell whether the standard deviations of a measurement were estimated from its own signal."""
    return measurement.provenance.get("noise", {}).get("std") == "estimated"
