"""From detectors to bins of momentum and energy: powders to |Q|, single crystals to a grid of reciprocal space."""

import numpy as np

from ..errors import DataError
from ..hamiltonian.conditions import Conditions
from ..lattice.momentum import n_momentum
from ..lattice.qspace import EnergyAxis
from .measurement import Measurement

_CHUNK = 2_000_000
"""Pixels that are held at a time."""
_UNIFORM = 1e-3
"""Largest difference of an energy bin's width from the mean one, relative to it: files hold rounded edges."""


class Bins:
    """Sums over pixels that fall into the bins of an axis of momentum and one of energy.

        signal = Σ s/n,   std² = Σ e²/n²

    Every pixel weighs alike. A bin without a pixel was not measured, nor is one whose pixels have no error: files do
    not tell there how much nothing was seen of.

    Parameters
    ----------
    momentum : PowderAxis or QGrid
    energy : EnergyAxis
    """

    def __init__(self, momentum, energy):
        self.momentum, self.energy = momentum, energy
        self.shape = (n_momentum(momentum), len(energy.centres))
        size = self.shape[0] * self.shape[1]
        self.n, self.sum, self.square = np.zeros(size), np.zeros(size), np.zeros(size)

    def add(self, row, energies, signal, std):
        """Add pixels: row (n_detector, n_energy) of the momentum, -1 outside, of energies (n_energy,)."""
        column = _inside(self.energy.edges, energies)
        keep = (row >= 0) & (column >= 0)[None, :] & np.isfinite(signal)
        index = (row * self.shape[1] + column[None, :])[keep]
        for total, weight in ((self.n, None), (self.sum, signal[keep]), (self.square, std[keep] ** 2)):
            total += np.bincount(index, weight, minlength=len(total))

    def measurement(self, name, *, conditions=None, provenance=None):
        """Return the means as a measurement."""
        valid = (self.n > 0) & (self.square > 0)
        if not valid.any():
            raise DataError(
                "no pixel with an error falls on the declared axes", where=f"measurement {name}",
                expected="axes that overlap with what the detectors saw", got=f"{int(self.n.sum())} pixels",
                fix="correct the axes, the lattice, u, v or psi",
            )  # fmt: skip
        n = np.maximum(self.n, 1.0)
        return Measurement(
            name=name,
            momentum=self.momentum,
            energy=self.energy,
            signal=np.where(valid, self.sum / n, 0.0).reshape(self.shape),
            valid=valid.reshape(self.shape),
            std=np.where(valid, np.sqrt(self.square) / n, 1.0).reshape(self.shape),
            conditions=conditions or Conditions(),
            provenance={**(provenance or {}), "without_error": int(((self.n > 0) & ~valid).sum())},
        )


def powder_measurement(runs, axis, *, name, energy=None, conditions=None, provenance=None):
    """Return runs of a powder, binned by |Q| and energy.

    Parameters
    ----------
    runs : sequence of DetectorSpectra
    axis : PowderAxis
    name : str
    energy : EnergyAxis, optional
        That of the first run, where it is not given.
    conditions : Conditions, optional
    provenance : dict, optional

    Returns
    -------
    Measurement
    """
    bins = Bins(axis, _energy_axis(runs, energy, name))
    for run in runs:
        for chosen in _chunks(run):
            row = _inside(axis.edges, run.modulus(chosen))
            bins.add(row, run.energies, run.signal[chosen], run.std[chosen])
    return bins.measurement(name, conditions=conditions, provenance=provenance)


def crystal_measurement(runs, grid, *, reciprocal, u, v, name, energy=None, conditions=None, provenance=None):
    """Return runs of a single crystal, binned on a grid of reciprocal space and by energy.

    Parameters
    ----------
    runs : sequence of DetectorSpectra
        Each with its ``psi``.
    grid : QGrid
    reciprocal : (3, 3) float64, 1/Å
        Reciprocal vectors as rows.
    u, v : (3,) array, r.l.u.
        They span the horizontal plane; u lies along the beam at psi = 0, v on its left.
    name, energy, conditions, provenance : as of :func:`powder_measurement`

    Returns
    -------
    Measurement
    """
    bins = Bins(grid, _energy_axis(runs, energy, name))
    for number, run in enumerate(runs):
        if run.psi is None:
            raise DataError(
                "the rotation of a sample is not known", where=f"measurement {name}: run {number}",
                expected="psi in the file, or in the study", got="none", fix="add psi: ... deg to the run",
            )  # fmt: skip
        turn = rlu_from_laboratory(reciprocal, u=u, v=v, psi=run.psi)
        for chosen in _chunks(run):
            row = grid_row(grid, run.transfer(chosen) @ turn)
            bins.add(row, run.energies, run.signal[chosen], run.std[chosen])
    return bins.measurement(name, conditions=conditions, provenance=provenance)


def rlu_from_laboratory(reciprocal, *, u, v, psi):
    """Return the matrix that takes Q in the laboratory to r.l.u., (3, 3): hkl = Q @ matrix.

    The laboratory has x along the beam, z upwards, and y on the left of one who looks along the beam. psi is the angle
    from the beam to u, against the clock when seen from above: Q along (cos psi, sin psi, 0) is along u.

    Parameters
    ----------
    reciprocal : (3, 3) float64, 1/Å
        Reciprocal vectors as rows.
    u, v : (3,) array, r.l.u.
    psi : float, rad

    Notes
    -----
    The convention of Horace and of MSlice (goniometer arcs at zero).
    """
    along, beside = np.asarray(u, dtype=np.float64) @ reciprocal, np.asarray(v, dtype=np.float64) @ reciprocal
    up = np.cross(along, beside)
    if not np.linalg.norm(up) > 1e-9 * np.linalg.norm(along) * np.linalg.norm(beside):
        raise DataError("u and v span no plane", where="orientation: u, v", got=(list(u), list(v)))
    first, third = along / np.linalg.norm(along), up / np.linalg.norm(up)
    frame = np.array([first, np.cross(third, first), third])
    c, s = np.cos(psi), np.sin(psi)
    # Rows: beam, left and up in the frame of u, across u, and up.
    in_frame = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return in_frame @ frame @ np.linalg.inv(reciprocal)


def grid_row(grid, q):
    """Return the row of a grid that each q (..., 3) in r.l.u. falls into, (...) int64; -1 outside."""
    coordinates = (q - grid.origin) @ np.linalg.inv(grid.basis)
    row = np.zeros(q.shape[:-1], dtype=np.int64)
    outside = np.zeros(q.shape[:-1], dtype=bool)
    for k, edges in enumerate(grid.edges):
        index = _inside(edges, coordinates[..., k])
        outside |= index < 0
        row = row * (len(edges) - 1) + index
    return np.where(outside, -1, row)


def _inside(edges, values):
    """Return the bin of each value, -1 outside; the last edge belongs to no bin."""
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where((values >= edges[0]) & (values < edges[-1]), index, -1)


def _chunks(run):
    n_detector, n_energy = run.signal.shape
    step = max(1, _CHUNK // n_energy)
    return [slice(start, start + step) for start in range(0, n_detector, step)]


def _energy_axis(runs, declared, name):
    """Return the axis of energy: the declared one, no finer than the files', or that of the first run."""
    if not runs:
        raise DataError("no run is given", where=f"measurement {name}")
    widths = [np.diff(run.edges) for run in runs]
    if declared is not None:
        coarsest = max(float(w.max()) for w in widths)
        if declared.step < coarsest * (1.0 - _UNIFORM):
            raise DataError(
                "the declared bins of energy are finer than those of the files", where=f"measurement {name}: energy",
                expected=f"steps of at least {coarsest:g} meV", got=f"{declared.step:g} meV",
            )  # fmt: skip
        return declared
    if np.ptp(widths[0]) > _UNIFORM * widths[0].mean():
        raise DataError(
            "the bins of energy differ in width", where=f"measurement {name}", got=widths[0][:4].tolist(),
            fix="declare energy: {first, last, n}, no finer than the widest of them",
        )  # fmt: skip
    edges = runs[0].edges
    step = (edges[-1] - edges[0]) / (len(edges) - 1)
    return EnergyAxis(edges[0] + step * (np.arange(len(edges) - 1) + 0.5))
