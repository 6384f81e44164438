"""The objectives of fits: those that stand alone (``objective_single``, where kinds are registered), sums, and peaks.

Peaks are in no sum: they are compared with mode energies instead of spectra.
"""

from typing import Annotated

from pydantic import Field

from .objective_peaks import PeaksSection
from .objective_single import SingleObjective
from .objective_sum import WeightedSumSection

Objective = Annotated[SingleObjective | PeaksSection | WeightedSumSection, Field(discriminator="kind")]
