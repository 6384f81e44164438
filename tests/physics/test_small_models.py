"""Every move of the engines against the sum over all states, for each study in a folder of small Ising models.

The folder ``tests/models``, and the one that the environment variable SPINSCAPE_SMALL_MODELS names: study files of kind
``montecarlo`` with up to twelve Ising spins, or 4 × 4. What is none is skipped with a word; what ``spinscape
check`` refuses fails alone. Three tests for each model, point and temperature:

- *kept*: spins drawn from the Boltzmann distribution still have it after some moves. It holds for moves that reach only
  a part of the states, loops say, and independent starts make it a test of χ² with known errors.
- *reached*: the moves of the study, from a random start, give its energies and moments within four block errors. How
  long that takes is known: the distribution of heat-bath sweeps is followed exactly. Where they freeze it is skipped.
- *stored*: so do the means and covariances that the simulator stores, vacancies drawn anew.
"""

import os
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2

from spinscape.config.axes import conditions
from spinscape.config.build import grid_points
from spinscape.config.build_model import build_model
from spinscape.config.load import load_study
from spinscape.config.montecarlo import montecarlo_settings
from spinscape.errors import ConfigError, SpinscapeError
from spinscape.hamiltonian.energy import energy
from spinscape.observables.statistics import mean_estimate
from spinscape.observables.thermodynamics import beta_from_temperature
from spinscape.simulate.dipolar_engine import DipolarEngine
from spinscape.simulate.local_engine import LocalEngine
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.montecarlo_arrays import ORDER
from spinscape.simulate.montecarlo_settings import Order, Sampling
from spinscape.simulate.moves import MOVES, Move
from spinscape.simulate.protocol import StreamKey
from spinscape.simulate.schedule import EngineMaker, filled_system
from spinscape.simulate.schedule_checks import TOGETHER, VECTOR_MOVES, check_schedule
from spinscape.simulate.vector_table import vector_table
from spinscape.units import MU_B

HERE = Path(__file__).parents[1] / "models"
FOLDERS = [HERE, *([Path(os.environ["SPINSCAPE_SMALL_MODELS"])] if os.environ.get("SPINSCAPE_SMALL_MODELS") else [])]
STUDIES = [path for folder in FOLDERS for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])]
MAX_SPIN, MAX_POINT, MAX_TEMPERATURE = 16, 3, 3
N_START, N_SAMPLE = 2000, 5000
LEAST = 8.0
"""Expected visits of a class of states in a test of χ²."""
RARE = 1e-5
"""Chance that a right move fails: some fifty of them are made, with fixed seeds."""
N_SIGMA = 4.0
MAX_SWEEP, NEAR = 2000, 0.01
"""Sweeps within which flips are to be this near the Boltzmann distribution (total variation)."""


class SmallModel:
    """One point of a study and all states of its spins."""

    def __init__(self, study, theta, *, occupied=None):
        self.study, self.settings = study, montecarlo_settings(study.simulate, study)
        self.theta, self.conditions = theta, conditions(study)
        model, _ = build_model(study)
        generator = np.random.default_rng(study.seed)
        vacancies = self.settings.vacancies
        self.system = filled_system(model, self.settings.supercell, vacancies=vacancies, generator=generator)
        if occupied is not None:
            self.system = replace(self.system, occupied=occupied)
        self.along = (self.system.axis * self.system.lengths[:, None])[self.system.site]
        self.where = np.flatnonzero(self.system.occupied)
        n = check_small(self.system)
        self.sigma = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        self.square = np.sum((self.sigma @ self.along[self.where]) ** 2, axis=1)

    def spins(self, sigma):
        spins = np.zeros((self.system.n_spin, 3))
        spins[self.where] = sigma[:, None] * self.along[self.where]
        return spins

    @cached_property
    def energies(self):
        """Energy of every state: its parts by one and by two spins, from the table of the Hamiltonian."""
        n = len(self.where)

        def of(flipped):
            sigma = np.ones(n)
            sigma[list(flipped)] = -1.0
            spins, cell = self.spins(sigma), self.system.cell
            plain = energy(self.system.model, spins, self.theta, cell=cell, conditions=self.conditions)
            return plain + self.surface_energy(spins)

        start = of(())
        single = np.array([of((i,)) - start for i in range(n)])
        pair = np.zeros((n, n))
        for i in range(n):
            for j in range(i):
                pair[i, j] = of((i, j)) - start - single[i] - single[j]
        down = (1.0 - self.sigma) / 2.0
        return start + down @ single + np.einsum("si,ij,sj->s", down, pair, down)

    def surface_energy(self, spins):
        """Return the energy of the demagnetising field, 2π/V M·N·M times the strength of the dipoles."""
        model, cell = self.system.model, self.system.cell
        if self.settings.demagnetisation is None or not model.dipolar.n_row:
            return 0.0
        moment = np.einsum("iab,cib->a", model.crystal.g, spins.reshape(cell.n_cell, cell.n_site, 3))
        volume = abs(np.linalg.det(cell.matrix @ model.crystal.vectors))
        strength = self.theta[model.dipolar.parameter] @ model.dipolar.factor
        return 2.0 * np.pi / volume * strength * moment @ np.array(self.settings.demagnetisation) @ moment

    def sweeps_needed(self, beta):
        """Return how many heat-bath sweeps take a random start to the Boltzmann distribution, or None.

        Not Metropolis: in a fixed order it turns over whatever costs nothing, again and again.
        """
        weight, n = self.weight(beta), len(self.where)
        partner = np.arange(2**n)[None] ^ (1 << np.arange(n))[:, None]
        accepted = expit(-beta * (self.energies[partner] - self.energies))
        share = np.full(2**n, 0.5**n)
        for sweep in range(MAX_SWEEP):
            if 0.5 * np.abs(share - weight).sum() < NEAR:
                return sweep
            for here, chance in zip(partner, accepted, strict=True):
                moved = share * chance
                share = share - moved + moved[here]
        return None

    @cached_property
    def parts(self):
        """What is stored of a state: energy, its parts by couplings, moment and square of the sum of spins."""
        spins = [self.spins(sigma) for sigma in self.sigma]
        model, cell = self.system.model, self.system.cell
        moment = -np.array([np.einsum("iab,cib->a", model.crystal.g, s.reshape(cell.n_cell, -1, 3)) for s in spins])
        zeeman = -MU_B * moment @ np.array(self.conditions.field)
        single = np.eye(len(self.theta))
        parts = [SmallModel(self.study, one, occupied=self.system.occupied).energies - zeeman for one in single]
        return self.energies, np.stack(parts, axis=1), moment

    def stored(self, temperature):
        """Return what the arrays of a point are means of: by name, the values of all states (n_state, ...)."""
        beta, n = beta_from_temperature(temperature), len(self.where)
        weight, (energies, parts, moment) = self.weight(beta), self.parts

        def squares(x):
            x = x - weight @ x
            return x[:, :, None] * x[:, None, :] / n

        return {
            "energy": energies / n,
            "heat_capacity": beta**2 * squares(energies[:, None])[:, 0, 0],
            "moment": moment / n,
            "susceptibility": MU_B * beta * squares(moment),
            "coupling_energy": parts / n,
            "coupling_covariance": squares(parts),
            "order_all": self.square / n**2,
        }

    def weight(self, beta):
        weight = np.exp(-beta * (self.energies - self.energies.min()))
        return weight / weight.sum()

    def engine(self, moves):
        made = EngineMaker(self.system, moves, demagnetisation=self.settings.demagnetisation)
        engine = made(self.theta, self.conditions, np.array([11, 7], dtype=np.uint64))
        engine.adapting = False
        return engine

    def state(self, engine):
        sigma = np.sign(np.sum(engine.spins * self.along, axis=1))[self.where]
        return int(np.sum((sigma < 0) << np.arange(len(sigma))))

    def possible(self):
        """Return the schedules to test: each move alone, and mixtures of all that one engine makes."""
        field = self.conditions.field
        out = []
        for kind in MOVES:
            moves = (Move(kind),)
            try:
                check_schedule(self.system, moves, field=field)
            except ConfigError:
                continue
            if kind in self.engine(moves).supports:
                out.append(moves)
        single = [moves[0] for moves in out if moves[0].kind not in TOGETHER]
        out += [tuple(single)] if len(single) > 1 else []
        together = [moves[0] for moves in out if moves[0].kind in TOGETHER and len(moves) == 1]
        return out + ([(Move("flip"), *together)] if together else [])


class NotSmallError(Exception):
    """A study that these tests are not for, and why."""


def check_small(system):
    """Return the number of spins, or raise :class:`NotSmallError`."""
    if set(system.kind) != {"ising"}:
        raise NotSmallError("not all spins are Ising spins")
    if not 1 <= system.n_occupied <= MAX_SPIN:
        raise NotSmallError(f"{system.n_occupied} spins, at most {MAX_SPIN} can be summed over")
    return system.n_occupied


@cache
def models(path):
    """Return the first, the last and one point between them of a study as :class:`SmallModel`."""
    study = load_study(path)
    if study.simulate.kind != "montecarlo":
        raise NotSmallError(f"a study of kind {study.simulate.kind}")
    points = grid_points(study)
    chosen = np.unique(np.linspace(0, len(points) - 1, MAX_POINT).round().astype(int))
    return [SmallModel(study, points[k]) for k in chosen]


def kept_chance(model, moves, temperature, *, engine=None, wrong=1.0, n_round=2):
    """Return how likely the states after some moves are, if the moves keep the Boltzmann distribution."""
    beta, generator = beta_from_temperature(temperature), np.random.default_rng(5)
    weight, engine = model.weight(beta), engine or model.engine(moves)
    counts = np.zeros(len(weight))
    for state in generator.choice(len(weight), size=N_START, p=weight):
        engine.set_spins(model.spins(model.sigma[state]))
        engine.run(moves, wrong * beta, n_round)
        counts[model.state(engine)] += 1
    # Rare states together, from the rarest up.
    order, expected = np.argsort(weight), weight * N_START
    group = np.floor(np.cumsum(expected[order]) / LEAST).astype(int)
    seen, wanted = np.bincount(group, counts[order]), np.bincount(group, expected[order])
    kept = wanted >= LEAST / 2
    statistic = np.sum((seen[kept] - wanted[kept]) ** 2 / wanted[kept]) + np.sum(seen[~kept])
    return float(chi2.sf(statistic, max(kept.sum() - 1, 1)))


def deviation(model, moves, temperature, *, n_sweep=1):
    """Return how far a run's mean energy, its square and the square of the moment are off, in block errors.

    Blocks are several times ``n_sweep`` long. States so rare that a run may miss them have no block error: no error is
    taken for less than that of independent samples, nor than one of the largest seen or missed.
    """
    beta, engine = beta_from_temperature(temperature), model.engine(moves)
    apart = 1 + n_sweep // 20
    engine.run(moves, beta, 500 + 10 * n_sweep)
    states = np.empty(N_SAMPLE, dtype=int)
    for k in range(N_SAMPLE):
        engine.run(moves, beta, apart)
        states[k] = model.state(engine)
    energies = model.energies - model.weight(beta) @ model.energies
    values = np.stack([energies, energies**2, model.square], axis=1)
    found = mean_estimate(values[states][None], n_block=40)
    exact, least = expectation(values, model.weight(beta), N_SAMPLE)
    return float(np.max(np.abs(found.value - exact) / np.maximum(found.error, least)))


def expectation(values, weight, n_sample):
    """Return the mean of values of all states (n_state, ...), and the least error that it has in so many samples.

    That of independent samples, and of one more or less of the states that may be seen; rounding, where all are equal.
    """
    mean, likely = np.tensordot(weight, values, 1), values[weight > 1e-3 / n_sample]
    independent = np.sqrt(np.tensordot(weight, (values - mean) ** 2, 1) / n_sample)
    return mean, independent + np.ptp(likely, axis=0) / n_sample + 1e-9 * np.abs(likely).max() + 1e-12


class Unsuited:
    """A file without a small model: asked for its states it says why."""

    def __init__(self, reason):
        self.reason = reason


def cases():
    """Yield each model and temperature; a file that has none is one case, which skips or fails with its reason."""
    for path in STUDIES:
        try:
            found = models(path)
        except (NotSmallError, SpinscapeError) as error:
            yield pytest.param(Unsuited(error), 0.0, id=path.stem)
            continue
        for index, model in enumerate(found):
            for temperature in model.settings.temperatures[:MAX_TEMPERATURE]:
                yield pytest.param(model, temperature, id=f"{path.stem}-{index}-{temperature:g}K")


@pytest.fixture
def model(request):
    """The model of a case, or the end of its test."""
    if not isinstance(request.param, Unsuited):
        return request.param
    if isinstance(request.param.reason, NotSmallError):
        pytest.skip(str(request.param.reason))
    pytest.fail(str(request.param.reason), pytrace=False)


CASES = pytest.mark.parametrize(("model", "temperature"), list(cases()), indirect=["model"])


@CASES
def test_moves_keep_the_boltzmann_distribution(model, temperature):
    schedules = model.possible()
    assert schedules, "no move can be made"
    for moves in schedules:
        chance = kept_chance(model, moves, temperature)
        assert chance > RARE, ("+".join(move.kind for move in moves), chance)


@pytest.mark.parametrize("kind", [*VECTOR_MOVES, "all"])
@pytest.mark.parametrize("name", ["tilted_axes", "sphere_with_vacancies"])
def test_engines_of_vector_spins_keep_it_too(name, kind):
    """Ising spins in the engines of spins that point anywhere, as they move among such, with and without dipoles."""
    model = models(HERE / f"{name}.yaml")[0]
    system, settings = model.system, model.settings
    own = (system, model.theta, model.conditions, np.array([3, 5], dtype=np.uint64))
    if system.model.dipolar.n_row:
        engine = DipolarEngine(*own, table=vector_table(system, demagnetisation=settings.demagnetisation))
    else:
        engine = LocalEngine(*own)
    moves = tuple(Move(one) for one in (VECTOR_MOVES if kind == "all" else [kind]))
    temperature = settings.temperatures[0]
    assert kept_chance(model, moves, temperature, engine=engine) > RARE
    if kind == "all":
        assert kept_chance(model, moves, temperature, engine=engine, wrong=0.3, n_round=6) < RARE


@CASES
def test_the_moves_of_the_study_reach_it(model, temperature):
    if all(move.kind in TOGETHER for move in model.settings.moves):
        pytest.skip("loops and slabs alone do not reach every state")
    n_sweep = model.sweeps_needed(beta_from_temperature(temperature))
    if n_sweep is None:
        pytest.skip(f"flips need more than {MAX_SWEEP} sweeps from a random start at {temperature:g} K")
    assert deviation(model, model.settings.moves, temperature, n_sweep=n_sweep) < N_SIGMA


@CASES
def test_stored_means_are_sums_over_states(model, temperature):
    n_sweep = model.sweeps_needed(beta_from_temperature(temperature))
    if n_sweep is None or all(move.kind in TOGETHER for move in model.settings.moves):
        pytest.skip("the moves do not reach every state")
    settings = replace(
        model.settings, temperatures=(temperature,), annealing=(), slow=(), thermal=None, tempering=None,
        correlations=None, equilibration=100 + 10 * n_sweep, orders=(Order("all"),), keep=("configurations",),
        sampling=Sampling(replicas=4, samples=1000, rounds=1 + n_sweep // 20, extensions=0),
    )  # fmt: skip
    simulator = MonteCarloSimulator(model.system.model, settings, model.conditions)
    arrays = simulator.run(model.theta, StreamKey(model.study.seed, "stored")).arrays
    same = SmallModel(model.study, model.theta, occupied=arrays["configurations"][0, 0] != 0)
    weight, n_sample = same.weight(beta_from_temperature(temperature)), 4 * settings.sampling.samples
    for name, values in same.stored(temperature).items():
        which = (0, ORDER.index("second")) if name == "order_all" else 0
        found, error = arrays[name][which], arrays[f"{name}_error"][which]
        expected, least = expectation(values, weight, n_sample)
        off = np.abs(found - expected) / np.maximum(error, least)
        assert np.all(off < N_SIGMA), (name, found, error, expected)


@pytest.mark.parametrize("path", [HERE / "square_in_field.yaml", HERE / "kagome_dipoles.yaml"], ids=lambda p: p.stem)
def test_a_wrong_acceptance_is_found(path):
    """What accepts with the chance of another temperature fails for every kind of move."""
    model = models(path)[0]
    for moves in model.possible():
        temperature, together = model.settings.temperatures[0], moves[0].kind in TOGETHER
        # All loops and slabs are accepted, and flips as if it were warmer.
        assert kept_chance(model, moves, temperature, wrong=0.0 if together else 0.3, n_round=6) < RARE, moves
