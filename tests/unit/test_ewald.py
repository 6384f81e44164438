"""Kernels of Ewald sums against plain numpy, and the face around them."""

import numpy as np
import pytest
from scipy.special import erfc

from spinscape.errors import ConfigError, ShapeError
from spinscape.hamiltonian.dipolar import DIPOLE_STRENGTH, DipolarTable
from spinscape.hamiltonian.dipole_sums import dipole_sums, natural_splitting
from spinscape.hamiltonian.model import BondTable, Model
from spinscape.kernels.ewald import add_lattice_sum, add_wave_sum, screened_tensors
from spinscape.lattice.crystal import Crystal
from spinscape.units import MU_B

ALPHA = 0.7


def random_terms(seed=0, n=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)), rng.integers(0, 2, n), rng.normal(size=(4, 3))


def test_screened_tensors_are_second_derivatives():
    way, _, _ = random_terms()
    out = np.empty((5, 3, 3))
    screened_tensors(way, ALPHA, out)

    def potential(x):
        r = np.linalg.norm(x, axis=-1)
        return erfc(ALPHA * r) / r

    h = 1e-3 * np.eye(3)
    for a in range(3):
        for b in range(3):
            # Fourth order: Richardson's extrapolation of the cross differences.
            second = [
                sum(s * t * potential(way + m * (s * h[a] + t * h[b])) for s in (1, -1) for t in (1, -1))
                / (2e-3 * m) ** 2
                for m in (1, 2)
            ]
            np.testing.assert_allclose(out[:, a, b], -(4 * second[0] - second[1]) / 3, rtol=1e-6, atol=1e-8)


def test_lattice_and_wave_sums_follow_numpy():
    way, pair, q = random_terms()
    tensor = np.random.default_rng(1).normal(size=(5, 3, 3))
    out = np.zeros((4, 2, 3, 3), dtype=complex)
    add_lattice_sum(q, way, pair, tensor, out)
    every = np.exp(1j * q @ way.T)[:, :, None, None] * tensor
    expected = np.stack([every[:, pair == p].sum(axis=1) for p in (0, 1)], axis=1)
    np.testing.assert_allclose(out, expected, atol=1e-13)

    g = np.concatenate([way, q[:1]])
    phase = np.exp(1j * np.arange(12)).reshape(6, 2)
    out[:] = 0.0
    add_wave_sum(q, g, phase, ALPHA, 2.0, 2.5, 1e-9, out)
    k = g - q[:, None]
    square = np.sum(k**2, axis=-1)
    square[(square > 2.5**2) | (square < 1e-18)] = np.inf
    weight = 2.0 * np.exp(-square / (4 * ALPHA**2)) / square
    expected = np.einsum("qg,qga,qgb,gp->qpab", weight, k, k, phase)
    assert np.isinf(square).sum() > 1
    np.testing.assert_allclose(out, expected, atol=1e-13)


def test_sums_are_hermitian_real_at_minus_q_and_periodic():
    rng = np.random.default_rng(3)
    vectors, positions = np.diag([3.0, 4.0, 5.0]) + rng.uniform(-0.5, 0.5, (3, 3)), rng.uniform(0, 4, (3, 3))
    q, cell = rng.normal(size=(1, 3)), 2 * np.pi * np.linalg.inv(vectors).T
    one, minus, moved = (dipole_sums(vectors, positions, x)[0] for x in (q, -q, q + [2, -1, 3] @ cell))
    np.testing.assert_allclose(one, one.transpose(1, 0, 3, 2).conj(), atol=1e-13)
    np.testing.assert_allclose(one, minus.conj(), atol=1e-13)
    between = positions[None] - positions[:, None]
    phase = np.exp(1j * between @ ([2, -1, 3] @ cell))
    np.testing.assert_allclose(moved, one * phase[:, :, None, None], atol=1e-12)


def test_two_sites_at_one_place_are_refused():
    with pytest.raises(ConfigError, match="same place"):
        dipole_sums(3 * np.eye(3), [[0, 0, 0], [3.0, 0, 0]], np.zeros((1, 3)))


def test_the_strength_is_that_of_nature():
    # Two Bohr magnetons at 1 Å: the field of one is 2 μ0/4π μ_B/Å³ along its axis, 1.8548 T.
    assert pytest.approx(1.8548, rel=1e-4) == 2 * DIPOLE_STRENGTH / MU_B
    assert natural_splitting(2 * np.eye(3)) == pytest.approx(np.sqrt(np.pi) / 2)


def test_the_table_is_part_of_the_model_file():
    crystal = Crystal(
        vectors=3 * np.eye(3),
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("",),
        g=np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    bonds = BondTable([0], [0], [[1, 0, 0]], [0], [np.eye(3)])
    plain = Model(crystal, ("J", "D"), bonds)
    assert "dipolar" not in plain.to_dict()
    assert Model.from_dict(plain.to_dict()).dipolar.n_row == 0
    full = Model(crystal, ("J", "D"), bonds, dipolar=DipolarTable([1], [0.5]))
    again = Model.from_dict(full.to_dict())
    assert again.to_dict() == full.to_dict()
    assert (again.dipolar.parameter[0], again.dipolar.factor[0]) == (1, 0.5)
    plain.check_bilinear("a test")
    with pytest.raises(ConfigError, match=r"dipoles are not taken into account here\n  where: a test"):
        full.check_bilinear("a test")
    with pytest.raises(ShapeError):
        DipolarTable([0, 1], [1.0])
