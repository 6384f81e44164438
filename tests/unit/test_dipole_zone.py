"""Dipole tensors over the zone, prepared once, against the sums for many wave vectors and against differences."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.hamiltonian.dipole_sums import dipole_interaction
from spinscape.hamiltonian.dipole_zone import dipole_zone
from spinscape.hamiltonian.model import MagneticStructure
from spinscape.lattice.crystal import Crystal

SEEDS = st.integers(0, 2**31)
FEW = settings(max_examples=8, deadline=None)


def random_crystal(rng, n_site=2):
    return Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]) + rng.uniform(-0.7, 0.7, (3, 3)),
        positions=rng.uniform(size=(n_site, 3)),
        labels=("a",) * n_site,
        orbit=range(n_site),
        spins=np.ones(n_site),
        ions=("",) * n_site,
        g=2.0 * np.eye(3) + rng.uniform(-0.5, 0.5, (n_site, 3, 3)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


@given(SEEDS)
@FEW
def test_the_tensors_are_those_of_the_sums_with_the_phase_of_cells(seed):
    rng = np.random.default_rng(seed)
    crystal = random_crystal(rng)
    q = np.concatenate([np.zeros((1, 3)), [[0.5, 0, 0.5]], rng.uniform(-2, 2, (2, 3))])
    structure = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), np.tile([0, 0, 1.0], (2, 1)))
    expected = dipole_interaction(crystal, structure, q)
    between = crystal.positions[None] - crystal.positions[:, None]
    expected = expected * np.exp(-2j * np.pi * np.einsum("qa,ija->qij", q, between))[..., None, None]
    np.testing.assert_allclose(dipole_zone(crystal).at(q), expected, atol=1e-12)


@given(SEEDS)
@FEW
def test_the_slope_is_that_of_differences_and_periodic(seed):
    rng = np.random.default_rng(seed)
    zone, q = dipole_zone(random_crystal(rng)), rng.uniform(-1, 1, 3)
    u, h = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3)), 1e-5

    def form(x):
        return np.einsum("ia,ijab,jb->", u.conj(), zone.at(x[None])[0], u).real

    differences = [(form(q + h * e) - form(q - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(zone.slope(q, u), differences, atol=1e-7)
    np.testing.assert_allclose(zone.slope(q + np.array([1, -2, 3]), u), zone.slope(q, u), atol=1e-10)


def test_a_long_cell_in_which_some_pairs_have_no_terms_in_space():
    rng = np.random.default_rng(3)
    crystal = random_crystal(rng)
    long = Crystal.from_dict(
        {**crystal.to_dict(), "vectors": np.diag([2.0, 2.0, 80.0]).tolist(), "positions": [[0, 0, 0], [0.1, 0.2, 0.5]]}
    )
    zone, q = dipole_zone(long), np.array([[0.3, 0.1, 0.2]])
    assert not np.any(zone.tail != zone.head)
    structure = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), np.tile([0, 0, 1.0], (2, 1)))
    phase = np.exp(-2j * np.pi * q @ (long.positions[1] - long.positions[0]))
    expected = dipole_interaction(long, structure, q)[0, 0, 1] * phase[0]
    np.testing.assert_allclose(zone.at(q)[0, 0, 1], expected, atol=1e-12)
