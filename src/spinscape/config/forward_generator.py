"""The forward model ``generator`` of a fit: images of a trained compression model in place of simulations."""

from typing import ClassVar, Literal

from pydantic import Field

from .checks import known
from .fit_parts import ForwardPart
from .learning import names_of_kind
from .quantities import Name
from .simulated_places import simulated_places


class GeneratorForwardSection(ForwardPart):
    """A generator of the ``learn:`` section: for simulations that take seconds. Its own error goes into intervals."""

    module: ClassVar[str] = "spinscape.stages.forward_generator"
    quantities: ClassVar[frozenset[str]] = frozenset({"diffuse", "spectrum", "heat_capacity"})
    places: ClassVar[frozenset[str]] = frozenset({"paths", "volumes"})

    kind: Literal["generator"]
    model: Name | tuple[Name, ...] = Field(
        description="a model of the kind compression; several, each of other arrays, for a joint fit"
    )
    arrays: dict[Name, Name] = Field(
        default_factory=dict, description="measurement: array of the simulations, if not signal_ and its axis's name"
    )

    def settings(self, study):
        """Return the axes of all arrays, and which array each measurement on a declared axis is of."""
        return simulated_places(study)

    def files(self):
        """Return the trained generator."""
        return {f"generator:{name}": f"compress/{name}_generator.pt" for name in self.models}

    @property
    def models(self):
        """Names of the models."""
        return (self.model,) if isinstance(self.model, str) else self.model

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where the model is not declared, or does not know an array."""
        for name in self.models:
            known(name, names_of_kind(study, "compression"), what="compression", where=f"{where}.forward.model")
        learnt = tuple(array for name in self.models for array in study.learn[name].arrays)
        arrays = {**simulated_places(study)["arrays"], **self.arrays}
        for name in fit.measurements:
            place = f"{where}.forward.arrays.{name}"
            known(arrays.get(name, ""), learnt, what="array of the model", where=place)
        super().check(study, fit, where)
