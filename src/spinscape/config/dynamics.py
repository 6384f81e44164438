"""The ``simulate:`` section of Landau-Lifshitz dynamics, and the settings of its simulator."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from ..errors import ConfigError, SpinscapeError
from .axes import EnergySection, conditions, energy_axis, path, volume
from .build_model import build_model
from .montecarlo import Moves, Temperatures, temperatures
from .quantities import Name, Temperature, Time
from .simulation import SimulationSection
from .strict import Strict
from .structures import IntMatrix, IntVector

Weighting = Literal["classical", "detailed_balance", "symmetric", "density_of_states", "susceptibility"]


class MonteCarloStart(Strict):
    """Initial states from chains of Monte Carlo moves."""

    kind: Literal["monte_carlo"]
    states: int = Field(10, ge=2, le=1_000_000, description="trajectories at each temperature")
    moves: Moves
    equilibration: int = Field(1000, ge=0, description="rounds before the first state, at each step of the way down")
    rounds: int = Field(100, ge=1, description="from one state to the next")
    hottest: Temperature | None = Field(None, description="cool from here; left out: begin at the temperature itself")
    steps: int = Field(20, ge=1, le=10_000, description="temperatures on the way down, geometric")
    chains: int = Field(1, ge=1, description="each begins and cools on its own, and gives an equal part of the states")

    def plain(self):
        """Return what ``StartSettings`` reads."""
        return {
            **_chain(self, "monte_carlo"),
            "n_equilibrate": self.equilibration,
            "n_between": self.rounds,
            "moves": [move.model_dump() for move in self.moves],
        }


class LangevinStart(Strict):
    """Initial states from trajectories in a Langevin bath."""

    kind: Literal["langevin"]
    states: int = Field(10, ge=2, le=1_000_000, description="trajectories at each temperature")
    damping: float = Field(0.3, gt=0, le=10)
    equilibration: int = Field(3000, ge=0, description="steps before the first state, at each step of the way down")
    rounds: int = Field(500, ge=1, description="steps from one state to the next")
    hottest: Temperature | None = None
    steps: int = Field(20, ge=1, le=10_000)
    chains: int = Field(1, ge=1)

    def plain(self):
        """Return what ``StartSettings`` reads."""
        return {
            **_chain(self, "langevin"),
            "n_equilibrate": self.equilibration,
            "n_between": self.rounds,
            "damping": self.damping,
        }


def _chain(start, method):
    # Points are known by their settings: those of studies with one chain stay what they were.
    chains = {"n_chain": start.chains} if start.chains > 1 else {}
    return {"method": method, "n_configuration": start.states, "hottest": start.hottest, "n_temperature": start.steps,
            **chains}  # fmt: skip


class FixedLength(Strict):
    """Classical spins of length S or sqrt(S(S+1)), or of that at which the total moment is S(S+1)."""

    kind: Literal["S", "sqrt(S(S+1))", "sum_rule"]

    def plain(self):
        """Return what ``SpinLength`` reads."""
        return {"kind": self.kind}


class InterpolatedLength(Strict):
    """From S at ``low`` to sqrt(S(S+1)) at ``high``, linear in the temperature."""

    kind: Literal["interpolated"]
    low: Temperature
    high: Temperature

    def plain(self):
        """Return what ``SpinLength`` reads."""
        return {"kind": self.kind, "low": self.low, "high": self.high}


class DynamicsSection(SimulationSection):
    """Landau-Lifshitz dynamics of classical spins from thermal states."""

    kind: Literal["dynamics"]
    supercell: IntVector | IntMatrix
    temperatures: Temperatures | None = Field(None, description="left out: that of the conditions")
    shown: tuple[Temperature, ...] = Field(
        (), max_length=6, description="of the temperatures, for maps of the report; left out: three over the range"
    )
    start: Annotated[MonteCarloStart | LangevinStart, Field(discriminator="kind")]
    volumes: tuple[Name, ...] = ()
    energy: EnergySection
    integrator: Literal["suzuki_trotter_2", "suzuki_trotter_4", "midpoint", "rk4"] = "suzuki_trotter_2"
    dt: Time | None = Field(None, description="time step; left out: as large as frequency_error allows")
    frequency_error: float | None = Field(None, gt=0, le=0.05, description="relative; 0.002 where dt is left out too")
    stride: int | None = Field(None, ge=1, description="steps between samples; left out: as many as the spectrum bears")
    samples: int | None = Field(None, ge=2, description="of a trajectory; left out: as many as the energy bins need")
    window: Literal["hann", "blackman", "gaussian", "none"] = "hann"
    block: int = Field(1, ge=1, description="trajectories in a block, whose scatter gives the errors")
    probes: int = Field(512, ge=1, description="spins followed for the spectrum summed over the zone")
    gpu: bool = Field(False, description="follow many states at once on a GPU, where there is one")
    length: Annotated[FixedLength | InterpolatedLength, Field(discriminator="kind")] = FixedLength(kind="S")
    weighting: Weighting = "classical"
    zone_weightings: tuple[Weighting, ...] = Field((), description="of the spectrum summed over the zone")
    component: Literal["trace", "perp", "xx", "yy", "zz"] = "trace"
    form_factor: bool = False
    moments: bool = Field(False, description="see g·S in place of S")
    elastic: bool = Field(True, description="keep what does not move, as a line at zero energy")
    between: Literal["nearest", "linear"] | None = Field(
        None, description="how wave vectors that the supercell does not hold are made from those that it does"
    )
    fwhm: tuple[float, ...] | None = Field(
        None, min_length=1, max_length=8, description="Gaussian resolution in meV, a polynomial of the energy in meV"
    )

    @model_validator(mode="after")
    def _one_step(self):
        if self.dt is not None and self.frequency_error is not None:
            raise ValueError("either dt or frequency_error")
        return self

    @property
    def module(self):
        """Module of the simulator."""
        return "spinscape.simulate.dynamics_simulator"

    @property
    def needs_structure(self):
        """A structure is where the chain of states begins, and whose spin waves the report draws; none is needed."""
        return False

    def settings(self, study):
        """Return the plain settings of the simulator (``DynamicsSimulator.from_settings`` reads them)."""
        paths = [path(study, name) for name in self.paths] + [volume(study, name) for name in self.volumes]
        return {
            "supercell": [list(row) if isinstance(row, tuple) else row for row in self.supercell],
            "temperatures": list(self._temperatures(study)),
            "paths": [one.to_dict() for one in paths],
            "energy": energy_axis(self.energy).to_dict(),
            "start": self.start.plain(),
            "length": self.length.plain(),
            "trajectory": self._trajectory(),
            "spectrum": self._spectrum(),
            "zone_weightings": list(dict.fromkeys((self.weighting, *self.zone_weightings))),
        }

    def _trajectory(self):
        step = {} if self.frequency_error is None else {"frequency_error": self.frequency_error}
        more = {"dt": self.dt, "stride": self.stride, "n_sample": self.samples}
        # Points are known by their settings: those of studies without the key stay what they were.
        gpu = {"gpu": True} if self.gpu else {}
        return {"integrator": self.integrator, "per_block": self.block, "n_probe": self.probes, **more, **step, **gpu}

    def _spectrum(self):
        names = ("component", "window", "elastic", "moments", "form_factor", "weighting")
        fwhm = None if self.fwhm is None else list(self.fwhm)
        return {**{name: getattr(self, name) for name in names}, "rule": self.between or "nearest", "fwhm": fwhm}

    def _temperatures(self, study):
        if self.temperatures is not None:
            return temperatures(self.temperatures, where="simulate.temperatures")
        if study.conditions.temperature is None:
            raise ConfigError(
                "thermal states need a temperature", where="simulate.temperatures",
                expected="temperatures: [1 K], or conditions: {temperature: 1 K}", got="neither",
                fix="name the temperatures",
            )  # fmt: skip
        return (study.conditions.temperature,)

    def shown_rows(self, study):
        """Return which of the temperatures the report draws maps of; empty where nothing is said."""
        all_t = np.asarray(self._temperatures(study))
        rows = [int(np.argmin(np.abs(all_t - t))) for t in self.shown]
        for t, row in zip(self.shown, rows, strict=True):
            if abs(all_t[row] - t) > 1e-9 * t:
                known = ", ".join(f"{x:g} K" for x in all_t)
                raise ConfigError(
                    "a temperature that is not simulated", where="simulate.shown", expected=f"one of {known}",
                    got=f"{t:g} K",
                )  # fmt: skip
        return rows

    def summary(self, study):
        """Return what is simulated, in a line."""
        all_t = self._temperatures(study)
        shape = " × ".join(str(n) for n in np.ravel(self.supercell))
        return (
            f"of {shape} cells at {len(all_t)} temperatures, {min(all_t):g} to {max(all_t):g} K, {self.start.states} "
            f"trajectories each; {self.integrator}, weighting {self.weighting}, spin length {self.length.kind}"
        )

    def check(self, study):
        """Raise :class:`ConfigError` where the simulation could not run."""
        from .dynamics_checks import check_dynamics

        if not self.paths and not self.volumes:
            raise ConfigError("nothing is asked for", where="simulate", expected="paths or volumes")
        if self.start.states < 2 * self.block:
            raise ConfigError(
                "errors need two blocks of trajectories", where="simulate.block",
                expected=f"at most {self.start.states // 2}", got=self.block,
            )  # fmt: skip
        if isinstance(self.length, InterpolatedLength) and not self.length.low < self.length.high:
            raise ConfigError("an empty range", where="simulate.length", expected="low < high",
                              got=[self.length.low, self.length.high])  # fmt: skip
        self.shown_rows(study)
        model, structure = build_model(study)
        try:
            check_dynamics(model, structure, {**self.settings(study), "conditions": conditions(study).to_dict()},
                           between=self.between, thetas=_corners(study))  # fmt: skip
        except SpinscapeError as error:
            raise _placed(error) from None


def _corners(study):
    """Return some points of the grid that hold the smallest and the largest value of each coupling."""
    from .grids import grid_points

    points = grid_points(study)
    rows = np.unique(np.concatenate([np.argmin(points, axis=0), np.argmax(points, axis=0)]))
    return points[rows[:_MAX_CORNER]]


_MAX_CORNER = 12
_PLACES = {"dynamics.n_sample": "samples", "dynamics.rule": "between", "dynamics.fwhm": "fwhm"}


def _placed(error):
    """Return the error with the key of the study in place of the library's own word."""
    where = str(error.where or "")
    for library, key in _PLACES.items():
        where = where.replace(library, f"simulate.{key}")
    where = where.replace("dynamics.", "simulate.")
    where = where if where.startswith("simulate") else f"simulate: {where}".rstrip(": ")
    return ConfigError(error.what, where=where, expected=error.expected, got=error.got, fix=error.fix)
