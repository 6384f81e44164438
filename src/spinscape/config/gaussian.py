"""The ``simulate:`` section of the self-consistent Gaussian approximation, and the settings of its simulator."""

from typing import Literal

from pydantic import Field

from ..errors import ConfigError
from .axes import path, volume
from .montecarlo import Temperatures, temperatures
from .quantities import Name
from .simulation import SimulationSection


class GaussianSection(SimulationSection):
    """S(Q) and thermodynamics of classical spins above their ordering, in closed form."""

    kind: Literal["gaussian"]
    volumes: tuple[Name, ...] = ()
    temperatures: Temperatures | tuple[()] = Field((), description="of the tables; S(Q) is at that of the conditions")
    n_mesh: int = Field(16, ge=1, le=128)
    multipliers: Literal["orbit", "site"] = "orbit"
    length: Literal["S^2", "S(S+1)"] = "S^2"
    component: Literal["trace", "perp", "xx", "yy", "zz"] = "perp"
    form_factor: bool = False
    moments: bool = False
    max_share: float = Field(0.2, gt=0, le=1, description="largest share of one wave; more is an ordered state")
    n_sub: int = Field(1, ge=1, le=100)

    @property
    def module(self):
        """Module of the simulator."""
        return "spinscape.simulate.gaussian_simulator"

    @property
    def needs_structure(self):
        """Nothing is ordered."""
        return False

    @property
    def random(self):
        """Nothing is drawn."""
        return False

    def settings(self, study):
        """Return the plain settings of the simulator (``GaussianSimulator.from_settings`` reads them)."""
        names = ("n_mesh", "multipliers", "length", "component", "form_factor", "moments", "max_share", "n_sub")
        return {
            "paths": [path(study, name).to_dict() for name in self.paths],
            "grids": [volume(study, name).to_dict() for name in self.volumes],
            "temperatures": list(self._table(study)),
            "gaussian": {name: getattr(self, name) for name in names},
        }

    def _table(self, study):
        return temperatures(self.temperatures, where="simulate.temperatures") if self.temperatures else ()

    def check(self, study):
        """Raise :class:`ConfigError` where nothing is asked for, or at no temperature."""
        seen = self.paths + self.volumes
        if not seen and not self._table(study):
            raise ConfigError("nothing is asked for", where="simulate", expected="paths, volumes or temperatures")
        if seen and study.conditions.temperature is None:
            raise ConfigError(
                "S(Q) is at a temperature", where="conditions.temperature", expected="a temperature", got="none",
                fix="declare conditions: {temperature: ...}",
            )  # fmt: skip
        if study.conditions.field is not None and any(study.conditions.field):
            raise ConfigError(
                "the self-consistent Gaussian approximation is made in zero field", where="conditions.field",
                expected="no field", got=list(study.conditions.field), fix="leave it out, or take Monte Carlo",
            )  # fmt: skip

    def summary(self, study):
        """Return what is simulated, in a line."""
        parts = [f"S(Q) on {', '.join(self.paths + self.volumes)}"] if self.paths + self.volumes else []
        parts += [f"tables at {len(self._table(study))} temperatures"] if self._table(study) else []
        return ", ".join(parts)


def gaussian_settings(study):
    """Return the settings of the approximation on a study's axes: its own, or S(Q) as a Monte Carlo study sees it."""
    simulate = study.simulate
    if simulate.kind == "gaussian":
        return simulate.settings(study)["gaussian"]
    names = ("component", "form_factor", "moments", "n_sub")
    return {} if simulate.correlations is None else {name: getattr(simulate.correlations, name) for name in names}
