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

from ..errors import DataError, check_shape
from ..lattice.crystal import read_only
from .links import own_item

ENTRY = "MDHistoWorkspace"
ENERGY = "DeltaE"
ONE_COUNT = 1e-6
"""Relative tolerance of err²·events/signal² = 1: the files hold doubles, sums of a few thousand terms."""
_TERM = re.compile(r"\s*([-+]?\d*\.?\d*(?:[eE][-+]?\d+)?)\s*\*?\s*([A-Za-z]?)\s*")
_ORDER = re.compile(r"[:,]")
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
    entry = own_item(file, ENTRY, path)
    data = own_item(entry, "data", path) if isinstance(entry, h5py.Group) else None
    missing = [n for n in ("signal", "errors_squared") if not isinstance(data, h5py.Group) or n not in data]
    if missing:
        raise DataError(
            "not a histogram of Mantid's SaveMD",
            where=str(path),
            expected=f"{ENTRY}/data with signal and errors_squared",
            got=f"{sorted(file)}, without {missing}",
            fix="save the MDHistoWorkspace with SaveMD (event workspaces must be binned first)",
        )
    signal = own_item(data, "signal", path)
    if signal.size > MAX_VOXEL:
        raise DataError("too many voxels", where=str(path), expected=f"at most {MAX_VOXEL}", got=signal.size)
    names = _axis_names(signal, path)
    order = np.argsort(names)
    axes = tuple(_axis(data, names[k], path) for k in order)

    def read(name, otherwise):
        found = own_item(data, name, path)
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
    return Histogram(axes, read("signal", 0.0), variance, read("num_events", 0.0), masked, _vectors(entry, path))


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
    edges = own_item(data, name, path)
    text = {key: _text(edges.attrs.get(key, "")) for key in ("long_name", "units", "frame")}
    return HistogramAxis(text["long_name"], text["units"], text["frame"], edges[()])


def _vectors(entry, path):
    """Return lattice vectors from the oriented lattice of the first experiment, or None."""
    sample = own_item(entry, "experiment0/sample/oriented_lattice", path)
    if not isinstance(sample, h5py.Group):
        return None
    keys = ("unit_cell_a", "unit_cell_b", "unit_cell_c", "unit_cell_alpha", "unit_cell_beta", "unit_cell_gamma")
    if any(key not in sample for key in keys):
        return None
    from ..lattice.crystal import lattice_vectors

    a, b, c, alpha, beta, gamma = (float(np.ravel(own_item(sample, key, path)[()])[0]) for key in keys)
    return lattice_vectors(a=a, b=b, c=c, alpha=alpha, beta=beta, gamma=gamma)


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
