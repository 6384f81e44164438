"""The forward models of fits, by kind. A kind has a file of its own; here it is registered, one line each."""

from typing import Annotated

from pydantic import Field

from .forward_gaussian import GaussianForwardSection
from .forward_generator import GeneratorForwardSection
from .forward_montecarlo import MonteCarloForwardSection
from .forward_polynomial import PolynomialForwardSection
from .forward_siren import SirenForwardSection
from .forward_spinwave import SpinwaveForwardSection

Forward = Annotated[
    SpinwaveForwardSection
    | SirenForwardSection
    | GeneratorForwardSection
    | GaussianForwardSection
    | MonteCarloForwardSection
    | PolynomialForwardSection,
    Field(discriminator="kind"),
]  # fmt: skip
