"""Spin-wave spectra whose instrument is fitted in logarithms: widths stay positive, and all derivatives are known."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from .forward import SpinwaveForward, spinwave_forward

LOGARITHMIC = {"ln_fwhm_factor": "fwhm_factor", "ln_q_smear": "q_smear"}
"""Name of a nuisance → the property of the instrument whose logarithm it is (of its value in 1/Å, for the smear)."""
STEP = 1e-4
"""Step of the central differences by the instrument, in logarithms or meV: relative error of 1e-8."""


@dataclass(frozen=True, eq=False)
class InstrumentForward:
    """A :class:`~spinscape.infer.forward.SpinwaveForward` with logarithmic nuisances and derivatives by all parameters.

    Parameters
    ----------
    plain : SpinwaveForward
        With the nuisances ``fwhm_factor``, ``q_smear`` and ``energy_offset`` that are fitted.
    nuisance_names : tuple of str
        Keys of :data:`LOGARITHMIC`, or ``energy_offset``.
    """

    plain: SpinwaveForward
    nuisance_names: tuple[str, ...]
    kind: str = "spinwave"

    @property
    def coupling_names(self):
        """The free couplings."""
        return self.plain.coupling_names

    @property
    def parameter_names(self):
        """The free couplings, then the nuisances."""
        return self.coupling_names + self.nuisance_names

    @property
    def units(self):
        """Unit of each parameter."""
        plain = ["" if name in LOGARITHMIC else "meV" for name in self.nuisance_names]
        return ("meV",) * len(self.coupling_names) + tuple(plain)

    def plain_parameters(self, parameters):
        """Return the parameters of the plain forward model: logarithms undone."""
        out = np.array(parameters, dtype=np.float64)
        for k, name in enumerate(self.parameter_names):
            if name in LOGARITHMIC:
                out[k] = np.exp(out[k])
        return out

    def predict(self, parameters):
        """Return the spectra, each (n_q, n_energy); raises ``UnstableError``."""
        return self.plain.predict(self.plain_parameters(parameters))

    def gradient(self, parameters):
        """Return the derivatives by all parameters, each (n_parameter, n_q, n_energy).

        Exact by the couplings; by the instrument central differences, whose error is of the step's square.
        """
        blocks = [self.plain.gradient(self.plain_parameters(parameters))]
        for k in range(len(self.coupling_names), len(self.parameter_names)):
            ends = []
            for sign in (1.0, -1.0):
                moved = np.array(parameters, dtype=np.float64)
                moved[k] += sign * STEP
                ends.append(self.predict(moved))
            blocks.append(tuple((up - down)[None] / (2.0 * STEP) for up, down in zip(*ends, strict=True)))
        return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))

    def blurred(self, factor):
        """Return the same forward model with lines ``factor`` times as wide as the parameters say."""
        return replace(self, plain=self.plain.blurred(factor))

    def mode_energies(self, parameters, q):
        """Return mode energies at q (n_q, 3) in r.l.u., (n_q, n_mode), meV, rising."""
        return self.plain.mode_energies(self.plain_parameters(parameters), q)


def instrument_forward(
    model, structure, measurements, *, settings, nuisances=("ln_fwhm_factor", "ln_q_smear"), fixed=None
):
    """Return the :class:`InstrumentForward` of a model on the axes of measurements.

    Parameters
    ----------
    model, structure, measurements, settings, fixed
        As of :func:`~spinscape.infer.forward.spinwave_forward`.
    nuisances : sequence of str
        Of ``ln_fwhm_factor``, ``ln_q_smear`` (q_smear in 1/Å), ``energy_offset``.
    """
    known = (*LOGARITHMIC, "energy_offset")
    unknown = [name for name in nuisances if name not in known]
    if unknown:
        raise FitError(
            f"unknown nuisance parameter {unknown[0]!r}", where="forward.nuisances", expected=", ".join(known),
            got=", ".join(nuisances),
        )  # fmt: skip
    names = tuple(LOGARITHMIC.get(name, name) for name in nuisances)
    plain = spinwave_forward(model, structure, measurements, settings=settings, nuisances=names, fixed=fixed)
    return InstrumentForward(plain, tuple(nuisances))
