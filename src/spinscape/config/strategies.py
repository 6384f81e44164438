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
    n_point: int = Field(400, ge=4, le=1_000_000, description="of the grid, about")
    n_refine: int = Field(3, ge=1, le=1000)
    width: float = Field(1.4, ge=1, description="factor on the widths of lines on the grid, where it can be")


class SwarmSection(Strict):
    """Particle swarms, the best place of each finished by Gauss-Newton."""

    kind: Literal["particle_swarm"]
    n_particle: int = Field(20, ge=4, le=10_000)
    n_step: int = Field(100, ge=1, le=100_000)
    n_swarm: int = Field(3, ge=1, le=1000)


class RobustDescentsSection(Strict):
    """Descents with a loss that feels the model from afar, the best ones refined: for the objective robust_tiled."""

    kind: Literal["robust_descents"]
    n_scan: int = Field(24, ge=2, le=100_000)
    n_start: int = Field(5, ge=1, le=1000)
    n_refine: int = Field(1, ge=1, le=1000)


class GaussianProcessSection(Strict):
    """Rounds of points where a Gaussian process of the objective expects low values."""

    kind: Literal["gaussian_process"]
    n_first: int = Field(64, ge=8, le=10_000)
    n_round: int = Field(8, ge=1, le=1000)
    n_new: int = Field(16, ge=1, le=1000)
    acquisition: Literal["cutoff", "expected_improvement"] = "cutoff"
    keep: int = Field(16, ge=1, description="the cut-off is the value of the point of this rank: it falls as they come")


Strategy = Annotated[
    MultistartSection
    | AdamSection
    | DescentsSection
    | GridStartSection
    | SwarmSection
    | RobustDescentsSection
    | GaussianProcessSection,
    Field(discriminator="kind"),
]  # fmt: skip
