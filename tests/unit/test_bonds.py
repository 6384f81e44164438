"""Neighbour shells and bonds by name."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.lattice.bonds import (
    Bond,
    bond_site_indices,
    bond_vector,
    neighbour_pairs,
    neighbour_shells,
    shell_bond,
    site_index,
)
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites, crystal_from_space_group

ROUNDING = 1e-9
CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)
HEXAGONAL = lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0)


def site(position, label="A"):
    return SiteSpec(label, "Ni2+", position, 1.0)


PYROCHLORE = crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5))])
KAGOME = crystal_from_space_group(HEXAGONAL, "P6/mmm", [site((0.5, 0, 0))])
FLUORITE = crystal_from_space_group(CUBIC, "Fm-3m", [site((0, 0, 0)), site((0.25, 0.25, 0.25), "B")])


@pytest.mark.parametrize(
    ("group", "position", "coordination", "squares"),
    [
        # Textbook numbers of neighbours, and squared distances in units of the lattice constant.
        ("Pm-3m", (0, 0, 0), [6, 12, 8, 6], [1, 2, 3, 4]),
        ("Im-3m", (0, 0, 0), [8, 6, 12, 24], [0.75, 1, 2, 2.75]),
        ("Fm-3m", (0, 0, 0), [12, 6, 24, 12], [0.5, 1, 1.5, 2]),
        ("Fd-3m:1", (0, 0, 0), [4, 12, 12, 6], [0.1875, 0.5, 0.6875, 1]),
    ],
)
def test_cubic_lattices_have_their_coordination(group, position, coordination, squares):
    crystal = crystal_from_space_group(CUBIC, group, [site(position)])
    shells = neighbour_shells(crystal, n_shell=4)
    assert [s.label for s in shells] == ["1", "2", "3", "4"]
    assert [s.coordination[0] for s in shells] == coordination
    assert [s.distance for s in shells] == pytest.approx(list(10 * np.sqrt(squares)), abs=ROUNDING)
    # Each bond has two ends.
    assert [2 * s.n_bond for s in shells] == [c * crystal.n_site for c in coordination]


def test_pyrochlore_third_neighbours_are_of_two_kinds():
    shells = neighbour_shells(PYROCHLORE, n_shell=3)
    assert [s.label for s in shells] == ["1", "2", "3a", "3b"]
    assert [s.coordination[0] for s in shells] == [6, 12, 6, 6]
    third = [bond_vector(PYROCHLORE, s.bond) for s in shells[2:]]
    # One kind has a site half way, the other has not.
    start = PYROCHLORE.positions[0] @ PYROCHLORE.vectors
    middle = [start + 0.5 * v for v in third]
    near = [
        min(np.linalg.norm((f - np.round(f)) @ CUBIC) for f in m @ np.linalg.inv(CUBIC) - PYROCHLORE.positions)
        for m in middle
    ]
    assert sorted(x < 1e-6 for x in near) == [False, True]


def test_the_shells_of_a_distance_are_those_of_a_number():
    by_number = neighbour_shells(KAGOME, n_shell=3)
    by_distance = neighbour_shells(KAGOME, r_max=by_number[-1].distance + 1e-6)
    assert by_number == by_distance
    assert [s.label for s in by_number] == ["1", "2", "3a", "3b"]


def test_shells_count_all_pairs_once():
    r_max = 9.5
    pairs, distance = neighbour_pairs(KAGOME, r_max)
    shells = neighbour_shells(KAGOME, r_max=r_max)
    assert 2 * sum(s.n_bond for s in shells) == len(pairs)
    assert np.all(distance <= r_max)


def test_pairs_are_found_in_a_skewed_cell_with_sites_outside_it():
    vectors = lattice_vectors(a=5.0, b=6.0, c=7.0, alpha=65.0, beta=110.0, gamma=75.0)
    crystal = crystal_from_sites(vectors, [site((0.1, 0.2, 0.3)), site((2.4, -1.3, 0.8))], find_symmetry=False)
    pairs, distance = neighbour_pairs(crystal, 8.0)
    wide = np.stack([a.ravel() for a in np.indices((13, 13, 13)) - 6], axis=1)
    count = 0
    for i in range(2):
        for j in range(2):
            step = (crystal.positions[j] + wide - crystal.positions[i]) @ vectors
            length = np.linalg.norm(step, axis=1)
            count += int(np.sum((length > 1e-3) & (length <= 8.0)))
    assert len(pairs) == count
    assert [np.linalg.norm(bond_vector(crystal, (p[0], p[1], p[2:]))) for p in pairs] == pytest.approx(list(distance))


def test_kinds_between_other_orbits_stand_apart():
    shells = neighbour_shells(FLUORITE, r_max=5.1)
    assert [(s.label, FLUORITE.labels[s.bond.site_i], FLUORITE.labels[s.bond.site_j]) for s in shells] == [
        ("1", "A", "B"),
        ("2", "B", "B"),
    ]
    # Each A has eight B, each B four A; only B has B at half a lattice constant.
    assert shells[0].coordination == (8,) * 4 + (4,) * 8
    assert shells[1].coordination == (0,) * 4 + (6,) * 8


def test_a_shell_is_named_by_its_number_and_letter():
    assert shell_bond(PYROCHLORE, 1) == neighbour_shells(PYROCHLORE, n_shell=1)[0].bond
    assert shell_bond(PYROCHLORE, "3b") == neighbour_shells(PYROCHLORE, n_shell=3)[3].bond
    with pytest.raises(ConfigError, match="no single neighbour shell") as caught:
        shell_bond(PYROCHLORE, 3)
    assert "3a (7.071 Å" in caught.value.expected and "3b (7.071 Å" in caught.value.expected
    with pytest.raises(ConfigError, match="no single neighbour shell"):
        shell_bond(PYROCHLORE, "1a")


@pytest.mark.parametrize("shell", [0, -1, "a", "3 b", "", 1.5, "1;2", 201])
def test_what_is_no_shell_is_refused(shell):
    with pytest.raises(ConfigError):
        shell_bond(KAGOME, shell)


def test_more_than_the_memory_holds_is_refused():
    with pytest.raises(ConfigError, match="too many pairs"):
        neighbour_pairs(PYROCHLORE, 1000.0)
    with pytest.raises(ConfigError, match="either a distance or a number"):
        neighbour_shells(KAGOME)


def test_sites_are_named_by_label_and_index():
    assert site_index(FLUORITE, "B") == 4
    assert bond_site_indices(FLUORITE, "A", "B", from_index=2, to_index=7) == (2, 11)
    with pytest.raises(ConfigError, match="unknown site 'C'"):
        site_index(FLUORITE, "C")
    for index in (4, -1):
        with pytest.raises(ConfigError, match="has 4 positions"):
            site_index(FLUORITE, "A", index)


def test_a_reversed_bond_ends_where_it_began():
    bond = Bond(0, 1, (1, -2, 0))
    assert bond.reversed == Bond(1, 0, (-1, 2, 0))
    assert bond.reversed.reversed == bond
    assert bond_vector(KAGOME, bond.reversed) == pytest.approx(-bond_vector(KAGOME, bond))
