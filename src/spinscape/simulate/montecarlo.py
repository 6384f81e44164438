"""Monte Carlo of classical spins: the simulator of kind ``montecarlo``."""

import numpy as np

from ..hamiltonian.conditions import Conditions
from ..hamiltonian.operations import model_operations
from ..observables.diffuse import correlation_grid
from ..observables.diffuse_projection import DiffuseSettings, Projector
from .annealing import cool
from .chains import Chain, Observer, Sample
from .montecarlo_arrays import Layout
from .montecarlo_settings import MonteCarloSettings
from .population import settled
from .protocol import PointResult, check_settings
from .schedule import EngineMaker, check_moves, filled_system
from .team import Team
from .tempering import Ladder

_STAGES = {"annealed": 0, "slow": 1, "tempered": 2}
_CHAINS = 100_000
"""More than the replicas of any stage: their numbers in the streams of a point do not meet."""


class MonteCarloSimulator:
    """Samples of classical spins over temperatures, at the couplings of each point.

    Parameters
    ----------
    model : Model
    settings : MonteCarloSettings
    conditions : Conditions
        Its temperature is not used.
    communicator : mpi4py communicator, optional
        Ranks that share the replicas of a point; the results do not depend on their number.
    """

    parallel = True

    def __init__(self, model, settings: MonteCarloSettings, conditions: Conditions, communicator=None):
        self.model, self.settings, self.conditions = model, settings, conditions
        self.team = Team(communicator)
        self.system = filled_system(model, settings.supercell)
        self._maker = self._make(self.system)
        grid, projectors = None, {}
        if settings.correlations is not None:
            grid = correlation_grid(
                model.crystal, self.system.cell, operations=model_operations(model, field=conditions.field)
            )
            how = DiffuseSettings(**settings.correlations.settings)
            projectors = {one.name: Projector(grid, one, how) for one in settings.correlations.where}
        self.grid = grid
        self.layout = Layout(Observer(self.system, settings, grid), projectors)

    def _make(self, system):
        return EngineMaker(system, self.settings.all_moves, demagnetisation=self.settings.demagnetisation)

    @classmethod
    def from_settings(cls, model, settings, communicator=None):
        """Build the simulator from a model and plain settings: ``conditions`` and ``montecarlo`` are read."""
        check_settings(settings, ("conditions", "montecarlo"), of="the Monte Carlo simulator")
        how = MonteCarloSettings.from_dict(settings["montecarlo"])
        return cls(model, how, Conditions.from_dict(settings["conditions"]), communicator)

    def template(self):
        """Return the arrays of one point, by name."""
        return self.layout.template()

    def run(self, theta, stream_key):
        """Simulate one point.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        stream_key : StreamKey

        Returns
        -------
        PointResult
            ``not_equilibrated``, with its arrays, where chains do not agree at some temperature.
        """
        theta = np.asarray(theta, dtype=np.float64)
        point = _Point(self, theta, stream_key)
        samples = point.samples()
        arrays = self.layout.arrays(samples, theta, point.n_spin) if self.team.rank == 0 else {}
        return point.result(samples, arrays)


class _Point:
    """One point under way: its spins, its stages, and what is known of it."""

    def __init__(self, simulator: MonteCarloSimulator, theta, key):
        self.simulator, self.theta, self.key = simulator, theta, key
        self.settings, self.team = simulator.settings, simulator.team
        self.observer, self.maker = simulator.layout.observer, simulator._maker
        self.ladder: Ladder | None = None
        if self.settings.vacancies:
            system = filled_system(
                simulator.model, self.settings.supercell, vacancies=self.settings.vacancies,
                generator=key.stream("start", replica=_CHAINS * len(_STAGES)),
            )  # fmt: skip
            self.observer = Observer(system, self.settings, simulator.grid)
            self.maker = simulator._make(system)

    @property
    def n_spin(self):
        """Number of spins, vacancies left out."""
        return self.observer.system.n_occupied

    def samples(self) -> dict[float, Sample]:
        """Return the samples by temperature: annealed, then slower and by tempering where the study says so."""
        settings = self.settings
        if settings.tempering is not None and not settings.tempering.rescue:
            return self._temper(settings.falling)
        found = self._cool("annealed", settings.annealing, settings.falling)
        apart = tuple(t for t in _failed(found) if found[t].verdict.r_hat > settings.slow_above)
        if settings.slow and apart:
            found = _better(found, self._cool("slow", settings.slow, apart))
        if settings.tempering is not None:
            failed = tuple(t for t in _failed(found) if t < settings.tempering.highest)
            found = _better(found, self._temper(failed)) if failed else found
        return found

    def _engine(self, stage, index):
        """Return the engine of a replica, at spins of its own."""
        replica = _STAGES[stage] * _CHAINS + index
        seed = self.key.stream("metropolis", replica=replica).integers(0, 2**64, size=2, dtype=np.uint64)
        engine = self.maker(self.theta, self.simulator.conditions, seed)
        check_moves(engine, self.settings.all_moves)
        engine.set_spins(self.observer.system.random_spins(self.key.stream("start", replica=replica)))
        return engine

    def _cool(self, stage, steps, temperatures):
        own = self.team.own(self.settings.sampling.replicas)
        if stage == "slow":
            above = [step for step in steps if step.temperature > temperatures[0]]
            chains = [Chain(k, self._settled(k, above, temperatures[0])) for k in own]
            steps = steps[len(above) :]
        else:
            chains = [Chain(k, self._engine(stage, k)) for k in own]
        return cool(chains, self.observer, self.theta, steps, temperatures, team=self.team, how=stage)

    def _settled(self, replica, steps, temperature):
        """Return the engine of a replica that a population came down to."""
        n = self.settings.population
        engines = [self._engine("slow", replica * n + member) for member in range(n)]
        generator = self.key.stream("restart", replica=replica)
        return settled(engines, steps, temperature, self.settings.moves, generator)

    def _temper(self, temperatures):
        self.ladder = Ladder(
            lambda index: self._engine("tempered", index), self.observer, self.theta, temperatures, team=self.team,
            generator=self.key.stream("metropolis", replica=len(_STAGES) * _CHAINS),
        )  # fmt: skip
        self.ladder.equilibrate()
        return self.ladder.sample()

    def result(self, samples, arrays) -> PointResult:
        """Return the arrays with the code that the chains deserve, and the diagnostics in short."""
        failed = _failed(samples)
        worst = max(samples.values(), key=lambda one: one.verdict.r_hat)
        diagnostics = {
            "engine": self.maker.name,
            "r_hat": round(min(worst.verdict.r_hat, 1e6), 4),
            "r_hat_of": f"{worst.verdict.worst} at {worst.temperature:g} K",
            "sample_size": round(min(one.verdict.sample_size for one in samples.values()), 1),
            "not_equilibrated": [float(t) for t in failed][:40],
            "extensions": sum(one.extensions for one in samples.values()),
            "slow": sum(one.how == "slow" for one in samples.values()),
            "tempered": sum(one.how == "tempered" for one in samples.values()),
        }
        diagnostics |= self._class(samples) | self._exchanges()
        if not failed:
            return PointResult("done", arrays, diagnostics=diagnostics)
        text = f"chains do not agree at {len(failed)} of {len(samples)} temperatures: " + ", ".join(
            f"{t:g} K ({_reason(samples[t].verdict)})" for t in failed[:3]
        )
        return PointResult("not_equilibrated", arrays, text, diagnostics)

    def _class(self, samples):
        """Return the largest S_perp per spin of the followed stars, and what it makes of the point."""
        kept = self.settings.correlations
        if kept is None:
            return {}
        peak = self.simulator.layout.peak(samples, self.n_spin)
        out = {"peak": round(peak, 3)}
        if kept.classes is not None:
            low, high = kept.classes
            out["class"] = "disordered" if peak < low else "ordered" if peak > high else "competing"
        return out

    def _exchanges(self):
        if self.ladder is None:
            return {}
        trips = self.ladder.trips
        rate = trips.accepted / np.maximum(trips.attempted, 1)
        return {
            "ladder": [round(float(t), 4) for t in self.ladder.temperatures][:40],
            "exchange": [round(float(x), 3) for x in rate][:40],
            "round_trips": int(trips.round_trips),
        }


def _failed(samples):
    """Return the temperatures at which chains do not agree, falling."""
    return tuple(sorted((t for t, one in samples.items() if not one.verdict.passed), reverse=True))


def _better(found, other):
    """Return samples by temperature, those of a second try where they agree, or agree better."""
    better = {t: one for t, one in other.items() if one.verdict.passed or one.verdict.r_hat < found[t].verdict.r_hat}
    return {**found, **better}


def _reason(verdict):
    return f"R-hat {verdict.r_hat:.3g} of {verdict.worst}, sample size {verdict.sample_size:.3g}"
