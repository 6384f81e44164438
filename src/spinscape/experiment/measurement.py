"""The one type of measured and simulated spectra that fits look at."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import DataError, check_shape
from ..hamiltonian.conditions import Conditions
from ..lattice.crystal import read_only
from ..lattice.momentum import MomentumAxis, n_momentum
from ..lattice.qspace import EnergyAxis


@dataclass(frozen=True, eq=False)
class Measurement:
    """A spectrum S(Q, ω), with what is needed to compare it honestly.

    Parameters
    ----------
    name : str
    momentum : QPath, PowderAxis or QGrid
        Where the rows are: points of a path, bins of |Q|, or the bins of a grid in the order of its points.
    energy : EnergyAxis
    signal : (n_q, n_energy) float64, arbitrary units
    std : (n_q, n_energy) float64 or None
        One standard deviation, where the file has it. Never folded into the signal.
    valid : (n_q, n_energy) bool
        False where nothing was measured. What stands in ``signal`` there is never read.
    conditions : Conditions
    simulated : bool
        True where the "measurement" was made by the program; figures say so.
    provenance : dict
        Source, sha256, seeds: plain values.
    """

    name: str
    momentum: MomentumAxis
    energy: EnergyAxis
    signal: np.ndarray
    valid: np.ndarray
    std: np.ndarray | None = None
    conditions: Conditions = field(default_factory=Conditions)
    simulated: bool = False
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        shape = (n_momentum(self.momentum), len(self.energy.centres))
        object.__setattr__(self, "signal", read_only(self.signal))
        object.__setattr__(self, "valid", read_only(self.valid, bool))
        check_shape("signal", self.signal, shape, hint=f"measurement {self.name}: rows are Q, columns energies")
        check_shape("valid", self.valid, shape)
        if self.std is not None:
            object.__setattr__(self, "std", read_only(self.std))
            check_shape("std", self.std, shape)
        if not np.all(np.isfinite(self.signal[self.valid])):
            raise DataError("a pixel that counts as measured is not finite", where=f"measurement {self.name}")

    @property
    def shape(self):
        """(n_q, n_energy)."""
        return self.signal.shape
