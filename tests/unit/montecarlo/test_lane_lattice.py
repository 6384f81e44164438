"""Spins dealt out to lanes: each once, neighbours where they belong, no two of a batch neighbours of each other."""

from itertools import pairwise

import numpy as np
import pytest

from spinscape.hamiltonian.links import neighbour_table
from spinscape.kernels.lane_field import BLOCK
from spinscape.kernels.simd import LANES
from spinscape.simulate.lane_lattice import lane_layout

CELLS = [(4, 4, 4), (8, 4, 6), (5, 5, 5), [[4, 1, 0], [0, 4, 2], [1, 0, 6]], (7, 6, 4), (16, 3, 3)]


def owners(layout):
    """Return the spin in each lane of every row, copies among them."""
    lattice = layout.lattice
    turned = np.take_along_axis(layout.member[lattice.copy_origin], lattice.turn[lattice.copy_turn], axis=1)
    return np.concatenate([layout.member, turned])


@pytest.mark.parametrize("numbers", CELLS)
@pytest.mark.parametrize("curved", [False, True])
def test_lanes_hold_the_neighbours_of_every_spin(make_system, numbers, curved):
    system = make_system(numbers, curved=curved)
    layout, table = lane_layout(system), system.table
    rows, member, lattice = owners(layout), layout.member, layout.lattice
    assert len(rows) == layout.n_row
    near = neighbour_table(system.cell, table.start, table.target, table.offset)
    square = neighbour_table(system.cell, table.square_start, table.square_target, table.square_offset)
    for slots, expected in ((lattice.slot, near), (lattice.square_slot, square)):
        found = rows[slots].transpose(0, 2, 1)
        used = (member >= 0)[:, :, None] & (expected[member] >= 0)
        np.testing.assert_array_equal(found[used], expected[member][used])


@pytest.mark.parametrize("numbers", CELLS)
def test_every_spin_is_in_one_lane(make_system, numbers):
    system = make_system(numbers, vacant=True)
    layout = lane_layout(system)
    np.testing.assert_array_equal(np.sort(layout.order), np.arange(system.n_spin))
    np.testing.assert_array_equal(system.site[layout.member[:, 0]], layout.lattice.site)
    lengths = np.where(system.occupied, system.lengths[system.site], 0.0)
    expected = np.where(layout.member >= 0, lengths[layout.member], 0.0)
    np.testing.assert_array_equal(layout.lattice.length, expected)


@pytest.mark.parametrize("numbers", CELLS)
def test_spins_of_a_batch_do_not_meet(make_system, numbers):
    system = make_system(numbers, curved=True)
    layout, table = lane_layout(system), system.table
    near = neighbour_table(system.cell, table.start, table.target, table.offset)
    start = layout.lattice.batch_start
    assert (
        start[0] == 0 and start[-1] == len(layout.member) and 0 < np.diff(start).min() <= np.diff(start).max() <= BLOCK
    )
    for first, last in pairwise(start):
        batch = layout.member[first:last]
        assert not np.isin(near[batch[batch >= 0]], batch[batch >= 0]).any()


def test_as_many_lanes_as_there_can_be(make_system):
    lanes = {numbers: (lane_layout(make_system(numbers)).member[0] >= 0).sum() for numbers in [(4, 4, 4), (5, 5, 5)]}
    assert lanes == {(4, 4, 4): LANES, (5, 5, 5): 5}


def test_no_layout_where_there_is_no_room(make_system):
    assert lane_layout(make_system((5, 4, 3))) is None


def test_batches_of_a_large_lattice_are_full(make_system):
    layout = lane_layout(make_system((16, 16, 16)))
    assert np.diff(layout.lattice.batch_start).mean() > 0.5 * BLOCK


def test_one_system_has_one_layout(make_system):
    system = make_system()
    assert lane_layout(system) is lane_layout(system)
