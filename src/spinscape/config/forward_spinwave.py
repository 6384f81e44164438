"""The forward model ``spinwave`` of a fit: the simulator itself on the data's axes."""

from typing import ClassVar, Literal

from pydantic import Field

from ..errors import ConfigError
from .checks import check_names_of_couplings
from .couplings import theta_from_couplings
from .fit_parts import ForwardPart
from .quantities import Energy, EnergyRange, Name, Wavevector
from .spinwave import spinwave_settings
from .strict import Strict

Range = tuple[float, float]


class SpinwaveNuisances(Strict):
    """Properties of the instrument that are fitted beside the couplings, with their bounds."""

    q_smear: tuple[Wavevector, Wavevector] | None = None
    fwhm_factor: Range | None = None
    energy_offset: EnergyRange | None = None


class SpinwaveForwardSection(ForwardPart):
    """The simulator itself; what is not said is as under ``simulate:``."""

    module: ClassVar[str] = "spinscape.stages.forward_spinwave"
    can_blur: ClassVar[bool] = True

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

    def settings(self, study):
        """Return how the study's spectra are made: plain data."""
        powder = getattr(study.simulate, "powder", None)
        at = None if powder is None or powder.reference is None else theta_from_couplings(study, powder.reference)
        return {
            "spinwave": spinwave_settings(study.simulate, study),
            "relax": getattr(study.simulate, "relax", False),
            "reference": None if at is None else at.tolist(),
            "tolerance": None if powder is None else powder.tolerance,
        }

    def check(self, study, fit, where):
        """Raise :class:`ConfigError` where a powder or a searched structure lacks couplings to begin with."""
        super().check(study, fit, where)
        if study.simulate.kind != "spinwave":
            raise ConfigError(
                "a spin-wave fit takes its instrument from a spin-wave study",
                where=f"{where}.forward.kind",
                expected="simulate: {kind: spinwave, ...}",
                got=f"simulate.kind {study.simulate.kind}",
            )
        if self.reference is not None:
            check_names_of_couplings(study, self.reference, where=f"{where}.forward.reference")
        begins = self.reference or getattr(getattr(study.simulate, "powder", None), "reference", None)
        powders = any((study.measurements[m].place or ("",))[0] == "powders" for m in fit.measurements)
        searched = study.structure is not None and study.structure.kind == "ground_state"
        if begins is None and (powders or searched):
            raise ConfigError(
                "a powder, and a structure that is searched for, need couplings to begin with",
                where=f"{where}.forward.reference",
                expected="a value for each free coupling, where the structure is stable",
                got="none",
                fix="add reference: {coupling: value, ...} there or under simulate.powder",
            )
