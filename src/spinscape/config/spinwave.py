"""The ``simulate:`` section of linear spin waves, and the settings of their simulator."""

from typing import Literal

from pydantic import Field

from .axes import EnergySection, energy_axis, path
from .quantities import Name, Wavevector
from .simulation import SimulationSection
from .strict import Strict


class Intensity(Strict):
    """What of S^αβ is seen."""

    component: Literal["trace", "perp", "xx", "yy", "zz"] = "perp"
    cap: float | None = Field(None, gt=0, description="largest intensity of a group of degenerate modes")


class Resolution(Strict):
    """Energy resolution: FWHM in meV as a polynomial of the energy transfer in meV."""

    kind: Literal["gaussian"]
    fwhm: tuple[float, ...] = Field(min_length=1, max_length=8)


class QSmear(Strict):
    """A Gaussian smear along the path."""

    kind: Literal["along_path"]
    sigma: Wavevector = Field(ge=0)


class SpinwaveSection(SimulationSection):
    """Linear spin-wave spectra over the grid."""

    kind: Literal["spinwave"]
    paths: tuple[Name, ...] = Field(min_length=1)
    energy: EnergySection
    energy_factor: float = Field(1.0, gt=0)
    intensity: Intensity = Intensity()
    resolution: Resolution
    q_smear: QSmear | Literal["none"] = "none"

    def settings(self, study):
        """Return the plain settings of the simulator (``SpinwaveSimulator.from_settings`` reads them)."""
        return {
            "paths": [path(study, name).to_dict() for name in self.paths],
            "energy": energy_axis(self.energy).to_dict(),
            "spinwave": spinwave_settings(self),
        }

    def summary(self, study):
        """Return what is simulated, in a line."""
        shapes = [f"{name} ({len(path(study, name).points)} Q)" for name in self.paths]
        return f"on {', '.join(shapes)} × {len(energy_axis(self.energy).centres)} energies"


def spinwave_settings(simulate):
    """Return the plain settings of the spin-wave simulator (``SpinwaveSettings.from_dict`` reads them)."""
    smear = simulate.q_smear
    return {
        "energy_factor": simulate.energy_factor,
        "component": simulate.intensity.component,
        "cap": simulate.intensity.cap,
        "fwhm": list(simulate.resolution.fwhm),
        "q_smear": 0.0 if smear == "none" else smear.sigma,
    }
