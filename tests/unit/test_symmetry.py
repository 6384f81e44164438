"""Crystals from a space group or from listed sites."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, SymmetryError
from spinscape.lattice.crystal import Crystal, lattice_vectors
from spinscape.lattice.symmetry import (
    SiteSpec,
    cartesian_rotations,
    crystal_from_sites,
    crystal_from_space_group,
    site_maps,
)

ROUNDING = 1e-9
CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)
HEXAGONAL = lattice_vectors(a=6.0, b=6.0, c=7.0, gamma=120.0)


def site(position, label="A", **changes):
    return SiteSpec(**{"label": label, "ion": "Ni2+", "position": position, "spin": 1.0, **changes})


@pytest.mark.parametrize(
    ("group", "vectors", "position", "multiplicity"),
    [
        # Wyckoff multiplicities of the International Tables.
        ("Fd-3m:2", CUBIC, (0.5, 0.5, 0.5), 16),  # 16d, pyrochlore
        ("Fd-3m:2", CUBIC, (0.125, 0.125, 0.125), 8),  # 8a, diamond
        ("Fd-3m:1", CUBIC, (0.0, 0.0, 0.0), 8),  # the same, other origin
        ("Fd-3m:1", CUBIC, (0.625, 0.625, 0.625), 16),
        ("Fd-3m:2", CUBIC, (0.11, 0.23, 0.36), 192),
        ("Ia-3d", CUBIC, (0.125, 0.0, 0.25), 24),  # 24c, garnet
        ("P6/mmm", HEXAGONAL, (0.5, 0.0, 0.0), 3),  # 3f, kagome
        ("P6/mmm", HEXAGONAL, (1 / 3, 2 / 3, 0.0), 2),  # 2c, honeycomb
        ("R-3m", HEXAGONAL, (0.0, 0.0, 0.0), 3),
        ("P4/mmm", CUBIC, (0.0, 0.0, 0.0), 1),
    ],
)
def test_orbits_have_the_tabulated_multiplicity(group, vectors, position, multiplicity):
    crystal = crystal_from_space_group(vectors, group, [site(position)])
    assert crystal.n_site == multiplicity
    assert crystal.positions[0].tolist() == pytest.approx(list(position))
    assert np.all((crystal.positions[1:] >= 0) & (crystal.positions[1:] < 1))
    assert crystal.labels == ("A",) * multiplicity


def test_the_declared_site_comes_first_and_the_others_rise():
    crystal = crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5))])
    rest = [tuple(row) for row in crystal.positions[1:].tolist()]
    assert rest == sorted(rest)


def test_every_operation_permutes_the_sites():
    crystal = crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5)), site((0.125, 0.125, 0.125), "B")])
    maps = site_maps(crystal.vectors, crystal.positions, crystal.rotations, crystal.translations)
    moved = np.einsum("oab,ib->oia", crystal.rotations, crystal.positions) + crystal.translations[:, None]
    assert moved == pytest.approx(crystal.positions[maps.site] + maps.cell, abs=1e-9)
    assert np.array_equal(np.sort(maps.site, axis=1), np.tile(np.arange(24), (192, 1)))
    assert np.array_equal(crystal.orbit[maps.site], np.tile(crystal.orbit, (192, 1)))


def test_a_rounded_special_position_is_meant_to_be_special():
    crystal = crystal_from_space_group(HEXAGONAL, "P6/mmm", [site((0.3333, 0.6667, 0.0))])
    assert crystal.n_site == 2
    assert crystal.positions == pytest.approx(np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0]]), abs=1e-12)


def test_a_position_between_special_and_general_is_refused():
    with pytest.raises(SymmetryError, match="two sites coincide"):
        crystal_from_space_group(HEXAGONAL, "P6/mmm", [site((0.33, 0.67, 0.0))])


def test_two_declared_sites_on_one_place_are_refused():
    with pytest.raises(SymmetryError, match="two sites coincide") as caught:
        crystal_from_space_group(CUBIC, "P4/mmm", [site((0, 0, 0)), site((1, 0, 0), "B")])
    assert caught.value.where == "crystal.sites"
    with pytest.raises(SymmetryError, match="two sites coincide"):
        # The second one is in the orbit of the first.
        crystal_from_space_group(CUBIC, "Fm-3m", [site((0, 0, 0)), site((0.5, 0.5, 0), "B")])


def test_labels_name_orbits():
    with pytest.raises(ConfigError, match="have the label A"):
        crystal_from_space_group(CUBIC, "P4/mmm", [site((0, 0, 0)), site((0.5, 0.5, 0))])


def test_rotations_are_orthogonal_and_keep_lengths():
    crystal = crystal_from_space_group(HEXAGONAL, "P6/mmm", [site((0, 0, 0))])
    R = cartesian_rotations(crystal.vectors, crystal.rotations)
    assert R @ R.transpose(0, 2, 1) == pytest.approx(np.tile(np.eye(3), (24, 1, 1)), abs=1e-12)
    x = np.array([0.3, -0.2, 0.7])
    assert (crystal.rotations @ x) @ crystal.vectors == pytest.approx(R @ (x @ crystal.vectors), abs=1e-12)


def test_g_tensors_turn_with_their_sites():
    local = np.array([1.0, 1.0, 1.0]) / np.sqrt(3)
    g = 4.0 * np.eye(3) + 3.0 * np.outer(local, local)
    crystal = crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5), g=g)])
    # Every site has its own local axis, one of the four cube diagonals, with g along it 7 and across 4.
    for tensor in crystal.g:
        values, vectors = np.linalg.eigh(tensor)
        assert values == pytest.approx([4, 4, 7], abs=ROUNDING)
        assert np.abs(vectors[:, 2]) == pytest.approx(np.full(3, 1 / np.sqrt(3)), abs=1e-6)
    assert len({tuple(np.sign(t[[0, 0, 1], [1, 2, 2]])) for t in crystal.g}) == 4


def test_a_g_tensor_that_the_site_forbids_is_refused_with_the_allowed_form():
    with pytest.raises(SymmetryError, match="forbids its g tensor") as caught:
        crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5), g=np.diag([2.0, 2.0, 3.0]))])
    assert caught.value.expected == "[[A, B, B], [B, A, B], [B, B, A]]"


def test_listed_sites_find_their_symmetry():
    declared = crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5))])
    found = crystal_from_sites(CUBIC, [site(tuple(p)) for p in declared.positions])
    assert len(found.rotations) == 192
    assert found.orbit.tolist() == [0] * 16
    assert np.array_equal(found.positions, declared.positions)


def test_listed_sites_may_do_without_symmetry():
    crystal = crystal_from_sites(CUBIC, [site((0, 0, 0)), site((0.5, 0.5, 0.5), "B")], find_symmetry=False)
    assert len(crystal.rotations) == 1
    assert crystal.orbit.tolist() == [0, 1]


def test_labels_spins_and_g_lower_the_symmetry():
    body_centred = [site((0, 0, 0)), site((0.5, 0.5, 0.5))]
    assert len(crystal_from_sites(CUBIC, body_centred).rotations) == 96
    assert crystal_from_sites(CUBIC, body_centred).orbit.tolist() == [0, 0]
    for other in (
        site((0.5, 0.5, 0.5), "B"),
        site((0.5, 0.5, 0.5), spin=1.5),
        site((0.5, 0.5, 0.5), ion="Mn2+"),
        site((0.5, 0.5, 0.5), g=3.0 * np.eye(3)),
    ):
        crystal = crystal_from_sites(CUBIC, [body_centred[0], other])
        assert len(crystal.rotations) == 48
        assert crystal.orbit.tolist() == [0, 1]
    along_z = [site(s.position, g=np.diag([2.0, 2.0, 3.0])) for s in body_centred]
    assert len(crystal_from_sites(CUBIC, along_z).rotations) == 32


def test_listed_sites_on_one_place_are_refused():
    with pytest.raises(SymmetryError, match="two sites coincide"):
        crystal_from_sites(CUBIC, [site((0, 0, 0)), site((0, 0, 1.0))])


def test_operations_that_do_not_map_the_sites_are_refused():
    with pytest.raises(SymmetryError, match="does not map the sites"):
        site_maps(CUBIC, np.array([[0.1, 0.2, 0.3]]), -np.eye(3, dtype=int)[None], np.zeros((1, 3)))


def test_a_lattice_that_contradicts_the_group_is_refused():
    with pytest.raises(SymmetryError, match="contradicts"):
        crystal_from_space_group(lattice_vectors(a=3.89, b=3.9, c=12.55), "P4/mmm", [site((0, 0, 0))])


def test_sites_need_finite_positions():
    for bad in ([], [site((0.0, np.nan, 0.0))]):
        with pytest.raises(ConfigError, match="needs sites with positions"):
            crystal_from_space_group(CUBIC, "P4/mmm", bad)
        with pytest.raises(ConfigError, match="needs sites with positions"):
            crystal_from_sites(CUBIC, bad)


def test_ising_axes_of_the_pyrochlore_point_out_of_tetrahedra():
    site = SiteSpec("Dy", "Dy3+", (0.5, 0.5, 0.5), 1.0, kind="ising", axis=(1, 1, 1))
    crystal = crystal_from_space_group(lattice_vectors(a=10.0, b=10.0, c=10.0), 227, [site])
    step = crystal.positions[:, None] - crystal.positions[None]
    distance = np.linalg.norm(step - np.round(step), axis=-1)
    near = np.abs(distance - np.sqrt(0.125)) < 1e-9
    np.testing.assert_allclose((crystal.axis @ crystal.axis.T)[near], -1.0 / 3.0, atol=1e-12)
    np.testing.assert_allclose(crystal.axis[0], np.full(3, 3.0**-0.5))
    again = Crystal.from_dict(crystal.to_dict())
    assert again.kind == crystal.kind and np.array_equal(again.axis, crystal.axis)


def test_an_axis_that_symmetry_does_not_keep_is_refused():
    site = SiteSpec("Dy", "Dy3+", (0.5, 0.5, 0.5), 1.0, kind="ising", axis=(0, 0, 1))
    with pytest.raises(SymmetryError, match="axis"):
        crystal_from_space_group(lattice_vectors(a=10.0, b=10.0, c=10.0), 227, [site])
