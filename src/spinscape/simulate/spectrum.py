"""Spin-wave spectra on a path, a grid or a powder's |Q|: what a forward model of S(Q, ω) predicts.

Three parts stand behind a spectrum: a :class:`~spinscape.simulate.sampling.Sampling` says which Q are calculated for
each row, a :class:`~spinscape.simulate.lines.LineSource` gives energies and intensities there, and an
:class:`~spinscape.simulate.instrument.Instrument` makes lines of them. What follows is linear: the mean over the
points of a row, the sum over twins, and the smear along a path.
"""

import itertools
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.structures import GroundStateSearch
from ..lattice.qspace import QPath
from ..observables.resolution import smear_along_path, smear_pullback
from ..observables.structure_factor import polarisation_weights
from ..observables.twins import Twins
from .instrument import Instrument
from .lines import DEGENERACY, LineSource, form_of, parts_of
from .modes import blocks_of, checked_couplings, solve
from .sampling import axes_sampling
from .spectrum_settings import SpinwaveSettings
from .spiral import merged_parts
from .streaming import bytes_for_q

__all__ = ["DEGENERACY", "SpectrumModel", "SpinwaveSettings", "form_of"]

KEPT = 1_000_000_000
"""Bytes of quadratic forms that a model keeps; beyond it they are made anew at each call, in blocks."""
BLOCK = 100_000_000
"""Bytes of a block."""


class _Piece(NamedTuple):
    """Some rows of one domain on one side of the spectrum."""

    start: int
    stop: int
    domain: int
    side: int


class SpectrumModel:
    """The spectrum S(Q, ω; θ) on one set of axes, everything that does not depend on θ prepared once.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure
    path : QPath or QGrid
        Or any axes with a ``shape``, where ``sampling`` is given.
    energy : EnergyAxis
    settings : SpinwaveSettings
    conditions : Conditions, optional
    sampling : Sampling, optional
        Points of each row of ``path``, raveled; made by :func:`~spinscape.simulate.sampling.axes_sampling`.
    source : callable, optional
        (q, weights, conditions) -> a source of lines, in place of :class:`~spinscape.simulate.lines.LineSource`.

    Examples
    --------
    ``SpectrumModel(model, structure, path, energy, settings).predict(theta)`` has the shape (n_q, n_energy).
    """

    def __init__(self, model, structure, path, energy, settings=None, conditions=None, *, sampling=None, source=None):
        if isinstance(structure, GroundStateSearch):
            raise ConfigError(
                "a spectrum needs a structure, not a search for one",
                where="structure",
                expected="a structure in a magnetic cell, or a spiral",
                got=structure,
                fix="search first, or declare the structure",
            )
        self.model, self.structure, self.path, self.energy = model, structure, path, energy
        self.settings = settings or SpinwaveSettings()
        self.conditions = conditions or Conditions()
        self.sampling = axes_sampling(path, self.settings, model.crystal) if sampling is None else sampling
        self.instrument = Instrument(self.settings, energy, _temperature(self.settings, self.conditions))
        self._twins, self._make = _twins(self.settings), source or self._line_source
        self._pieces, keep = self._dealt()
        self._kept = {piece: self._prepared(piece) for piece in self._pieces} if keep else {}

    @property
    def parameter_names(self):
        """Names of θ."""
        return self.model.parameter_names

    @property
    def shape(self):
        """Shape of the spectrum: (n_q, n_energy); the bins of a grid stand in the order of its points."""
        return (self._n_row, len(self.energy.centres))

    def predict(self, theta, *, q_smear=None, fwhm_factor=None, energy_offset=None):
        """Return the spectrum at θ.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        q_smear, fwhm_factor, energy_offset : float, optional
            In place of those of the settings.

        Returns
        -------
        (n_q, n_energy) float64, per meV and chemical cell
            Values at the bin centres.

        Raises
        ------
        UnstableError
            Where the structure is not stationary or not stable at one of the points.
        ConfigError
            Where the width of a line is not positive.
        """
        how = {"fwhm_factor": fwhm_factor, "energy_offset": energy_offset}
        parts = []
        for piece in self._pieces:
            source, means = self._of(piece)
            parts.append((piece, means, self.instrument.rows(*source.lines(theta), side=piece.side, **how)))
        return self._seen(parts, q_smear)

    def predict_gradient(self, theta, *, q_smear=None, fwhm_factor=None, energy_offset=None):
        """Return the derivative of :meth:`predict` by the couplings.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        q_smear, fwhm_factor, energy_offset : float, optional
            In place of those of the settings.

        Returns
        -------
        (n_parameter, n_q, n_energy) float64, 1/meV²

        Notes
        -----
        Exact, degenerate modes included. Where a group reaches the cap the spectrum has a kink.
        """
        how = {"fwhm_factor": fwhm_factor, "energy_offset": energy_offset}
        parts = [[] for _ in self.parameter_names]
        for piece in self._pieces:
            source, means = self._of(piece)
            rows = self.instrument.gradient(source.lines_with_slopes(theta), side=piece.side, **how)
            for some, part in zip(parts, rows, strict=True):
                some.append((piece, means, part))
        return np.stack([self._seen(some, q_smear) for some in parts])

    def predict_with_pullback(self, theta, *, q_smear=None, fwhm_factor=None, energy_offset=None):
        """Return the spectrum at θ, and a function that takes a cotangent of it to one of θ.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        q_smear, fwhm_factor, energy_offset : float, optional
            In place of those of the settings.

        Returns
        -------
        spectrum : (n_q, n_energy) float64
            That of :meth:`predict`, but for rounding.
        pullback : function
            (n_q, n_energy) -> (n_parameter,): Σ cotangent · ∂(spectrum)/∂θ, all couplings at once.

        Notes
        -----
        The adjoint of :meth:`predict_gradient`; needs full eigenvectors, which the function keeps, unless the forms are
        too large to be kept: it then finds them again.
        """
        how = {"fwhm_factor": fwhm_factor, "energy_offset": energy_offset}
        parts, kept = [], {}
        for piece in self._pieces:
            source, means = self._of(piece)
            found = source.lines_with_pullback(theta)
            parts.append((piece, means, self.instrument.rows(*found[:2], side=piece.side, **how)))
            if self._kept:
                kept[piece] = found

        def pullback(cotangent):
            back, total = self._unseen(cotangent, q_smear), np.zeros(self.model.n_parameter)
            for piece in self._pieces:
                source, means = self._of(piece)
                energies, intensities, lines_back = kept.get(piece) or source.lines_with_pullback(theta)
                rows = means.back(back[piece.start : piece.stop])
                total += lines_back(*self.instrument.pullback(energies, intensities, rows, side=piece.side, **how))
            return total

        return self._seen(parts, q_smear), pullback

    def pullback(self, theta, cotangent, **instrument):
        """Return Σ cotangent · ∂(spectrum)/∂θ: the derivative of one number by all couplings at once.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        cotangent : (n_q, n_energy) float64
            Derivative of the number by the spectrum.
        **instrument
            Those of :meth:`predict`.

        Returns
        -------
        (n_parameter,) float64
        """
        return self.predict_with_pullback(theta, **instrument)[1](cotangent)

    def shows_a_mode(self, theta):
        """Tell whether any line with intensity stands inside the energy window, and name the band if none does.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV

        Returns
        -------
        shows : bool
        band : tuple of 2 float, meV
            Lowest and highest energy of a mode at the points of the spectrum, ``energy_factor`` included.
        """
        low, high, shows = np.inf, -np.inf, False
        for piece in self._pieces:
            energies, intensities = self._of(piece)[0].lines(theta)
            low, high = min(low, float(energies.min())), max(high, float(energies.max()))
            shows = shows or self.instrument.holds(energies, intensities, side=piece.side)
        return shows, (self.settings.energy_factor * low, self.settings.energy_factor * high)

    def mode_energies(self, theta, q):
        """Return the mode energies at wave vectors that need not lie on the path.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        q : (n, 3) float64, r.l.u.

        Returns
        -------
        (n, n_mode) float64, meV, ascending, ``energy_factor`` included
        """
        form = form_of(self.model, self.structure, np.atleast_2d(q), self.conditions)
        values = checked_couplings(theta, self.parameter_names)
        energies, _, _ = solve(form, values, blocks=blocks_of(form), regularisation=self.settings.regularisation)
        return self.settings.energy_factor * merged_parts(parts_of(self.structure), energies)[0]

    @property
    def _n_row(self):
        return int(np.prod(self.path.shape))

    def _dealt(self):
        """Return the pieces of the spectrum, and whether all of them are to be kept."""
        counts = self.sampling.counts
        check_shape("sampling.counts", counts, (self._n_row,), hint="one number of points for each row of the axes")
        need = bytes_for_q(self.model, self.structure)
        sides = (1,) if self.instrument.temperature is None else (1, -1)
        keep = need * int(counts.sum()) * len(sides) * self._twins.n_twin <= KEPT
        ends = [0, self._n_row]
        if not keep:
            block = np.cumsum(counts) // max(1, BLOCK // need)
            ends = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), self._n_row]
        spans = [(a, b) for a, b in itertools.pairwise(ends) if b > a]
        return [_Piece(a, b, d, side) for a, b in spans for d in range(self._twins.n_twin) for side in sides], keep

    def _of(self, piece):
        """Return the source of lines of a piece, and the means of its rows."""
        return self._kept.get(piece) or self._prepared(piece)

    def _prepared(self, piece):
        """Make the source of lines of a piece: the structure as declared, seen by the domain's own Q and field."""
        samples = self.sampling.at(piece.start, piece.stop)
        crystal, turn = self.model.crystal, self._twins.rotations[piece.domain]
        weights = turn.T @ polarisation_weights(self.settings.component, samples.q @ crystal.reciprocal) @ turn
        q, conditions = samples.q, self.conditions
        if not np.array_equal(turn, np.eye(3)):
            q = Twins(turn[None], np.ones(1)).wave_vectors(q, reciprocal=crystal.reciprocal)[0]
            field = self._twins.fields(conditions.field)[piece.domain]
            conditions = Conditions(conditions.temperature, tuple(field.tolist()))
        means = samples.means if self._twins.n_twin == 1 else samples.means.scaled(self._twins.weights[piece.domain])
        # A neutron gains energy by a magnon of -Q.
        return self._make(piece.side * q, weights, conditions), means

    def _line_source(self, q, weights, conditions):
        return LineSource(self.model, self.structure, q, weights, conditions=conditions, settings=self.settings)

    def _sigma(self, q_smear):
        sigma = self.settings.q_smear if q_smear is None else q_smear
        if sigma and not isinstance(self.path, QPath):
            raise ConfigError(
                "a smear along the path needs a path",
                where="q_smear",
                got=f"{sigma} 1/Å on {type(self.path).__name__}",
                fix="give a spread in Q instead",
            )
        return sigma

    def _seen(self, parts, q_smear):
        """Return the spectrum of pieces with their means and rows (n_point, n_energy): averaged, added up, smeared."""
        sigma, (first, *others) = self._sigma(q_smear), parts
        if not others and first[1].chosen is not None and isinstance(self.path, QPath):
            # Each row is one point: the smear picks them itself.
            return smear_along_path(first[2], distance=self.path.distance, sigma=sigma, source=first[1].chosen)
        out = np.zeros((self._n_row, len(self.energy.centres)))
        for piece, means, rows in parts:
            out[piece.start : piece.stop] += means(rows)
        return smear_along_path(out, distance=self.path.distance, sigma=sigma) if sigma else out

    def _unseen(self, cotangent, q_smear):
        """Take a cotangent of the spectrum back to the rows: the transpose of :meth:`_seen`."""
        values = np.ascontiguousarray(cotangent, dtype=np.float64)
        check_shape("cotangent", values, self.shape, hint="It has the shape of the spectrum.")
        if not isinstance(self.path, QPath):
            return values
        source, sigma = np.arange(self._n_row), self._sigma(q_smear)
        return smear_pullback(values, distance=self.path.distance, sigma=sigma, source=source, n_row=self._n_row)


def _twins(settings):
    """Return the domains; one, as declared, where the settings name none."""
    if settings.twins is None:
        return Twins(np.eye(3)[None], np.ones(1))
    return Twins(np.array(settings.twins["rotations"]), np.array(settings.twins["weights"]))


def _temperature(settings, conditions):
    """Return the temperature of the thermal factors, or None."""
    if not settings.thermal:
        return None
    if conditions.temperature is None:
        raise ConfigError(
            "thermal factors need a temperature",
            where="conditions.temperature",
            expected="temperature: ... K",
            got="none",
            fix="give the temperature, or leave the factors out",
        )
    return float(conditions.temperature)
