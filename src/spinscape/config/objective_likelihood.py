"""The likelihoods of a fit: ``likelihood``, ``poisson``, ``gaussian``, ``student``; scale and background eliminated."""

from typing import ClassVar, Literal

from pydantic import Field

from .objective_background import BackgroundPart


class LikelihoodPart(BackgroundPart):
    """What all likelihoods say."""

    module: ClassVar[str] = "spinscape.stages.objective_likelihood"
    is_likelihood: ClassVar[bool] = True


class LikelihoodSection(LikelihoodPart):
    """Each measurement's own noise: Poisson's law where counts are known, zero counts included; else Gauss's."""

    kind: Literal["likelihood"]


class PoissonSection(LikelihoodPart):
    """The likelihood of counts; zero counts are data."""

    kind: Literal["poisson"]
    counts_per_unit: Literal["file", "estimate"] | float = Field(
        "file", description="counts of an intensity of one: the file's own, read off neighbouring pixels, or a number"
    )


class GaussianSection(LikelihoodPart):
    """The likelihood of values with the file's standard deviations, estimated where it has none."""

    kind: Literal["gaussian"]


class StudentSection(LikelihoodPart):
    """Student's law about the standard deviations: what is far away pulls less the farther it is."""

    kind: Literal["student"]
    nu: float = Field(4.0, gt=0, description="degrees of freedom")
