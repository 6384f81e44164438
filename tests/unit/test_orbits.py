"""Orbits of bonds and sites, and the exchange that textbooks allow on well-known lattices."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, SymmetryError
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.invariants import allowed_form_text
from spinscape.lattice.orbits import (
    allowed_exchange,
    allowed_onsite,
    bond_orbit,
    checked_exchange,
    checked_onsite,
    single_bond,
    single_site,
    site_orbit,
)
from spinscape.lattice.symmetry import SiteSpec, cartesian_rotations, crystal_from_space_group

TOLERANCE = 1e-9
CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)
HEXAGONAL = lattice_vectors(a=6.0, b=6.0, c=7.0, gamma=120.0)


def crystal(group, vectors, position):
    return crystal_from_space_group(vectors, group, [SiteSpec("A", "Ni2+", position, 1.0)])


SQUARE = crystal("P4/mmm", lattice_vectors(a=3.89, b=3.89, c=12.55), (0, 0, 0))
CUBE = crystal("Pm-3m", CUBIC, (0, 0, 0))
KAGOME = crystal("P6/mmm", HEXAGONAL, (0.5, 0, 0))
HONEYCOMB = crystal("P6/mmm", HEXAGONAL, (1 / 3, 2 / 3, 0))
TRIGONAL_HONEYCOMB = crystal("P-31m", HEXAGONAL, (1 / 3, 2 / 3, 0))
PYROCHLORE = crystal("Fd-3m", CUBIC, (0.5, 0.5, 0.5))


def nearest(lattice, site=0):
    """Return (j, offset) of a nearest neighbour, found without symmetry."""
    step = lattice.positions - lattice.positions[site]
    offsets = np.stack([a.ravel() for a in np.indices((3, 3, 3)) - 1], axis=1)
    distance = np.linalg.norm((step[:, None] + offsets) @ lattice.vectors, axis=-1)
    distance[distance < 0.1] = np.inf
    j, k = np.unravel_index(distance.argmin(), distance.shape)
    return int(j), tuple(offsets[k].tolist())


def dm_vectors(basis):
    """Return the D vectors of the antisymmetric matrices of a basis."""
    return [np.array([m[1, 2], m[2, 0], m[0, 1]]) for m in basis if np.allclose(m, -m.T)]


def bond_lengths(lattice, orbit):
    step = lattice.positions[orbit.site_j] + orbit.offset - lattice.positions[orbit.site_i]
    return np.linalg.norm(step @ lattice.vectors, axis=1)


@pytest.mark.parametrize(("lattice", "n_bond"), [(SQUARE, 2), (CUBE, 3), (KAGOME, 6), (HONEYCOMB, 3), (PYROCHLORE, 48)])
def test_an_orbit_holds_every_bond_once(lattice, n_bond):
    j, offset = nearest(lattice)
    orbit = bond_orbit(lattice, 0, j, offset)
    assert orbit.n_bond == n_bond
    assert np.ptp(bond_lengths(lattice, orbit)) < 1e-9
    rows = [tuple(r) for r in np.column_stack([orbit.site_i, orbit.site_j, orbit.offset]).tolist()]
    backwards = [(b, a, -x, -y, -z) for a, b, x, y, z in rows]
    assert len(set(rows) | set(backwards)) == 2 * n_bond
    assert (0, j, *offset) in rows
    # Every site has the same number of neighbours.
    assert len(set(np.bincount(np.concatenate([orbit.site_i, orbit.site_j])).tolist())) == 1


def test_the_rotation_of_each_bond_turns_the_reference_vector_into_it():
    j, offset = nearest(PYROCHLORE)
    orbit = bond_orbit(PYROCHLORE, 0, j, offset)
    step = PYROCHLORE.positions[orbit.site_j] + orbit.offset - PYROCHLORE.positions[orbit.site_i]
    reference = (PYROCHLORE.positions[j] + offset - PYROCHLORE.positions[0]) @ PYROCHLORE.vectors
    assert orbit.rotation @ reference == pytest.approx(step @ PYROCHLORE.vectors, abs=TOLERANCE)


@pytest.mark.parametrize("lattice", [SQUARE, KAGOME, HONEYCOMB, TRIGONAL_HONEYCOMB, PYROCHLORE])
def test_an_allowed_matrix_is_the_same_whichever_bond_it_is_declared_on(lattice):
    j, offset = nearest(lattice)
    rng = np.random.default_rng(1)
    basis = allowed_exchange(lattice, 0, j, offset)
    matrix = np.einsum("k,kab->ab", rng.normal(size=len(basis)), basis)
    orbit = bond_orbit(lattice, 0, j, offset)
    table = {}
    for i, k, n, m in zip(orbit.site_i, orbit.site_j, orbit.offset, orbit.matrices(matrix), strict=True):
        table[(i, k, *n)], table[(k, i, *-n)] = m, m.T
    for b in range(orbit.n_bond):
        start = (int(orbit.site_i[b]), int(orbit.site_j[b]), tuple(orbit.offset[b].tolist()))
        again = bond_orbit(lattice, *start)
        for i, k, n, m in zip(
            again.site_i, again.site_j, again.offset, again.matrices(table[(*start[:2], *start[2])]), strict=True
        ):
            assert m == pytest.approx(table[(i, k, *n)], abs=TOLERANCE)


def test_cubic_nearest_neighbours_have_two_parameters():
    assert allowed_form_text(allowed_exchange(CUBE, 0, 0, (1, 0, 0))) == "[[A, 0, 0], [0, B, 0], [0, 0, B]]"


def test_square_neighbours_have_no_dm():
    assert allowed_form_text(allowed_exchange(SQUARE, 0, 0, (1, 0, 0))) == "[[A, 0, 0], [0, B, 0], [0, 0, C]]"
    assert allowed_form_text(allowed_exchange(SQUARE, 0, 0, (1, 1, 0))) == "[[A, C, 0], [C, A, 0], [0, 0, B]]"


def test_an_inversion_centre_forbids_dm():
    j, offset = nearest(HONEYCOMB)
    assert dm_vectors(allowed_exchange(HONEYCOMB, 0, j, offset)) == []


def test_honeycomb_second_neighbours_have_dm_across_the_plane():
    (d,) = dm_vectors(allowed_exchange(HONEYCOMB, 0, 0, (1, 0, 0)))
    assert d.tolist() == [0.0, 0.0, 1.0]
    # Haldane's pattern: going round a hexagon's second neighbours, D does not change its sign.
    orbit = bond_orbit(HONEYCOMB, 0, 0, (1, 0, 0))
    signs = {}
    for i, n, m in zip(orbit.site_i, orbit.offset, orbit.matrices([[0, 1, 0], [-1, 0, 0], [0, 0, 0]]), strict=True):
        signs[(int(i), *n.tolist())] = m[0, 1]
        signs[(int(i), *(-n).tolist())] = -m[0, 1]
    for i, sense in ((0, 1.0), (1, -1.0)):
        assert [signs[(i, *n)] for n in ((1, 0, 0), (0, 1, 0), (-1, -1, 0))] == [sense] * 3


def test_kagome_nearest_neighbours_have_dm_across_the_plane():
    j, offset = nearest(KAGOME)
    (d,) = dm_vectors(allowed_exchange(KAGOME, 0, j, offset))
    assert d.tolist() == [0.0, 0.0, 1.0]


def test_pyrochlore_nearest_neighbours_have_four_parameters():
    j, offset = nearest(PYROCHLORE)
    basis = allowed_exchange(PYROCHLORE, 0, j, offset)
    assert len(basis) == 4
    (d,) = dm_vectors(basis)
    bond = (PYROCHLORE.positions[j] + offset - PYROCHLORE.positions[0]) @ PYROCHLORE.vectors
    axis = np.flatnonzero(np.abs(bond) < 1e-9)
    # D lies in the cube's face that holds the bond, across the bond: along the tetrahedron's opposite edge.
    assert len(axis) == 1 and d[axis[0]] == 0.0
    assert d @ bond == pytest.approx(0.0, abs=TOLERANCE)


def test_kitaev_honeycombs_have_four_parameters():
    # J, K, Γ and Γ' of the trigonal honeycomb (Rau, Lee, Kee 2014).
    j, offset = nearest(TRIGONAL_HONEYCOMB)
    basis = allowed_exchange(TRIGONAL_HONEYCOMB, 0, j, offset)
    assert len(basis) == 4 and dm_vectors(basis) == []


@pytest.mark.parametrize(
    ("lattice", "form"),
    [
        (CUBE, "[[A, 0, 0], [0, A, 0], [0, 0, A]]"),
        (SQUARE, "[[A, 0, 0], [0, A, 0], [0, 0, B]]"),
        (KAGOME, "[[A, 0, 0], [0, B, 0], [0, 0, C]]"),
        (PYROCHLORE, "[[A, B, B], [B, A, B], [B, B, A]]"),
    ],
)
def test_onsite_forms(lattice, form):
    assert allowed_form_text(allowed_onsite(lattice, 0)) == form


def test_onsite_matrices_turn_to_the_local_axes():
    axis = np.ones(3) / np.sqrt(3)
    orbit = site_orbit(PYROCHLORE, 0)
    matrices = orbit.matrices(np.outer(axis, axis))
    assert orbit.site.tolist() == list(range(16))
    assert np.trace(matrices, axis1=1, axis2=2) == pytest.approx(np.ones(16), abs=TOLERANCE)
    # Local axes of different sublattices: ẑ_i·ẑ_j = −1/3, so that the product of two projectors has trace 1/9.
    j, _ = nearest(PYROCHLORE)
    assert np.trace(matrices[0] @ matrices[j]) == pytest.approx(1 / 9, abs=TOLERANCE)


def test_a_forbidden_element_is_refused_with_the_allowed_form():
    with pytest.raises(SymmetryError, match="forbids the matrix of J") as caught:
        checked_exchange(SQUARE, 0, 0, (1, 0, 0), [[1, 0.1, 0], [0, 1, 0], [0, 0, 1]], name="J")
    assert "[[A, 0, 0], [0, B, 0], [0, 0, C]]" in caught.value.expected
    assert "[[1, 0, 0], [0, 1, 0], [0, 0, 1]]" in caught.value.fix
    with pytest.raises(SymmetryError) as caught:
        checked_exchange(CUBE, 0, 0, (1, 0, 0), [[0, 1, 0], [-1, 0, 0], [0, 0, 0]], name="D")
    assert "no part of it is allowed" in caught.value.fix
    with pytest.raises(SymmetryError, match="site 0"):
        checked_onsite(PYROCHLORE, 0, np.diag([0, 0, 1.0]), name="A")


def test_numbers_with_seven_digits_are_made_to_fit_and_exact_ones_are_kept():
    exact = np.diag([0.1, 0.2, 0.3])
    assert np.array_equal(checked_exchange(SQUARE, 0, 0, (1, 0, 0), exact, name="J"), exact)
    j, offset = nearest(HONEYCOMB)
    a, b, c = 1.0, 0.5, 0.8660254 * (0.5 - 1.0)
    typed = np.array([[a, c, 0], [c, b, 0], [0, 0, 1]])
    basis = allowed_exchange(HONEYCOMB, 0, j, offset)
    sign = np.sign(basis[0][0, 1]) * -1
    typed[[0, 1], [1, 0]] *= sign
    kept = checked_exchange(HONEYCOMB, 0, j, offset, typed, name="J")
    assert kept == pytest.approx(typed, abs=1e-7)
    fitted = np.linalg.lstsq(basis.reshape(len(basis), 9).T, kept.ravel(), rcond=None)[1]
    assert fitted == pytest.approx(0.0, abs=1e-20)


def test_bonds_that_are_none_are_refused():
    with pytest.raises(ConfigError, match="from a site to itself"):
        bond_orbit(SQUARE, 0, 0, (0, 0, 0))
    with pytest.raises(ConfigError, match="not there"):
        allowed_exchange(SQUARE, 0, 1, (1, 0, 0))


def test_single_bonds_and_sites_stand_alone():
    bond = single_bond(0, 1, (1, 0, 0))
    assert (bond.n_bond, bond.offset.tolist()) == (1, [[1, 0, 0]])
    matrix = np.arange(9.0).reshape(3, 3)
    assert np.array_equal(bond.matrices(matrix), matrix[None])
    assert np.array_equal(single_site(2).matrices(matrix), matrix[None])


def test_spins_are_axial_vectors():
    # A mirror keeps the spin component across it and turns the others: DM across a mirror that holds the bond.
    rotations = cartesian_rotations(KAGOME.vectors, KAGOME.rotations)
    mirror = next(R for R in rotations if np.allclose(R, np.diag([1, 1, -1])))
    axial = np.linalg.det(mirror) * mirror
    assert np.allclose(axial @ [0, 0, 1], [0, 0, 1]) and np.allclose(axial @ [1, 0, 0], [-1, 0, 0])
