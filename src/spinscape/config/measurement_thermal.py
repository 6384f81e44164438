"""Measurements ``heat_capacity`` and ``susceptibility``: tables over the temperature."""

from typing import Annotated, Literal

from pydantic import Field

from .measurement_parts import DataFile, Errors, MeasurementPart, StandIn
from .quantities import Temperature, Vector

_Columns = Annotated[tuple[Literal["temperature", "value", "error", "skip"], ...], Field(min_length=2, max_length=64)]


class SimulatedThermal(StandIn):
    """What stands in for a table that cannot be had."""

    temperatures: tuple[Temperature, ...] = Field(min_length=1, max_length=10_000)
    relative: float = Field(gt=0, lt=1, description="noise, and the standard deviation that it is given")


class _ThermalMeasurement(MeasurementPart):
    table: DataFile
    columns: _Columns = ("temperature", "value")
    skip: int = Field(0, ge=0, le=10_000, description="lines at the beginning that are headers")
    spins: float = Field(1.0, gt=0, description="in what a mole of is meant: 1 per mole of spins, more per formula")
    errors: Errors = Errors()
    between: tuple[Temperature, Temperature] | None = Field(None, description="rows outside are not fitted")
    simulated: SimulatedThermal | None = None

    @property
    def quantity(self):
        """What is measured."""
        return self.kind

    @property
    def files(self):
        """The declared files by what they hold."""
        return {"table": self.table}


class HeatCapacityMeasurement(_ThermalMeasurement):
    """Heat capacity of the spins, lattice taken off, over the temperature."""

    kind: Literal["heat_capacity"]
    unit: Literal["J/(mol K)", "mJ/(mol K)", "k_B"]


class SusceptibilityMeasurement(_ThermalMeasurement):
    """Susceptibility over the temperature."""

    kind: Literal["susceptibility"]
    unit: Literal["emu/mol", "cm3/mol", "m3/mol", "μ_B/T"] = Field(
        description="emu/mol: emu/(mol Oe), cm3/mol: the same in Gaussian units, m3/mol: SI"
    )
    direction: Vector | None = Field(None, description="of the field, Cartesian; left out for a powder")
