"""Counts behind a measurement: what was counted in each pixel, and what an intensity of one would give there."""

from typing import NamedTuple

import numpy as np

from ..errors import FitError

UNIFORM = 1e-6
"""How well signal/std² must agree between pixels to be the counts of one unit of intensity."""
WHOLE = 1e-3
"""How near to whole numbers recovered counts are."""


class Counted(NamedTuple):
    """Counts and exposure, (n_q, n_energy) each; zero and one at masked pixels.

    ``estimated``: the exposure was given or read off the noise, so that "counts" need not be whole numbers.
    """

    counts: np.ndarray
    exposure: np.ndarray
    estimated: bool


def counts_of(measurement, *, counts_per_unit=None):
    """Return the counts behind a measurement.

    Parameters
    ----------
    measurement : Measurement
    counts_per_unit : float or (n_q, n_energy), optional
        Counts of an intensity of one. By default the measurement's own exposure, that of its provenance, or
        1/std² · signal where that is one number for all pixels that saw something: then errors are those of counting.

    Raises
    ------
    FitError
        Where the errors are not those of counts; negative counts.
    """
    per_unit, estimated = _per_unit(measurement, counts_per_unit)
    exposure = np.where(measurement.valid, np.broadcast_to(per_unit, measurement.shape), 1.0)
    if not (np.isfinite(exposure).all() and (exposure > 0).all()):
        raise FitError("counts per unit of intensity must be positive", where=f"measurement {measurement.name}")
    counts = np.where(measurement.valid, measurement.signal, 0.0) * exposure
    if counts.min() < 0:
        raise FitError(
            "a measurement of counts has negative pixels",
            where=f"measurement {measurement.name}",
            expected="counts, nothing taken off",
            got=f"{int((counts < 0).sum())} negative pixels",
            fix="fit before a background is subtracted, or use the gaussian likelihood",
        )
    return Counted(counts, exposure, estimated or bool(np.abs(counts - np.round(counts)).max() > WHOLE))


def are_counts(measurement):
    """Tell whether a measurement is of counts that are known: its own, with nothing taken off.

    Standard deviations that were estimated from the signal say nothing of the kind.
    """
    estimated = measurement.std is None or "noise" in measurement.provenance
    known = getattr(measurement, "exposure", None) is not None or "counts_per_unit" in measurement.provenance
    if estimated and not known:
        return False
    if measurement.quantity not in ("spectrum", "diffuse"):
        return False
    try:
        counted = counts_of(measurement)
    except FitError:
        return False
    return not counted.estimated


def _per_unit(measurement, given):
    if given is not None:
        return np.asarray(given, dtype=np.float64), False
    if measurement.exposure is not None:
        return measurement.exposure, False
    known = measurement.provenance.get("counts_per_unit")
    if known is not None:
        return float(known), False
    if measurement.std is None:
        raise FitError(
            "the counts behind a measurement are not known",
            where=f"measurement {measurement.name}",
            expected="counts_per_unit, or standard deviations of counts",
            got="no standard deviations",
            fix="give counts_per_unit (estimate_noise reads it off neighbours: 1/gain), or use the gaussian likelihood",
        )
    here = measurement.valid & (measurement.signal > 0) & (measurement.std > 0)
    ratio = measurement.signal[here] / measurement.std[here] ** 2
    if len(ratio) == 0 or np.ptp(ratio) > UNIFORM * ratio.max():
        raise FitError(
            "the standard deviations are not those of counts with one exposure",
            where=f"measurement {measurement.name}",
            expected="signal/std² the same in every pixel that saw something",
            got="nothing was seen" if len(ratio) == 0 else f"from {ratio.min():.4g} to {ratio.max():.4g}",
            fix="give counts_per_unit for each pixel, or use the gaussian likelihood",
        )
    return float(np.median(ratio)), False
