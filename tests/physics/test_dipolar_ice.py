"""Spin ice: neighbours, exhaustive ground states, energies and acceptance when cold, entropy and heat capacity.

Values are those of nearest-neighbour and dipolar spin ice in the literature (Pauling; Nagle; Melko and Gingras) and of
earlier runs, whose errors stand beside them.
"""

import numpy as np
import pytest

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.terms import BondTerm, DipolarTerm
from spinscape.lattice.bonds import neighbour_shells, shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.simulate.ice_engine import IceEngine
from spinscape.simulate.ice_table import ice_table
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import K_B

NEAREST = 10.0 / np.sqrt(8.0)
N_SIGMA = 4.0
R_GAS = 8.314462618


def spin_ice(n, shells=("1",)):
    """Return spin ice of n³ cubic cells with couplings D (at the nearest distance) and one for each shell."""
    site = SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0, g=np.eye(3), kind="ising", axis=(1, 1, 1))
    crystal = crystal_from_space_group(lattice_vectors(a=10.0, b=10.0, c=10.0), "Fd-3m", [site])
    names = ("D", *(f"J{shell}" for shell in shells))
    parts = [DipolarTerm({"D": NEAREST**3})]
    parts += [BondTerm("heisenberg", terms.heisenberg(f"J{s}", names), shell_bond(crystal, s)) for s in shells]
    model = model_from_terms(crystal, names, parts)
    return spin_system(model, block(model, (n, n, n)))


def cooled(system, theta, temperatures, *, table=None, seed=1, rounds=20):
    """Return an engine that has gone down a ladder of temperatures, K."""
    engine = IceEngine(system, np.asarray(theta) * K_B, Conditions(), (seed, 2), table=table)
    engine.adapting = True
    for t in temperatures:
        engine.run((Move("flip", 10), Move("short_loop", 50)), 1.0 / (K_B * t), rounds)
    engine.adapting = False
    return engine


def block_mean(samples, n_block=32):
    """Return mean and block error."""
    means = np.asarray(samples).reshape(n_block, -1).mean(axis=1)
    return means.mean(), means.std(ddof=1) / np.sqrt(n_block)


def test_neighbours_and_their_couplings():
    system = spin_ice(4, ("1", "2", "3a", "3b"))
    labels = [shell.label for shell in neighbour_shells(system.model.crystal, n_shell=3)]
    table = system.table
    per_site = [np.count_nonzero(np.any(table.unit[k] != 0, axis=(1, 2))) / 16 for k in range(1, 5)]
    assert per_site == [6, 12, 6, 6]
    assert sorted(labels) == ["1", "2", "3a", "3b"]
    # Two sites of a tetrahedron, axes in or out for both: ẑ·ẑ = −1/3 and the dipole coupling is 5/3 D.
    ice = ice_table(spin_ice(4))
    near = ice.rows([0.0, 1.0])[0] != 0
    assert near.sum() == 6
    np.testing.assert_allclose(ice.rows([0.0, 1.0])[0][near], -1 / 3, rtol=1e-12)
    # Of the images (tin-foil) the leading part is -4π/(3V) ẑ·ẑ of each pair; the next ones go like 1/L⁵.
    images = 4 * np.pi / 9 * NEAREST**3 / 40.0**3
    np.testing.assert_allclose(ice.rows([1.0, 0.0])[0][near], 5 / 3 + images, atol=images / 10)


def all_states(n):
    return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def test_ground_state_of_sixteen_spins_by_exhaustion():
    system = spin_ice(1)
    table = ice_table(system)
    rows = table.rows([1.41, 3.72])
    own = 0.5 * 1.41 * table.dipole_unit[0] * np.trace(table.dipole)
    states = all_states(16)
    energies = 0.5 * np.sum(states * (states @ rows), axis=1) + own
    assert energies.min() / 16 == pytest.approx(-1.5060679, abs=5e-8)
    assert np.count_nonzero(energies < energies.min() + 1e-6) == 12


def test_nearest_neighbour_ice_freezes_into_two_in_two_out():
    system = spin_ice(2)
    engine = cooled(system, [0.0, -3.0], np.geomspace(3.0, 0.05, 20))
    # Ferromagnetic J costs −J/3 = J_nn = 1 K where two arrows both point in; in ice e = −J_nn.
    assert engine.energy / K_B == pytest.approx(-system.n_spin, rel=1e-12)
    graph = engine.table.graph
    assert not np.any(np.sum(graph.outward * engine.sigma[graph.corner], axis=1))
    before = engine.sigma
    for kind in ("short_loop", "long_loop"):
        tried, accepted = engine.run((Move(kind, 200),), 1.0 / (K_B * 0.01), 1)[kind]
        # Every loop of ice costs nothing: none is refused, though some long walks run too long.
        assert accepted == tried if kind == "short_loop" else accepted > 0
        assert engine.energy / K_B == pytest.approx(-system.n_spin, rel=1e-12)
    assert np.any(before != engine.sigma)


def test_mean_energies_with_and_without_loops_agree():
    system, samples = spin_ice(2), {}
    table = ice_table(system)
    for name, moves in {"flips": (Move("flip", 60),), "loops": (Move("flip", 5), Move("short_loop", 20))}.items():
        engine = cooled(system, [1.41, 3.72], (3.0, 2.0, 1.5, 1.2, 1.0, 0.9), table=table)
        energies = []
        for _ in range(1600):
            engine.run(moves, 1.0 / (K_B * 0.9), 1)
            energies.append(engine.energy / (K_B * system.n_spin))
        samples[name] = block_mean(energies)
    (a, da), (b, db) = samples.values()
    assert abs(a - b) < N_SIGMA * np.hypot(da, db)


def autocorrelation_time(series):
    """Return 1 + 2 Σ ρ, summed to six times itself."""
    x = np.asarray(series) - np.mean(series)
    n = len(x)
    rho = np.fft.irfft(np.abs(np.fft.rfft(x, 2 * n)) ** 2)[:n] / np.arange(n, 0, -1)
    sums = 2.0 * np.cumsum(rho / rho[0]) - 1.0
    return float(sums[np.flatnonzero(np.arange(n) >= 6.0 * sums)[0]])


def full_matrix(table, theta):
    """Return the couplings of all pairs, (n_spin, n_spin) meV."""
    cell, site = table.system.cell, np.arange(table.system.cell.n_site)
    rows = table.rows(theta).reshape(cell.n_site, cell.n_cell, cell.n_site)
    moved = cell.cell_index(cell.cells[None] - cell.cells[:, None])
    every = rows[site[None, :, None, None], moved[:, None, :, None], site[None, None, None, :]]
    return every.reshape(cell.n_spin, cell.n_spin)


@pytest.mark.slow
def test_acceptance_and_autocorrelation_at_068_kelvin():
    """D = 1.41 K, J = 3.72 K, 1,024 spins: flips 0.29 to 0.31 %, 250 sweeps; about 4 rounds of 64 tries with loops.

    250 sweeps is how long spins remember themselves; energies forget sooner. With the acceptance that is counted goes
    the one that follows from the states alone, ⟨min(1, exp(−βΔE))⟩.
    """
    system = spin_ice(4)
    table, beta, theta = ice_table(system), 1.0 / (K_B * 0.68), np.array([1.41, 3.72]) * K_B
    engine = cooled(system, [1.41, 3.72], (4, 2, 1.4, 1.1, 0.9, 0.78, 0.68), table=table, rounds=50)
    matrix, share, expected, energies, spins = full_matrix(table, theta), [], [], [], []
    for k in range(32000):
        tried, accepted = engine.run((Move("flip", 10),), beta, 1)["flip"]
        share.append(accepted / tried)
        energies.append(engine.energy)
        if k % 4 == 0:
            sigma = engine.sigma.astype(np.float32)
            spins.append(sigma)
            expected.append(np.mean(np.minimum(1.0, np.exp(2.0 * beta * sigma * (matrix @ sigma)))))
    mean, error = block_mean(share)
    # The range is that of earlier runs: 0.30(1) %.
    assert abs(mean - 0.0030) < N_SIGMA * np.hypot(error, 0.0001), (mean, error)
    between, error = block_mean(np.mean(np.reshape(share, (-1, 4)), axis=1) - expected)
    assert abs(between) < N_SIGMA * error and N_SIGMA * error < 0.05 * mean, (between, error)
    kept = np.array(spins)
    memory = np.array([np.mean(kept[:-lag] * kept[lag:]) for lag in (2, 4, 8)])
    # exp(−t/τ) at 80, 160 and 320 sweeps.
    assert np.all(np.abs(-np.array([80, 160, 320]) / np.log(memory) - 250) < 50), memory
    assert 10 * autocorrelation_time(energies) < 100
    energies = []
    for _ in range(8000):
        engine.run((Move("flip", 4), Move("short_loop", 64)), beta, 1)
        energies.append(engine.energy)
    assert 2 < autocorrelation_time(energies) < 8


@pytest.mark.slow
def test_heat_capacity_peak_of_dipolar_ice():
    """2.93(4) J/mol/K at 1.28(5) K for L = 3."""
    system = spin_ice(3)
    temperatures = np.arange(1.8, 0.89, -0.06)
    engine, found = cooled(system, [1.41, 3.72], (4.0, 3.0, 2.2)), []
    for t in temperatures:
        energies = sampled_energies(engine, t, 4800)
        mean, error = block_mean((energies - energies.mean()) ** 2 * system.n_spin / t**2)
        found.append((R_GAS * mean, R_GAS * error))
    heat, error = np.array(found).T
    # A parabola through the top: its maximum averages over the points.
    top = np.abs(temperatures - temperatures[np.argmax(heat)]) < 0.25
    curve = np.polynomial.Polynomial.fit(temperatures[top], heat[top], 2, w=1 / error[top])
    place = float(curve.deriv().roots()[0].real)
    assert place == pytest.approx(1.28, abs=0.05 + 0.03)
    assert curve(place) == pytest.approx(2.93, abs=0.04 + N_SIGMA * error[top].max() / np.sqrt(top.sum()))


def sampled_energies(engine, temperature, n_sample):
    """Return energies per spin of a run with loops, K, after a tenth of it again to get there."""
    beta, moves, energies = 1.0 / (K_B * temperature), (Move("flip", 4), Move("short_loop", 10)), np.empty(n_sample)
    engine.adapting = True
    engine.run(moves, beta, n_sample // 10)
    engine.adapting = False
    for k in range(n_sample):
        engine.run(moves, beta, 1)
        energies[k] = engine.energy / (K_B * engine.system.n_spin)
    return energies


def residual_entropy(n):
    """Return the residual entropy per spin of nearest-neighbour ice of n³ cells, and its error."""
    system = spin_ice(n)
    engine = cooled(system, [0.0, -3.0], (30.0,))
    temperatures = np.geomspace(20.0, 0.12, 60)
    energy, error = np.array([block_mean(sampled_energies(engine, t, 1280)) for t in temperatures]).T
    beta = 1.0 / temperatures
    # S(T) = ln 2 + βe − ∫ e dβ from β = 0; above 20 K e = −β⟨e²⟩ + ..., of which the first term is enough.
    steps = np.diff(np.concatenate([[0.0], beta]))
    values = np.concatenate([[0.0], energy])
    second = np.gradient(values, np.concatenate([[0.0], beta]), edge_order=2)
    integral = np.sum(0.5 * steps * (values[1:] + values[:-1])) - np.sum(steps**2 / 12 * np.diff(second))
    entropy = np.log(2.0) + beta[-1] * energy[-1] - integral
    spread = np.sqrt(np.sum((np.gradient(beta) * error) ** 2) + (beta[-1] * error[-1]) ** 2)
    return entropy, spread


@pytest.mark.slow
def test_residual_entropy_of_nearest_neighbour_ice():
    """0.2180 for 128 spins, 0.2071 for 1,024, and 0.2056 by 1/N for the largest (Pauling's estimate: 0.2027)."""
    small, error = residual_entropy(2)
    large, own = residual_entropy(4)
    assert abs(small - 0.2180) < N_SIGMA * error + 0.001
    assert abs(large - 0.2071) < N_SIGMA * own + 0.001
    limit, spread = large - (small - large) / 7.0, np.hypot(8.0 * own, error) / 7.0
    assert abs(limit - 0.2056) < N_SIGMA * spread + 0.001


@pytest.mark.slow
def test_heat_capacity_of_nearest_neighbour_ice_peaks():
    """0.277 k_B at T/J_nn of 0.70 to 0.80."""
    system = spin_ice(3)
    temperatures = np.linspace(1.0, 0.55, 10)
    engine, found = cooled(system, [0.0, -3.0], (3.0, 1.5)), []
    for t in temperatures:
        energies = sampled_energies(engine, t, 6400)
        mean, error = block_mean((energies - energies.mean()) ** 2 * system.n_spin / t**2)
        found.append((mean, error))
    heat, error = np.array(found).T
    fine, rng = np.linspace(0.6, 0.95, 351), np.random.default_rng(0)

    def peak(values):
        curve = np.polynomial.Polynomial.fit(temperatures, values, 3, w=1 / error)(fine)
        return fine[np.argmax(curve)], curve.max()

    (place, height), spread = peak(heat), np.std([peak(rng.normal(heat, error)) for _ in range(300)], axis=0)
    assert 0.70 - N_SIGMA * spread[0] < place < 0.80 + N_SIGMA * spread[0]
    assert spread[0] < 0.05
    assert height == pytest.approx(0.277, abs=N_SIGMA * spread[1])
