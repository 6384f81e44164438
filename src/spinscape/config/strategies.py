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


class GridStartSection(Strict):
    """The best points of a coarse grid over the couplings, refined by Gauss-Newton with exact derivatives."""

    kind: Literal["grid_start"]
    n_point: int = Field(512, ge=4, le=1_000_000, description="of the grid, about")
    n_refine: int = Field(4, ge=1, le=1000)
    width: float = Field(1.4, ge=1, description="factor on the widths of lines on the grid, where it can be")


class SwarmSection(Strict):
    """Particle swarms, the best place of each finished by Gauss-Newton."""

    kind: Literal["particle_swarm"]
    n_particle: int = Field(20, ge=4, le=10_000)
    n_step: int = Field(100, ge=1, le=100_000)
    n_swarm: int = Field(3, ge=1, le=1000)


Strategy = Annotated[
    MultistartSection
    | AdamSection
    | DescentsSection
    | GridStartSection
    | SwarmSection,
    Field(discriminator="kind"),
]  # fmt: skip
