"""What every kind of forward model and of objective says in a study, beside its own keys."""

from typing import ClassVar

from ..errors import ConfigError
from .strict import Strict


class FitPart(Strict):
    """The part that all kinds of a fit's forward models and objectives share. A kind adds ``kind`` and its own keys.

    How a kind is added: docs/decisions/0008-kinds-of-fits.md.
    """

    module: ClassVar[str]
    """Module of ``spinscape.stages`` that makes it; only fits with the kind import it and depend on its code."""

    is_likelihood: ClassVar[bool] = False
    """Of an objective: whether it is a :class:`~spinscape.infer.poisson.Likelihood`."""

    @property
    def sums_likelihoods(self):
        """Of an objective: whether it is a sum of likelihoods, which knows their information."""
        return False

    def modules(self):
        """Return its module, and those of parts inside it."""
        return (self.module,)

    def settings(self, study):
        """Return what the module reads of other sections of the study: plain data. Not of this section's own keys."""
        return {}

    def files(self):
        """Return what the module reads of other stages: name → path below the study's folder of results."""
        return {}

    def check(self, study, fit, where):
        """Raise :class:`~spinscape.errors.ConfigError` where the section contradicts others of the study."""


class ForwardPart(FitPart):
    """What every kind of forward model says: what it can be compared with, and how it can be searched."""

    quantities: ClassVar[frozenset[str]] = frozenset({"spectrum"})
    """Of measurements that it predicts: ``spectrum``, ``diffuse``, ``heat_capacity``, ``susceptibility``."""
    places: ClassVar[frozenset[str]] = frozenset({"paths", "volumes", "powders"})
    """Sections whose axes it knows."""
    by_pixel: ClassVar[bool] = False
    """Whether it can be asked for a few pixels and differentiated backwards, as the strategy ``adam`` does."""
    can_blur: ClassVar[bool] = False
    """Whether it knows wider lines, as the strategy ``descents`` begins with."""

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where a measurement is nothing that the forward model predicts."""
        for name in fit.measurements:
            measurement = study.measurements[name]
            quantity, place = measurement.quantity, measurement.place
            if quantity not in self.quantities:
                raise ConfigError(
                    f"a forward model of kind {self.kind!r} does not predict measurement {name!r}",
                    where=f"{where}.forward.kind",
                    expected=f"measurements of {', '.join(sorted(self.quantities))}",
                    got=quantity,
                    fix="take another forward model, or leave the measurement out",
                )
            if place is not None and place[0] not in self.places:
                raise ConfigError(
                    f"a forward model of kind {self.kind!r} does not know {place[0]}",
                    where=f"{where}.forward.kind",
                    expected=f"measurements on {', '.join(sorted(self.places))}",
                    got=f"measurement {name} on {place[0]}",
                    fix="take another forward model, spinwave for instance",
                )
