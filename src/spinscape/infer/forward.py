"""Forward models for fits: the simulator itself, and the network that stands in for it."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from ..simulate.spectra import spectrum_on
from ..simulate.spectrum import SpectrumModel
from .couplings import OfCouplings, free_couplings, full_theta
from .held_out import HeldOut

NUISANCE_UNITS = {"q_smear": "1/Å", "fwhm_factor": "", "energy_offset": "meV"}
"""Properties of the instrument that a spin-wave fit can have as parameters, and their units."""


@dataclass(frozen=True, eq=False)
class SpinwaveForward:
    """Spin-wave spectra on the axes of each measurement. Make it with :func:`spinwave_forward`.

    Parameters
    ----------
    spectra : tuple of SpectrumModel
        One for each measurement, in their order.
    coupling_names : tuple of str
        The free couplings.
    nuisance_names : tuple of str
        Keys of :data:`NUISANCE_UNITS`, fitted beside the couplings.
    fixed : (n_coupling,) float64
        Values of θ; the free ones are overwritten.
    free : (n_free,) int64
        Indices of the free couplings in θ.
    blur : float
        Multiplies the width of every line, beside any other factor; see :meth:`blurred`.
    """

    spectra: tuple[SpectrumModel, ...]
    coupling_names: tuple[str, ...]
    nuisance_names: tuple[str, ...]
    fixed: np.ndarray
    free: np.ndarray
    blur: float = 1.0
    kind: str = "spinwave"

    @property
    def parameter_names(self):
        """The free couplings, then the nuisances."""
        return self.coupling_names + self.nuisance_names

    @property
    def units(self):
        """Unit of each parameter."""
        return ("meV",) * len(self.coupling_names) + tuple(NUISANCE_UNITS[name] for name in self.nuisance_names)

    def theta(self, parameters):
        """Return all couplings θ, the fixed ones filled in, from the parameters of the fit."""
        return full_theta(self.fixed, self.free, parameters)

    def predict(self, parameters):
        """Return the spectra, each (n_q, n_energy), at parameters (n_parameter,); raises ``UnstableError``."""
        theta, instrument = self.theta(parameters), self._instrument(parameters)
        return tuple(spectrum.predict(theta, **instrument) for spectrum in self.spectra)

    def gradient(self, parameters):
        """Return the derivatives by the free couplings, each (n_coupling, n_q, n_energy)."""
        theta, instrument = self.theta(parameters), self._instrument(parameters)
        return tuple(spectrum.predict_gradient(theta, **instrument)[self.free] for spectrum in self.spectra)

    def mode_energies(self, parameters, q):
        """Return mode energies at q (n_q, 3) in r.l.u., (n_q, n_mode), meV, rising.

        The energies of the bands, not of the instrument's axis: a fitted ``energy_offset`` is not in them.
        """
        return self.spectra[0].mode_energies(self.theta(parameters), np.asarray(q, dtype=np.float64))

    def blurred(self, factor):
        """Return the same forward model with lines ``factor`` times as wide; a powder gets by with fewer directions."""
        spectra = [s.for_width(factor) if hasattr(s, "for_width") else s for s in self.spectra]
        return replace(self, spectra=tuple(spectra), blur=self.blur * float(factor))

    def _instrument(self, parameters):
        values = np.asarray(parameters)[len(self.free) :]
        known = {name: float(value) for name, value in zip(self.nuisance_names, values, strict=True)}
        if self.blur != 1.0:
            known["fwhm_factor"] = self.blur * known.get("fwhm_factor", self.spectra[0].settings.fwhm_factor)
        return known


def spinwave_forward(model, structure, measurements, *, settings, nuisances=(), fixed=None, **how):
    """Return the :class:`SpinwaveForward` of a model on the axes of measurements.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure
    measurements : sequence of Measurement
        Each with its own path, energies and conditions.
    settings : SpinwaveSettings
    nuisances : sequence of str
        Of ``q_smear``, ``fwhm_factor``, ``energy_offset``: fitted instead of taken from the settings.
    fixed : dict of str to float, optional
        Couplings that are not fitted, and their values in meV.
    **how
        ``relax``, ``reference``, ``tolerance`` and ``seed`` of :func:`~spinscape.simulate.spectra.spectrum_on`.
    """
    unknown = [name for name in nuisances if name not in NUISANCE_UNITS]
    if unknown:
        raise FitError(
            f"unknown nuisance parameter {unknown[0]!r}",
            where="forward.nuisances",
            expected=", ".join(NUISANCE_UNITS),
            got=", ".join(unknown),
        )
    free, values = free_couplings(model.parameter_names, fixed or {})
    spectra = tuple(
        spectrum_on(model, structure, m.momentum, m.energy, settings, m.conditions, **how) for m in measurements
    )
    names = tuple(model.parameter_names[k] for k in free)
    return SpinwaveForward(spectra, names, tuple(nuisances), values, free)


@dataclass(frozen=True, eq=False)
class SirenForward(OfCouplings):
    """A trained network on the axes of each measurement. Make it with :func:`siren_forward`.

    Parameters
    ----------
    siren : Siren
        ``predict``, ``predict_gradient``, ``log_at`` and ``log_and_gradient_at``, and the ``domain`` it was trained in.
    axes : tuple of (points (n_q, 3), energies (n_energy,))
        Of each measurement: r.l.u. and bin centres in meV.
    coupling_names : tuple of str
        The free couplings.
    fixed, free : as in :class:`SpinwaveForward`
    held_out : HeldOut, optional
        Simulations that it has not learnt from, on the same axes.

    Notes
    -----
    Where a network dips below zero S is zero: no expectation of counts is negative.
    """

    siren: object
    axes: tuple
    coupling_names: tuple[str, ...]
    fixed: np.ndarray
    free: np.ndarray
    held_out: HeldOut | None = None
    kind: str = "siren"

    def predict(self, parameters):
        """Return the spectra, each (n_q, n_energy); a network has no unstable states."""
        theta = self.theta(parameters)
        return tuple(np.maximum(self.siren.predict(points, energies, theta), 0.0) for points, energies in self.axes)

    def gradient(self, parameters):
        """Return the derivatives by the free couplings, each (n_coupling, n_q, n_energy)."""
        theta = self.theta(parameters)
        found = [self.siren.predict_gradient(points, energies, theta) for points, energies in self.axes]
        return tuple(np.where(image > 0.0, slope[self.free], 0.0) for image, slope in found)

    def predict_pixels(self, parameters, pixels):
        """Return S at flat indices into each (n_q, n_energy), and the pullback of derivatives to the parameters."""
        theta = self.theta(parameters)
        asked = [self._at(axes, theta, index) for axes, index in zip(self.axes, pixels, strict=True)]

        def pullback(slopes):
            return np.sum([d @ slope for (_, d), slope in zip(asked, slopes, strict=True)], axis=0)

        return tuple(values for values, _ in asked), pullback

    def outside(self, parameters):
        """Return what lies outside the region that the network was trained in: a tuple of words, empty if nothing."""
        theta, out = self.theta(parameters), []
        for points, energies in self.axes:
            flags = self.siren.domain.coverage(points, energies, theta)
            out += [what for what in ("q", "energy", "theta") if not np.all(flags[what])]
        return tuple(dict.fromkeys(out))

    def _at(self, axes, theta, index):
        """Return S (n,) and its derivatives by the free couplings (n_coupling, n) at flat indices (n,)."""
        points, energies = axes
        momentum, energy = np.divmod(index, len(energies))
        rows = np.broadcast_to(theta, (len(index), len(theta)))
        log, slope = self.siren.log_and_gradient_at(np.column_stack([points[momentum], energies[energy], rows]))
        return np.maximum(np.expm1(log), 0.0), np.where(log > 0.0, np.exp(log) * slope.T[self.free], 0.0)


@dataclass(frozen=True, eq=False)
class SirenForwardWithModes(SirenForward):
    """A network, and the spin-wave model that it stands in for: the network knows spectra, the model its modes."""

    bands: SpinwaveForward | None = None

    def mode_energies(self, parameters, q):
        """Return mode energies at q (n_q, 3) in r.l.u., (n_q, n_mode), meV, rising."""
        return self.bands.mode_energies(parameters, q)


def siren_forward(siren, measurements, *, fixed=None, bands=None, held_out=None):
    """Return the :class:`SirenForward` of a trained network on the axes of measurements.

    Parameters
    ----------
    siren : Siren
    measurements : sequence of Measurement
        Momenta and energies may be others than those of the training, within its region. S(Q) without energies needs
        a network that has learnt S(Q).
    fixed : dict of str to float, optional
        Couplings that are not fitted, and their values in meV.
    bands : SpinwaveForward, optional
        The model that the network stands in for, of the same couplings: it answers for mode energies.
    held_out : HeldOut, optional
        Simulations that it has not learnt from: they tell its error.
    """
    free, values = free_couplings(tuple(siren.parameter_names), fixed or {})
    # S(Q) has no energies: its network has learnt one, which is no input.
    axes = tuple(
        (m.momentum.points, siren.domain.energy if m.energy is None else m.energy.centres) for m in measurements
    )
    _require_energies(siren, measurements)
    names = tuple(siren.parameter_names[k] for k in free)
    if bands is None:
        return SirenForward(siren, axes, names, values, free, held_out)
    return SirenForwardWithModes(siren, axes, names, values, free, held_out, bands=bands)


def _require_energies(siren, measurements):
    for measurement in measurements:
        if measurement.energy is None and len(siren.domain.energy) != 1:
            raise FitError(
                "a measurement without energies cannot be compared with a network of spectra",
                where=f"measurement {measurement.name}",
                expected="a network that has learnt S(Q)",
                got=f"one of {len(siren.domain.energy)} energies",
                fix="train a network on an array of S(Q), or take another forward model",
            )
