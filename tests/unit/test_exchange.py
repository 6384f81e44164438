"""The exchange matrix over the zone against plain Fourier transforms and differences; meshes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.energy import energy
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.supercell import supercell
from spinscape.simulate.exchange import exchange, local_minima, zone_mesh
from spinscape.simulate.spiral_search import minimise_spiral

TOL = 1e-10


def crystal_of(spins):
    n = len(spins)
    return Crystal(
        vectors=np.eye(3) * 4.0,
        positions=np.linspace(0, 0.7, n)[:, None] * np.ones(3),
        labels=tuple(f"s{k}" for k in range(n)),
        orbit=range(n),
        spins=spins,
        ions=("",) * n,
        g=np.tile(2.0 * np.eye(3), (n, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def random_model(seed, dipoles=True):
    rng = np.random.default_rng(seed)
    offset = rng.integers(-1, 2, (5, 3))
    offset[:, 0] = 1
    table = BondTable(*rng.integers(0, 2, (2, 5)), offset, np.zeros(5), rng.normal(size=(5, 3, 3)))
    a = rng.normal(size=(2, 3, 3))
    onsite = OnsiteTable([0, 1], [0, 0], a + a.transpose(0, 2, 1))
    return Model(crystal_of([0.5, 2.0]), ("P",), table, onsite, DipolarTable([0], [5.0 * dipoles]))


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_the_exchange_matrix_gives_the_energy_of_every_state_that_repeats(seed):
    """Second method: E = ½ Σ_q n_q† A(q) n_q with the plain Fourier transform of a 2×3×1 block."""
    model, cell = random_model(seed), supercell((2, 3, 1), n_site=2)
    n = np.random.default_rng(seed).normal(size=(cell.n_cell, 2, 3))
    n /= np.linalg.norm(n, axis=-1, keepdims=True)
    q = np.array([[a / 2, b / 3, 0] for a in range(2) for b in range(3)])
    wave = np.einsum("qc,cia->qia", np.exp(-2j * np.pi * q @ cell.cells.T), n).reshape(len(q), -1)
    total = 0.5 * np.einsum("qx,qxy,qy->", wave.conj(), exchange(model, [0.7]).at(q), wave) / cell.n_cell
    spins = (np.array([0.5, 2.0])[:, None] * n).reshape(-1, 3)
    assert total == pytest.approx(energy(model, spins, [0.7], cell=cell), abs=TOL)


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_matrix_is_hermitian_periodic_and_its_slope_that_of_differences(seed):
    rng = np.random.default_rng(seed)
    matrix, q = exchange(random_model(seed), [1.0]), rng.uniform(size=3)
    a = matrix.at(q[None])[0]
    np.testing.assert_allclose(a, a.conj().T, atol=TOL)
    np.testing.assert_allclose(a, matrix.at(q[None] + np.array([1, -2, 3]))[0], atol=TOL)
    np.testing.assert_allclose(a.conj(), matrix.at(-q[None])[0], atol=TOL)
    assert np.linalg.norm(a, 2) <= matrix.size
    u, h = rng.normal(size=6) + 1j * rng.normal(size=6), 1e-5
    slope = [(u.conj() @ (matrix.at((q + h * e)[None]) - matrix.at((q - h * e)[None]))[0] @ u).real for e in np.eye(3)]
    np.testing.assert_allclose(matrix.slope(q, u), np.array(slope) / (2 * h), atol=1e-5)


def test_mesh_holds_every_wave_vector_up_to_its_sign():
    half, where = zone_mesh(np.array([[1, 0, 0], [0, 0, 2]]), 6)
    assert where.shape == (6, 1, 6) and len(half) == (36 + 4) // 2
    for a, c in [(1, 2), (5, 4), (3, 0)]:
        q = half[where[a, 0, c]]
        assert any(np.allclose((sign * q * 6) % 6, [a, 0, c]) for sign in (1, -1))
    with pytest.raises(ConfigError, match="mesh"):
        zone_mesh(np.ones((1, 3)), 1)


def test_local_minima_of_a_periodic_mesh():
    x = np.arange(8)[:, None, None] / 8
    values = np.cos(4 * np.pi * x) + 0 * x.reshape(1, 1, -1)[:, :, :1]
    assert np.flatnonzero(local_minima(values)).tolist() == [2, 6]


def test_turned_biquadratic_terms_are_refused_on_spirals():
    turn = np.array([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    model = replace(random_model(0), biquadratic=BiquadraticTable([0], [1], [[0, 0, 0]], [0], [1.0], "large_s", turn))
    with pytest.raises(ConfigError, match="no energy in closed form on a spiral"):
        minimise_spiral(model, [1.0])
