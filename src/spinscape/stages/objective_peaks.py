"""The objective ``peaks`` of a fit."""

from ..infer.noise import with_estimated_std
from ..infer.peaks import PeakForward, find_peaks, peaks
from .shown import Shown


def objective(declared, job, measurements):
    """Return the :class:`~spinscape.infer.peaks.Peaks` of the peaks that are found in the measurements."""
    how = {"fwhm": declared.fwhm, "threshold": declared.threshold, "n_row": declared.n_row}
    return peaks(find_peaks(with_estimated_std(m), **how) for m in measurements)


def bound_forward(forward, found):
    """Return the forward model that the objective compares with: mode energies at the peaks."""
    return PeakForward(forward, found.tables)


def shown(declared, measurements):
    """Return what figures of each measurement show."""
    return [Shown("χ² of peaks", "energy of peaks", "meV", "(E of the peak − E of the mode) / σ")] * len(measurements)
