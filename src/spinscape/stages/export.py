"""A fit's data, model and residual as histograms of Mantid, side by side."""

from pathlib import Path

import numpy as np

from ..errors import StoreError
from ..experiment.file import read_measurement
from ..experiment.mantid_write import histograms_from_rows, write_histogram
from . import fit_arrays


def export_fit(arrays, folder, *, measurements=None):
    """Write data, model and residual of a fit's spectra and diffuse scattering in the layout of Mantid's SaveMD.

    Parameters
    ----------
    arrays : str or Path
        ``fits/NAME.h5``.
    folder : str or Path
        Where ``MEASUREMENT_data.nxs``, ``_model.nxs`` and ``_residual.nxs`` go; a path has one file for each segment.
    measurements : str or Path, optional
        Folder of the measurements that were fitted; by default the one beside that of the fit.

    Returns
    -------
    list of Path
        What was written.

    Notes
    -----
    Errors and events are those of the measurement, where the fit compares its signal and no function of it. The
    residual is data minus model, with the data's error. Tables over the temperature have no place in this layout.
    """
    measurements = Path(arrays).parent.parent / "measurements" if measurements is None else Path(measurements)
    spectra, _ = fit_arrays.read(arrays)
    written = []
    for one in (s for s in spectra if s.momentum is not None):
        for label, (image, variance, events) in _images(one, measurements).items():
            made = histograms_from_rows(one.momentum, one.energy, image, variance, valid=one.valid, events=events)
            for segment, histogram in made.items():
                path = Path(folder) / f"{one.name}_{label}{segment}.nxs"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_histogram(path, histogram)
                written.append(path)
    if not written:
        raise StoreError("the fit has nothing that Mantid's layout holds", where=str(arrays),
                         expected="a spectrum or diffuse scattering", got=[s.name for s in spectra])  # fmt: skip
    return written


def _images(one, measurements):
    """Return label → (image, variance, events or None) of a fitted spectrum."""
    variance, events = np.zeros(one.data.shape), None
    measured = read_measurement(measurements / f"{one.name}.h5")
    valid = one.valid.astype(bool)
    if measured.shape == one.data.shape and np.array_equal(measured.signal[valid], one.data[valid]):
        variance = variance if measured.std is None else np.where(valid, measured.std**2, 0.0)
        events = None if measured.exposure is None else measured.exposure * one.data
    return {
        "data": (one.data, variance, events),
        "model": (one.fitted, np.zeros(one.data.shape), None),
        "residual": (one.data - one.fitted, variance, None),
    }
