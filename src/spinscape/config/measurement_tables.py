"""Measurements from text files: ``csv`` (three files), ``table`` (a matrix), ``columns`` (a row for each bin)."""

from typing import Literal

from pydantic import Field, model_validator

from .axes import EnergySection, energy_axis
from .measurement_parts import (
    DataFile,
    EnergyBins,
    Errors,
    MeasurementPart,
    Missing,
    MissingBlock,
    SimulatedBackground,
    SimulatedTable,
    one_place,
)
from .quantities import Energy, Name
from .strict import Strict


class EnergyFile(DataFile):
    """The file of energy labels."""

    unit: Literal["meV", "eV", "THz", "1/cm"]


class SimulatedSection(Strict):
    """What stands in for a measurement that cannot be had."""

    energy: EnergySection
    couplings: dict[Name, Energy]
    counts: float = Field(gt=0)
    background: SimulatedBackground
    missing_block: MissingBlock | None = None


class CsvMeasurement(MeasurementPart):
    """Three text files: signal, momenta and energies."""

    kind: Literal["csv"]
    path: Name
    layout: Literal["energy_rows", "momentum_rows"]
    signal: DataFile
    momentum: DataFile
    energy: EnergyFile
    missing: Missing
    simulated: SimulatedSection | None = None

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


class _OnDeclaredAxes(MeasurementPart):
    path: Name | None = None
    powder: Name | None = Field(None, description="an axis of |Q|, of the section powders")
    volume: Name | None = Field(None, description="a grid, of the section volumes")
    energy: EnergyBins | None = Field(None, description="none for diffuse scattering, all energies together")
    signal: DataFile
    skip: int = Field(0, ge=0, le=10_000, description="lines at the beginning that are headers")
    errors: Errors = Errors()
    symmetrised_by: tuple[str, ...] = Field(
        (), max_length=48, description="operations, as y,x,z, by which the file was made: of their copies one is fitted"
    )
    simulated: SimulatedTable | None = None

    @model_validator(mode="after")
    def _one_axis(self):
        one_place(paths=self.path, powders=self.powder, volumes=self.volume)
        return self

    @property
    def quantity(self):
        """Diffuse scattering where no energies are declared."""
        return "diffuse" if self.energy is None else "spectrum"

    @property
    def files(self):
        """The declared files by what they hold."""
        return {"signal": self.signal}

    @property
    def place(self):
        """Section and name of the momentum axis."""
        return one_place(paths=self.path, powders=self.powder, volumes=self.volume)

    @property
    def axis_of_energy(self):
        """The energy axis, or None."""
        return None if self.energy is None else self.energy.axis()


class TableMeasurement(_OnDeclaredAxes):
    """One text file of intensities: momenta × energies, or a slice of diffuse scattering."""

    kind: Literal["table"]
    layout: Literal["energy_rows", "momentum_rows", "axes_rows", "axes_columns"] = Field(
        description="what the rows are; of a slice of diffuse scattering its first axis, or its second one"
    )
    missing: Missing

    @model_validator(mode="after")
    def _layout_of_quantity(self):
        if (self.energy is None) != self.layout.startswith("axes"):
            raise ValueError("layout: energy_rows or momentum_rows with energies, axes_rows or axes_columns without")
        return self


class ColumnsMeasurement(_OnDeclaredAxes):
    """One text file with a row for each bin, in columns."""

    kind: Literal["columns"]
    columns: tuple[Literal["h", "k", "l", "q", "energy", "signal", "std", "skip"], ...] = Field(
        min_length=2, max_length=64
    )
