"""The objectives ``correlation``, ``chi2_profiled`` and ``squared_error`` of a fit."""

from typing import ClassVar, Literal

from pydantic import Field

from .fit_parts import FitPart


class CorrelationSection(FitPart):
    """1 − r, r the Pearson correlation of log(1 + c_data·data) and log(1 + c_model·model)."""

    module: ClassVar[str] = "spinscape.stages.objective_spectra"

    kind: Literal["correlation"]
    c_data: float = Field(1.0, gt=0)
    c_model: float = Field(1.0, gt=0)


class Chi2Section(FitPart):
    """χ² with a linear scale and a free background per energy row, both profiled in closed form."""

    module: ClassVar[str] = "spinscape.stages.objective_spectra"

    kind: Literal["chi2_profiled"]
    free_background: bool = Field(True, description="false: the background is known to be zero, or taken off")


class SquaredErrorSection(FitPart):
    """Squared error with a profiled scale, relative to the data's square; leak weighs intensity at the last energy."""

    module: ClassVar[str] = "spinscape.stages.objective_spectra"

    kind: Literal["squared_error"]
    leak: float = Field(0.0, ge=0)
