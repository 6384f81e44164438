"""The objective ``weighted_sum`` of a fit: each measurement with an objective of its own."""

from typing import ClassVar, Literal

from pydantic import Field

from ..errors import ConfigError
from .fit_parts import FitPart
from .objective_single import SingleObjective
from .quantities import Name
from .strict import Strict


class TermSection(Strict):
    """Some measurements, their objective, and what it counts."""

    measurements: tuple[Name, ...] = Field(min_length=1)
    objective: SingleObjective
    weight: float = Field(1.0, gt=0)


class WeightedSumSection(FitPart):
    """Several objectives added with weights: the multi-objective fit."""

    module: ClassVar[str] = "spinscape.stages.objective_sum"

    kind: Literal["weighted_sum"]
    terms: tuple[TermSection, ...] = Field(min_length=1)

    @property
    def sums_likelihoods(self):
        """Whether all terms are likelihoods."""
        return all(term.objective.is_likelihood for term in self.terms)

    def modules(self):
        """Return the modules of the sum and of its terms."""
        return (self.module, *(m for term in self.terms for m in term.objective.modules()))

    def settings(self, study):
        """Return the settings of the terms' objectives, in their order."""
        return {"terms": [term.objective.settings(study) for term in self.terms]}

    def files(self):
        """Return what the terms' objectives read of other stages."""
        return {name: path for term in self.terms for name, path in term.objective.files().items()}

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` unless every measurement of the fit is in one term."""
        used = [name for term in self.terms for name in term.measurements]
        if sorted(used) != sorted(fit.measurements):
            raise ConfigError(
                "the terms of a sum must have every measurement of the fit once",
                where=f"{where}.objective.terms",
                expected=sorted(fit.measurements),
                got=sorted(used),
            )
        for term in self.terms:
            term.objective.check(study, fit, where)
