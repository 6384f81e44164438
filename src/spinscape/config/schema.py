"""The study file, typed by kind. An unknown key is an error; a setting that does not apply is not a field."""

from typing import Annotated

from pydantic import Field

from .axes import ConditionsSection, PathSection, PowderSection, VolumeSection
from .comparisons import ComparisonSection
from .dynamics import DynamicsSection
from .fits import FitSection
from .gaussian import GaussianSection
from .grids import Grid, ReplicaSection
from .learning import Learning
from .measurements import MeasurementSection
from .model_sections import ModelSections
from .montecarlo import MonteCarloSection
from .next_options import NextSection
from .phases import PhaseSection
from .quantities import Name
from .refine import Refine
from .spinwave import SpinwaveSection

Simulation = Annotated[
    SpinwaveSection | MonteCarloSection | GaussianSection | DynamicsSection, Field(discriminator="kind")
]


class Study(ModelSections):
    """A whole study."""

    study: Name
    title: str = ""
    seed: int = Field(0, ge=0, lt=2**63, description="of every random number; another one gives another run")
    conditions: ConditionsSection = ConditionsSection()
    paths: dict[Name, PathSection] = Field(default_factory=dict)
    volumes: dict[Name, VolumeSection] = Field(default_factory=dict)
    powders: dict[Name, PowderSection] = Field(default_factory=dict)
    grid: Grid
    replicas: ReplicaSection | None = None
    simulate: Simulation
    learn: dict[Name, Learning] = Field(default_factory=dict)
    phases: dict[Name, PhaseSection] = Field(default_factory=dict)
    refine: Refine | None = None
    measurements: dict[Name, MeasurementSection] = Field(default_factory=dict)
    fits: dict[Name, FitSection] = Field(default_factory=dict)
    comparisons: dict[Name, ComparisonSection] = Field(default_factory=dict)
    next: NextSection | None = None

    def section(self, name):
        """Return a section as plain data that validates to the same bits: what a rule of the workflow receives."""
        return self.model_dump(mode="json", by_alias=True, include={name})[name]
