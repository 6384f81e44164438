"""The objective ``latent_chi2`` of a fit."""

from typing import ClassVar, Literal

from pydantic import Field

from .checks import known
from .learning import names_of_kind
from .objective_background import BackgroundPart, BackgroundSection
from .quantities import Name
from .simulated_places import simulated_places


class LatentChi2Section(BackgroundPart):
    """χ² in the latent numbers of a compressor; not robust unless the compressor was trained on such artefacts."""

    module: ClassVar[str] = "spinscape.stages.objective_latent"

    kind: Literal["latent_chi2"]
    model: Name = Field(description="a model of the kind compression")
    scale: Literal["free"] | float = Field(
        1.0, description="of the data over the simulations; a number where it is known: they are divided by it"
    )
    background: BackgroundSection = BackgroundSection(constant="none")
    weights: Literal["noise", "equal"] = Field(
        "noise", description="of the latent numbers: their noise's inverse covariance, or all alike as in the paper"
    )

    def settings(self, study):
        """Return the axes of all arrays, and which array each measurement on a declared axis is of."""
        return simulated_places(study)

    def files(self):
        """Return the trained compressor, and the measured backgrounds."""
        return {"compressor": f"compress/{self.model}.pt", **super().files()}

    def check(self, study, fit, where):
        """Raise :class:`~spinscape.errors.ConfigError` where the model is not declared, or scale or background."""
        known(self.model, names_of_kind(study, "compression"), what="compression", where=f"{where}.objective.model")
        super().check(study, fit, where)
