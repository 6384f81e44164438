"""The ``fits:`` section: forward × objective × strategy, with nuisances, uncertainties and variants."""

from typing import Any, Literal

from pydantic import Field

from ..errors import ConfigError
from .forwards import Forward
from .objectives import Objective
from .quantities import EnergyRange, Name, Vector
from .strategies import MultistartSection, Strategy
from .strict import Strict


class SavitzkyGolay(Strict):
    """The smoothed mean over a window of momenta, taken off every momentum."""

    kind: Literal["savitzky_golay"]
    window: int = Field(ge=3)
    order: int = Field(ge=0)
    momentum: tuple[int, int] = Field(description="first and last index, both included")
    clip_negative: bool = False


class Window(Strict):
    """The pixels that are fitted, and that free backgrounds are fitted to; all where nothing is said."""

    energy: EnergyRange | None = None
    momentum: tuple[int, int] | None = Field(None, description="first and last index, both included")


class BootstrapSection(Strict):
    """Block bootstrap over the pixels."""

    block: tuple[int, int] = Field((12, 10), description="pixels along momentum and energy")
    n_replica: int = Field(200, ge=20, le=100_000)


class UncertaintySection(Strict):
    """How the intervals are found."""

    hessian: bool = True
    bootstrap: BootstrapSection | None = None
    jackknife: int = Field(0, ge=0, le=50, description="bands of energy; each band of each segment is left out in turn")


class Variant(Strict):
    """The same fit with something changed; the spread over variants is the systematic error."""

    label: str
    change: dict[str, Any]


class FitSection(Strict):
    """One fit."""

    measurements: tuple[Name, ...] = Field(min_length=1)
    forward: Forward
    window: Window = Window()
    background: SavitzkyGolay | None = None
    objective: Objective
    strategy: Strategy = MultistartSection(kind="multistart")
    box: dict[Name, EnergyRange] = Field(min_length=1)
    modes: dict[Name, Vector] = Field(default_factory=dict)
    landscape: int = Field(
        41, ge=0, le=201, description="points along each of two couplings of its picture; 0 for none"
    )
    uncertainty: UncertaintySection = UncertaintySection()
    variants: tuple[Variant, ...] = ()


def changed_fit(fit, change, *, where="variant"):
    """Return the fit with some keys changed, validated as a fit of its own."""
    data = _merged(fit.model_dump(mode="json", by_alias=True), change)
    try:
        return FitSection.model_validate(data)
    except ValueError as error:
        raise ConfigError(
            "a variant changes what a fit does not have", where=where, got=str(error).splitlines()[1:4]
        ) from None


def _merged(base, change):
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    return {**base, **{key: _merged(base.get(key), value) for key, value in change.items()}}
