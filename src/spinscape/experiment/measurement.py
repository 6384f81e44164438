"""What fits look at, measured or simulated: spectra, diffuse scattering, and tables of thermodynamic quantities."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import DataError, check_shape
from ..hamiltonian.conditions import Conditions
from ..lattice.crystal import read_only
from ..lattice.momentum import MomentumAxis, n_momentum, segments
from ..lattice.qspace import EnergyAxis


@dataclass(frozen=True, eq=False)
class Measurement:
    """A spectrum S(Q, ω) or diffuse scattering S(Q), with what is needed to compare it honestly.

    Parameters
    ----------
    name : str
    momentum : QPath, PowderAxis or QGrid
        Where the rows are: points of a path, bins of |Q|, or the bins of a grid in the order of its points.
    energy : EnergyAxis or None
        None where all energies were counted together: S(Q), one column.
    signal : (n_q, n_energy) float64, arbitrary units
    std : (n_q, n_energy) float64 or None
        One standard deviation, where the file has it. Never folded into the signal.
    valid : (n_q, n_energy) bool
        False where nothing was measured. What stands in ``signal`` there is never read.
    exposure : (n_q, n_energy) float64 or None
        Counts of an intensity of one, where known: signal · exposure are then counts. Positive where valid.
    conditions : Conditions
    simulated : bool
        True where the "measurement" was made by the program; figures say so.
    provenance : dict
        Source, sha256, seeds: plain values.
    """

    name: str
    momentum: MomentumAxis
    energy: EnergyAxis | None
    signal: np.ndarray
    valid: np.ndarray
    std: np.ndarray | None = None
    conditions: Conditions = field(default_factory=Conditions)
    simulated: bool = False
    provenance: dict = field(default_factory=dict)
    exposure: np.ndarray | None = None

    def __post_init__(self):
        shape = (n_momentum(self.momentum), 1 if self.energy is None else len(self.energy.centres))
        _check_images(self, shape, "rows are Q, columns energies")
        if self.exposure is not None and not np.all(self.exposure[self.valid] > 0):
            raise DataError("the exposure of a measured pixel is not positive", where=f"measurement {self.name}")

    @property
    def quantity(self):
        """What was measured: ``spectrum``, or ``diffuse`` where there is no energy axis."""
        return "diffuse" if self.energy is None else "spectrum"

    @property
    def segments(self):
        """The line that each row belongs to, (n_q,) int64: neighbours of one line are neighbours in Q."""
        return segments(self.momentum)

    @property
    def shape(self):
        """(n_q, n_energy)."""
        return self.signal.shape


QUANTITIES = {"heat_capacity": "k_B per spin", "susceptibility": "μ_B/T per spin"}
"""Quantities of tables over the temperature, and their units, those of the simulators."""


@dataclass(frozen=True, eq=False)
class ThermalMeasurement:
    """A quantity over the temperature, at one field: heat capacity C(T) or susceptibility χ(T).

    Parameters
    ----------
    name : str
    quantity : str
        A key of :data:`QUANTITIES`, in whose units the values are.
    temperatures : (n_temperature,) float64, K
        Positive and rising.
    signal, std, valid : (n_temperature, 1)
        As in :class:`Measurement`: one column.
    direction : (3,) float or None
        Of the susceptibility's field, in the Cartesian frame of the crystal; None for a powder (a third of the trace).
    conditions : Conditions
        The field; the temperatures are those above.
    simulated, provenance : as in :class:`Measurement`
    """

    name: str
    quantity: str
    temperatures: np.ndarray
    signal: np.ndarray
    valid: np.ndarray
    std: np.ndarray | None = None
    direction: tuple[float, float, float] | None = None
    conditions: Conditions = field(default_factory=Conditions)
    simulated: bool = False
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "temperatures", read_only(self.temperatures))
        rising = self.temperatures.ndim == 1 and np.all(np.diff(self.temperatures) > 0)
        if self.quantity not in QUANTITIES or not rising or not np.all(self.temperatures > 0):
            raise DataError(
                "not a table over the temperature", where=f"measurement {self.name}",
                expected=f"{' or '.join(QUANTITIES)} at positive, rising temperatures", got=self.quantity,
            )  # fmt: skip
        _check_images(self, (len(self.temperatures), 1), "one row for each temperature, one column")

    @property
    def shape(self):
        """(n_temperature, 1)."""
        return self.signal.shape

    @property
    def unit(self):
        """Unit of the values."""
        return QUANTITIES[self.quantity]

    @property
    def momentum(self):
        """No momentum."""

    @property
    def energy(self):
        """No energy axis."""

    @property
    def segments(self):
        """One line, (n_temperature,) int64."""
        return np.zeros(len(self.temperatures), dtype=np.int64)


def _check_images(measurement, shape, hint):
    """Make the arrays of a measurement read-only, and refuse what does not fit its axes."""
    for name, dtype in (("signal", np.float64), ("valid", bool), ("std", np.float64), ("exposure", np.float64)):
        image = getattr(measurement, name, None)
        if image is not None:
            object.__setattr__(measurement, name, read_only(image, dtype))
            check_shape(name, getattr(measurement, name), shape, hint=f"measurement {measurement.name}: {hint}")
    if measurement.std is not None and np.any(measurement.std[measurement.valid] < 0):
        raise DataError(
            "a standard deviation is negative", where=f"measurement {measurement.name}",
            got=f"{int((measurement.std[measurement.valid] < 0).sum())} pixels", expected="errors of zero or more",
            fix="check whether the file holds variances, or mask these pixels",
        )  # fmt: skip
    if not np.all(np.isfinite(measurement.signal[measurement.valid])):
        raise DataError("a pixel that counts as measured is not finite", where=f"measurement {measurement.name}")
