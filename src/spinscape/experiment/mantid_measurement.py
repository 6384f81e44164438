"""Histograms of Mantid as measurements: axes sorted, counts and their exposure recovered, the lattice compared."""

import numpy as np
from scipy.ndimage import uniform_filter

from ..errors import DataError
from ..hamiltonian.conditions import Conditions
from ..lattice.qspace import EnergyAxis
from ..lattice.volumes import QGrid
from .mantid import projection
from .measurement import Measurement

_UNIFORM = 1e-3
"""Largest difference of an energy bin's width from the mean one, relative to it: files hold rounded edges."""
LATTICE_TOLERANCE = 0.01
"""Largest relative difference of lengths, and of cosines, from the study's lattice: more is another cell."""


def check_lattice(histogram, *, given, expected, where):
    """Raise :class:`DataError` unless the lattice of a file, or the one given for it, is that of the study.

    Parameters
    ----------
    histogram : Histogram
    given : (3, 3) float64 or None
        Lattice vectors of the study's measurement, for a file without.
    expected : (3, 3) float64
        Of the study's crystal, Å.
    where : str
    """
    own = histogram.vectors if histogram.vectors is not None else given
    if own is None:
        raise DataError(
            "the file holds no lattice", where=where, expected="a sample with its UB matrix, or lattice in the study",
            got="none in the file", fix="add lattice: study to the measurement where r.l.u. are those of the study",
        )  # fmt: skip
    gram, wanted = own @ own.T, expected @ expected.T
    lengths, wanted_lengths = np.sqrt(np.diag(gram)), np.sqrt(np.diag(wanted))
    cosines = gram / np.outer(lengths, lengths) - wanted / np.outer(wanted_lengths, wanted_lengths)
    off = max(np.abs(lengths / wanted_lengths - 1.0).max(), np.abs(cosines).max())
    if off > LATTICE_TOLERANCE:
        raise DataError(
            "the lattice of a measurement is not that of the study", where=where,
            expected=f"a, b, c = {', '.join(f'{x:.4g}' for x in wanted_lengths)} Å, to {LATTICE_TOLERANCE:.0%}",
            got=f"{', '.join(f'{x:.4g}' for x in lengths)} Å"
            + (f", cosines of angles off by {np.abs(cosines).max():.2g}" if np.abs(cosines).max() > 1e-3 else ""),
            fix="correct crystal.lattice, or bin the data on the study's cell",
        )  # fmt: skip


def measurement_from_histogram(histogram, *, name, integrated=False, conditions=None, provenance=None) -> Measurement:
    """Return a histogram as a measurement.

    Parameters
    ----------
    histogram : Histogram
        Three axes in r.l.u. and one of energy transfer.
    name : str
    integrated : bool
        Diffuse scattering: the axis of energy is absent, or one bin.
    conditions : Conditions, optional
    provenance : dict, optional

    Returns
    -------
    Measurement
        On a grid of bins. A voxel without coverage, masked, or without an error that can be used is not valid. Where
        the errors are those of counting it has an exposure, and voxels that saw nothing are valid.
    """
    momenta, energies = _sorted_axes(histogram, name, integrated)
    order = [histogram.axes.index(axis) for axis in (*momenta, *energies)]
    grid = QGrid(name, np.zeros(3), np.array([projection(a.label) for a in momenta]), tuple(a.edges for a in momenta))
    n_column = 1 if integrated else energies[0].n_bin

    def rows(array):
        return array.transpose(order).reshape(-1, n_column)

    signal, variance = rows(histogram.signal), rows(histogram.variance)
    counts = histogram.counts
    # Nothing seen is a measurement where counts are known; where not, an error of zero has no meaning.
    usable = np.isfinite(variance) & ((variance > 0) if counts is None else True)
    valid = rows(histogram.valid) & usable
    if not valid.any():
        raise DataError("no voxel was measured", where=name, fix="check the mask and the normalisation of the file")
    std = np.sqrt(np.where(valid, variance, 1.0))
    exposure = None if counts is None else exposure_of(signal, rows(counts), valid, shape=grid.shape)
    if exposure is not None:
        # Of a voxel that saw nothing: the error of one count there.
        std = np.where(std > 0, std, 1.0 / exposure)
    return Measurement(
        name=name,
        momentum=grid,
        energy=None if integrated else EnergyAxis(_centres(energies[0])),
        signal=np.where(valid, signal, 0.0),
        valid=valid,
        std=std,
        exposure=exposure,
        conditions=conditions or Conditions(),
        provenance={"reader": "mantid", "counts": counts is not None, **(provenance or {})},
    )


def _sorted_axes(histogram, name, integrated):
    """Return the three axes of momentum, and the axes of energy: one, or none or one of a single bin."""
    energies = [axis for axis in histogram.axes if axis.is_energy]
    momenta = [axis for axis in histogram.axes if not axis.is_energy]
    fits = len(energies) <= 1 and all(a.n_bin == 1 for a in energies) if integrated else len(energies) == 1
    if not fits or len(momenta) != 3:
        raise DataError(
            "a measurement needs three axes of momentum and one of energy",
            where=name,
            expected="[H,0,0], [0,K,0] and [0,0,L], integrated ones with one bin, and "
            + ("no DeltaE, or one bin of it" if integrated else "DeltaE"),
            got=[f"{axis.label}: {axis.n_bin} bins" for axis in histogram.axes],
            fix="set energy: file, or energy: integrated" if len(momenta) == 3 else "bin in HKL",
        )
    if not integrated and energies[0].n_bin < 2:
        raise DataError(
            "one bin of energy is no spectrum", where=name, expected="several bins", got=1,
            fix="set energy: integrated",
        )  # fmt: skip
    return momenta, energies


def exposure_of(signal, counts, valid, *, shape):
    """Return the counts of an intensity of one, (n_q, n_energy), from signal and counts, the voxels that saw none too.

    Where something was counted it is counts/signal. Where nothing was, the file does not say: the normalisation is
    smooth, and the mean over the nearest voxels that counted, in a box that grows until it holds some, is taken.

    Parameters
    ----------
    signal, counts : (n_q, n_energy) float64
    valid : (n_q, n_energy) bool
    shape : tuple of int
        Of the grid's axes that are not integrated over.
    """
    known = valid & (counts > 0) & (signal > 0)
    exposure = np.where(known, counts, 0.0)
    np.divide(exposure, signal, out=exposure, where=known)
    if known.all():
        return exposure
    image, weight = (a.reshape(*shape, -1) for a in (exposure, known.astype(np.float64)))
    filled, have = image.copy(), weight > 0
    width = 3
    while not have[valid.reshape(have.shape)].all():
        share = uniform_filter(weight, width, mode="constant")
        mean = uniform_filter(image, width, mode="constant")
        # The smallest share of one voxel in the box is 1/width^n; rounding of the running sums is far below.
        new = ~have & (share > 0.5 / width**image.ndim)
        filled[new] = mean[new] / share[new]
        have |= new
        width = 2 * width + 1
    return np.where(have, filled, 1.0).reshape(signal.shape)


def _centres(axis):
    """Return the centres of equal energy bins."""
    step = np.diff(axis.edges)
    if np.ptp(step) > _UNIFORM * step.mean():
        raise DataError(
            "energy bins of different widths are not taken",
            where=f"axis {axis.label}",
            got=f"{step.min():g} to {step.max():g} meV",
            fix="bin in equal steps",
        )
    return axis.edges[0] + step.mean() * (np.arange(axis.n_bin) + 0.5)
