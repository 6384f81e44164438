"""The objectives that stand alone, by kind. A kind has a file of its own; here it is registered, one line each."""

from typing import Annotated

from pydantic import Field

from .objective_latent import LatentChi2Section
from .objective_likelihood import GaussianSection, LikelihoodSection, PoissonSection, StudentSection
from .objective_robust import RobustTiledSection
from .objective_spectra import Chi2Section, CorrelationSection, SquaredErrorSection

SingleObjective = Annotated[
    CorrelationSection
    | Chi2Section
    | SquaredErrorSection
    | LikelihoodSection
    | PoissonSection
    | GaussianSection
    | StudentSection
    | RobustTiledSection
    | LatentChi2Section,
    Field(discriminator="kind"),
]  # fmt: skip
