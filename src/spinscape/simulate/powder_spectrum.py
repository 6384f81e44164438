"""S(|Q|, ω) of a powder, on the smallest cell that model and structure have, with exact derivatives."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConfigError, UnstableError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import Model
from ..hamiltonian.operations import model_operations
from ..hamiltonian.primitive import in_primitive_cell
from ..hamiltonian.spiral import SpiralStructure
from ..observables.structure_factor import polarisation_weights
from .instrument import Instrument
from .lines import LineSource, parts_of
from .powder_sampling import frozen_sampling, seen_rotations, spectrum_rotations
from .relaxed_lines import Relaxation
from .relaxed_spiral_lines import relaxed_source
from .sampling import bin_order_of
from .spectrum import SpectrumModel
from .spectrum_settings import SpinwaveSettings

TOLERANCE = 0.02
"""Root mean square error of the average over directions, relative to that of the spectrum."""


@dataclass(frozen=True, eq=False)
class _ChemicalCell:
    """A model and its spiral as they are, in place of a ``PrimitiveModel``."""

    model: Model
    structure: SpiralStructure
    n_copy: int = 1

    def q(self, q):
        """Return wave vectors as they are."""
        return np.asarray(q, dtype=np.float64)


class PowderSpectrum:
    """The spectrum S(|Q|, ω; θ) of a powder; what it does and gives is that of a :class:`SpectrumModel`.

    The directions of Q are chosen once, at ``reference``, to ``tolerance``: the spectrum is then a smooth function of
    the couplings. They are one of each orbit under the operations that the Hamiltonian and the structure have.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure
        Declared; with ``relax`` the start of every relaxation. A spiral is calculated in its rotating frame, on the
        chemical cell.
    axis : PowderAxis
    energy : EnergyAxis
    settings : SpinwaveSettings
    conditions : Conditions, optional
    reference : (n_parameter,) float64, meV
        Couplings at which the structure is stable.
    relax : bool
        Let the structure come to rest anew at every set of couplings; derivatives hold its motion.
    tolerance : float
    width : float
        The directions are chosen for lines so many times as wide.
    """

    def __init__(
        self,
        model,
        structure,
        axis,
        energy,
        settings=None,
        conditions=None,
        *,
        reference,
        relax=False,
        tolerance=TOLERANCE,
        width=1.0,
    ):
        self.settings, self.conditions = settings or SpinwaveSettings(), conditions or Conditions()
        self._check()
        self._arguments = (model, structure, axis, energy, self.settings, self.conditions)
        self._options = {"reference": reference, "relax": relax, "tolerance": tolerance}
        self.axis, self.energy, self._full = axis, energy, model
        start = Relaxation(model, structure, self.conditions).at(reference) if relax else structure
        self._cell = _ChemicalCell(model, start) if parts_of(start) > 1 else in_primitive_cell(model, start)
        self._operations = model_operations(self._cell.model, field=self.conditions.field)
        self.rotations = self._rotations(self._cell.structure)
        self._relaxation = Relaxation(self._cell.model, self._cell.structure, self.conditions) if relax else None
        self.sampling = frozen_sampling(
            axis,
            self._rows_at(np.asarray(reference, dtype=np.float64), width),
            rotations=self.rotations,
            reciprocal=self._cell.model.crystal.reciprocal,
            tolerance=tolerance,
            bin_order=bin_order_of(self.settings),
        )
        self._spectrum = SpectrumModel(
            self._cell.model,
            self._cell.structure,
            axis,
            energy,
            self.settings,
            self.conditions,
            sampling=self.sampling,
            source=self._source,
        )

    def for_width(self, factor):
        """Return the same spectrum on directions that do for lines ``factor`` times as wide; it does not widen them.

        To be asked with such an ``fwhm_factor``, it is as good as this one and takes less time.
        """
        return PowderSpectrum(*self._arguments, **self._options, width=factor)

    @property
    def parameter_names(self):
        """Names of θ."""
        return self._full.parameter_names

    @property
    def shape(self):
        """(n_q, n_energy)."""
        return self._spectrum.shape

    def predict(self, theta, **instrument):
        """Return the spectrum at θ, (n_q, n_energy) float64, per meV and chemical cell; see :class:`SpectrumModel`."""
        self._check_symmetry(theta)
        return self._spectrum.predict(theta, **instrument)

    def predict_gradient(self, theta, **instrument):
        """Return the derivative of :meth:`predict` by the couplings, (n_parameter, n_q, n_energy)."""
        self._check_symmetry(theta)
        return self._spectrum.predict_gradient(theta, **instrument)

    def predict_with_pullback(self, theta, **instrument):
        """Return the spectrum at θ, and a function that takes a cotangent of it to one of θ."""
        self._check_symmetry(theta)
        return self._spectrum.predict_with_pullback(theta, **instrument)

    def shows_a_mode(self, theta):
        """Tell whether a mode stands inside the energy window; as of :class:`SpectrumModel`."""
        return self._spectrum.shows_a_mode(theta)

    def structure_at(self, theta):
        """Return the structure at θ, on the primitive cell where it is no spiral."""
        return self._cell.structure if self._relaxation is None else self._relaxation.at(theta)

    def mode_energies(self, theta, q):
        """Return the mode energies at q (n, 3), r.l.u. of the chemical cell: (n, n_mode) float64, meV, ascending."""
        points = self._cell.q(np.atleast_2d(q))
        energies, _ = self._source(points, np.tile(np.eye(3), (len(points), 1, 1)), self.conditions).lines(theta)
        return self.settings.energy_factor * energies

    def _rotations(self, structure):
        kept = spectrum_rotations(self._cell.model, structure, operations=self._operations)
        return seen_rotations(kept, self.settings.component)

    def _source(self, q, weights, conditions):
        """Return a source of lines on the primitive cell, intensities for a chemical one."""
        whole = self._cell.n_copy * weights
        if self._relaxation is None:
            model, structure = self._cell.model, self._cell.structure
            return LineSource(model, structure, q, whole, conditions=conditions, settings=self.settings)
        return relaxed_source(self._relaxation, q, whole, settings=self.settings)

    def _check(self):
        """Raise where a powder is asked for what it has not."""
        if np.any(np.asarray(self.conditions.field)) or self.settings.twins is not None:
            raise ConfigError(
                "a powder in a field is not known: each grain has the field in another direction",
                where="conditions.field",
                expected="no field, and no twins",
                got=f"field {list(self.conditions.field)} T, twins {'yes' if self.settings.twins else 'no'}",
                fix="leave the field and the twins out",
            )

    def _rows_at(self, reference, width):
        """Return the function of wave vectors that the rules must average well."""
        temperature = self.conditions.temperature if self.settings.thermal else None
        settings = replace(self.settings, fwhm_factor=width * self.settings.fwhm_factor)
        instrument = Instrument(settings, self.energy, temperature)
        reciprocal = self._cell.model.crystal.reciprocal

        def rows(q):
            weights = polarisation_weights(self.settings.component, q @ reciprocal)
            return instrument.rows(*self._source(q, weights, self.conditions).lines(reference))

        return rows

    def _check_symmetry(self, theta):
        """Raise where the structure at rest has lost an operation that the directions were reduced by."""
        if self._relaxation is None:
            return
        here = self._rotations(self._relaxation.at(theta))
        if len(here) < len(self.rotations):
            raise UnstableError(
                "the structure at rest has fewer symmetries than at the reference",
                where=", ".join(f"{n} = {v:.6g} meV" for n, v in zip(self.parameter_names, theta, strict=True)),
                expected=f"{len(self.rotations)} operations",
                got=len(here),
                fix="leave this region out: it has another ground state",
            )
