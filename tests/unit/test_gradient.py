"""Derivatives of spectra by the couplings against differences, degenerate modes included."""

import numpy as np
import pytest

from spinscape.errors import ShapeError, UnstableError
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.gradient import group_labels
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings

ENERGY = EnergyAxis.from_range(first=0.0, last=30.0, step=0.25)
# Fourth-order differences with a step of 2e-3 of the coupling.
TOL = 1e-8


def anisotropic_square():
    """A Néel magnet with exchange, an easy axis that gaps both branches, and an in-plane term that splits them."""
    crystal = Crystal(
        vectors=np.diag([4.0, 4.0, 9.0]),
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    bonds = BondTable([0, 0], [0, 0], [[1, 0, 0], [0, 1, 0]], [0, 0], np.tile(np.eye(3), (2, 1, 1)))
    onsite = OnsiteTable([0, 0], [1, 2], [np.diag([0, 0, -1.0]), np.diag([1.0, -1.0, 0])])
    structure = MagneticStructure(
        [[1, 1, 0], [1, -1, 0], [0, 0, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]]
    )
    return Model(crystal, ("J", "D", "E"), bonds, onsite), structure


def spectrum(**settings):
    model, structure = anisotropic_square()
    path = path_through(
        [[0.5, 0.5, 0], [0.25, 0.1, 0], [0.5, 0, 0.1]], n_point=(6, 5), reciprocal=model.crystal.reciprocal
    )
    settings = {"component": "xx", "fwhm": (2.0, -0.02, 0.002), "energy_factor": 1.2, **settings}
    return SpectrumModel(model, structure, path, ENERGY, SpinwaveSettings(**settings))


def differences(predict, theta):
    out = []
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 2e-3
        out.append((8 * (predict(theta + step) - predict(theta - step))) / (12 * 2e-3))
        out[k] -= (predict(theta + 2 * step) - predict(theta - 2 * step)) / (12 * 2e-3)
    return np.array(out)


@pytest.mark.parametrize(
    "theta",
    [
        pytest.param([3.0, 0.5, 0.2], id="branches apart"),
        pytest.param([3.0, 0.5, 0.0], id="exactly degenerate, with the splitting parameter"),
    ],
)
@pytest.mark.parametrize("how", [{}, {"q_smear": 0.1}, {"fwhm_factor": 1.4, "energy_offset": 0.7}])
def test_gradient_follows_differences(theta, how):
    one = spectrum()
    gradient = one.predict_gradient(np.array(theta), **how)
    assert gradient.shape == (3, *one.shape)
    expected = differences(lambda t: one.predict(t, **how), np.array(theta))
    assert np.abs(expected).max(axis=(1, 2)).min() > 1e-2
    np.testing.assert_allclose(gradient, expected, atol=TOL)


@pytest.mark.parametrize(
    "theta",
    [
        pytest.param([3.0, 0.5, 0.2], id="branches apart"),
        pytest.param([3.0, 0.5, 0.0], id="exactly degenerate, with the splitting parameter"),
    ],
)
@pytest.mark.parametrize("how", [{}, {"q_smear": 0.1}, {"fwhm_factor": 1.4, "energy_offset": 0.7}])
def test_the_adjoint_of_a_loss_follows_differences_and_the_forward_mode(theta, how):
    one, theta = spectrum(cap=0.9), np.array(theta)
    seen = one.predict(theta * [1.1, 0.9, 1.2], **how)

    def loss(t):
        return np.sum((one.predict(t, **how) - seen) ** 2, keepdims=True)

    value, pullback = one.predict_with_pullback(theta, **how)
    np.testing.assert_allclose(value, one.predict(theta, **how), atol=1e-10)
    cotangent = 2 * (value - seen)
    gradient = pullback(cotangent)
    expected = differences(loss, theta)[:, 0, 0]
    assert np.abs(expected[:2]).min() > 1.0
    np.testing.assert_allclose(gradient, expected, atol=TOL * np.abs(expected).max())
    forward = np.tensordot(one.predict_gradient(theta, **how), cotangent)
    np.testing.assert_allclose(gradient, forward, atol=1e-11 * np.abs(forward).max())
    np.testing.assert_array_equal(one.pullback(theta, cotangent, **how), gradient)


def test_the_adjoint_at_zero_modes_and_of_spirals_is_that_of_the_forward_mode():
    """Regularised wave vectors, and lines of three wave vectors in one row."""
    model, _ = anisotropic_square()
    path = path_through([[0.0, 0.0, 0], [0.5, 0.3, 0.1]], n_point=(7,), reciprocal=model.crystal.reciprocal)
    planar = Model(model.crystal, ("J", "D"), model.bonds, OnsiteTable([0], [1], [np.diag([0, 0, 1.0])]))
    spiral = SpiralStructure([0.5, 0.5, 0], [0, 0, 1], [[1.0, 0, 0]])
    how = SpinwaveSettings(component="perp", fwhm=(2.0,), cap=5.0)
    for one in (spectrum(component="trace", cap=5.0), SpectrumModel(planar, spiral, path, ENERGY, how)):
        theta = np.array([3.0, 0.0, 0.0])[: one.model.n_parameter]
        cotangent = np.random.default_rng(0).normal(size=one.shape)
        forward = np.tensordot(one.predict_gradient(theta), cotangent)
        np.testing.assert_allclose(one.pullback(theta, cotangent), forward, rtol=1e-8, atol=1e-12)


def test_a_cotangent_has_the_shape_of_the_spectrum():
    with pytest.raises(ShapeError, match="cotangent has the wrong shape"):
        spectrum().pullback([3.0, 0.5, 0.2], np.zeros(3))


def test_an_unstable_structure_has_no_gradient():
    with pytest.raises(UnstableError, match="not stable"):
        spectrum().predict_gradient([-3.0, 0.5, 0.2])


def test_a_capped_group_moves_but_does_not_brighten():
    theta = np.array([3.0, 0.5, 0.2])
    one = spectrum(cap=0.4)
    assert not np.allclose(one.predict(theta), spectrum().predict(theta))
    np.testing.assert_allclose(one.predict_gradient(theta), differences(one.predict, theta), atol=TOL)


def test_a_zero_mode_has_a_finite_gradient():
    """Without the easy axis there are Goldstone modes at the first point of the path."""
    gradient = spectrum(component="trace", cap=5.0).predict_gradient([3.0, 0.0, 0.0])
    assert np.all(np.isfinite(gradient))


def test_labels_count_groups():
    energies = np.array([[1.0, 1.0, 2.0, 2.0 + 1e-9], [0.0, 1.0, 2.0, 3.0]])
    assert group_labels(energies, 1e-6).tolist() == [[0, 0, 1, 1], [0, 1, 2, 3]]
