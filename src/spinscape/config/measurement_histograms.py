"""Measurements from HDF5 files of neutron facilities: ``mantid`` (MDHistoWorkspace) and ``nxspe``."""

from typing import Literal

from pydantic import Field, model_validator

from .measurement_parts import DataFile, EnergyBins, MeasurementPart, SimulatedTable, one_place
from .model_sections import Lattice
from .quantities import Angle, Name, Vector


class SimulatedHistogram(SimulatedTable):
    """What stands in for a histogram that cannot be had: its axes are declared, since no file has them."""

    volume: Name
    energy: EnergyBins | None = None


class MantidMeasurement(MeasurementPart):
    """A histogram of Mantid's SaveMD: axes, errors and counts are the file's."""

    kind: Literal["mantid"]
    histogram: DataFile
    energy: Literal["file", "integrated"] = Field(
        "file", description="integrated: diffuse scattering, with no axis of energy or one bin of it"
    )
    lattice: Lattice | Literal["study"] | None = Field(
        None, description="of a file that has none: study, or lengths and angles. It must be the study's to 1 %"
    )
    symmetrised_by: tuple[str, ...] = Field((), max_length=48)
    simulated: SimulatedHistogram | None = None

    @model_validator(mode="after")
    def _energies_of_stand_in(self):
        if self.simulated is not None and (self.simulated.energy is None) != (self.energy == "integrated"):
            raise ValueError("simulated.energy is declared where the file has energies, and only there")
        return self

    @property
    def quantity(self):
        """Diffuse scattering where the file has no energies."""
        return "diffuse" if self.energy == "integrated" else "spectrum"

    @property
    def files(self):
        """The declared files by what they hold."""
        return {"histogram": self.histogram}

    @property
    def stand_in_place(self):
        """Section and name of the axis of what stands in."""
        return None if self.simulated is None else ("volumes", self.simulated.volume)

    @property
    def simulated_energy(self):
        """Energies of the simulation that stands in."""
        return None if self.simulated.energy is None else self.simulated.energy.axis()


class Run(DataFile):
    """One NXSPE file, about one orientation of the sample."""

    psi: Angle | None = Field(
        None, description="angle from the beam to u, seen from above against the clock; of the file, if left out"
    )


class NxspeMeasurement(MeasurementPart):
    """Runs of a direct-geometry spectrometer, binned on declared axes: a powder, or a single crystal."""

    kind: Literal["nxspe"]
    runs: tuple[Run, ...] = Field(min_length=1, max_length=1000)
    powder: Name | None = None
    volume: Name | None = None
    u: Vector | None = Field(None, description="r.l.u.; along the beam at psi = 0")
    v: Vector | None = Field(None, description="r.l.u.; in the horizontal plane, on the left of u")
    energy: EnergyBins | None = Field(None, description="those of the first run, if left out")
    simulated: SimulatedTable | None = None

    @model_validator(mode="after")
    def _sample(self):
        one_place(powders=self.powder, volumes=self.volume)
        if (self.volume is None) != (self.u is None) or (self.u is None) != (self.v is None):
            raise ValueError("a crystal has a volume, u and v; a powder none of them")
        if self.simulated is not None and self.energy is None:
            raise ValueError("energy is declared where a simulation may stand in")
        return self

    @property
    def files(self):
        """The declared files by what they hold."""
        return {f"run_{k}": run for k, run in enumerate(self.runs)}

    @property
    def place(self):
        """Section and name of the momentum axis."""
        return one_place(powders=self.powder, volumes=self.volume)

    @property
    def axis_of_energy(self):
        """The declared energy axis, or None."""
        return None if self.energy is None else self.energy.axis()
