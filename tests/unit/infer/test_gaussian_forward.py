"""The Gaussian approximation as a forward model: derivatives, rows, conditions, and a fit of simulated truth."""

import numpy as np
import pytest

from spinscape.errors import FitError, UnstableError
from spinscape.experiment.measurement import Measurement, ThermalMeasurement
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.terms import BondTerm
from spinscape.infer.gaussian_forward import gaussian_forward
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.lattice.volumes import QGrid
from spinscape.simulate.gaussian import GaussianModel, GaussianSettings

THETA = np.array([1.0, 0.15])
SETTINGS = GaussianSettings(n_mesh=8, length="S(S+1)", n_sub=2)
EDGES = np.linspace(-0.5, 2.0, 8)
GRID = QGrid("g", np.zeros(3), np.eye(3), (EDGES, EDGES, np.array([-0.2, 0.2])))


def model():
    crystal = crystal_from_space_group(
        lattice_vectors(a=4.0, b=4.0, c=4.0), "Pm-3m", [SiteSpec("Cr", "Cr3+", (0, 0, 0), 1.5, 2.0 * np.eye(3))]
    )
    names = ("J1", "J2")
    rows = [BondTerm("heisenberg", terms.heisenberg(n, names), shell_bond(crystal, n[1:])) for n in names]
    return model_from_terms(crystal, names, rows)


def diffuse(temperature=150.0, **changes):
    valid = np.ones((49, 1), bool)
    valid[::5] = False
    how = {"momentum": GRID, "energy": None, "signal": np.ones((49, 1)), "valid": valid}
    return Measurement(**{"name": "d", "conditions": Conditions(temperature), **how, **changes})


def table(quantity, direction=None):
    t = np.array([120.0, 200.0, 300.0])
    ones = np.ones((3, 1))
    return ThermalMeasurement("t", quantity, t, ones, ones.astype(bool), ones, direction=direction)


def forward(*measurements, **how):
    return gaussian_forward(model(), measurements, settings=SETTINGS, **how)


def test_images_are_those_of_the_simulator_at_rows_that_were_measured():
    one = diffuse()
    image, chi, heat = forward(one, table("susceptibility"), table("heat_capacity")).predict(THETA)
    gaussian = GaussianModel(model(), SETTINGS)
    points = GRID.integration_points(2)
    plain = gaussian.predict_structure_factor(THETA, 150.0, points.reshape(-1, 3)).reshape(49, 2).mean(axis=1)
    np.testing.assert_allclose(image[one.valid], plain[one.valid[:, 0]], rtol=1e-12)
    assert np.all(image[~one.valid] == 0.0)
    for k, t in enumerate((120.0, 200.0, 300.0)):
        assert chi[k, 0] == pytest.approx(gaussian.susceptibility(THETA, t)[2, 2], rel=1e-12)
        assert heat[k, 0] == pytest.approx(gaussian.heat_capacity(THETA, t), rel=1e-12)
    along = forward(table("susceptibility", direction=(1.0, 1.0, 0.0))).predict(THETA)[0]
    np.testing.assert_allclose(along, chi, rtol=1e-12)  # cubic


def test_derivatives_are_those_of_differences():
    source = forward(diffuse(), table("susceptibility"), table("heat_capacity"))
    for k, step in enumerate(np.diag([1e-4, 1e-4])):
        up, down = source.predict(THETA + step), source.predict(THETA - step)
        for slope, plus, minus in zip(source.gradient(THETA), up, down, strict=True):
            numerical = (plus - minus) / 2e-4
            np.testing.assert_allclose(slope[k], numerical, rtol=1e-5, atol=1e-6 * np.abs(numerical).max())


def test_a_fixed_coupling_is_no_parameter():
    source = forward(diffuse(), fixed={"J2": 0.15})
    assert source.parameter_names == ("J1",) and source.gradient([1.0])[0].shape == (1, 49, 1)
    np.testing.assert_array_equal(source.predict([1.0])[0], forward(diffuse()).predict(THETA)[0])


def test_below_the_ordering_is_unstable():
    with pytest.raises(UnstableError):
        forward(diffuse(5.0)).predict(THETA)


@pytest.mark.parametrize(
    "one, message",
    [
        (lambda: diffuse(None), "temperature"),
        (lambda: diffuse(conditions=Conditions(20.0, (0, 0, 1.0))), "no field"),
        (lambda: diffuse(momentum=PowderAxis.from_range(first=1, last=2, n=49, name="p")), "powder"),
        (
            lambda: diffuse(energy=EnergyAxis([0.0, 1.0]), signal=np.ones((49, 2)), valid=np.ones((49, 2), bool)),
            "spectrum",
        ),
    ],
)
def test_what_it_does_not_predict_is_refused(one, message):
    with pytest.raises(FitError, match=message):
        forward(one())
