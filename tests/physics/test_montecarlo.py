"""Monte Carlo from settings to results against exact and published values, within four block errors.

Couplings are in kelvin and k_B = 1 in the comments: temperatures in K are those of the closed forms.
"""

import numpy as np
import pytest

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.terms import BondTerm
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites, crystal_from_space_group
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.montecarlo_settings import MonteCarloSettings, Order, Sampling, Step
from spinscape.simulate.moves import Move
from spinscape.simulate.protocol import StreamKey
from spinscape.units import K_B

N_SIGMA = 4.0
CRITICAL = 2.0 / np.log(1.0 + np.sqrt(2.0))
BATH = (Move("heat_bath", 1), Move("over_relaxation", 3))
METROPOLIS = (Move("small_step", 2), Move("uniform", 1), Move("reflection", 1))


def model_of(group, lengths, *, kind="heisenberg", axis=None, position=(0, 0, 0)):
    """Return unit spins with one coupling J between nearest neighbours."""
    site = SiteSpec("A", "Mn2+", position, 1.0, kind=kind, axis=axis)
    if group is None:
        crystal = crystal_from_sites(np.diag(lengths), [site])
    else:
        crystal = crystal_from_space_group(np.diag(lengths), group, [site])
    return model_from_terms(
        crystal, ("J",), [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), shell_bond(crystal, 1))]
    )


def run(model, j, temperatures, moves, supercell, *, seed=1, **changes):
    values = {
        "supercell": supercell,
        "temperatures": temperatures,
        "moves": moves,
        "equilibration": 200,
        "sampling": Sampling(replicas=4, samples=500, extensions=2),
        "annealing": tuple(Step(max(temperatures) * f, 50) for f in (4.0, 2.0, 1.4)),
    }
    simulator = MonteCarloSimulator(model, MonteCarloSettings(**{**values, **changes}), Conditions())
    result = simulator.run(np.array([K_B * j]), StreamKey(seed, "reference"))
    assert result.code == "done", result.error
    return result.arrays


def energy(arrays):
    """Return energy per spin and its error, K."""
    return arrays["energy"] / K_B, arrays["energy_error"] / K_B


def check(value, error, expected, allowed=0.0):
    assert np.all(np.abs(value - expected) < N_SIGMA * error + allowed), (value, error, expected)


@pytest.mark.parametrize("moves", [(Move("flip", 5),), (Move("heat_bath", 5),)], ids=lambda m: m[0].kind)
@pytest.mark.parametrize(("n", "e", "c"), [(4, -1.5656237876, 0.7832668259), (8, -1.4915891074, 1.1455592399)])
def test_square_ising_at_criticality(n, e, c, moves):
    """Kaufman's energy and heat capacity per spin."""
    model = model_of("P4/mmm", (4.0, 4.0, 12.0), kind="ising", axis=(0, 0, 1))
    sampling = Sampling(replicas=4, samples=2000, extensions=2)
    arrays = run(model, -1.0, (CRITICAL,), moves, (n, n, 1), sampling=sampling)
    check(*energy(arrays), e)
    check(arrays["heat_capacity"], arrays["heat_capacity_error"], c)


@pytest.mark.parametrize("moves", [BATH, METROPOLIS], ids=["bath", "metropolis"])
def test_open_chain(moves):
    """Energy −(coth b − 1/b) and heat capacity 1 − b²/sinh²b per bond; the vacancy opens the chain."""
    b, n = np.array([1.0, 2.0]), 12
    model = model_of(None, (4.0, 12.0, 12.0))
    arrays = run(model, -1.0, (1.0, 0.5), moves, (n, 1, 1), vacancies=(("A", 1.0 / n),))
    per_bond = (n - 1) / (n - 2)
    check(*(per_bond * x for x in energy(arrays)), -(1.0 / np.tanh(b) - 1.0 / b))
    c, error = per_bond * arrays["heat_capacity"], per_bond * arrays["heat_capacity_error"]
    check(c, error, 1.0 - b**2 / np.sinh(b) ** 2)


def test_heisenberg_ring():
    model = model_of(None, (4.0, 12.0, 12.0))
    arrays = run(model, -1.0, (1.0, 0.5, 0.2), BATH, (16, 1, 1))
    check(*energy(arrays), np.array([-0.3130353080, -0.5373616004, -0.8039902743]))


def test_cubic_heisenberg_in_the_limits():
    """T → 0: (e + 3)/T → 1 and C → 1, less the two rigid rotations; high T: e = −1/T, C = 1/T²."""
    model, n = model_of("Pm-3m", (4.0, 4.0, 4.0)), 4**3
    cold, hot = 0.02, 20.0
    arrays = run(model, 1.0, (hot, cold), BATH, (4, 4, 4), annealing=(), slow=())
    e, error = energy(arrays)
    # Anharmonic terms are of the order of T², the next of the series of the order of 1/T³.
    check((e[1] + 3.0) / cold, error[1] / cold, 1.0 - 1.0 / n, allowed=cold)
    check(arrays["heat_capacity"][1], arrays["heat_capacity_error"][1], 1.0 - 1.0 / n, allowed=2 * cold)
    check(e[0], error[0], -1.0 / hot, allowed=4.0 / hot**3)
    check(arrays["heat_capacity"][0], arrays["heat_capacity_error"][0], 1.0 / hot**2, allowed=8.0 / hot**3)


def test_heisenberg_pyrochlore_is_a_liquid_with_three_quarters_of_the_heat_capacity():
    model = model_of("Fd-3m:2", (10.0, 10.0, 10.0), position=(0.5, 0.5, 0.5))
    cold = 0.01
    arrays = run(model, 1.0, (cold,), (Move("heat_bath", 1), Move("over_relaxation", 10)), (2, 2, 2))
    e, error = energy(arrays)
    # One of four modes of a tetrahedron costs nothing: e = −1 + 3T/4.
    check((e[0] + 1.0) / cold, error[0] / cold, 0.75, allowed=0.03)
    check(arrays["heat_capacity"][0], arrays["heat_capacity_error"][0], 0.75, allowed=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "binder", "error"), [(6, 0.6237, 0.0008), (8, 0.6221, 0.0006)])
def test_binder_cumulant_of_the_cubic_antiferromagnet(n, binder, error):
    model = model_of("Pm-3m", (4.0, 4.0, 4.0))
    arrays = run(
        model, 1.0, (1.0 / 0.693003,), BATH, (n, n, n),
        orders=(Order("neel", (0.5, 0.5, 0.5)),), sampling=Sampling(replicas=4, samples=8000, extensions=1),
    )  # fmt: skip
    value, own = arrays["order_neel"][0, 3], arrays["order_neel_error"][0, 3]
    assert abs(value - binder) < N_SIGMA * np.hypot(own, error), (value, own)
    # The published value of large systems.
    assert abs(value - 0.6217) < N_SIGMA * np.hypot(own, 0.0008) + 0.004
