"""Scale and background that an objective fits beside the couplings: what all kinds that have them say alike."""

from typing import Literal

from pydantic import Field

from ..errors import ConfigError
from .checks import known
from .fit_parts import FitPart
from .quantities import Energy, Name
from .strict import Strict


class BackgroundSection(Strict):
    """What stands under the model, up to coefficients that are at their best for every model; summed."""

    constant: Literal["none", "row", "row_segment"] = Field(
        "row", description="a free constant: none, for each energy, for each energy of each segment of the path"
    )
    degree: tuple[int, int] | None = Field(
        None, description="of a polynomial in energy and in the row of momentum; [0, 0] is one constant"
    )
    decays: tuple[Energy, ...] = Field((), description="exp(−E/decay), one each")
    empty: tuple[Name, ...] = Field((), description="measurements of the background, an empty can for instance")
    least_counts: float = Field(
        25.0, ge=0, description="of counts: neighbouring energies share a constant until they hold so many; 0: never"
    )


class BackgroundPart(FitPart):
    """An objective whose model is scale · model + background."""

    background: BackgroundSection = BackgroundSection()
    scale: Literal["free"] | float = Field("free", description="of the model; a number where its units are absolute")

    def files(self):
        """Return the measured backgrounds."""
        return {f"empty:{name}": f"measurements/{name}.h5" for name in self.background.empty}

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` for a measured background that is not declared, or a scale that is none."""
        at = f"{where}.objective"
        for name in self.background.empty:
            known(name, study.measurements, what="measurement", where=f"{at}.background.empty")
        if self.scale != "free" and not 0 < self.scale < float("inf"):
            raise ConfigError("a scale is positive", where=f"{at}.scale", got=self.scale)
        if self.background.degree is not None and min(self.background.degree) < 0:
            raise ConfigError("a degree is negative", where=f"{at}.background.degree", got=self.background.degree)
