"""Mantid's MDHistoWorkspace as SaveMD writes it: histograms in reciprocal space and energy, with variances and events.

Layout (HDF5): ``MDHistoWorkspace/data`` holds ``signal``, ``errors_squared``, ``num_events``, ``mask`` and the edges
``D0``, ``D1``, …; the attribute ``axes`` of ``signal`` names its axes from the slowest to the fastest, in any order;
``long_name`` of an edge array gives the direction, ``[H,0,0]`` or ``[-0.5K,K,0]``, or ``DeltaE``. NaN is no coverage.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from scipy.ndimage import uniform_filter

from ..errors import DataError, check_shape
from ..hamiltonian.conditions import Conditions
from ..lattice.crystal import read_only
from ..lattice.qspace import EnergyAxis
from ..lattice.volumes import QGrid
from ..store.files import hdf5_bytes, write_whole
from .measurement import Measurement

ENTRY = "MDHistoWorkspace"
ENERGY = "DeltaE"
ONE_COUNT = 1e-6
"""Relative tolerance of err²·events/signal² = 1: the files hold doubles, sums of a few thousand terms."""
_TERM = re.compile(r"\s*([-+]?\d*\.?\d*(?:[eE][-+]?\d+)?)\s*\*?\s*([A-Za-z]?)\s*")
_ORDER = re.compile(r"[:,]")
_UNIFORM = 1e-3
"""Largest difference of an energy bin's width from the mean one, relative to it: files hold rounded edges."""
MAX_VOXEL = 200_000_000


@dataclass(frozen=True, eq=False)
class HistogramAxis:
    """One axis of a histogram.

    Parameters
    ----------
    label : str
        ``long_name`` of the file.
    unit, frame : str
    edges : (n + 1,) float64
    """

    label: str
    unit: str
    frame: str
    edges: np.ndarray

    def __post_init__(self):
        edges = read_only(self.edges)
        check_shape("edges", edges, ("n_edge",))
        if len(edges) < 2 or not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0):
            raise DataError("bin edges must rise", where=f"axis {self.label}", got=edges[:4].tolist())
        object.__setattr__(self, "edges", edges)

    @property
    def is_energy(self):
        """Whether this is the energy transfer."""
        return self.label.strip() == ENERGY

    @property
    def n_bin(self):
        """Number of bins."""
        return len(self.edges) - 1


@dataclass(frozen=True, eq=False)
class Histogram:
    """What stands in a file, axes in the order of their names D0, D1, ….

    Parameters
    ----------
    axes : tuple of HistogramAxis
    signal, variance, events : (n_0, n_1, …) float64
        NaN in ``signal`` where nothing was measured.
    masked : (n_0, n_1, …) bool
        True where the file masks a voxel.
    vectors : (3, 3) float64 or None
        Lattice vectors from the file's B matrix, Å; None where the file has none.
    """

    axes: tuple[HistogramAxis, ...]
    signal: np.ndarray
    variance: np.ndarray
    events: np.ndarray
    masked: np.ndarray
    vectors: np.ndarray | None = None

    def __post_init__(self):
        shape = tuple(axis.n_bin for axis in self.axes)
        for name, dtype in (("signal", float), ("variance", float), ("events", float), ("masked", bool)):
            array = np.asarray(getattr(self, name), dtype=dtype)
            check_shape(name, array, shape)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def valid(self):
        """Where something was measured, (n_0, n_1, …) bool."""
        return np.isfinite(self.signal) & ~self.masked

    @property
    def counts(self):
        """Counts of every voxel where the file's errors are those of counting, (n_0, n_1, …) float64; else None.

        Counting means err² · events = signal² in every voxel with events: then events are the counts, and a voxel
        without events, signal and error was looked at and saw nothing.
        """
        here = self.valid & (self.events > 0)
        ratio = (
            self.variance[here] * self.events[here] / np.where(self.signal[here] != 0, self.signal[here], np.nan) ** 2
        )
        if not here.any() or not np.all(np.abs(ratio - 1.0) < ONE_COUNT):
            return None
        return np.where(self.valid, self.events, 0.0)


def read_histogram(path) -> Histogram:
    """Return the histogram of a file, every number as it stands there.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DataError
        Where the file is no such workspace or contradicts itself.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except (OSError, KeyError, RuntimeError) as error:
        raise DataError(
            "the file cannot be read as HDF5", where=str(path), expected="a file of SaveMD, whole", got=str(error),
            fix="copy the file again",
        ) from None  # fmt: skip


def _read(file, path):
    entry = file.get(ENTRY)
    data = entry.get("data") if isinstance(entry, h5py.Group) else None
    missing = [n for n in ("signal", "errors_squared") if not isinstance(data, h5py.Group) or n not in data]
    if missing:
        raise DataError(
            "not a histogram of Mantid's SaveMD",
            where=str(path),
            expected=f"{ENTRY}/data with signal and errors_squared",
            got=f"{sorted(file)}, without {missing}",
            fix="save the MDHistoWorkspace with SaveMD (event workspaces must be binned first)",
        )
    signal = data["signal"]
    if signal.size > MAX_VOXEL:
        raise DataError("too many voxels", where=str(path), expected=f"at most {MAX_VOXEL}", got=signal.size)
    names = _axis_names(signal, path)
    order = np.argsort(names)
    axes = tuple(_axis(data, names[k], path) for k in order)

    def read(name, otherwise):
        found = data.get(name)
        if found is None:
            return np.full(tuple(axis.n_bin for axis in axes), otherwise)
        if found.shape != signal.shape:
            raise DataError(f"{name} has another shape than signal", where=str(path), got=found.shape)
        return np.ascontiguousarray(found[()].transpose(order))

    variance = read("errors_squared", 0.0)
    if np.any(variance < 0):
        raise DataError("a squared error is negative", where=f"{path}: errors_squared", got=float(variance.min()))
    shape = tuple(data[names[k]].shape[0] - 1 for k in range(len(names)))
    if signal.shape != shape:
        raise DataError(
            "the edges do not fit the signal", where=str(path), expected=f"{shape} by {names}", got=signal.shape
        )
    masked = read("mask", 0).astype(bool)
    return Histogram(axes, read("signal", 0.0), variance, read("num_events", 0.0), masked, _vectors(entry))


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def _axis_names(signal, path):
    """Return the names of the signal's axes, the slowest first."""
    named = signal.attrs.get("axes")
    names = [f"D{k}" for k in reversed(range(signal.ndim))] if named is None else _ORDER.split(_text(named))
    if sorted(names) != [f"D{k}" for k in range(signal.ndim)]:
        raise DataError(
            "the attribute axes does not name the axes of the signal",
            where=f"{path}: signal",
            expected=f"D0 to D{signal.ndim - 1} in some order",
            got=names,
        )
    return names


def _axis(data, name, path):
    if name not in data:
        raise DataError("an axis has no edges", where=f"{path}: {name}", expected="an array of bin edges")
    edges = data[name]
    text = {key: _text(edges.attrs.get(key, "")) for key in ("long_name", "units", "frame")}
    return HistogramAxis(text["long_name"], text["units"], text["frame"], edges[()])


def _vectors(entry):
    """Return lattice vectors from the oriented lattice of the first experiment, or None."""
    sample = entry.get("experiment0/sample/oriented_lattice")
    if not isinstance(sample, h5py.Group):
        return None
    keys = ("unit_cell_a", "unit_cell_b", "unit_cell_c", "unit_cell_alpha", "unit_cell_beta", "unit_cell_gamma")
    if any(key not in sample for key in keys):
        return None
    from ..lattice.crystal import lattice_vectors

    a, b, c, alpha, beta, gamma = (float(np.ravel(sample[key][()])[0]) for key in keys)
    return lattice_vectors(a=a, b=b, c=c, alpha=alpha, beta=beta, gamma=gamma)


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


def projection(label):
    """Return the direction of an axis in r.l.u. from its label, (3,) float64.

    >>> projection("[-0.5K,K,0]").tolist()
    [-0.5, 1.0, 0.0]
    """
    inside = label.strip()
    parts = inside[1:-1].split(",") if inside.startswith("[") and inside.endswith("]") else []
    found = [_TERM.fullmatch(part) for part in parts]
    letters = {match[2] for match in found if match and match[2]}
    if len(found) != 3 or not all(found) or len(letters) != 1:
        raise DataError(
            "an axis names no direction of reciprocal space",
            where=f"axis {label!r}",
            expected="as in [H,0,0], [H,-H,0] or [-0.5K,K,0]",
            got=label,
            fix="bin in HKL (BinMD or MDNorm with projections in r.l.u.)",
        )
    return np.array([_coefficient(match) for match in found])


def _coefficient(match):
    number, letter = match[1], match[2]
    if not letter:
        if float(number or "nan") != 0.0:
            raise DataError("an offset in a projection is not understood", where="axis", got=match[0])
        return 0.0
    return float(number + "1") if number in ("", "+", "-") else float(number)


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


def write_histogram(path, histogram):
    """Write a histogram in the layout of SaveMD, version 2, whole or not at all.

    Parameters
    ----------
    path : str or Path
    histogram : Histogram
    """
    n = len(histogram.axes)

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
    energy : EnergyAxis
    signal, variance : (n_q, n_energy) float64
    valid : (n_q, n_energy) bool, optional
    events : (n_q, n_energy) float64, optional
    """
    if np.any(np.abs(grid.origin) > 1e-12):
        raise DataError("a grid with an origin has no place in this layout", where=grid.name, got=grid.origin.tolist())
    shape = (*(len(edges) - 1 for edges in grid.edges), len(energy.centres))
    half = 0.5 * energy.step
    edges = np.concatenate([energy.centres - half, [energy.centres[-1] + half]])
    axes = [HistogramAxis(_label(row, "HKL"[k]), "r.l.u.", "HKL", grid.edges[k]) for k, row in enumerate(grid.basis)]
    axes.append(HistogramAxis(ENERGY, ENERGY, "General Frame", edges))
    known = np.ones(shape, bool) if valid is None else np.asarray(valid).reshape(shape)
    values = np.where(known, np.asarray(signal, dtype=np.float64).reshape(shape), np.nan)
    count = np.zeros(shape) if events is None else np.asarray(events, dtype=np.float64).reshape(shape)
    return Histogram(tuple(axes), values, np.asarray(variance).reshape(shape), count, np.zeros(shape, bool))


def _label(row, letter):
    """Return the label of a direction, of which :func:`projection` is the inverse."""
    parts = ["0" if x == 0 else letter if x == 1 else f"-{letter}" if x == -1 else f"{float(x)!r}{letter}" for x in row]
    return f"[{','.join(parts)}]"
