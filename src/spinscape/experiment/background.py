"""Backgrounds that are taken off before a fit."""

from dataclasses import replace

import numpy as np
from scipy.signal import savgol_filter

from ..errors import ConfigError, DataError, check_shape


def savitzky_golay_background(measurement, *, momentum, window=51, order=3):
    """Return the smoothed mean spectrum over a range of momenta.

    Parameters
    ----------
    measurement : Measurement
    momentum : (first, last)
        Indices of path points, both included, where the signal is background only.
    window : int
        Length of the Savitzky-Golay filter in energy bins, odd.
    order : int
        Of its polynomial.

    Returns
    -------
    (n_energy,) float64, in the unit of the signal

    Notes
    -----
    The mean is over measured pixels only. Source: Chitturi et al., Nat. Commun. 14, 5852 (2023), Methods; the filter
    is Anal. Chem. 36, 1627 (1964). Within half a window of the ends it is the polynomial of the first or last window.
    """
    _check_recipe(measurement, momentum, window, order)
    rows = slice(momentum[0], momentum[1] + 1)
    valid = measurement.valid[rows]
    n_valid = valid.sum(axis=0)
    if not n_valid.all():
        energies = measurement.energy.centres[n_valid == 0]
        raise DataError(
            "the background window has no measured pixel at some energies",
            where=f"measurement {measurement.name}, background.momentum",
            expected="at least one at each energy",
            got=f"none at {len(energies)} energies, the first {energies[0]:g} meV",
            fix="move or widen the window",
        )
    # np.where, not a product: what stands in a masked pixel may be NaN.
    mean = np.where(valid, measurement.signal[rows], 0.0).sum(axis=0) / n_valid
    return savgol_filter(mean, window, order)


def subtract(measurement, background, *, clip_negative=False):
    """Return the measurement less a background (n_energy,); masked pixels keep what stands in them.

    ``clip_negative`` sets negative differences to zero, as an objective of logarithms needs. The standard
    deviation stays that of the raw signal; counts are no longer known.
    """
    background = np.asarray(background, dtype=np.float64)
    check_shape("background", background, (measurement.shape[1],), hint="one value for each energy")
    if not np.all(np.isfinite(background)):
        raise DataError("a background is not finite", where=f"measurement {measurement.name}")
    signal = measurement.signal.copy()
    rest = (signal - background)[measurement.valid]
    signal[measurement.valid] = np.maximum(rest, 0.0) if clip_negative else rest
    done = {"subtracted": True, "clip_negative": bool(clip_negative)}
    return replace(
        measurement,
        signal=signal,
        exposure=None,  # a difference is no number of counts
        provenance={**measurement.provenance, "background": {**measurement.provenance.get("background", {}), **done}},
    )


def without_savitzky_golay(measurement, *, momentum, window=51, order=3, clip_negative=False):
    """Return the measurement less :func:`savitzky_golay_background`, the recipe kept in its provenance."""
    background = savitzky_golay_background(measurement, momentum=momentum, window=window, order=order)
    recipe = {"kind": "savitzky_golay", "momentum": [int(i) for i in momentum], "window": window, "order": order}
    noted = replace(measurement, provenance={**measurement.provenance, "background": recipe})
    return subtract(noted, background, clip_negative=clip_negative)


def _check_recipe(measurement, momentum, window, order):
    n_q, n_energy = measurement.shape
    first, last = momentum
    problems = [
        (0 <= first <= last < n_q, "momentum", f"0 ≤ first ≤ last ≤ {n_q - 1}", [int(first), int(last)]),
        (window % 2 == 1, "window", "an odd number of energies", window),
        (0 < window <= n_energy, "window", f"at most the {n_energy} energies of the measurement", window),
        (0 <= order < window, "order", f"at least 0 and less than the window, {window}", order),
    ]
    for fits, key, expected, got in problems:
        if not fits:
            raise ConfigError(
                f"the {key} of a Savitzky-Golay background does not fit the measurement",
                where=f"measurement {measurement.name}, background.{key}",
                expected=expected,
                got=got,
            )
