"""Histograms in the layout of Mantid's SaveMD, to be laid beside others there: data, models and what is left."""

import numpy as np

from ..errors import DataError
from ..lattice.powder_axis import PowderAxis
from ..lattice.volumes import QGrid
from ..store.files import hdf5_bytes, write_whole
from .mantid import ENERGY, ENTRY, Histogram, HistogramAxis

_EQUAL = 1e-6
"""Largest difference between the widths of bins of one axis, relative to their mean."""


def write_histogram(path, histogram):
    """Write a histogram in the layout of SaveMD, version 2, whole or not at all.

    Parameters
    ----------
    path : str or Path
    histogram : Histogram
        With equal bins along each axis: Mantid keeps first edge, last edge and number.
    """
    n = len(histogram.axes)
    for axis in histogram.axes:
        steps = np.diff(axis.edges)
        if np.ptp(steps) > _EQUAL * steps.mean():
            raise DataError("Mantid knows equal bins only", where=f"axis {axis.label}", got=steps[:4].tolist(),
                            fix="rebin in equal steps")  # fmt: skip

    def fill(file):
        entry = file.create_group(ENTRY)
        entry.attrs.update({"NX_class": np.bytes_("NXentry"), "SaveMDVersion": np.int32(2)})
        entry.attrs["QConvention"] = np.bytes_("Crystallography")
        data = entry.create_group("data")
        data.attrs["NX_class"] = np.bytes_("NXdata")
        for k, axis in enumerate(histogram.axes):
            edges = data.create_dataset(f"D{k}", data=axis.edges)
            texts = {"long_name": axis.label, "units": axis.unit, "frame": axis.frame}
            edges.attrs.update({key: np.bytes_(text) for key, text in texts.items()})
        # Mantid writes the first axis fastest.
        arrays = {
            "signal": histogram.signal,
            "errors_squared": histogram.variance,
            "num_events": histogram.events,
            "mask": histogram.masked.astype(np.int8),
        }
        for name, array in arrays.items():
            data.create_dataset(name, data=np.ascontiguousarray(array.transpose()))
        data["signal"].attrs["signal"] = np.int32(1)
        data["signal"].attrs["axes"] = np.bytes_(":".join(f"D{k}" for k in reversed(range(n))))

    write_whole(path, hdf5_bytes(fill))


def histogram_from_grid(grid, energy, signal, variance, *, valid=None, events=None):
    """Return model or data on a grid as a histogram, to be laid beside others in Mantid.

    Parameters
    ----------
    grid : QGrid
        With its origin on every axis's zero, as Mantid's projections are.
    energy : EnergyAxis or None
        None for diffuse scattering.
    signal, variance : (n_q, n_energy) float64
    valid : (n_q, n_energy) bool, optional
    events : (n_q, n_energy) float64, optional
    """
    if np.any(np.abs(grid.origin) > 1e-12):
        raise DataError("a grid with an origin has no place in this layout", where=grid.name, got=grid.origin.tolist())
    axes = [HistogramAxis(_label(row, "HKL"[k]), "r.l.u.", "HKL", grid.edges[k]) for k, row in enumerate(grid.basis)]
    return _histogram([*axes, *_energies(energy)], signal, variance, valid, events)


def histograms_from_rows(momentum, energy, signal, variance, *, valid=None, events=None):
    """Return model or data on any axis of momentum as histograms, by what they are to be called.

    Parameters
    ----------
    momentum : QPath, PowderAxis or QGrid
    energy, signal, variance, valid, events : as of :func:`histogram_from_grid`

    Returns
    -------
    dict of str to Histogram
        One of a grid or a powder, by an empty name; of a path one for each segment, by ``_0``, ``_1``, …
    """
    if isinstance(momentum, QGrid):
        return {"": histogram_from_grid(momentum, energy, signal, variance, valid=valid, events=events)}
    lines = {"": (slice(None), HistogramAxis("|Q|", "Angstrom^-1", "General Frame", momentum.edges))} if isinstance(
        momentum, PowderAxis) else _lines(momentum)  # fmt: skip
    optional = (valid, events)
    return {
        name: _histogram([axis, *_energies(energy)], signal[rows], variance[rows],
                         *(None if image is None else image[rows] for image in optional))
        for name, (rows, axis) in lines.items()
    }  # fmt: skip


def _lines(path):
    """Return rows and axis of each segment of a path, its points as centres of bins."""
    out = {}
    for k in np.unique(path.segment):
        rows = np.nonzero(path.segment == k)[0]
        centres = path.distance[rows]
        half = 0.5 * (centres[-1] - centres[0]) / (len(centres) - 1)
        edges = np.linspace(centres[0] - half, centres[-1] + half, len(centres) + 1)
        out[f"_{k}"] = rows, HistogramAxis(f"distance along {path.name}", "Angstrom^-1", "General Frame", edges)
    return out


def _energies(energy):
    """Return the axis of energy, or none."""
    return [] if energy is None else [HistogramAxis(ENERGY, ENERGY, "General Frame", energy.edges)]


def _histogram(axes, signal, variance, valid, events):
    shape = tuple(axis.n_bin for axis in axes)
    known = np.ones(shape, bool) if valid is None else np.asarray(valid).reshape(shape)
    values = np.where(known, np.asarray(signal, dtype=np.float64).reshape(shape), np.nan)
    count = np.zeros(shape) if events is None else np.asarray(events, dtype=np.float64).reshape(shape)
    return Histogram(tuple(axes), values, np.asarray(variance).reshape(shape), count, np.zeros(shape, bool))


def _label(row, letter):
    """Return the label of a direction, of which :func:`projection` is the inverse."""
    parts = ["0" if x == 0 else letter if x == 1 else f"-{letter}" if x == -1 else f"{float(x)!r}{letter}" for x in row]
    return f"[{','.join(parts)}]"
