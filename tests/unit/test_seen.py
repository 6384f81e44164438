"""Form factors, moments and cross sections on the amplitudes of spin waves."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import ConfigError, DataError
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.hamiltonian.structures import structure_from_spiral
from spinscape.lattice.crystal import Crystal
from spinscape.observables.formfactor import form_factor, form_factor_j0, form_factor_j2, magnetic_form_factor
from spinscape.simulate.lines import LineSource
from spinscape.simulate.seen import BARN_PER_MOMENT, form_factors_of, site_form_factors
from spinscape.simulate.spectrum_settings import SpinwaveSettings

G = np.array([np.diag([2.0, 2.0, 2.4]), np.diag([2.2, 2.2, 2.2])])
Q = np.array([[0.1, 0.2, 0.0], [0.6, 0.7, 1.0], [1.3, 0.4, 2.0]])
ON = {"g": "spin_only"}


def ladder():
    """Two different ions in the cell, ferromagnetic: one magnon each, so that amplitudes are known."""
    crystal = Crystal(
        vectors=np.diag([4.0, 5.0, 6.0]),
        positions=[[0, 0, 0], [0.3, 0.4, 0.2]],
        labels=("a", "b"),
        orbit=[0, 1],
        spins=[1.0, 1.0],
        ions=("Ni2+", "Cu2+"),
        g=G,
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    bonds = BondTable([0, 0, 1], [1, 0, 1], [[0, 0, 0], [1, 0, 0], [1, 0, 0]], [0, 1, 1], np.tile(np.eye(3), (3, 1, 1)))
    structure = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), [[0, 0, 1], [0, 0, 1]])
    return Model(crystal, ("J", "K"), bonds), structure


def total(model, structure, component, **settings):
    """Return the sum over modes of one component of S^αβ at Q: the length of each row of v, whatever the modes."""
    weights = np.zeros((len(Q), 3, 3))
    weights[:, component, component] = 1.0
    source = LineSource(model, structure, Q, weights, settings=SpinwaveSettings(**settings))
    return source.lines([-1.0, -0.5])[1].sum(axis=1)


def test_each_site_has_the_form_factor_of_its_ion():
    """A ferromagnet's magnons share Σ_i f_i² S_i/2 of each transverse component among them."""
    model, structure = ladder()
    modulus = np.linalg.norm(Q @ model.crystal.reciprocal, axis=1)
    f = np.stack([magnetic_form_factor(modulus, ion=ion) for ion in model.crystal.ions], axis=1)
    np.testing.assert_allclose(site_form_factors(model.crystal, modulus, ON), f)
    np.testing.assert_allclose(total(model, structure, 0), 1.0, rtol=1e-9)
    np.testing.assert_allclose(total(model, structure, 0, form_factor=ON), 0.5 * np.sum(f**2, axis=1), rtol=1e-9)


def test_moments_and_barns():
    model, structure = ladder()
    moments = 0.5 * np.sum(G[:, 0, 0] ** 2)
    np.testing.assert_allclose(total(model, structure, 0, units="moment"), moments, rtol=1e-9)
    np.testing.assert_allclose(total(model, structure, 0, units="cross_section"), BARN_PER_MOMENT * moments, rtol=1e-9)
    # (γ r_0/2)² is 72.65 mb, Squires, Introduction to the Theory of Thermal Neutron Scattering, eq. 7.27 ff.
    assert abs(BARN_PER_MOMENT - 0.07265) < 1e-5


def test_g_chooses_the_share_of_j2():
    crystal, q = ladder()[0].crystal, np.array([1.0, 3.0])
    j0, j2 = (function(q, ion="Ni2+") for function in (form_factor_j0, form_factor_j2))
    for rule, g in (("spin_only", 2.0), ("sites", np.trace(G[0]) / 3), ({"Ni2+": 2.3}, 2.3), ({"Cu2+": 2.3}, 2.0)):
        found = site_form_factors(crystal, q, {"g": rule})[:, 0]
        np.testing.assert_allclose(found, j0 + (2.0 - g) / g * j2, rtol=1e-12)


def test_own_coefficients_stand_in_for_the_table():
    model, _ = ladder()
    own = {"j0": [0.5, 10.0, 0.3, 2.0, 0.2, 1.0, 0.0], "j2": None}
    crystal = replace(model.crystal, ions=("Ni2+", "Pr4+"))
    known = form_factors_of(crystal, {"g": "spin_only", "coefficients": {"Pr4+": own}})
    assert known[0][0] == form_factor("Ni2+")
    s2 = (2.0 / (4 * np.pi)) ** 2
    expected = 0.5 * np.exp(-10 * s2) + 0.3 * np.exp(-2 * s2) + 0.2 * np.exp(-s2)
    np.testing.assert_allclose(magnetic_form_factor(2.0, ion=known[1][0]), expected)
    with pytest.raises(DataError, match=r"Pr4\+"):
        form_factors_of(crystal, ON)
    with pytest.raises(ConfigError, match="no site has"):
        form_factors_of(model.crystal, {"coefficients": {"Pr4+": own}})


def test_a_spiral_has_the_form_factor_of_the_neutrons_own_q():
    """Against the same structure in a magnetic cell; that of Q ± k would differ by tens of per cent."""
    model, _ = ladder()
    model = Model(replace(model.crystal, g=np.tile(2.0 * np.eye(3), (2, 1, 1))), model.parameter_names, model.bonds)
    spiral = SpiralStructure([0.25, 0.0, 0.0], [0, 0, 1], [[1, 0, 0], [1, 0, 0]])
    chain = BondTable(
        [0, 1, 0, 0, 1], [0, 1, 1, 0, 1], [[1, 0, 0], [1, 0, 0], [0, 0, 0], [2, 0, 0], [2, 0, 0]],
        [0, 0, 1, 2, 2], np.tile(np.eye(3), (5, 1, 1)),
    )  # fmt: skip
    model = Model(model.crystal, ("J", "K", "L"), chain)
    theta, sums = [0.0, -1.0, 0.4], []
    cell = structure_from_spiral(spiral, [[4, 0, 0], [0, 1, 0], [0, 0, 1]])
    for structure in (spiral, cell):
        source = LineSource(
            model,
            structure,
            Q,
            np.tile(np.eye(3), (3, 1, 1)),
            settings=SpinwaveSettings(form_factor=ON, units="moment"),
        )
        energies, intensities = source.lines(theta)
        sums.append([intensities.sum(axis=1), (intensities * energies).sum(axis=1)])
    # Zero modes have the energy that regularisation gives them, 1e-5 of the band.
    np.testing.assert_allclose(sums[0], sums[1], rtol=2e-5)
