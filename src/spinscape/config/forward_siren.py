"""The forward model ``siren`` of a fit: a trained network in place of the simulator."""

from typing import ClassVar, Literal

from .checks import known
from .fit_parts import ForwardPart
from .forward_spinwave import SpinwaveForwardSection
from .learning import names_of_kind
from .quantities import Name


class SirenForwardSection(ForwardPart):
    """A trained network of the ``learn:`` section."""

    module: ClassVar[str] = "spinscape.stages.forward_siren"
    places: ClassVar[frozenset[str]] = frozenset({"paths"})
    by_pixel: ClassVar[bool] = True

    kind: Literal["siren"]
    model: Name

    def settings(self, study):
        """Return what the model that the network stands in for needs: mode energies are its."""
        return SpinwaveForwardSection(kind="spinwave").settings(study) if study.simulate.kind == "spinwave" else {}

    def files(self):
        """Return the trained network."""
        return {"siren": f"learn/{self.model}.pt"}

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where the network is not declared."""
        known(self.model, names_of_kind(study, "siren"), what="network", where=f"{where}.forward.model")
        super().check(study, fit, where)
