"""The ``fits:`` section: forward × objective × strategy, with nuisances, uncertainties and variants."""

from typing import Annotated, Any, Literal

from pydantic import Field

from .quantities import Energy, EnergyRange, Name, Vector, Wavevector
from .strict import Strict

Range = tuple[float, float]


class SpinwaveNuisances(Strict):
    """Properties of the instrument that are fitted beside the couplings, with their bounds."""

    q_smear: tuple[Wavevector, Wavevector] | None = None
    fwhm_factor: Range | None = None
    energy_offset: EnergyRange | None = None


class SpinwaveForwardSection(Strict):
    """The simulator itself; what is not said is as under ``simulate:``."""

    kind: Literal["spinwave"]
    q_smear: Wavevector | Literal["none", "simulate"] = "simulate"
    fwhm_factor: float = Field(1.0, gt=0)
    reference: dict[Name, Energy] | None = Field(
        None, description="couplings where a ground state is searched for and a powder's directions are chosen"
    )
    powder_tolerance: float | None = Field(
        None, gt=0, lt=1, description="of the average over a powder's directions, if not that of simulate.powder"
    )
    nuisances: SpinwaveNuisances = SpinwaveNuisances()


class SirenForwardSection(Strict):
    """A trained network of the ``learn:`` section."""

    kind: Literal["siren"]
    model: Name


Forward = Annotated[SpinwaveForwardSection | SirenForwardSection, Field(discriminator="kind")]


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


class CorrelationSection(Strict):
    """1 − r, r the Pearson correlation of log(1 + c_data·data) and log(1 + c_model·model)."""

    kind: Literal["correlation"]
    c_data: float = Field(1.0, gt=0)
    c_model: float = Field(1.0, gt=0)


class Chi2Section(Strict):
    """χ² with a linear scale and a free background per energy row, both profiled in closed form."""

    kind: Literal["chi2_profiled"]
    free_background: bool = Field(True, description="false: the background is known to be zero, or taken off")


class SquaredErrorSection(Strict):
    """Squared error with a profiled scale, relative to the data's square; leak weighs intensity at the last energy."""

    kind: Literal["squared_error"]
    leak: float = Field(0.0, ge=0)


Objective = Annotated[CorrelationSection | Chi2Section | SquaredErrorSection, Field(discriminator="kind")]


class MultistartSection(Strict):
    """Starts over the whole box, the best basins refined."""

    kind: Literal["multistart"]
    n_sobol: int = Field(256, ge=2, le=1_000_000)
    n_refine: int = Field(6, ge=1, le=1000)


class AdamSection(Strict):
    """The paper's search: Adam on random batches of pixels, through a differentiable forward."""

    kind: Literal["adam"]
    n_start: int = Field(10, ge=1, le=1000)
    n_step: int = Field(2000, ge=1)
    batch_size: int = Field(4096, ge=1)
    learning_rate: float = Field(0.005, gt=0)


class DescentsSection(Strict):
    """Gauss-Newton descents from random starts, with wide lines first."""

    kind: Literal["descents"]
    n_start: int = Field(10, ge=1, le=10_000)
    widths: tuple[float, ...] = Field((12.0, 4.0, 1.0), min_length=1, description="factors on the widths of the lines")


Strategy = Annotated[MultistartSection | AdamSection | DescentsSection, Field(discriminator="kind")]


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
