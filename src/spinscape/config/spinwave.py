"""The ``simulate:`` section of linear spin waves, and the settings of their simulator."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from ..errors import ConfigError, SpinscapeError
from .axes import EnergySection, conditions, energy_axis, path, powder, vectors, volume
from .build_model import build_model
from .couplings import theta_from_couplings
from .instrument import Intensity, Interval, QEllipsoid, QSmear, Resolution, Smear, TwinsSection, twins_settings
from .quantities import Energy, Name
from .simulation import SimulationSection
from .strict import Strict
from .structures import IntMatrix


class OwnGroundState(Strict):
    """Where the declared structure is not stable: the state of lowest energy of the point's own couplings."""

    kind: Literal["own_ground_state"]
    magnetic_cell: IntMatrix | None = None
    max_cell: int | None = Field(None, ge=1, le=16, description="search all cells of at most so many chemical cells")
    starts: int = Field(32, ge=1, le=10_000)

    @model_validator(mode="after")
    def _one_cell(self):
        if (self.magnetic_cell is None) == (self.max_cell is None):
            raise ValueError("give either magnetic_cell or max_cell")
        return self


class PowderRule(Strict):
    """How the directions of Q of powder averages are chosen."""

    tolerance: float = Field(0.02, gt=0, lt=1, description="root mean square error relative to that of the spectrum")
    reference: dict[Name, Energy] | None = Field(
        None, description="couplings that the directions are chosen at, the same for all points; left out, each its own"
    )


class SpinwaveSection(SimulationSection):
    """Linear spin-wave spectra over the grid."""

    kind: Literal["spinwave"]
    volumes: tuple[Name, ...] = ()
    powders: tuple[Name, ...] = ()
    powder: PowderRule = PowderRule()
    energy: EnergySection
    energy_factor: float = Field(1.0, gt=0)
    intensity: Intensity = Intensity()
    resolution: Resolution
    q_smear: Smear = "none"
    integrate: tuple[Interval, ...] = Field((), max_length=3)
    twins: TwinsSection | None = None
    relax: bool = Field(False, description="let the declared structure come to rest at each point, a spiral with its k")
    unstable: Literal["code", "own_ground_state"] | OwnGroundState = Field(
        "code", description="a point where the structure is not stable: a result code, or its own ground state"
    )
    stability: Literal["zone", "points"] = Field(
        "zone", description="where instabilities are looked for: in the whole zone, or at the points of the spectrum"
    )
    bins: Literal["centres", "means"] = Field(
        "centres", description="values at the centres of bins, or means over the bins: of energy, volumes and |Q|"
    )
    empty: Literal["failed", "keep"] = Field("failed", description="a spectrum whose energy window holds no mode")

    @property
    def random(self):
        """Nothing is drawn."""
        return False

    def settings(self, study):
        """Return the plain settings of the simulator (``SpinwaveSimulator.from_settings`` reads them)."""
        out = {
            "paths": [path(study, name).to_dict() for name in self.paths],
            "energy": energy_axis(self.energy).to_dict(),
            "spinwave": spinwave_settings(self, study),
        }
        # What is left out is not written: the names of points are hashes of the settings.
        grids = [volume(study, name).to_dict() for name in self.volumes]
        unstable = None if self.unstable == "code" else self._search(study).to_dict()
        powders = [powder(study, name).to_dict() for name in self.powders]
        if powders:
            reference = self.powder.reference
            at = None if reference is None else theta_from_couplings(study, reference).tolist()
            out |= {"powders": powders, "powder": {"tolerance": self.powder.tolerance, "reference": at}}
        more = {"grids": grids, "relax": self.relax, "unstable": unstable, "keep_empty": self.empty == "keep"}
        out |= {name: value for name, value in more.items() if value}
        return out if self.stability == "zone" else {**out, "check": False}

    def summary(self, study):
        """Return what is simulated, in a line."""
        shapes = [f"{name} ({len(path(study, name).points)} Q)" for name in self.paths]
        shapes += [f"{name} ({' × '.join(str(n) for n in volume(study, name).shape)} bins)" for name in self.volumes]
        shapes += [f"{name} ({study.powders[name].n} |Q|)" for name in self.powders]
        return f"on {', '.join(shapes)} × {len(energy_axis(self.energy).centres)} energies"

    def check(self, study):
        """Raise :class:`ConfigError` where the section contradicts others of the study."""
        if not self.paths + self.volumes + self.powders:
            raise ConfigError("nothing is asked for", where="simulate", expected="paths, volumes or powders")
        self._check_q_resolution(study)
        self._check_reference(study)
        self.intensity.check(study)
        spinwave_settings(self, study)
        if self.unstable != "code":
            self._search(study)
        self._check_structure(study)

    def _check_q_resolution(self, study):
        if isinstance(self.q_smear, QSmear) and self.volumes + self.powders:
            raise ConfigError(
                "a smear along the path needs paths alone",
                where="simulate.q_smear.kind",
                expected="gaussian, for slices and volumes",
                got="along_path",
                fix="take kind: gaussian with its spreads, or none",
            )
        if self.powders and any(study.conditions.field or ()):
            raise ConfigError(
                "a powder in a field is not known: each grain has the field in another direction",
                where="conditions.field",
                expected="no field",
                got=list(study.conditions.field),
                fix="leave the field out",
            )
        if self.powders and (self.q_smear != "none" or self.integrate or self.twins is not None):
            raise ConfigError(
                "a powder has all directions of Q already",
                where="simulate.powders",
                expected="q_smear: none, and neither integrate nor twins",
                fix="leave them out, or simulate paths and powders in studies of their own",
            )

    def _check_reference(self, study):
        if self.powder.reference is None:
            return
        free = {name for name, coupling in study.couplings.items() if coupling.value is None}
        if set(self.powder.reference) != free:
            raise ConfigError(
                "the couplings do not match",
                where="simulate.powder.reference",
                expected=f"every free coupling once: {', '.join(sorted(free))}",
                got=sorted(self.powder.reference),
                fix="name each free coupling once",
            )

    def _check_structure(self, study):
        if self.relax and study.structure is not None and study.structure.kind == "spiral":
            self._check_turns(study)
        moving = self.relax or self.unstable != "code"
        if moving and study.structure is not None and study.structure.kind == "ground_state":
            raise ConfigError(
                "every point has its own ground state already",
                where="simulate.relax" if self.relax else "simulate.unstable",
                expected="neither relax nor unstable beside structure: {kind: ground_state}",
                fix="leave it out",
            )

    def _check_turns(self, study):
        """Raise where a spiral without a magnetic cell cannot be relaxed: its wave vector must be free."""
        from ..hamiltonian.spiral import SpiralStructure
        from ..simulate.spiral_relaxation import check_free_turns

        model, structure = build_model(study)
        if not isinstance(structure, SpiralStructure):
            return
        try:
            check_free_turns(model, structure, conditions(study))
        except SpinscapeError as error:
            raise ConfigError(
                error.what, where="simulate.relax", expected=error.expected, got=error.got, fix=error.fix
            ) from None

    def _search(self, study):
        """Return the search for ground states of points where the declared structure is not stable."""
        from ..hamiltonian.structures import GroundStateSearch

        if isinstance(self.unstable, OwnGroundState):
            return GroundStateSearch(self.unstable.magnetic_cell, self.unstable.max_cell, self.unstable.starts)
        structure = build_model(study)[1]
        cell = getattr(structure, "magnetic_cell", None)
        if cell is None:
            raise ConfigError(
                "the search for a ground state needs a magnetic cell",
                where="simulate.unstable",
                expected="{kind: own_ground_state, max_cell: ...}, or a structure in a magnetic cell",
                got="own_ground_state",
                fix="name the magnetic cell, or the largest one",
            )
        return GroundStateSearch(tuple(tuple(row) for row in np.array(cell).tolist()))


def spinwave_settings(simulate, study=None):
    """Return the plain settings of spin-wave spectra (``SpinwaveSettings.from_dict`` reads them).

    Parameters
    ----------
    simulate : SpinwaveSection
    study : Study, optional
        Its lattice gives spreads in Q and operations of twins a meaning; without them it is not needed.
    """
    smear = simulate.q_smear
    out = {
        "energy_factor": simulate.energy_factor,
        **simulate.intensity.plain(),
        **simulate.resolution.plain(),
        "q_smear": smear.sigma if isinstance(smear, QSmear) else 0.0,
    }
    if isinstance(smear, QEllipsoid):
        out["spread"] = smear.plain(2.0 * np.pi * np.linalg.inv(vectors(study)).T)
    if simulate.bins != "centres":
        out["bins"] = simulate.bins
    if simulate.integrate:
        out["ranges"] = [one.plain() for one in simulate.integrate]
    return out if simulate.twins is None else {**out, "twins": twins_settings(simulate.twins, study)}
