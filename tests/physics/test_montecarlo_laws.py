"""Laws that Monte Carlo of any spins must keep: series at high temperature, equipartition, lengths, disorder.

Second methods for the engines of vector spins, where no sum over states can be made. Four block errors, fixed seeds.
"""

import numpy as np
import pytest

from spinscape.config.build import build_model, grid_points
from spinscape.config.load import study_from_data
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.energy import coupling_energies, zeeman_field
from spinscape.simulate.local_engine import LocalEngine
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.montecarlo_settings import MonteCarloSettings, Sampling
from spinscape.simulate.moves import Move
from spinscape.simulate.protocol import StreamKey
from spinscape.simulate.schedule import engine_for
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import K_B

N_SIGMA = 4.0
SEED = np.array([7, 4], dtype=np.uint64)
FIELD = Conditions(field=(0.6, -1.1, 0.9))
SCHEDULES = {
    "metropolis": (Move("uniform"), Move("reflection")),
    "small steps": (Move("small_step", 3, 0.9),),
    "bath": (Move("heat_bath"), Move("over_relaxation", 2)),
}
BOTH = [
    {"kind": "matrix", "value": [["J", "0.4*J", 0], ["-0.7*J", "0.5*J", "J"], [0, "0.2*J", "-J"]], "symmetry": False,
     "bond": {"from": "A", "to": "B"}},
    {"kind": "dm", "value": ["J", 0, "-0.5*J"], "symmetry": False,
     "bond": {"from": "A", "to": "B", "offset": [-1, 0, 0]}},
    {"kind": "heisenberg", "value": "-0.8*J", "symmetry": False,
     "bond": {"from": "B", "to": "B", "offset": [0, 1, 0]}},
]  # fmt: skip


def two_species(hamiltonian, *, spins=(1, "5/2"), kinds=("heisenberg", "heisenberg"), **crystal):
    """Return the model of two sites in a tetragonal cell, J the one coupling."""
    sites = [
        {"label": label, "ion": "Mn2+", "position": place, "spin": spin, "kind": kind}
        | ({} if kind == "heisenberg" else {"axis": [1, -1, 2]})
        for label, place, spin, kind in zip("AB", ([0, 0, 0], ["1/2", "1/2", "1/2"]), spins, kinds, strict=True)
    ]
    data = {
        "study": "two_species",
        "seed": 1,
        "crystal": {"lattice": {"a": "4 Å", "b": "4 Å", "c": "5 Å"}, "sites": sites, **crystal},
        "couplings": {"J": {}},
        "hamiltonian": hamiltonian,
        "grid": {"kind": "list", "points": [{"J": "1 K"}]},
        "simulate": {"kind": "montecarlo", "supercell": [3, 3, 3], "temperatures": ["1 K"]},
    }
    study = study_from_data(data)
    return build_model(study)[0], grid_points(study)[0]


def energies(engine, moves, beta, *, n, n_round=1, n_warm=50):
    engine.run(moves, beta, n_warm)
    out = np.empty(n)
    for k in range(n):
        engine.run(moves, beta, n_round)
        out[k] = engine.energy
    return out


def estimate(values, n_block=40):
    means = np.asarray(values).reshape(n_block, -1).mean(axis=1)
    return means.mean(), means.std(ddof=1) / np.sqrt(n_block)


def second_cumulant(system, theta, conditions):
    """Return the variance of the energy of free spins, meV²: of bonds, which do not correlate, and of the field.

    κ₂ = Σ_bonds tr(M ⟨S_j S_jᵀ⟩ Mᵀ ⟨S_i S_iᵀ⟩) + Σ_i h_i·⟨S_i S_iᵀ⟩·h_i
    """
    model, crystal = system.model, system.model.crystal
    square = np.array([
        s**2 * (np.eye(3) / 3.0 if kind == "heisenberg" else (np.eye(3) - np.outer(e, e)) / 2.0)
        for s, kind, e in zip(crystal.spins, crystal.kind, crystal.axis, strict=True)
    ])  # fmt: skip
    bonds = model.bonds
    matrix = theta[bonds.parameter, None, None] * bonds.matrix
    pairs = np.einsum("nab,nbc,ndc,nda->", matrix, square[bonds.site_j], matrix, square[bonds.site_i])
    field = zeeman_field(model, conditions)
    return system.cell.n_cell * (pairs + np.einsum("ia,iab,ib->", field, square, field))


@pytest.mark.parametrize("kinds", [("heisenberg", "heisenberg"), ("heisenberg", "xy")], ids="-".join)
@pytest.mark.parametrize("moves", SCHEDULES.values(), ids=SCHEDULES)
def test_energy_at_high_temperature(moves, kinds):
    """⟨E⟩ = −β κ₂ + β² κ₃/2 − ...: the mean over H and −H has no κ₃. Lanes and plain loops, exchange of every form."""
    model, theta = two_species(BOTH, kinds=kinds)
    system = spin_system(model, block(model, (4, 8, 8)))
    kappa = second_cumulant(system, theta, FIELD)
    beta = np.sqrt(0.01 * system.n_spin / kappa)
    found = []
    for sign in (1.0, -1.0):
        conditions = Conditions(field=tuple(sign * x for x in FIELD.field))
        engine = LocalEngine(system, sign * theta, conditions, SEED)
        found.append(estimate(energies(engine, moves, beta, n=2800, n_round=2)))
    (value, error), expected = np.mean(found, axis=0), -beta * kappa
    error = error / np.sqrt(2.0)
    # κ₄ is about −κ₂²/N: a part β² κ₂/N of what is expected.
    assert abs(value - expected) < N_SIGMA * error + 0.01 * abs(expected), (value / expected, error / expected)
    assert N_SIGMA * error < 0.03 * abs(expected)


@pytest.mark.parametrize(
    ("kinds", "modes"), [(("heisenberg", "heisenberg"), 2), (("xy", "xy"), 1)], ids=["heisenberg", "xy"]
)
def test_equipartition_of_a_ferrimagnet(kinds, modes):
    """T → 0: ½ k_B for each of two (one) ways of a spin, whatever its length, less those that turn all of them."""
    nearest = [{"kind": "heisenberg", "value": "J", "symmetry": False, "bond": {"from": "A", "to": "B", "offset": o}}
               for o in np.ndindex(2, 2, 2)]  # fmt: skip
    nearest = [{**term, "bond": {**term["bond"], "offset": [-x for x in term["bond"]["offset"]]}} for term in nearest]
    model, theta = two_species(nearest, kinds=kinds)
    system, cold = spin_system(model, block(model, (3, 3, 3))), 0.02
    engine = LocalEngine(system, theta, Conditions(), SEED)
    line = np.array([1.0, 1.0, 0.0]) / np.sqrt(2.0)
    engine.set_spins(np.tile([[1.0], [-2.5]], (27, 1)) * line)
    moves = (Move("heat_bath"), Move("over_relaxation", 3))
    # 8 bonds for each cell of two spins, S_A S_B = 5/2.
    ground = -8 * 2.5 * 27 * K_B
    values = energies(engine, moves, 1.0 / (K_B * cold), n=6000, n_warm=300)
    expected = 0.5 * modes * (system.n_spin - 1)
    value, error = estimate((values - ground) / (K_B * cold))
    # Anharmonic terms: T over the energy of a bond, 5/2 K.
    assert abs(value - expected) < N_SIGMA * error + cold / 2.5 * expected
    heat, error = estimate(((values - values.mean()) / (K_B * cold)) ** 2)
    assert abs(heat - expected) < N_SIGMA * error + 2 * cold / 2.5 * expected
    assert N_SIGMA * error < 0.15 * expected


def test_a_length_is_a_coupling():
    """Spins S at J are unit spins at J S_i S_j: the same numbers drawn, the same energies."""
    term = [{"kind": "dm", "value": ["J", "0.3*J", "-J"], "symmetry": False, "bond": {"from": "A", "to": "B"}}]
    for kinds in (("heisenberg", "heisenberg"), ("xy", "heisenberg")):
        long, theta = two_species(term, kinds=kinds)
        unit, _ = two_species(term, kinds=kinds, unit_spins=True)
        engines = [
            LocalEngine(spin_system(model, block(model, (4, 4, 4))), at, Conditions(), SEED)
            for model, at in ((long, theta), (unit, 2.5 * theta))
        ]
        for moves in SCHEDULES.values():
            for engine in engines:
                engine.run(moves, 1.0 / (2.0 * K_B), 3)
            assert engines[0].energy == pytest.approx(engines[1].energy, rel=1e-9)


def test_disorder_is_averaged_over_points():
    """An Ising chain with vacancies: −J tanh(βJ) for each pair that is left, and as many pairs as chance leaves."""
    data = {
        "study": "diluted", "seed": 3,
        "crystal": {
            "lattice": {"a": "4 Å", "b": "60 Å", "c": "60 Å"},
            "sites": [
                {"label": "A", "ion": "Mn2+", "position": [0, 0, 0], "spin": 1, "kind": "ising", "axis": [0, 1, 1]}
            ],
        },
        "couplings": {"J": {}},
        "hamiltonian": [
            {"kind": "heisenberg", "value": "J", "bond": {"from": "A", "to": "A", "offset": [1, 0, 0]}}
        ],
        "grid": {"kind": "list", "points": [{"J": "1 K"}]},
        "simulate": {"kind": "montecarlo", "supercell": [12, 1, 1], "temperatures": ["1 K"]},
    }  # fmt: skip
    study = study_from_data(data)
    settings = MonteCarloSettings(
        supercell=(12, 1, 1), temperatures=(1.0,), moves=(Move("heat_bath", 2),), keep=("configurations",),
        sampling=Sampling(replicas=2, samples=400, extensions=0), vacancies=(("A", 1 / 3),),
    )  # fmt: skip
    simulator = MonteCarloSimulator(build_model(study)[0], settings, Conditions())
    pairs, off = [], []
    for k in range(40):
        arrays = simulator.run(grid_points(study)[0], StreamKey(1, str(k))).arrays
        there = arrays["configurations"][0, 0] != 0
        assert there.sum() == 8
        pairs.append(np.sum(there & np.roll(there, 1)))
        off.append((arrays["energy"][0] * 8 / K_B + pairs[-1] * np.tanh(1.0)) / (arrays["energy_error"][0] * 8 / K_B))
    # Deviations in units of their errors, by 20 blocks each, scatter like Student's t of 19 degrees.
    assert abs(np.mean(off)) < N_SIGMA / np.sqrt(40) * np.sqrt(19 / 17)
    assert np.std(off) == pytest.approx(np.sqrt(19 / 17), abs=N_SIGMA / np.sqrt(2 * 40))
    # 12 pairs, both of which are there with the probability 8·7/(12·11).
    assert abs(np.mean(pairs) - 12 * 56 / 132) < N_SIGMA * np.std(pairs, ddof=1) / np.sqrt(40)


def test_every_engine_of_one_model_has_one_energy():
    """Dipoles of Heisenberg and of XY spins by the engine of long ranges, against the plain sum, after moves."""
    more = [*BOTH, {"kind": "dipolar", "value": "3*J"}]
    for kinds in (("heisenberg", "heisenberg"), ("xy", "heisenberg")):
        model, theta = two_species(more, kinds=kinds)
        for numbers in ((4, 4, 4), ((4, 1, 0), (0, 4, 0), (1, 0, 5))):
            system = spin_system(model, block(model, numbers))
            moves = (Move("small_step", 1, 0.5), Move("heat_bath"), Move("over_relaxation"))
            engine = engine_for(system, moves, theta, FIELD, SEED)
            engine.run(moves, 1.0 / K_B, 3)
            plain = float(theta @ coupling_energies(model, engine.spins, cell=system.cell)) + engine.zeeman_energy()
            assert engine.energy == pytest.approx(plain, rel=1e-11)
