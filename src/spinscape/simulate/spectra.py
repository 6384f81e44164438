"""Which spectrum belongs to a momentum axis and a structure: on a path or a grid, relaxed or not, or of a powder."""

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.structures import GroundStateSearch
from ..lattice.powder_axis import PowderAxis
from .own_state import own_ground_state
from .powder_spectrum import TOLERANCE, PowderSpectrum
from .protocol import StreamKey
from .relaxed_lines import Relaxation
from .relaxed_spiral_lines import relaxed_source
from .spectrum import SpectrumModel


class RelaxedSpectrum(SpectrumModel):
    """A :class:`SpectrumModel` whose structure comes to rest anew at every set of couplings; derivatives know of it."""

    def __init__(self, model, structure, path, energy, settings=None, conditions=None):
        self._relaxations = {}
        super().__init__(model, structure, path, energy, settings, conditions, source=self._relaxed)

    def mode_energies(self, theta, q):
        """Return the mode energies of the structure at rest, (n, n_mode) float64, meV; ``energy_factor`` included."""
        points = np.atleast_2d(np.asarray(q, dtype=np.float64))
        source = self._relaxed(points, np.tile(np.eye(3), (len(points), 1, 1)), self.conditions)
        return self.settings.energy_factor * source.lines(theta)[0]

    def structure_at(self, theta):
        """Return the structure at rest at θ."""
        return self._relaxation(self.conditions).at(theta)

    def _relaxation(self, conditions):
        field = tuple(conditions.field)  # each domain of a crystal has the field in another direction
        if field not in self._relaxations:
            self._relaxations[field] = Relaxation(self.model, self.structure, conditions)
        return self._relaxations[field]

    def _relaxed(self, q, weights, conditions):
        return relaxed_source(self._relaxation(conditions), q, weights, settings=self.settings)


def spectrum_on(
    model,
    structure,
    momentum,
    energy,
    settings,
    conditions=None,
    *,
    relax=False,
    reference=None,
    tolerance=None,
    seed=0,
):
    """Return the spectrum of a model on a momentum axis.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure, SpiralStructure or GroundStateSearch
        A search is done once, at ``reference``; what it finds is relaxed at every set of couplings.
    momentum : QPath, PowderAxis or QGrid
    energy : EnergyAxis
    settings : SpinwaveSettings
    conditions : Conditions, optional
    relax : bool
        Let the structure come to rest at every set of couplings.
    reference : (n_parameter,) float64, meV, optional
        Where a ground state is searched for, and where a powder's directions are chosen.
    tolerance : float, optional
        Of a powder's average.
    seed : int
        Of the search.

    Returns
    -------
    SpectrumModel or PowderSpectrum
    """
    needed = isinstance(structure, GroundStateSearch) or isinstance(momentum, PowderAxis)
    if needed and reference is None:
        raise ConfigError(
            "a powder, and a structure that is searched for, need couplings to begin with",
            where="forward.reference",
            expected="a value for each coupling, where the structure is stable",
            got="none",
            fix="add reference: {coupling: value, ...} to the forward model",
        )
    if isinstance(structure, GroundStateSearch):
        how = {"magnetic_cell": structure.magnetic_cell} if structure.magnetic_cell is not None else {}
        how |= {
            "max_cell": structure.max_cell,
            "n_start": structure.n_start,
            "stream_key": StreamKey(seed, "reference"),
        }
        structure, relax = own_ground_state(model, reference, conditions, **how), True
    if isinstance(momentum, PowderAxis):
        how = {"reference": reference, "relax": relax, "tolerance": TOLERANCE if tolerance is None else tolerance}
        return PowderSpectrum(model, structure, momentum, energy, settings, conditions, **how)
    make = RelaxedSpectrum if relax else SpectrumModel
    return make(model, structure, momentum, energy, settings, conditions)
