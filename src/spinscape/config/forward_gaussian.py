"""The forward model ``gaussian`` of a fit: the self-consistent Gaussian approximation."""

from typing import ClassVar, Literal

from ..errors import ConfigError
from .fit_parts import ForwardPart
from .gaussian import gaussian_settings


class GaussianForwardSection(ForwardPart):
    """Diffuse scattering, susceptibility and heat capacity above the ordering; settings are those of ``simulate:``."""

    module: ClassVar[str] = "spinscape.stages.forward_gaussian"
    quantities: ClassVar[frozenset[str]] = frozenset({"diffuse", "susceptibility", "heat_capacity"})
    places: ClassVar[frozenset[str]] = frozenset({"paths", "volumes"})

    kind: Literal["gaussian"]

    def settings(self, study):
        """Return the settings of the approximation: plain data."""
        return gaussian_settings(study)

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where the study has no such approximation, or a measurement no temperature."""
        super().check(study, fit, where)
        if study.simulate.kind != "gaussian":
            raise ConfigError(
                "a fit by the Gaussian approximation takes its settings from such a study",
                where=f"{where}.forward.kind",
                expected="simulate: {kind: gaussian, ...}",
                got=f"simulate.kind {study.simulate.kind}",
            )
        for name in fit.measurements:
            measurement = study.measurements[name]
            conditions = measurement.conditions or study.conditions
            if measurement.quantity == "diffuse" and conditions.temperature is None:
                raise ConfigError(
                    "diffuse scattering is fitted at a temperature",
                    where=f"measurements.{name}.conditions.temperature",
                    expected="a temperature there, or under conditions",
                    got="none",
                )
