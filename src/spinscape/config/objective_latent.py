"""The objective ``latent_chi2`` of a fit."""

from typing import ClassVar, Literal

from pydantic import Field

from .checks import known
from .fit_parts import FitPart
from .learning import names_of_kind
from .quantities import Name


class LatentChi2Section(FitPart):
    """χ² in the latent numbers of a compressor; not robust unless the compressor was trained on such artefacts."""

    module: ClassVar[str] = "spinscape.stages.objective_latent"

    kind: Literal["latent_chi2"]
    model: Name = Field(description="a model of the kind compression")
    scale: float = Field(1.0, gt=0, description="what the data are divided by to be in the simulations' unit")

    def files(self):
        """Return the trained compressor."""
        return {"compressor": f"compress/{self.model}.pt"}

    def check(self, study, fit, where):
        """Raise :class:`~spinscape.errors.ConfigError` where the model is not declared."""
        known(self.model, names_of_kind(study, "compression"), what="compression", where=f"{where}.objective.model")
