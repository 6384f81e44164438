"""Spirals: the type, what it refuses, and the special wave vectors."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.quadratic import quadratic_form
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings
from spinscape.simulate.spinwave import modes
from spinscape.simulate.spiral import spiral_form, spiral_modes, turn_matrices

Q = np.array([[0.13, 0.2, 0.0], [0.31, -0.4, 0.5]])


def chain(matrix=None, onsite=None):
    crystal = Crystal(
        vectors=np.diag([3.0, 8.0, 8.0]),
        positions=[[0.1, 0.2, 0.3]],
        labels=("a",),
        orbit=[0],
        spins=[1.5],
        ions=("",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    bonds = BondTable([0, 0], [0, 0], [[1, 0, 0], [2, 0, 0]], [0, 1], [np.eye(3) if matrix is None else matrix] * 2)
    single = [] if onsite is None else [onsite]
    table = OnsiteTable([0] * len(single), [0] * len(single), np.reshape(single, (-1, 3, 3)))
    return Model(crystal, ("J", "J2"), bonds, table)


def spiral(k, direction=(1, 0, 0)):
    return SpiralStructure([k, 0, 0], [0, 0, 1], [direction])


def test_turns_are_right_handed():
    turned = turn_matrices(np.array([0.0, 0.0, 1.0]), [np.pi / 2]) @ np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(turned, [[0.0, 1.0, 0.0]], atol=1e-15)


def test_the_type_normalises_and_survives_its_dict():
    one = SpiralStructure([0.2, 0, 0], [0, 0, 3], [[2, 0, 0]])
    assert one.axis.tolist() == [0.0, 0.0, 1.0]
    again = SpiralStructure.from_dict(one.to_dict())
    np.testing.assert_array_equal(again.direction, one.direction)
    with pytest.raises(ConfigError, match="no direction"):
        SpiralStructure([0.2, 0, 0], [0, 0, 0], [[1, 0, 0]])
    with pytest.raises(ShapeError, match="k has"):
        SpiralStructure([0.2], [0, 0, 1], [[1, 0, 0]])


def test_the_frustrated_chain_has_its_closed_form():
    """ω = S sqrt([2J(q) - 2J(k)] [J(q+k) + J(q-k) - 2J(k)]), cos 2πk = -J/4J2."""
    j, j2, s = -1.0, 2.0, 1.5
    k = np.arccos(-j / (4 * j2)) / (2 * np.pi)

    def exchange(h):
        return j * np.cos(2 * np.pi * h) + j2 * np.cos(4 * np.pi * h)

    def omega(h):
        across = exchange(h + k) + exchange(h - k) - 2 * exchange(k)
        return s * np.sqrt(2 * (exchange(h) - exchange(k)) * across)

    found = spiral_modes(spiral_form(chain(), spiral(k), Q), [j, j2])
    h = Q[:, :1] + np.array([0.0, k, -k])
    np.testing.assert_allclose(found.energies, np.sort(omega(h), axis=1), rtol=1e-9)


@pytest.mark.parametrize("k", [0.0, 0.5, 1.0, 1.5])
def test_a_spiral_that_is_collinear_is_the_collinear_magnet(k):
    """Here 2k, or k itself, is a reciprocal lattice vector: magnons coincide and amplitudes add."""
    antiferro = k % 1.0 == 0.5
    theta = [1.0 if antiferro else -1.0, -0.2]
    cells = [[0, 0, 0], [1, 0, 0]] if antiferro else [[0, 0, 0]]
    direction = [[1, 0, 0], [-1, 0, 0]][: len(cells)]
    collinear = MagneticStructure(np.diag([len(cells), 1, 1]), [0] * len(cells), cells, direction)
    plain = modes(quadratic_form(chain(), collinear, Q), theta)
    found = spiral_modes(spiral_form(chain(), spiral(k), Q), theta)
    np.testing.assert_allclose(found.s_ab.sum(axis=1), plain.s_ab.sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(found.energies.max(axis=1), plain.energies.max(axis=1), rtol=1e-9)


def test_terms_that_break_the_turn_are_refused():
    kitaev, easy_plane_axis = np.diag([1.0, 0.0, 0.0]), np.diag([1.0, 0.0, 0.0])
    with pytest.raises(ConfigError, match="a bond is not invariant"):
        spiral_form(chain(matrix=kitaev), spiral(0.2), Q)
    with pytest.raises(ConfigError, match="an on-site term is not invariant"):
        spiral_form(chain(onsite=easy_plane_axis), spiral(0.2), Q)
    with pytest.raises(ConfigError, match="a field across the axis"):
        spiral_form(chain(), spiral(0.2), Q, Conditions(field=(1.0, 0.0, 0.0)))


@pytest.mark.parametrize("k", [0.25, 0.5])
def test_spectra_and_gradients_of_spirals_are_those_of_the_supercell(k):
    period = round(1 / k)
    cells = [[n, 0, 0] for n in range(period)]
    direction = [[np.cos(2 * np.pi * k * n), np.sin(2 * np.pi * k * n), 0] for n in range(period)]
    supercell = MagneticStructure(np.diag([period, 1, 1]), [0] * period, cells, direction)
    # Neighbours that are half a turn apart, and an easy plane: stable at both wave vectors.
    bonds = BondTable([0], [0], [[period // 2, 0, 0]], [1], [np.eye(3)])
    plane = OnsiteTable([0], [0], [np.diag([0.0, 0.0, 1.0])])
    model, theta = Model(chain().crystal, ("D", "J"), bonds, plane), [0.5, 1.2]
    path = path_through([[0.11, 0, 0], [0.4, 0.3, 0]], n_point=[8], reciprocal=model.crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.0, last=12.0, step=0.2)
    settings = SpinwaveSettings(component="perp", fwhm=(0.8,))
    turning, large = (SpectrumModel(model, s, path, energy, settings) for s in (spiral(k), supercell))
    np.testing.assert_allclose(turning.predict(theta), large.predict(theta), atol=1e-9)
    np.testing.assert_allclose(turning.predict_gradient(theta), large.predict_gradient(theta), atol=1e-7)
    every = large.mode_energies(theta, path.points)
    for row, wanted in zip(turning.mode_energies(theta, path.points), every, strict=True):
        assert np.abs(row[:, None] - wanted).min(axis=1).max() < 1e-8
