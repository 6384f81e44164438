"""The ``next:`` section: further measurements that could be made, to be told which would shrink the intervals most."""

from pydantic import Field, model_validator

from .axes import EnergySection
from .checks import known
from .quantities import MagneticField, Name, Temperature
from .strict import Strict


class OptionSection(Strict):
    """One further measurement: like one that is there, but for what is said."""

    like: Name = Field(description="a measurement of the fit: axes, conditions, background and mask are its own")
    time: float = Field(1.0, gt=0, description="counting time for each pixel, in units of that measurement's")
    path: Name | None = None
    powder: Name | None = None
    volume: Name | None = None
    energy: EnergySection | None = None
    temperature: Temperature | None = None
    field: tuple[MagneticField, MagneticField, MagneticField] | None = None

    @property
    def place(self):
        """Section and name of the momentum axis, where it is another one."""
        pairs = (("paths", self.path), ("powders", self.powder), ("volumes", self.volume))
        return next((pair for pair in pairs if pair[1] is not None), None)

    @model_validator(mode="after")
    def _one_axis(self):
        if sum(name is not None for name in (self.path, self.powder, self.volume)) > 1:
            raise ValueError("an option has one momentum axis: path, powder or volume")
        return self


class NextSection(Strict):
    """What to measure next."""

    fit: Name
    couplings: tuple[Name, ...] = Field((), description="whose intervals are to shrink; all free ones by default")
    options: dict[Name, OptionSection] = Field(min_length=1)


def check_next(study):
    """Raise ``ConfigError`` where an option names what the study does not have."""
    section = study.next
    if section is None:
        return
    known(section.fit, study.fits, what="fit", where="next.fit")
    fit = study.fits[section.fit]
    for name in section.couplings:
        known(name, fit.box, what="free coupling of the fit", where="next.couplings")
    for label, option in section.options.items():
        where = f"next.options.{label}"
        known(option.like, fit.measurements, what="measurement of the fit", where=f"{where}.like")
        if option.place is not None:
            kind, name = option.place
            known(name, getattr(study, kind), what=kind[:-1], where=f"{where}.{kind[:-1]}")
