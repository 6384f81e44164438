"""The objective ``robust_tiled`` of a fit."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from .fit_parts import FitPart


class RobustTiledSection(FitPart):
    """A robust likelihood with a free constant on each tile and a slope: for diffuse data with artefacts."""

    module: ClassVar[str] = "spinscape.stages.objective_robust"

    kind: Literal["robust_tiled"]
    tiles: int = Field(3, ge=1, le=20, description="parts that each axis is cut into")
    share: tuple[Literal["scale", "background", "artefacts"], ...] = Field(
        (),
        description="what its measurements have in common: one crystal in one beam has one scale at all temperatures, "
        "background and artefacts of the sample environment do not depend on that of the sample",
    )
    model_error: float = Field(0.02, ge=0, lt=1, description="relative error of the model, of each pixel by itself")

    @model_validator(mode="after")
    def _artefacts_with_the_rest(self):
        if "artefacts" in self.share and not {"scale", "background"} <= set(self.share):
            raise ValueError(
                "artefacts are shared where scale and background are: share: [scale, background, artefacts]"
            )
        return self
