"""Names of space groups, their settings, and lattices that contradict them."""

import numpy as np
import pytest

from spinscape.errors import SymmetryError
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.spacegroup import (
    N_SETTING,
    SpaceGroup,
    check_metric,
    metric_error,
    setting,
    settings_of,
    space_group,
)


@pytest.mark.parametrize(
    ("name", "number", "hall", "order"),
    [
        ("P4/mmm", 123, 400, 16),
        (123, 123, 400, 16),
        ("I4/mmm", 139, 424, 32),
        ("Fd-3m", 227, 526, 192),  # origin choice 2, at an inversion centre
        ("Fd-3m:1", 227, 525, 192),
        ("F d -3 m : 2", 227, 526, 192),
        ("227:1", 227, 525, 192),
        ("R-3m", 166, 458, 36),  # hexagonal axes
        ("R-3m:r", 166, 459, 12),
        ("P2_1/c", 14, 81, 4),  # unique axis b, cell choice 1
        ("P21/n", 14, 82, 4),
        ("P 1 1 2_1/b", 14, 86, 4),
        ("Pbnm", 62, 294, 8),  # the common setting of perovskites
        ("Pnma", 62, 292, 8),
        ("Cmca", 64, 304, 16),  # the symbol before 1992
        ("Cmce", 64, 304, 16),
        ("Bmab", 64, 309, 16),
        ("p 21 21 21", 19, 115, 4),
        ("hall:525", 227, 525, 192),
        ("P1", 1, 1, 1),
    ],
)
def test_symbols_mean_their_settings(name, number, hall, order):
    group = space_group(name)
    assert (group.number, group.hall_number, len(group.rotations)) == (number, hall, order)


def test_every_setting_is_found_again_by_its_own_name():
    for hall in range(1, N_SETTING + 1):
        group = setting(hall)
        assert space_group(group.name).hall_number == hall, group.name


@pytest.mark.parametrize("name", ["Fd-3m:1", "Fd-3m:2", "R-3c", "P6_3/mmc", "Ia-3d", "P4_12_12", "Pbnm"])
def test_operations_form_a_group(name):
    group = space_group(name)
    known = {(W.tobytes(), tuple(np.round(t * 24).astype(int) % 24)) for W, t in _pairs(group)}
    assert len(known) == len(group.rotations)
    for W, t in list(_pairs(group))[:: max(1, len(known) // 12)]:
        for V, s in _pairs(group):
            assert ((W @ V).tobytes(), tuple(np.round((W @ s + t) * 24).astype(int) % 24)) in known


def _pairs(group: SpaceGroup):
    return zip(group.rotations, group.translations, strict=True)


def test_a_group_without_choices_has_no_suffix():
    assert space_group("P4/mmm").name == "P4/mmm"
    assert space_group(227).name == "Fd-3m:2"
    assert [s.name for s in settings_of("R-3m")] == ["R-3m:H", "R-3m:R"]


@pytest.mark.parametrize("name", ["P4/mm", "Fd3m", "0", 231, "", "hall:0", "hall:531", "hall:x", "hall:²", "-1"])
def test_unknown_groups_are_refused(name):
    with pytest.raises(SymmetryError) as caught:
        space_group(name)
    assert caught.value.where == "crystal.space_group"


def test_the_nearest_symbol_is_suggested():
    with pytest.raises(SymmetryError) as caught:
        space_group("Fd3m")
    assert "Fd-3m" in caught.value.fix


def test_a_setting_that_a_group_has_not_is_refused_with_the_ones_it_has():
    with pytest.raises(SymmetryError) as caught:
        space_group("Fd-3m:3")
    assert caught.value.expected == "one of '1', '2'"


@pytest.mark.parametrize(
    ("name", "lattice"),
    [
        ("P4/mmm", {"a": 3.89, "b": 3.89, "c": 12.55}),
        ("P6/mmm", {"a": 5.0, "b": 5.0, "c": 7.0, "gamma": 120.0}),
        ("R-3m:R", {"a": 5.0, "b": 5.0, "c": 5.0, "alpha": 57.1, "beta": 57.1, "gamma": 57.1}),
        ("P2_1/c", {"a": 5.0, "b": 6.0, "c": 7.0, "beta": 101.0}),
        ("P-1", {"a": 5.0, "b": 6.0, "c": 7.0, "alpha": 80.0, "beta": 101.0, "gamma": 95.0}),
        ("Fd-3m", {"a": 10.0, "b": 10.0, "c": 10.0}),
    ],
)
def test_lattices_of_their_group_pass(name, lattice):
    vectors = lattice_vectors(**lattice)
    assert metric_error(space_group(name), vectors) < 1e-12
    check_metric(space_group(name), vectors, name=name)


@pytest.mark.parametrize(
    ("name", "lattice"),
    [
        ("P4/mmm", {"a": 3.89, "b": 3.8905, "c": 12.55}),
        ("P6/mmm", {"a": 5.0, "b": 5.0, "c": 7.0}),
        ("P2_1/c", {"a": 5.0, "b": 6.0, "c": 7.0, "alpha": 101.0}),
        ("Fd-3m", {"a": 10.0, "b": 10.0, "c": 10.001}),
    ],
)
def test_a_lattice_that_contradicts_its_group_is_refused(name, lattice):
    with pytest.raises(SymmetryError, match="contradicts the space group") as caught:
        check_metric(space_group(name), lattice_vectors(**lattice), name=name)
    assert caught.value.where == "crystal.lattice"


def test_the_setting_that_fits_the_lattice_is_named():
    vectors = lattice_vectors(a=5.0, b=5.0, c=5.0, alpha=60.0, beta=60.0, gamma=60.0)
    with pytest.raises(SymmetryError) as caught:
        check_metric(space_group("R-3m"), vectors, name="R-3m")
    assert "R-3m:R" in caught.value.fix
    with pytest.raises(SymmetryError) as caught:
        check_metric(space_group("P2_1/c"), lattice_vectors(a=5.0, b=6.0, c=7.0, gamma=101.0), name="P2_1/c")
    assert "P2_1/a:c1" in caught.value.fix
