"""The forward model ``polynomial`` of a fit: simulated points, each voxel a polynomial of the couplings."""

from typing import ClassVar, Literal

from pydantic import Field

from .checks import known
from .fit_parts import ForwardPart
from .quantities import Name
from .simulated_places import simulated_places


class PolynomialForwardSection(ForwardPart):
    """Polynomials through simulated points: where nothing jumps. Their own error goes into intervals."""

    module: ClassVar[str] = "spinscape.stages.forward_polynomial"
    quantities: ClassVar[frozenset[str]] = frozenset({"diffuse", "heat_capacity"})
    places: ClassVar[frozenset[str]] = frozenset({"paths", "volumes"})

    kind: Literal["polynomial"]
    degree: int | None = Field(None, ge=1, le=6, description="that of least error at points left out by default")
    arrays: dict[Name, Name] = Field(
        default_factory=dict, description="measurement: array of the simulations, if not signal_ and its axis's name"
    )

    def settings(self, study):
        """Return the axes of all arrays, and which array each measurement on a declared axis is of."""
        return simulated_places(study)

    def files(self):
        """Return the index of the simulated points."""
        return {"index": "collect/index.json"}

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where a measurement is of no array."""
        super().check(study, fit, where)
        arrays = {**simulated_places(study)["arrays"], **self.arrays}
        for name in fit.measurements:
            known(name, tuple(arrays), what="measurement with an array", where=f"{where}.forward.arrays.{name}")
