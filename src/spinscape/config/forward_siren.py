"""The forward model ``siren`` of a fit: a trained network in place of the simulator."""

from typing import ClassVar, Literal

from .checks import known
from .fit_parts import ForwardPart
from .forward_spinwave import SpinwaveForwardSection
from .learning import learn_section, names_of_kind
from .quantities import Name
from .simulated_places import simulated_places


class SirenForwardSection(ForwardPart):
    """A trained network of the ``learn:`` section. Its own error goes into intervals of likelihoods."""

    module: ClassVar[str] = "spinscape.stages.forward_siren"
    quantities: ClassVar[frozenset[str]] = frozenset({"spectrum", "diffuse"})
    places: ClassVar[frozenset[str]] = frozenset({"paths", "volumes"})
    by_pixel: ClassVar[bool] = True

    kind: Literal["siren"]
    model: Name

    def settings(self, study):
        """Return the axes of the simulations, and what the model that the network stands in for needs: its modes."""
        own = {"learn": learn_section(study, self.model), "arrays": simulated_places(study)["arrays"]}
        bands = SpinwaveForwardSection(kind="spinwave").settings(study) if study.simulate.kind == "spinwave" else {}
        return {**bands, **own}

    def files(self):
        """Return the trained network, and the index of the simulations that it has not learnt from."""
        return {"siren": f"learn/{self.model}.pt", "index": "collect/index.json"}

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where the network is not declared."""
        known(self.model, names_of_kind(study, "siren"), what="network", where=f"{where}.forward.model")
        super().check(study, fit, where)
