"""Every move of interacting Ising spins against the sum over all states: 16 spins of a pyrochlore, 12 of a kagome.

What is compared are mean energies, their squares, moments, energy levels and pair correlations, within four block
errors of the run. That the comparison can fail is shown by acceptances made wrong on purpose.
"""

from functools import cache

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipole_sums import SPHERE
from spinscape.hamiltonian.energy import zeeman_field
from spinscape.hamiltonian.terms import BondTerm, DipolarTerm, OnsiteTerm
from spinscape.kernels import ice
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.simulate.ice_engine import IceEngine
from spinscape.simulate.ice_table import ice_table
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import block, spin_system

N_SIGMA = 4.0
N_BLOCK = 40
NONE = Conditions()
FIELD = Conditions(field=(0.3, 0.9, 2.0))


def pyrochlore(n=(1, 1, 1), occupied=None):
    """Return spin ice with dipoles on the cubic cell, and couplings near those of Dy2Ti2O7 in units of 1 K."""
    site = SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0, g=np.eye(3), kind="ising", axis=(1, 1, 1))
    crystal = crystal_from_space_group(lattice_vectors(a=10.0, b=10.0, c=10.0), "Fd-3m", [site])
    names = ("D", "J")
    parts = [
        DipolarTerm({"D": (10.0 / np.sqrt(8.0)) ** 3}),
        BondTerm("heisenberg", terms.heisenberg("J", names), shell_bond(crystal, 1)),
    ]
    model = model_from_terms(crystal, names, parts)
    return spin_system(model, block(model, n), occupied=occupied), np.array([1.32, 3.41])


def kagome(occupied=None):
    """Return a kagome antiferromagnet of spins along z with dipoles and an anisotropy that changes nothing but E."""
    site = SiteSpec("A", "Ni2+", (0.5, 0.0, 0.0), 1.5, kind="ising", axis=(0, 0, 1))
    crystal = crystal_from_space_group(lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0), "P6/mmm", [site])
    names = ("J", "D")
    parts = [
        BondTerm("heisenberg", terms.heisenberg("J", names), shell_bond(crystal, 1)),
        OnsiteTerm("easy_axis", terms.easy_axis("J", (0, 0, 1), names), 0),
        DipolarTerm({"D": 20.0}),
    ]
    model = model_from_terms(crystal, names, parts)
    return spin_system(model, block(model, (2, 2, 1)), occupied=occupied), np.array([0.6, 0.15])


class Ensemble:
    """All states of a small system: signs, energies, and the observables that runs are compared by."""

    def __init__(self, system, theta, conditions=NONE, *, demagnetisation=None, only=None):
        self.system, self.theta, self.conditions = system, theta, conditions
        self.table = ice_table(system, demagnetisation=demagnetisation)
        n = system.n_spin
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        signs = signs[np.all(signs[:, ~system.occupied] == 1, axis=1)] * system.occupied
        rows = self.table.rows(theta)
        self.matrix = rows.reshape(-1)[self.full_source()].reshape(n, n)
        along = system.axis * system.lengths[:, None]
        field = np.tile(np.sum(zeeman_field(system.model, conditions) * along, axis=1), system.cell.n_cell)
        self.signs = signs if only is None else signs[only(signs)]
        self.place = np.full(2**n, -1)
        self.place[self.code(self.signs)] = np.arange(len(self.signs))
        self.energies = 0.5 * np.sum(self.signs * (self.signs @ self.matrix), axis=1) - self.signs @ field
        self.moments = self.signs @ along[system.site]

    def code(self, signs):
        """Return a number for each state."""
        return (signs < 0) @ (1 << np.arange(signs.shape[1]))

    def full_source(self):
        cell = self.system.cell
        moved = cell.cell_index(cell.cells[None] - cell.cells[:, None])
        site = np.arange(cell.n_site)
        return (site[None, :, None, None] * cell.n_cell + moved[:, None, :, None]) * cell.n_site + site

    def observables(self, signs, energies, edges):
        """Return E, E², M², M, whether E is below each of four edges, and three pair correlations, (n, 13)."""
        moment = signs @ (self.system.axis * self.system.lengths[:, None])[self.system.site]
        levels = energies[:, None] <= edges + 1e-9 * np.abs(edges)
        pairs = signs[:, :1] * signs[:, [1, 5, 9]]
        return np.column_stack([energies, energies**2, np.sum(moment**2, axis=1), moment, levels, pairs])

    def weight(self, beta):
        """Return the probability of every state."""
        weight = np.exp(-beta * (self.energies - self.energies.min()))
        return weight / weight.sum()

    def engine(self, seed=1):
        engine = IceEngine(self.system, self.theta, self.conditions, (seed, 7), table=self.table)
        engine.adapting = False
        return engine

    def deviation(self, step, engine, beta, *, n_sample=10_000):
        """Return the largest deviation of a run's means from the exact ones, in block errors."""
        signs = np.empty((n_sample, self.system.n_spin))
        for _ in range(200):
            step(engine)
        for row in signs:
            step(engine)
            row[:] = engine.sigma
        visited = self.place[self.code(signs)]
        assert np.all(visited >= 0)
        weight, order = self.weight(beta), np.argsort(self.energies)
        # Levels that are reached often, so that blocks tell their errors.
        edges = self.energies[order][np.searchsorted(np.cumsum(weight[order]), [0.1, 0.3, 0.5, 0.8])]
        blocks = self.observables(signs, self.energies[visited], edges).reshape(N_BLOCK, -1, 13).mean(axis=1)
        error = blocks.std(axis=0, ddof=1) / np.sqrt(N_BLOCK)
        off = np.abs(blocks.mean(axis=0) - weight @ self.observables(self.signs, self.energies, edges))
        # What never changes in the run must be exact.
        return float(np.max(np.where(off > 1e-9, off / np.maximum(error, 1e-12), 0.0)))


def flips_by(way, beta, n=3):
    """Return a step of sweeps in one given way."""

    def step(engine):
        choice = (ice.CROWDED, ice.PRESCREENED, ice.REJECTION_FREE)[way]
        engine._ways[beta] = (choice, 1, 0, 0)
        engine.run((Move("flip", n),), beta, 1)

    return step


def moves_of(moves, beta, n_round=1):
    return lambda engine: engine.run(moves, beta, n_round)


VACANT = np.arange(16) != 6
CASES = {
    "pyrochlore": cache(lambda: Ensemble(*pyrochlore())),
    "field": cache(lambda: Ensemble(*pyrochlore(), FIELD)),
    "sphere": cache(lambda: Ensemble(*pyrochlore(), demagnetisation=SPHERE)),
    "vacancy": cache(lambda: Ensemble(*pyrochlore(occupied=VACANT))),
    "kagome": cache(lambda: Ensemble(*kagome(), Conditions(field=(0.0, 0.0, 3.0)))),
}


@pytest.mark.parametrize("way", [0, 1, 2])
@pytest.mark.parametrize(("case", "beta"), [("pyrochlore", 0.5), ("field", 0.25), ("kagome", 0.7), ("vacancy", 0.3)])
def test_flips_alone_give_the_boltzmann_distribution(case, beta, way):
    ensemble = CASES[case]()
    assert ensemble.deviation(flips_by(way, beta), ensemble.engine(way + 1), beta) < N_SIGMA


@pytest.mark.parametrize("moves", ["flip", "short_loop", "long_loop", "slab", "all"])
@pytest.mark.parametrize(("case", "beta"), [("pyrochlore", 0.7), ("sphere", 0.4), ("vacancy", 0.5)])
def test_mixtures_give_the_boltzmann_distribution(case, beta, moves):
    ensemble = CASES[case]()
    if case == "vacancy" and moves == "slab":
        pytest.skip("vacancies have no images")
    every = ["short_loop", "flip", "long_loop", *(["slab"] if case != "vacancy" else [])]
    kinds = {"flip": ["flip"], "all": every}.get(moves, [moves, "flip"])
    step = moves_of(tuple(Move(kind) for kind in kinds), beta)
    assert ensemble.deviation(step, ensemble.engine(3), beta) < N_SIGMA


def is_ice(table):
    """Return a function that finds the states with as many arrows in as out everywhere."""
    graph = table.graph
    return lambda signs: np.all(np.sum(signs[:, graph.corner] * graph.outward, axis=2) == 0, axis=1)


@pytest.mark.parametrize("kind", ["short_loop", "long_loop"])
@pytest.mark.parametrize("beta", [0.0, 2.0])
def test_loops_alone_give_the_boltzmann_distribution_of_ice(kind, beta):
    system, theta = pyrochlore()
    ensemble = Ensemble(system, theta, only=is_ice(ice_table(system)))
    assert len(ensemble.signs) == 90
    engine = ensemble.engine(4)
    engine.set_spins(ensemble.signs[7][:, None] * system.axis)
    assert ensemble.deviation(moves_of((Move(kind, 4),), beta), engine, beta) < N_SIGMA


@pytest.mark.parametrize("kind", ["short_loop", "long_loop"])
def test_loops_on_triangles_keep_charges_and_the_distribution(kind):
    ensemble = Ensemble(*kagome())
    step = moves_of((Move(kind, 2), Move("flip")), 0.7)
    assert ensemble.deviation(step, ensemble.engine(5), 0.7) < N_SIGMA


@pytest.mark.parametrize("way", [0, 1, 2])
def test_a_wrong_acceptance_of_flips_is_found(way):
    ensemble = CASES["pyrochlore"]()
    # exp(−0.9 βΔE) in place of exp(−βΔE).
    assert ensemble.deviation(flips_by(way, 0.45), ensemble.engine(6), 0.5, n_sample=4000) > 2 * N_SIGMA


@pytest.mark.parametrize("kind", ["short_loop", "long_loop", "slab"])
def test_a_wrong_acceptance_of_many_spins_is_found(kind):
    ensemble = CASES["pyrochlore"]()

    def step(engine):
        engine.run((Move("flip"),), 0.7, 1)
        engine.run((Move(kind, 2),), 0.0, 1)

    assert ensemble.deviation(step, ensemble.engine(7), 0.7, n_sample=4000) > 2 * N_SIGMA


@pytest.mark.parametrize("way", [0, 1, 2])
def test_every_way_accepts_as_often_as_the_distribution_says(way):
    """⟨min(1, exp(−βΔE))⟩ over states and spins; without rejections, waiting times make up for what is not tried."""
    ensemble, beta = CASES["pyrochlore"](), 0.4
    cost = -2.0 * ensemble.signs * (ensemble.signs @ ensemble.matrix)
    exact = ensemble.weight(beta) @ np.minimum(1.0, np.exp(-beta * cost)).mean(axis=1)
    engine, step, share = ensemble.engine(8), flips_by(way, beta, n=100), np.empty(400)
    step(engine)
    for n in range(len(share)):
        engine._ways[beta] = (way, 1, 0, 0)
        attempted, accepted = engine.run((Move("flip", 100),), beta, 1)["flip"]
        share[n] = accepted / attempted
    assert attempted == 1600
    # Tries, where they are drawn, come in numbers that vary: their average is what was asked for.
    assert abs(share.mean() - exact) < N_SIGMA * share.std() / 20.0


@pytest.mark.parametrize(("case", "beta"), [("field", 0.25), ("kagome", 0.7)])
def test_slabs_keep_the_distribution_in_a_field_that_breaks_their_operations(case, beta):
    ensemble = CASES[case]()
    step = moves_of((Move("slab", 5), Move("flip")), beta)
    assert ensemble.deviation(step, ensemble.engine(9), beta) < N_SIGMA


def test_loops_in_a_field_are_refused():
    system, theta = pyrochlore()
    engine = IceEngine(system, theta, FIELD, (1, 2))
    assert engine.supports == {"flip", "slab"}
    with pytest.raises(ConfigError, match=r"short_loop cannot be made here(.|\n)*a field"):
        engine.run((Move("short_loop"),), 1.0, 1)
