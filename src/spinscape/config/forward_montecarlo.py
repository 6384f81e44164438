"""The forward model ``montecarlo`` of a fit: simulated points of the study, through a surrogate."""

from typing import ClassVar, Literal

from pydantic import Field

from ..errors import ConfigError
from .checks import known
from .fit_parts import ForwardPart
from .gaussian import gaussian_settings
from .simulated_places import simulated_places


class MonteCarloForwardSection(ForwardPart):
    """The Gaussian approximation times a polynomial: the ratio of the study's simulated points to it, row by row."""

    module: ClassVar[str] = "spinscape.stages.forward_montecarlo"
    quantities: ClassVar[frozenset[str]] = frozenset({"diffuse", "susceptibility", "heat_capacity"})
    places: ClassVar[frozenset[str]] = frozenset({"paths", "volumes"})

    kind: Literal["montecarlo"]
    baseline: Literal["gaussian"] = "gaussian"
    degree: int = Field(1, ge=0, le=3, description="of the polynomial in the couplings")
    n_mesh: int = Field(16, ge=1, le=128, description="of the approximation")

    def settings(self, study):
        """Return how S(Q) is seen in the simulations, and on which axes: plain data."""
        return {"gaussian": gaussian_settings(study), **simulated_places(study)}

    def files(self):
        """Return the index of the simulated points."""
        return {"index": "collect/index.json"}

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where the study does not simulate what was measured."""
        super().check(study, fit, where)
        if study.simulate.kind != "montecarlo":
            raise ConfigError(
                "a fit by Monte Carlo takes simulated points from such a study",
                where=f"{where}.forward.kind",
                expected="simulate: {kind: montecarlo, ...}",
                got=f"simulate.kind {study.simulate.kind}",
            )
        for name in fit.measurements:
            place = study.measurements[name].place
            if study.measurements[name].quantity == "diffuse" and place is not None:
                simulated = (*study.simulate.paths, *study.simulate.volumes)
                known(place[1], simulated, what="simulated axis", where=f"measurements.{name}.{place[0][:-1]}")
