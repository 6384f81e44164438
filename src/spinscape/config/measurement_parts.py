"""What the kinds of measurements share: files, errors, what was not measured, and what stands in for a file."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from ..lattice.qspace import EnergyAxis
from .axes import ConditionsSection
from .quantities import Energy, EnergyRange, Name
from .strict import Strict


class DataFile(Strict):
    """A file below the data folder, and where it can be had."""

    file: str
    url: str | None = None
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _sum_for_download(self):
        if self.url is not None and self.sha256 is None:
            raise ValueError("a download needs the sha256 of the file")
        return self


class MissingMomenta(Strict):
    """A range of momentum indices without coverage, both ends included."""

    momentum: tuple[int, int]


class MissingValue(Strict):
    """A value that stands for "not measured"."""

    value: float


Missing = Literal["none", "nan", "zero"] | MissingMomenta | MissingValue


class Errors(Strict):
    """Standard deviations for a file that has none, or to be added in squares to those that it has."""

    absolute: float = Field(0.0, ge=0, description="in the unit of the values")
    relative: float = Field(0.0, ge=0)

    @property
    def pair(self):
        """The two numbers."""
        return self.absolute, self.relative


class SimulatedBackground(Strict):
    """Background of a simulated measurement, in units of the spectrum's mean."""

    level: float = Field(0.0, ge=0)
    decay: Energy = Field(1.0, gt=0)
    constant: float = Field(0.0, ge=0)


class MissingBlock(Strict):
    """A block of pixels without coverage."""

    momentum: tuple[int, int]
    energy: EnergyRange


class EnergyBins(Strict):
    """Equally spaced bin centres, both ends included."""

    first: Energy
    last: Energy
    n: int = Field(ge=2, le=100_000)

    def axis(self):
        """Return the axis."""
        return EnergyAxis(np.linspace(self.first, self.last, self.n))


class StandIn(Strict):
    """Couplings of what stands in for a file that cannot be had, and what makes it."""

    couplings: dict[Name, Energy]
    by: Literal["approximation", "simulation"] = Field(
        "approximation",
        description="of studies by Monte Carlo: the self-consistent Gaussian approximation, or a simulation of its own",
    )


class SimulatedTable(StandIn):
    """What stands in for a file that cannot be had, on the measurement's own axes."""

    counts: float = Field(gt=0)
    background: SimulatedBackground = SimulatedBackground()
    missing_block: MissingBlock | None = None


class MeasurementPart(Strict):
    """What every kind of measurement says. A kind adds ``kind`` and its own keys."""

    optional: bool = Field(False, description="fits go without it where its files are not at hand")
    conditions: ConditionsSection | None = Field(None, description="its own temperature and field, if not the study's")

    @property
    def quantity(self):
        """What is measured, as ``experiment.measurement`` names it."""
        return "spectrum"

    @property
    def place(self):
        """Section and name of the declared momentum axis; None where there is none, or the file has it."""
        return None

    @property
    def axis_of_energy(self):
        """The declared energy axis; None where there is none, or the files have it."""
        return None

    @property
    def simulated_energy(self):
        """Energies of the simulation that stands in; None for none."""
        return self.axis_of_energy


def one_place(**names):
    """Return section and name of the one momentum axis that is given; raises ``ValueError`` unless it is one."""
    given = [(section, name) for section, name in names.items() if name is not None]
    if len(given) != 1:
        raise ValueError("a table has one momentum axis: path, powder or volume")
    return given[0]
