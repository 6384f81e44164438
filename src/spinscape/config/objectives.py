"""The objectives of fits: those that stand alone (``objective_single``, where kinds are registered), and their sum."""

from typing import Annotated

from pydantic import Field

from .objective_single import SingleObjective
from .objective_sum import WeightedSumSection

Objective = Annotated[SingleObjective | WeightedSumSection, Field(discriminator="kind")]
