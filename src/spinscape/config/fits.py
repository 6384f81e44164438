"""The ``fits:`` section: forward × objective × strategy, with nuisances, uncertainties and variants."""

from typing import Any, Literal

from pydantic import Field

from ..errors import ConfigError
from .forwards import Forward
from .objectives import Objective
from .quantities import Energy, EnergyRange, Name, Vector
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


class ClipSection(Strict):
    """Regions whose residuals stand out are left out, and the fit repeated."""

    threshold: float = Field(3.5, gt=0, description="of a box's mean residual, in standard deviations")
    window: int = Field(5, ge=1, le=99, description="pixels along each side of the box")
    n_refit: int = Field(3, ge=1, le=20)


class PosteriorSection(Strict):
    """Sampling of the posterior by an ensemble of walkers; the prior is flat over the box."""

    max_step: int = Field(5000, ge=200, le=1_000_000, description="of each walker")


class LineShapeSection(Strict):
    """A test of the line shape, and what tails would move."""

    fwhm: Energy = Field(gt=0, description="of a typical line: the resolution in the middle of the bands")


class UncertaintySection(Strict):
    """How the intervals are found. The largest error counts; of real data the group jackknife's too."""

    hessian: bool = Field(True, description="curvature of the objective")
    information: bool = Field(False, description="of a likelihood: expected, scale and background eliminated")
    profile: bool | None = Field(
        None, description="intervals of the profile likelihood; by default of counts, where there are fewer than 2e4"
    )
    simulated: int = Field(
        16, ge=0, le=1000, description="experiments simulated at the best fit that set the threshold of such a profile"
    )
    bootstrap: BootstrapSection | None = None
    jackknife: int = Field(0, ge=0, le=50, description="bands of energy; each band of each segment is left out in turn")
    posterior: PosteriorSection | None = None
    freer_background: Literal["row", "row_segment"] | None = Field(
        None, description="of a likelihood: what constants of these groups move widens the information"
    )
    line_shape: LineShapeSection | None = None


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
    fixed: dict[Name, Energy] = Field(
        default_factory=dict, description="couplings that this fit holds: a smaller model, to be compared"
    )
    modes: dict[Name, Vector] = Field(default_factory=dict)
    landscape: int = Field(
        41, ge=0, le=201, description="points along each of two couplings of its picture; 0 for none"
    )
    region: int = Field(
        0, ge=0, le=101, description="points along each of two couplings of the map of acceptable ones; 0 for none"
    )
    clip: ClipSection | None = None
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
    if "kind" in change and change["kind"] != base.get("kind"):
        return change  # another kind has other keys: it is said whole
    return {**base, **{key: _merged(base.get(key), value) for key, value in change.items()}}


def fit_section(study, name):
    """Return what the fit stage needs of a study, as plain data."""
    fit = study.fits[name]
    return {
        "fit": study.section("fits")[name],
        "couplings": {n: c.value for n, c in study.couplings.items()},
        "forward": fit.forward.settings(study),
        "objective": fit.objective.settings(study),
    }


def fit_modules(study, name):
    """Return the modules of ``spinscape.stages`` that a fit's kinds are made by."""
    fit = study.fits[name]
    return tuple(dict.fromkeys((fit.forward.module, *fit.objective.modules())))


def fit_files(study, name):
    """Return what a fit reads of other stages beside model and measurements: name → path below the study's results."""
    fit = study.fits[name]
    return {**fit.forward.files(), **fit.objective.files()}
