"""Kernels of moves against ten lines of numpy, from the same random numbers where there are any."""

from itertools import pairwise

import numpy as np
import pytest

from spinscape.hamiltonian.energy import effective_field, energy, zeeman_field
from spinscape.kernels.heat_bath import draw_bath, heat_bath_sweep, remainder_cosine, scalar_bath, von_mises
from spinscape.kernels.lane_field import BLOCK, from_lanes, local_fields, to_lanes
from spinscape.kernels.metropolis import SMALL_STEP, UNIFORM, draw_directions, metropolis_sweep
from spinscape.kernels.over_relaxation import over_relaxation_sweep, restore_lengths
from spinscape.kernels.random_numbers import random_state
from spinscape.kernels.simd import LANES
from spinscape.kernels.single_spin import OVER_RELAXATION, curvature_of, field_on, plain_sweep, restore_plain
from spinscape.simulate.lane_lattice import lane_layout
from spinscape.simulate.local_tables import couplings_from_links, plain_lattice

from .conftest import FIELD, SEED, THETA

BETA = 0.7


class Bench:
    """A system in lanes with all that sweeps take."""

    def __init__(self, system):
        self.system, self.layout = system, lane_layout(system)
        links = system.table.at(THETA, field=zeeman_field(system.model, FIELD))
        self.couplings = couplings_from_links(links, system)
        self.spins = system.random_spins(np.random.default_rng(1))
        self.rows = np.zeros((self.layout.n_row, 3, LANES))
        self.lattice = self.layout.lattice
        to_lanes(self.spins, self.layout.member, self.lattice, self.rows)
        self.state, self.tally = random_state(SEED), np.zeros((2, LANES))
        self.draws, self.fields = np.zeros((BLOCK, 4, LANES)), np.zeros((BLOCK, 3, LANES))

    def after(self):
        out = np.zeros_like(self.spins)
        from_lanes(self.rows, self.layout.member, out)
        return out

    def energy(self, spins):
        return energy(self.system.model, spins, THETA, cell=self.system.cell, conditions=FIELD)

    def field(self, spins):
        return effective_field(self.system.model, spins, THETA, cell=self.system.cell, conditions=FIELD)

    def drawn(self, draw, n):
        """Return n random numbers of each lane of each group, as a sweep would draw them, (n_group, n, LANES)."""
        state, rows, start = self.state.copy(), [], self.lattice.batch_start
        for first, last in pairwise(start):
            draw(first, last, state, self.draws)
            rows.append(self.draws[: last - first, :n].copy())
        return np.concatenate(rows)


@pytest.mark.parametrize("kind, width", [(UNIFORM, 1.0), (SMALL_STEP, 0.3)])
@pytest.mark.parametrize("kinds", [("heisenberg", "heisenberg"), ("xy", "heisenberg")])
def test_metropolis_sweep(make_system, kind, width, kinds):
    bench = Bench(make_system((4, 3, 2), kinds=kinds, curved=True, vacant=True))
    drawn = bench.drawn(lambda *a: draw_directions(*a[:2], bench.lattice, bench.couplings, *a[2:]), 4)
    spins, n_accepted = bench.spins.copy(), 0
    for group, lane in np.argwhere(bench.layout.member >= 0):
        i = bench.layout.member[group, lane]
        length = np.linalg.norm(spins[i])
        new, step = spins.copy(), drawn[group, :3, lane]
        new[i] = length * step if kind == UNIFORM else spins[i] + width * length * step
        new[i] *= length / max(np.linalg.norm(new[i]), 1e-9)
        if length and drawn[group, 3, lane] < np.exp(-BETA * (bench.energy(new) - bench.energy(spins))):
            spins, n_accepted = new, n_accepted + 1
    metropolis_sweep(
        kind,
        width,
        BETA,
        bench.lattice,
        bench.couplings,
        bench.rows,
        bench.state,
        bench.draws,
        bench.fields,
        bench.tally,
    )
    np.testing.assert_allclose(bench.after(), spins, atol=1e-13)
    assert bench.tally[0].sum() == n_accepted
    assert bench.tally[1].sum() == pytest.approx(bench.energy(spins) - bench.energy(bench.spins), rel=1e-11)


@pytest.mark.parametrize("matrices", [False, True])
@pytest.mark.parametrize("kinds", [("heisenberg", "heisenberg"), ("xy", "heisenberg")])
def test_over_relaxation_turns_about_the_field(make_system, matrices, kinds):
    bench = Bench(make_system((4, 4, 2), kinds=kinds, matrices=matrices, vacant=True))
    spins, system = bench.spins.copy(), bench.system
    for i in bench.layout.order:
        field, axis = bench.field(spins)[i], system.axis[system.site[i]]
        field = field - (field @ axis) * axis if system.kind[system.site[i]] == "xy" else field
        spins[i] = 2 * (spins[i] @ field) / (field @ field) * field - spins[i]
    sweep = (BETA, bench.lattice, bench.couplings, bench.rows, bench.state, bench.draws, bench.fields, bench.tally)
    over_relaxation_sweep(*sweep)
    np.testing.assert_allclose(bench.after(), spins, atol=1e-12)
    assert bench.energy(spins) == pytest.approx(bench.energy(bench.spins), rel=1e-12)
    plain = bench.spins.copy()
    lattice = plain_lattice(system)._replace(order=bench.layout.order[system.occupied[bench.layout.order]])
    accepted, gained = plain_sweep(OVER_RELAXATION, 1.0, BETA, lattice, bench.couplings, plain, bench.state)
    np.testing.assert_allclose(plain, spins, atol=1e-12)
    assert gained == 0 and accepted == bench.tally[0].sum() == system.n_occupied


def test_heat_bath_sweep_draws_about_the_field(make_system):
    bench = Bench(make_system((4, 4, 2), vacant=True))
    drawn = bench.drawn(draw_bath, 3)
    work = np.zeros((4, LANES))
    first, last = bench.lattice.batch_start[:2]
    heat_bath_sweep(
        BETA, bench.lattice, bench.couplings, bench.rows, bench.state, bench.draws, bench.fields, work, bench.tally
    )
    new, field = bench.after(), bench.field(bench.spins)
    # Spins of the first batch: their fields are those of the start.
    for group in range(first, last):
        for lane in range(LANES):
            i = bench.layout.member[group, lane]
            if not bench.system.occupied[i]:
                assert not new[i].any()
                continue
            length, h = np.linalg.norm(bench.spins[i]), np.linalg.norm(field[i])
            n, s = field[i] / h, new[i] / length
            cosine = 1 - remainder_cosine(drawn[group, 2, lane], BETA * h * length)
            assert s @ n == pytest.approx(cosine, abs=1e-13) and s @ s == pytest.approx(1, abs=1e-14)
            # Half a turn about n ± z brings ± z to n, and what is drawn about z with it.
            sign = np.copysign(1, n[2])
            axis = n + sign * np.array([0, 0, 1])
            back = 2 * axis * (axis @ s) / (axis @ axis) - s
            across = np.sqrt(1 - cosine**2) * drawn[group, :2, lane]
            np.testing.assert_allclose(back, [*across, sign * cosine], atol=1e-13)
    assert bench.tally[0].sum() == bench.system.n_occupied
    assert bench.tally[1].sum() == pytest.approx(bench.energy(new) - bench.energy(bench.spins), rel=1e-11)


def test_local_energy_of_both_ways(make_system):
    bench = Bench(make_system((4, 4, 2), curved=True))
    lattice, member, at = plain_lattice(bench.system), bench.layout.member, 3
    last = min(at + 5, bench.lattice.batch_start[-1])
    local_fields(at, last, bench.lattice, bench.couplings, bench.rows, bench.fields)
    for k in range(last - at):
        plain = [field_on(i, lattice, bench.couplings, bench.spins) for i in member[at + k]]
        np.testing.assert_allclose(bench.fields[k].T, plain, atol=1e-13)
    for i in (0, 5):
        x, y, z = -bench.spins[i][[1, 2, 0]]
        moved = bench.spins.copy()
        moved[i] = x, y, z
        change = curvature_of(i, lattice, bench.couplings, bench.spins, x, y, z)
        change -= curvature_of(i, lattice, bench.couplings, bench.spins, *bench.spins[i])
        change -= np.dot(field_on(i, lattice, bench.couplings, bench.spins), moved[i] - bench.spins[i])
        assert change == pytest.approx(bench.energy(moved) - bench.energy(bench.spins), rel=1e-11)


@pytest.mark.parametrize("a", [0.0, 1e-7, 0.3, 3.0, 100.0])
def test_angles_in_a_field(a):
    rng, state, n = np.random.default_rng(2), random_state(SEED), 4000
    bessel = np.exp(a * (np.cos(np.linspace(0, np.pi, 20001)) - 1))
    plane = np.array([von_mises(a, state) for _ in range(n)])
    mean = np.sum(bessel * np.cos(np.linspace(0, np.pi, 20001))) / bessel.sum()
    assert abs(plane.mean() - mean) < 4 * plane.std() / np.sqrt(n)
    sphere = 1 - np.array([remainder_cosine(e, a) for e in rng.exponential(size=n)])
    langevin = 1 / np.tanh(a) - 1 / a if a > 1e-3 else a / 3
    assert abs(sphere.mean() - langevin) < 4 * sphere.std() / np.sqrt(n)
    spins = np.array([scalar_bath(1.0, 2.0, *(0.5 * a * np.array([0.6, 0.0, -0.8])), state) for _ in range(n)])
    np.testing.assert_allclose(np.linalg.norm(spins, axis=1), 2.0, rtol=1e-14)
    along = spins @ [0.3, 0.0, -0.4]
    assert abs(along.mean() - langevin) < 4 * along.std() / np.sqrt(n)
    assert abs(spins[:, 1].mean()) < 4 * spins[:, 1].std() / np.sqrt(n)


def test_lengths_are_restored(make_system):
    bench = Bench(make_system((4, 4, 2), vacant=True))
    lattice = plain_lattice(bench.system)._replace(order=np.flatnonzero(bench.system.occupied))
    plain = bench.spins * (1 + 1e-9)
    bench.rows *= 1 + 1e-9
    restore_lengths(bench.lattice, bench.rows)
    restore_plain(lattice, plain)
    for spins in (bench.after(), plain):
        np.testing.assert_allclose(spins, bench.spins, atol=1e-15)
