"""What every kind of simulation says in a study: how its points are dealt out, and what the workflow asks of it."""

from abc import abstractmethod

from pydantic import Field

from .quantities import Name
from .strict import Strict


class SimulationSection(Strict):
    """The part of ``simulate:`` that all kinds share. A kind adds its own keys, a ``kind`` and the methods below."""

    batch_size: int = Field(64, ge=1)
    ranks: int = Field(1, ge=1, le=1024)
    failed_fraction: float = Field(0.05, ge=0, le=1)
    paths: tuple[Name, ...] = ()

    @property
    def group_size(self):
        """Ranks that do one point together."""
        return 1

    @property
    def module(self):
        """Module of the simulator, whose code the results depend on."""
        return f"spinscape.simulate.{self.kind}"

    @property
    def random(self):
        """Whether results have noise of their own: another run of the same point gives other numbers."""
        return True

    @property
    def needs_structure(self):
        """Whether the simulation starts from a declared magnetic structure."""
        return True

    @abstractmethod
    def settings(self, study):
        """Return what the simulator reads beside the model and the conditions: plain data."""

    def check(self, study):
        """Raise :class:`~spinscape.errors.ConfigError` where the section contradicts others of the study."""

    @abstractmethod
    def summary(self, study):
        """Return what is simulated, in a line."""
