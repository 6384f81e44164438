"""The simulator of kind dynamics: its contract, and that it is a pure function of point and key."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import MagneticStructure
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.volumes import QGrid, edges_from_range
from spinscape.simulate.dynamics_simulator import DynamicsSimulator, model_of_length
from spinscape.simulate.protocol import StreamKey
from spinscape.units import K_B

NEEL = MagneticStructure([[1, 1, 0], [1, -1, 0], [0, 0, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]])


def settings(model, **changes):
    line = path_through([(0.5, 0.5, 0), (0.5, 0, 0)], n_point=[4], reciprocal=model.crystal.reciprocal, name="line")
    along = edges_from_range(first=0.0, last=1.0, n_bin=3)
    slab = QGrid("slab", np.zeros(3), np.eye(3), (along, along, np.array([-0.5, 0.5])))
    energy = EnergyAxis.from_range(first=0.0, last=3.0, step=0.25)
    return {
        "supercell": [6, 6, 1],
        "paths": [line.to_dict(), slab.to_dict()],
        "energy": energy.to_dict(),
        "conditions": Conditions(0.4).to_dict(),
        "structure": NEEL.to_dict(),
        "start": {"n_configuration": 3, "n_equilibrate": 20, "n_between": 5},
        "trajectory": {"n_probe": 8},
        "spectrum": {"component": "perp", "form_factor": True},
        **changes,
    }


def test_results_are_as_declared_and_follow_from_the_key(models):
    model = models.square(1.5)
    simulator = DynamicsSimulator.from_settings(model, settings(model))
    template = simulator.template()
    first, again, other = (simulator.run(np.array([0.5]), StreamKey(seed, "point")) for seed in (1, 1, 2))
    assert first.code == "done"
    assert set(first.arrays) == set(template)
    for name, declared in template.items():
        assert first.arrays[name].shape == declared.shape
        assert first.arrays[name].dtype == declared.dtype
        assert np.all(np.isfinite(first.arrays[name]))
        assert np.array_equal(first.arrays[name], again.arrays[name])
        declared.to_dict()
    assert template["signal_slab"].dims == ("temperature", "u_slab", "v_slab", "energy")
    assert not np.array_equal(first.arrays["signal_line"], other.arrays["signal_line"])
    assert all(isinstance(value, str | int | float | bool) for value in first.diagnostics.values())
    assert first.diagnostics["n_block"] == 3


def test_paths_may_have_any_name(models):
    """A path named as an array of the zone keeps its own arrays."""
    model = models.square(1.5)
    line = path_through([(0.5, 0.5, 0), (0.5, 0, 0)], n_point=[4], reciprocal=model.crystal.reciprocal, name="zone")
    simulator = DynamicsSimulator.from_settings(model, settings(model, paths=[line.to_dict()]))
    assert simulator.template()["error_zone"].shape == (1, 4, 13)
    assert simulator.run(np.array([0.5]), StreamKey(1, "point")).arrays["error_zone"].shape == (1, 4, 13)


def test_lengths_change_the_spins_and_nothing_else(models):
    model = models.square(2.5)
    full = np.sqrt(3.5 / 2.5)
    changed = model_of_length(model, full)
    np.testing.assert_allclose(changed.crystal.spins, np.sqrt(2.5 * 3.5))
    assert np.array_equal(changed.bonds.matrix, model.bonds.matrix)
    how = {"length": {"kind": "interpolated", "low": 1.0, "high": 3.0}, "temperatures": [0.5, 2.0, 3.0]}
    found = DynamicsSimulator.from_settings(model, settings(model, **how)).run(np.array([0.5]), StreamKey(1, "a"))
    np.testing.assert_allclose(found.arrays["length_factor"][:, 0], [1.0, 0.5 * (1.0 + full), full])
    np.testing.assert_allclose(found.arrays["moment"][:, 0], 6.25 * found.arrays["length_factor"][:, 0] ** 2, rtol=1e-5)


def test_the_length_of_the_sum_rule_goes_from_one_limit_to_the_other(models):
    """Of a ferromagnet: S at low temperature, sqrt(S(S+1)) at high one; but for the one wave of zero energy in 36."""
    model = models.square(2.5)
    how = {"length": {"kind": "sum_rule"}, "temperatures": [0.5, 500.0], "zone_weightings": ["detailed_balance"]}
    how |= {"trajectory": {"n_probe": 36}, "start": {"n_configuration": 16, "n_equilibrate": 1000, "n_between": 100}}
    how |= {"structure": MagneticStructure(np.eye(3), [0], [[0, 0, 0]], [[0, 0, 1]]).to_dict()}
    found = DynamicsSimulator.from_settings(model, settings(model, **how)).run(np.array([-0.5]), StreamKey(1, "a"))
    cold, hot = found.arrays["length_factor"][:, 0]
    m = 35.0 / 36.0
    # 16 states of 35 waves, the square of each with the scatter of an exponential distribution.
    error = 2.5 / np.sqrt(16 * 35) / (2.0 * 6.25 + 2.5)
    assert cold == pytest.approx((np.sqrt(m**2 + 4.0 * 8.75) - m) / 5.0, abs=4.0 * error)
    assert hot == pytest.approx(np.sqrt(1.4), abs=2e-3)
    np.testing.assert_allclose(found.arrays["moment"][:, 1], 8.75, rtol=0.03)


def test_a_temperature_has_states_of_its_own(models):
    """Other temperatures beside it do not matter but for the random numbers: energies agree within their errors."""
    model = models.square(1.0)
    start = {"n_configuration": 8, "n_equilibrate": 200, "n_between": 40}
    runs = []
    for temperatures in ([2.0], [20.0, 2.0]):
        simulator = DynamicsSimulator.from_settings(model, settings(model, temperatures=temperatures, start=start))
        runs.append(simulator.run(np.array([0.5]), StreamKey(1, "point")).arrays)
    energy, error = (np.array([run[name][-1] for run in runs]) for name in ("state_energy", "state_energy_error"))
    assert abs(energy[0] - energy[1]) < 4.0 * np.hypot(*error)
    assert runs[1]["state_energy"][0] > energy.max()


def test_a_colder_point_has_a_sharper_spectrum(models):
    """The zone-boundary line at 4JS(1 − 1/2·...) stands out at low temperature, and has gone at a high one."""
    model = models.square(1.0)
    part = []
    for temperature in (0.02 / K_B, 4.0 / K_B):
        how = settings(model, conditions=Conditions(temperature).to_dict(), spectrum={})
        found = DynamicsSimulator.from_settings(model, how).run(np.array([0.7]), StreamKey(1, "point"))
        edge = found.arrays["signal_line"][0, -1]
        part.append(edge[10:13].sum() / edge.sum())
    assert part[0] > 0.6
    assert part[1] < 0.3


def test_missing_settings_are_named(models):
    model = models.square()
    how = settings(model)
    del how["energy"]
    with pytest.raises(ConfigError, match="energy"):
        DynamicsSimulator.from_settings(model, how)
