"""Derivatives of single modes: against differences, and flagged where a group of degenerate modes has them together."""

import numpy as np
import pytest

from spinscape.errors import UnstableError
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.mode_gradient import mode_gradient
from spinscape.simulate.modes import modes
from spinscape.simulate.quadratic import quadratic_form

THETA = np.array([3.0, 0.5, 0.2, 0.3])
Q = np.array([[0.13, 0.2, 0.0], [0.37, 0.0, 0.1], [0.5, 0.1, 0.3]])


def magnet(spins):
    """An antiferromagnetic chain along x with easy axis D, an in-plane term E that splits its branches, and a DM."""
    crystal = Crystal(
        vectors=np.diag([4.0, 5.0, 9.0]),
        positions=[[0, 0, 0], [0.4, 0, 0]],
        labels=("a", "b"),
        orbit=[0, 1],
        spins=spins,
        ions=("", ""),
        g=np.tile(2.0 * np.eye(3), (2, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    chiral = [[0, 1.0, 0], [-1.0, 0, 0], [0, 0, 0]]
    bonds = BondTable(
        [0, 1, 0], [1, 0, 1], [[0, 0, 0], [1, 0, 0], [0, 0, 0]], [0, 0, 3], [np.eye(3), np.eye(3), chiral]
    )
    easy, split = np.diag([0, 0, -1.0]), np.diag([1.0, -1.0, 0])
    onsite = OnsiteTable([0, 1, 0, 1], [1, 1, 2, 2], [easy, easy, split, split])
    structure = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), [[0, 0, 1], [0, 0, -1]])
    return quadratic_form(Model(crystal, ("J", "D", "E", "C"), bonds, onsite), structure, Q)


def form():
    return magnet([1.0, 1.5])


def five_point(function, axis, step=1e-3):
    a, b, c, d = (function(THETA + k * step * axis) for k in (-2, -1, 1, 2))
    return (8.0 * (c - b) - (d - a)) / (12.0 * step)


def test_slopes_of_modes_follow_differences():
    found = mode_gradient(form(), THETA)
    plain = modes(form(), THETA)
    np.testing.assert_allclose(found.energies, plain.energies, atol=1e-12)
    np.testing.assert_allclose(found.s_ab, plain.s_ab, atol=1e-11)
    assert not found.degenerate.any()
    assert np.abs(found.s_ab_slopes.imag).max() > 1e-3  # the chiral part moves too
    for k, axis in enumerate(np.eye(4)):
        by_energy = five_point(lambda theta: modes(form(), theta).energies, axis)
        np.testing.assert_allclose(found.energy_slopes[k], by_energy, atol=1e-8)
        by_tensor = five_point(lambda theta: modes(form(), theta).s_ab, axis)
        np.testing.assert_allclose(found.s_ab_slopes[k], by_tensor, atol=1e-8)


def test_degenerate_modes_are_flagged_and_share_the_slopes_of_their_sums():
    """Equal spins without E and DM: two branches are one. E splits them evenly, so that their mean stands still."""
    equal, theta = magnet([1.0, 1.0]), np.array([3.0, 0.5, 0.0, 0.0])
    found = mode_gradient(equal, theta)
    assert found.degenerate.all()
    np.testing.assert_allclose(found.energy_slopes[2], 0.0, atol=1e-10)
    for k, axis in enumerate(np.eye(4)):
        a, b, c, d = (modes(equal, theta + n * 1e-3 * axis) for n in (-2, -1, 1, 2))
        for name, slopes in (("energies", found.energy_slopes), ("s_ab", found.s_ab_slopes)):
            values = [getattr(m, name).sum(axis=1) for m in (a, b, c, d)]
            difference = (8.0 * (values[2] - values[1]) - (values[3] - values[0])) / 12e-3
            np.testing.assert_allclose(slopes[k].sum(axis=1), difference, atol=1e-8)


def test_an_unstable_structure_has_no_slopes():
    with pytest.raises(UnstableError):
        mode_gradient(form(), [-3.0, 0.5, 0.0, 0.0])
