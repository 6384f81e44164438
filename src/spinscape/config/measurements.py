"""The ``measurements:`` section: files, and what stands in for them."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from ..lattice.momentum import momentum_to_dict
from ..lattice.qspace import EnergyAxis
from .axes import EnergySection, conditions, energy_axis, path, powder, volume
from .couplings import theta_from_couplings
from .quantities import Energy, EnergyRange, Name
from .spinwave import spinwave_settings
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


class EnergyFile(DataFile):
    """The file of energy labels."""

    unit: Literal["meV", "eV", "THz", "1/cm"]


class MissingMomenta(Strict):
    """A range of momentum indices without coverage, both ends included."""

    momentum: tuple[int, int]


class MissingValue(Strict):
    """A value that stands for "not measured"."""

    value: float


class SimulatedBackground(Strict):
    """Background of a simulated measurement, in units of the spectrum's mean."""

    level: float = Field(0.0, ge=0)
    decay: Energy = Field(1.0, gt=0)
    constant: float = Field(0.0, ge=0)


class MissingBlock(Strict):
    """A block of pixels without coverage."""

    momentum: tuple[int, int]
    energy: EnergyRange


class SimulatedSection(Strict):
    """What stands in for a measurement that cannot be had."""

    energy: EnergySection
    couplings: dict[Name, Energy]
    counts: float = Field(gt=0)
    background: SimulatedBackground
    missing_block: MissingBlock | None = None


class EnergyBins(Strict):
    """Equally spaced bin centres, both ends included."""

    first: Energy
    last: Energy
    n: int = Field(ge=2, le=100_000)


class SimulatedTable(Strict):
    """What stands in for a table that cannot be had, on the table's own axes."""

    couplings: dict[Name, Energy]
    counts: float = Field(gt=0)
    background: SimulatedBackground = SimulatedBackground()
    missing_block: MissingBlock | None = None


class CsvMeasurement(Strict):
    """Three text files: signal, momenta and energies."""

    kind: Literal["csv"]
    path: Name
    layout: Literal["energy_rows", "momentum_rows"]
    signal: DataFile
    momentum: DataFile
    energy: EnergyFile
    missing: Literal["none", "nan", "zero"] | MissingMomenta | MissingValue
    optional: bool = False
    simulated: SimulatedSection | None = None

    @property
    def quantity(self):
        """What is measured, as ``experiment.measurement`` names it."""
        return "spectrum"

    @property
    def files(self):
        """The declared files by what they hold."""
        return {"signal": self.signal, "momentum": self.momentum, "energy": self.energy}

    @property
    def place(self):
        """Section and name of the momentum axis."""
        return "paths", self.path

    @property
    def simulated_energy(self):
        """Energies of the simulation that stands in."""
        return energy_axis(self.simulated.energy)


class TableMeasurement(Strict):
    """One text file of intensities on declared axes."""

    kind: Literal["table"]
    path: Name | None = None
    powder: Name | None = Field(None, description="an axis of |Q|, of the section powders")
    volume: Name | None = Field(None, description="a grid, of the section volumes; its bins in the order of its points")
    energy: EnergyBins
    layout: Literal["energy_rows", "momentum_rows"]
    signal: DataFile
    missing: Literal["none", "nan", "zero"] | MissingMomenta | MissingValue
    optional: bool = False
    simulated: SimulatedTable | None = None

    @model_validator(mode="after")
    def _one_axis(self):
        if sum(name is not None for name in (self.path, self.powder, self.volume)) != 1:
            raise ValueError("a table has one momentum axis: path, powder or volume")
        return self

    @property
    def quantity(self):
        """What is measured, as ``experiment.measurement`` names it."""
        return "spectrum"

    @property
    def files(self):
        """The declared files by what they hold."""
        return {"signal": self.signal}

    @property
    def place(self):
        """Section and name of the momentum axis."""
        pairs = (("paths", self.path), ("powders", self.powder), ("volumes", self.volume))
        return next(pair for pair in pairs if pair[1] is not None)

    @property
    def declared_energy(self):
        """The energy axis."""
        return EnergyAxis(np.linspace(self.energy.first, self.energy.last, self.energy.n))

    @property
    def simulated_energy(self):
        """Energies of the simulation that stands in."""
        return self.declared_energy


MeasurementSection = Annotated[CsvMeasurement | TableMeasurement, Field(discriminator="kind")]
_AXES = {"paths": path, "powders": powder, "volumes": volume}


def momentum_axis(study, measurement):
    """Return the momentum axis that a measurement names."""
    section, name = measurement.place
    return _AXES[section](study, name)


def measurement_section(study, name):
    """Return what the measurement stage needs of a study, as plain data."""
    measurement = study.measurements[name]
    out = {
        "measurement": study.section("measurements")[name],
        "momentum": momentum_to_dict(momentum_axis(study, measurement)),
        "conditions": conditions(study).to_dict(),
    }
    if measurement.simulated is not None:
        out["spinwave"] = spinwave_settings(study.simulate, study)
        out["theta"] = theta_from_couplings(study, measurement.simulated.couplings).tolist()
        out["energy"] = measurement.simulated_energy.to_dict()
        out["relax"] = getattr(study.simulate, "relax", False)
        out["tolerance"] = getattr(getattr(study.simulate, "powder", None), "tolerance", None)
    return out


def files_of(measurement):
    """Return the declared files of a measurement."""
    return tuple(measurement.files.values())


def is_local(measurement, data_folder):
    """Tell whether every file of a measurement lies below the data folder."""
    return data_folder is not None and all((Path(data_folder) / f.file).is_file() for f in files_of(measurement))
