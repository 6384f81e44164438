"""The objective ``peaks`` of a fit: peak positions against mode energies."""

from typing import ClassVar, Literal

from pydantic import Field

from ..errors import ConfigError
from .fit_parts import FitPart
from .quantities import Energy


class PeaksSection(FitPart):
    """Peaks found along energy, against the nearest modes: SpinW's R value; whatever else scatters counts too."""

    module: ClassVar[str] = "spinscape.stages.objective_peaks"

    kind: Literal["peaks"]
    fwhm: Energy = Field(gt=0, description="of a typical line")
    threshold: float = Field(5.0, gt=0, description="significance of a peak, in standard deviations")
    n_row: int = Field(3, ge=1, le=1000, description="neighbouring momenta that make one cut")

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where the forward model has no modes, or a measurement no path."""
        places = {study.measurements[m].place and study.measurements[m].place[0] for m in fit.measurements}
        if places != {"paths"} or fit.forward.kind not in ("spinwave", "siren"):
            raise ConfigError(
                "peaks are compared with mode energies along paths", where=f"{where}.objective.kind",
                expected="measurements on paths, and forward: {kind: spinwave, ...}",
                got=f"forward.kind {fit.forward.kind}, measurements on {', '.join(map(str, places))}",
            )  # fmt: skip
        if any(interval is not None for _, interval in getattr(fit.forward, "nuisances", ())):
            raise ConfigError(
                "peak positions know no instrument", where=f"{where}.forward.nuisances", expected="none", got="some"
            )
