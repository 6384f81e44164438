"""The ``measurements:`` section: files, and what stands in for them."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from .axes import EnergySection, conditions, energy_axis, path
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

    level: float = Field(ge=0)
    decay: Energy = Field(gt=0)


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


def measurement_section(study, name):
    """Return what the measurement stage needs of a study, as plain data."""
    measurement = study.measurements[name]
    out = {
        "measurement": study.section("measurements")[name],
        "path": path(study, measurement.path).to_dict(),
        "conditions": conditions(study).to_dict(),
    }
    if measurement.simulated is not None:
        out["spinwave"] = spinwave_settings(study.simulate, study)
        out["theta"] = theta_from_couplings(study, measurement.simulated.couplings).tolist()
        out["energy"] = energy_axis(measurement.simulated.energy).to_dict()
    return out


def files_of(measurement):
    """Return the declared files of a measurement."""
    return (measurement.signal, measurement.momentum, measurement.energy)


def is_local(measurement, data_folder):
    """Tell whether every file of a measurement lies below the data folder."""
    return data_folder is not None and all((Path(data_folder) / f.file).is_file() for f in files_of(measurement))
