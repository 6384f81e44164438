from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.lattice.qspace import path_through
from spinscape.lattice.volumes import QGrid
from spinscape.observables.diffuse_projection import DiffuseSettings, Projector
from spinscape.observables.thermodynamics import heat_capacity, reweighted, reweighting_exponent
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.montecarlo_settings import Correlations, Sampling, Step, Tempering
from spinscape.simulate.moves import Move
from spinscape.simulate.protocol import StreamKey
from spinscape.units import K_B

KEY = StreamKey(5, "point")
LONG = Sampling(replicas=4, samples=250, extensions=1)


@pytest.fixture(scope="module")
def edges():
    return tuple(np.linspace(-1.0, 1.0, n) for n in (9, 9, 2))


def test_a_point_gives_what_its_template_declares(small, edges):
    path = path_through([[0, 0, 0], [1, 1, 0]], n_point=(5,), reciprocal=np.eye(3), name="p")
    where = (path, QGrid("slice", np.zeros(3), np.eye(3), edges))
    settings = small.settings(keep=("series", "configurations"), correlations=Correlations((3.0, 2.5), where=where))
    simulator = small.simulator(settings)
    result, template = simulator.run(small.theta(-1.0), KEY), simulator.template()
    assert set(result.arrays) == set(template)
    for name, declared in template.items():
        array = np.asarray(result.arrays[name])
        assert array.shape == declared.shape and np.all(np.isfinite(array)), name
    assert result.diagnostics["engine"] == "ising" and result.code in ("done", "not_equilibrated")
    assert np.all(np.abs(result.arrays["configurations"]) == 1)


def test_results_follow_from_the_key_and_nothing_else(small):
    simulator = small.simulator(small.settings())
    first = simulator.run(small.theta(-1.0), KEY)
    simulator.run(small.theta(0.5), StreamKey(5, "another"))
    again = simulator.run(small.theta(-1.0), KEY)
    other = simulator.run(small.theta(-1.0), StreamKey(6, "point"))
    assert first.diagnostics == again.diagnostics
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, again.arrays[name], err_msg=name)
    assert not np.array_equal(first.arrays["energy"], other.arrays["energy"])


def test_means_are_those_of_the_kept_series(small):
    # 42 samples of three chains go into blocks without a rest.
    settings = small.settings(keep=("series",), sampling=Sampling(replicas=3, samples=42, extensions=0))
    simulator = small.simulator(settings)
    arrays = simulator.run(small.theta(-1.0), KEY).arrays
    names = simulator.layout.observer.columns.names
    energy = arrays["series"][..., names.index("energy_of_J")] * small.theta(-1.0)[0]
    np.testing.assert_allclose(arrays["energy"], energy.mean(axis=(1, 2)) / 36, rtol=1e-12)
    for k, temperature in enumerate(settings.temperatures):
        by_hand = heat_capacity(energy[k], temperature=temperature, n_spin=36)
        assert arrays["heat_capacity"][k] == pytest.approx(by_hand.value)
        assert arrays["heat_capacity_error"][k] == pytest.approx(by_hand.error)


def test_derivative_by_a_coupling_follows_from_the_covariances(small):
    """d<E>/dJ = <E_J> − βJ cov(E_J, E_J) against the difference of two runs; so does reweighting."""
    settings = small.settings(temperatures=(3.0,), correlations=None, keep=("series",), sampling=LONG)
    simulator = small.simulator(settings)
    low, middle, high = (simulator.run(small.theta(j), StreamKey(5, str(j))).arrays for j in (-1.05, -1.0, -0.95))
    beta, j = 1.0 / (K_B * 3.0), -K_B
    slope = middle["coupling_energy"][0, 0] - beta * j * middle["coupling_covariance"][0, 0, 0]
    error = beta * abs(j) * middle["coupling_covariance_error"][0, 0, 0]
    difference = (high["energy"][0] - low["energy"][0]) / (0.1 * K_B)
    spread = np.hypot(high["energy_error"][0], low["energy_error"][0]) / (0.1 * K_B)
    assert abs(slope - difference) < 4 * np.hypot(error, spread)
    e_k = middle["series"][0][..., :1]
    theta = {"theta": small.theta(-1.0), "new_theta": small.theta(-1.05)}
    exponent = reweighting_exponent(e_k, 0.0, temperature=3.0, **theta)
    found = reweighted(e_k[..., 0] / 36, exponent)
    off = abs(found.value * -1.05 * K_B - low["energy"][0])
    assert off < 4 * np.hypot(found.error * 1.05 * K_B, low["energy_error"][0]) and found.sample_size > 50


def test_stored_pairs_project_to_the_stored_signal(small, edges):
    where = QGrid("slice", np.zeros(3), np.eye(3), edges)
    for kind, moves in (("ising", (Move("flip", 3),)), ("heisenberg", (Move("heat_bath", 2),))):
        settings = small.settings(correlations=Correlations((2.5,), where=(where,)), moves=moves, orders=())
        simulator = small.simulator(settings, kind=kind)
        arrays = simulator.run(small.theta(-1.0), KEY).arrays
        pairs = arrays["pairs"][0, ..., 0] + 1j * arrays["pairs"][0, ..., 1]
        projected = Projector(simulator.grid, where, DiffuseSettings())(pairs)
        np.testing.assert_allclose(projected, arrays["signal_slice"][0], rtol=1e-5, atol=1e-7)
        assert np.all(arrays["signal_error_slice"][0] < 0.5 * np.maximum(projected, 1.0))


def test_energy_rises_and_order_falls_with_temperature(small):
    arrays = small.simulator(small.settings(sampling=LONG)).run(small.theta(-1.0), KEY).arrays
    assert np.all(np.diff(arrays["energy"]) < 0) and np.all(np.diff(arrays["order_m"][:, 0]) > 0)
    slope, error = arrays["heat_capacity_slope"][1], arrays["heat_capacity_slope_error"][1]
    # The middle of three temperatures, by second differences: a tenth is their truncation.
    assert abs(slope - arrays["heat_capacity"][1]) < 4 * np.hypot(error, arrays["heat_capacity_error"][1]) + 0.1


def test_a_field_makes_a_moment_and_its_slope_is_the_susceptibility(small):
    settings = small.settings(temperatures=(8.0,), correlations=None, orders=(), sampling=LONG)
    theta, b = small.theta(-0.2), 0.5
    zero = small.simulator(settings).run(theta, KEY).arrays
    field = small.simulator(settings, conditions=Conditions(field=(0.0, 0.0, b))).run(theta, KEY).arrays
    moment, error = field["moment"][0, 2], field["moment_error"][0, 2]
    chi = zero["susceptibility"][0, 2, 2]
    # The next order in the field is a third of (g μ_B B/k_B T)² smaller.
    assert abs(moment - chi * b) < 4 * np.hypot(error, b * zero["susceptibility_error"][0, 2, 2]) + 0.01 * abs(moment)
    assert np.all(zero["susceptibility"][0, :2] == 0.0)


def test_chains_that_cannot_agree_are_told(small):
    """Deep in the ordered phase, ferromagnets with few sweeps stay up or down: M² agrees, walls do not."""
    settings = small.settings(
        supercell=(16, 16, 1), temperatures=(0.8,), equilibration=0, correlations=None, moves=(Move("flip"),),
        sampling=Sampling(replicas=8, samples=10, extensions=0, sample_size=5.0),
    )  # fmt: skip
    result = small.simulator(settings).run(small.theta(-1.0), KEY)
    assert result.code == "not_equilibrated" and "0.8 K" in result.error and result.arrays is not None
    assert result.diagnostics["not_equilibrated"] == [0.8] and result.diagnostics["r_hat"] > 1.05
    slow = small.settings(
        supercell=(16, 16, 1), temperatures=(0.8,), equilibration=300, correlations=None, moves=(Move("flip", 5),),
        sampling=Sampling(replicas=8, samples=40, extensions=3, sample_size=5.0, frozen=0.02),
        slow=tuple(Step(t, 50) for t in np.linspace(4.0, 1.0, 30)), tempering=Tempering(3.5, 10, rescue=True),
    )  # fmt: skip
    rescued = small.simulator(slow).run(small.theta(-1.0), KEY)
    assert rescued.code == "done", rescued.error


def test_populations_come_down_slowly_where_chains_disagree(small):
    """Ferromagnets quenched to domains: copies that go down slowly agree, by a round of their own, and by the key."""
    settings = small.settings(
        supercell=(12, 12, 1), temperatures=(1.0,), equilibration=0, correlations=None, moves=(Move("flip"),),
        sampling=Sampling(replicas=6, samples=20, extensions=0, sample_size=5.0, frozen=0.05, r_hat=1.2),
        slow=tuple(Step(t, 20) for t in np.linspace(4.0, 1.2, 8)), slow_moves=(Move("heat_bath", 8),), population=4,
    )  # fmt: skip
    simulator = small.simulator(settings)
    first, again = (simulator.run(small.theta(-1.0), KEY) for _ in range(2))
    assert first.code == "done" and first.diagnostics["slow"] == 1, first.error
    assert np.array_equal(first.arrays["energy"], again.arrays["energy"])
    # Chains that are closer than asked for keep the way they came by.
    before = small.simulator(replace(settings, slow=())).run(small.theta(-1.0), KEY).diagnostics["r_hat"]
    for above, slow in ((before + 0.01, 0), (before - 0.01, 1)):
        other = small.simulator(replace(settings, slow_above=above)).run(small.theta(-1.0), KEY)
        assert other.diagnostics["slow"] == slow and (slow or other.diagnostics["r_hat"] == before)
    kinds = simulator.layout.kinds
    assert kinds == ("flip", "heat_bath") and first.arrays["acceptance"][0, kinds.index("flip")] == 0.0


def test_vacancies_are_of_the_point(small):
    settings = small.settings(vacancies=(("A", 0.25),), keep=("configurations",), correlations=Correlations((2.5,)))
    simulator = small.simulator(settings)
    first, again, other = (simulator.run(small.theta(-1.0), StreamKey(5, key)) for key in ("a", "a", "b"))
    empty = [np.all(r.arrays["configurations"] == 0, axis=(0, 1)) for r in (first, again, other)]
    assert empty[0].sum() == 9 and np.array_equal(empty[0], empty[1]) and not np.array_equal(empty[0], empty[2])


def test_classes_by_the_largest_peak(small):
    kept = Correlations((2.5,), classes=(1.0, 3.0))
    found = {}
    for j in (-1.0, -0.05, 0.6):
        settings = small.settings(correlations=kept)
        found[j] = small.simulator(settings).run(small.theta(j), KEY).diagnostics
    assert found[-1.0]["class"] == "ordered" and found[-1.0]["peak"] > 10
    assert found[-0.05]["peak"] < found[0.6]["peak"]


def test_settings_that_lack_a_part_are_an_error(small):
    with pytest.raises(ConfigError, match="lack montecarlo"):
        MonteCarloSimulator.from_settings(small.model("ising"), {"conditions": Conditions().to_dict()})
    settings = {"conditions": Conditions().to_dict(), "montecarlo": small.settings().to_dict()}
    made = MonteCarloSimulator.from_settings(small.model("ising", n_dimension=2), settings)
    assert list(made.template()) == list(small.simulator(small.settings()).template())
