"""The searches of fits, by kind: settings of ``infer.strategies``. The union at the end registers them."""

from typing import Annotated, Literal

from pydantic import Field

from .strict import Strict


class MultistartSection(Strict):
    """Starts over the whole box, the best basins refined."""

    kind: Literal["multistart"]
    n_sobol: int = Field(256, ge=2, le=1_000_000)
    n_refine: int = Field(6, ge=1, le=1000)


class AdamSection(Strict):
    """The paper's search: Adam on random batches of pixels, through a differentiable forward."""

    kind: Literal["adam"]
    n_start: int = Field(10, ge=1, le=1000)
    n_step: int = Field(2000, ge=1)
    batch_size: int = Field(4096, ge=1)
    learning_rate: float = Field(0.005, gt=0)


class DescentsSection(Strict):
    """Gauss-Newton descents from random starts, with wide lines first."""

    kind: Literal["descents"]
    n_start: int = Field(10, ge=1, le=10_000)
    widths: tuple[float, ...] = Field((12.0, 4.0, 1.0), min_length=1, description="factors on the widths of the lines")


Strategy = Annotated[
    MultistartSection
    | AdamSection
    | DescentsSection,
    Field(discriminator="kind"),
]  # fmt: skip
