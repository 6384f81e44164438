"""Landau-Lifshitz dynamics: laws over long times, and spectra against linear spin-wave theory.

At k_BT = 0.001 of the largest bond energy every peak of S(Q, ω) lies on a spin-wave energy. Where energies differ for
+Q and −Q this fixes the signs in the transforms.
"""

import numpy as np
import pytest

from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.observables.dynamic import DynamicSettings
from spinscape.observables.dynamic_q import allowed_q
from spinscape.simulate.dynamics import DynamicsModel, TrajectorySettings
from spinscape.simulate.dynamics_start import StartSettings, structure_spins, thermal_states
from spinscape.simulate.integrators import integrator
from spinscape.simulate.integrators_field import interactions, largest_field
from spinscape.simulate.integrators_langevin import langevin
from spinscape.simulate.integrators_step import step_from_error
from spinscape.simulate.modes import modes
from spinscape.simulate.quadratic import quadratic_form
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import HBAR, K_B, MU_B

NEEL = MagneticStructure([[1, 1, 0], [1, -1, 0], [0, 0, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]])


def crystal(vectors, positions=((0, 0, 0),), spin=1.0):
    sites = [SiteSpec(label=f"A{k}", ion="Mn2+", position=p, spin=spin) for k, p in enumerate(positions)]
    return crystal_from_sites(vectors, sites, find_symmetry=False)


def cubic():
    unit = np.tile(np.eye(3), (3, 1, 1))
    bonds = BondTable([0] * 3, [0] * 3, [(1, 0, 0), (0, 1, 0), (0, 0, 1)], [0] * 3, unit)
    return Model(crystal(lattice_vectors(a=3.0, b=3.0, c=3.0)), ("J",), bonds)


def rb2mnf4():
    """Square lattice, S = 5/2, J = 0.6544 meV, a small easy axis."""
    unit = np.tile(np.eye(3), (2, 1, 1))
    bonds = BondTable([0, 0], [0, 0], [(1, 0, 0), (0, 1, 0)], [0, 0], unit)
    onsite = OnsiteTable([0], [1], [np.diag([0.0, 0.0, 1.0])])
    model = Model(crystal(lattice_vectors(a=4.2, b=4.2, c=13.8), spin=2.5), ("J", "D"), bonds, onsite)
    return model, NEEL, [0.6544, -0.0048], Conditions(0.001 * 0.6544 * 6.25 / K_B)


def polarised_dm_chain():
    """D = 1 meV along z in a field of 10 meV: ω = 10 + 2 sin 2πl, for +Q and −Q not the same."""
    turn = [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    bonds = BondTable([0], [0], [(0, 0, 1)], [0], [turn])
    model = Model(crystal(lattice_vectors(a=12.0, b=12.0, c=3.0)), ("D",), bonds)
    up = MagneticStructure(np.eye(3), [0], [[0, 0, 0]], [[0, 0, 1]])
    field = (0.0, 0.0, -10.0 / (2.0 * MU_B))
    return model, up, [1.0], Conditions(0.001 / K_B, field)


def zigzag():
    """Kitaev-Heisenberg honeycomb, J = −1, K = 5 meV, S = 1/2, moments along a cubic axis."""
    vectors = [[-2.0, 4.0, -2.0], [-4.0, 2.0, 2.0], [10.0, 10.0, 10.0]]
    matrices = np.tile(-np.eye(3), (3, 1, 1))
    matrices[[0, 1, 2], [2, 0, 1], [2, 0, 1]] += 5.0
    bonds = BondTable([0] * 3, [1] * 3, [(0, 0, 0), (1, 0, 0), (0, 1, 0)], [0] * 3, matrices)
    model = Model(crystal(vectors, [(0, 0, 0), (-1 / 3, -1 / 3, 0)], 0.5), ("unit",), bonds)
    cells = [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0]]
    signs = np.array([1, -1, -1, 1])
    order = MagneticStructure([[1, 1, 0], [1, -1, 0], [0, 0, 1]], [0, 1, 0, 1], cells, signs[:, None] * [0, 0, 1])
    return model, order, [1.0], Conditions(0.001 * 5.0 * 0.25 / K_B)


def followed(magnet, numbers, vertices, n_point, *, energy, n_configuration, temperature_factor=1.0, **start):
    """Return the spectrum from states in a bath at low temperature, and the model that made it."""
    model, structure, theta, conditions = magnet
    conditions = Conditions(temperature_factor * conditions.temperature, conditions.field)
    system = spin_system(model, block(model, numbers))
    line = path_through(vertices, n_point=n_point, reciprocal=model.crystal.reciprocal, name="line")
    dynamics = DynamicsModel(
        system,
        theta,
        conditions,
        [line],
        energy,
        TrajectorySettings(frequency_error=5e-4),
        DynamicSettings(weighting="detailed_balance"),
    )
    settings = StartSettings("langevin", n_configuration=n_configuration, damping=0.5, **start)
    generator = np.random.default_rng(11)
    first = structure_spins(system, structure)
    states = thermal_states(dynamics.interactions, theta, conditions, settings, generator=generator, spins=first)
    return dynamics, dynamics.spectrum(states)


def spin_waves(magnet, points):
    """Return energies and intensities of linear spin-wave theory, (n_q, n_mode)."""
    model, structure, theta, conditions = magnet
    found = modes(quadratic_form(model, structure, points, conditions), theta)
    return found.energies, np.trace(found.s_ab.real, axis1=2, axis2=3)


def missed_lines(dynamics, spectrum, magnet, *, least=0.02, apart=6):
    """Return distances in bins from each line of spin-wave theory to the peak of S(Q, ω) nearest to it.

    Lines that have no say (of intensity times energy), or stand beside another, or at zero energy, are left out.
    """
    axis = dynamics.energy
    points = dynamics.allowed.interpolated(dynamics.allowed.q)
    out = []
    for row, energies, values in zip(spectrum.signal["line"], *spin_waves(magnet, points), strict=True):
        strong = energies[values > least * values.max()]
        for energy in strong[strong > apart * axis.step]:
            near = np.abs(strong - energy) / axis.step
            if np.any((near > 0.5) & (near < apart)):
                continue
            inside = np.abs(axis.centres - energy) < 0.5 * apart * axis.step
            peak = axis.centres[inside][np.argmax(row[inside])]
            out.append(abs(peak - energy) / axis.step)
    return np.array(out)


def intensity_ratio(dynamics, spectrum, magnet, *, elastic):
    """Return S(Q, ω) integrated beyond ``elastic`` (meV) over that of spin waves: the mean over Q, and its error.

    Every Q of every state has the scatter of thermal amplitudes: the error is that of the mean over different Q.
    """
    axis, line = dynamics.energy, spectrum.signal["line"]
    points, rows = np.unique(dynamics.allowed.interpolated(dynamics.allowed.q).round(9), axis=0, return_index=True)
    energies, values = spin_waves(magnet, points)
    expected = np.sum(values * (energies > elastic), axis=1)
    seen = expected > 0.02 * expected.max()
    ratio = line[rows][:, axis.centres > elastic].sum(axis=1)[seen] * axis.step / expected[seen]
    return ratio.mean(), ratio.std(ddof=1) / np.sqrt(len(ratio))


@pytest.mark.parametrize(
    ("kind", "dt", "drift", "total"),
    [("suzuki_trotter_2", 0.1, 1e-13, 2e-2), ("midpoint", 0.1, 1e-13, 1e-13), ("rk4", 0.02, 3e-3, 1e-13)],
)
def test_drift_over_a_long_time(kind, dt, drift, total):
    """8³ spins at T = J; over t = 400/J: 2e-16, 2e-14 and 2e-5, total spin 1e-4, 1e-15 and 2e-16 for each spin."""
    system = spin_system(cubic(), block(cubic(), (8, 8, 8)))
    of = interactions(system, [1.0])
    start = langevin(
        of,
        system.random_spins(np.random.default_rng(1)),
        temperature=1.0 / K_B,
        n_step=300,
        dt=0.03 * HBAR,
        generator=np.random.default_rng(2),
    )
    mover = integrator(of, kind=kind, dt=dt * HBAR)
    mover.set_spins(start)
    mover.run(round({"suzuki_trotter_2": 400.0, "midpoint": 100.0, "rk4": 40.0}[kind] / dt))
    after = mover.spins
    assert abs(of.energy(after) - of.energy(start)) / 512 < drift
    assert np.linalg.norm((after - start).sum(axis=0)) / 512 < total
    assert np.abs(after - start).max() > 1.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["suzuki_trotter_2", "suzuki_trotter_4", "midpoint"])
def test_drift_at_default_steps(kind):
    """8³ spins at T = J, the step of a frequency error of 0.002, over t = 400 ħ/J: the energy per spin to 1e-10."""
    system = spin_system(cubic(), block(cubic(), (8, 8, 8)))
    of = interactions(system, [1.0])
    spins = system.random_spins(np.random.default_rng(1))
    bath = {"temperature": 1.0 / K_B, "n_step": 300, "dt": 0.03 * HBAR, "generator": np.random.default_rng(2)}
    start = langevin(of, spins, **bath)
    dt = step_from_error(kind, TrajectorySettings().frequency_error, bound=largest_field(of))
    mover = integrator(of, kind=kind, dt=dt)
    mover.set_spins(start)
    mover.run(round(400.0 * HBAR / dt))
    assert abs(of.energy(mover.spins) - of.energy(start)) / 512 < 1e-10
    np.testing.assert_allclose(np.sum(mover.spins**2, axis=1), 1.0, rtol=0, atol=1e-12)


def test_the_energy_of_single_spins_stays_too():
    """With an easy axis: |S|² and the energy to 1e-10 over t = 400 ħ/J."""
    model, _, theta, _ = rb2mnf4()
    system = spin_system(model, block(model, (16, 16, 1)))
    of = interactions(system, [theta[0], -0.3])
    spins = system.random_spins(np.random.default_rng(1))
    mover = integrator(of, kind="suzuki_trotter_2", dt=0.02 * HBAR)
    mover.set_spins(spins)
    mover.run(round(400.0 / 0.6544 / 0.02))
    assert abs(of.energy(mover.spins) - of.energy(spins)) / system.n_spin < 1e-10
    np.testing.assert_allclose(np.sum(mover.spins**2, axis=1), 6.25, rtol=1e-10)


def test_spin_waves_of_plus_and_minus_q():
    magnet = polarised_dm_chain()
    axis = EnergyAxis.from_range(first=-13.0, last=13.0, step=0.1)
    dynamics, found = followed(
        magnet, (1, 1, 64), [(0, 0, -0.5), (0, 0, 0.5)], [65], energy=axis, n_configuration=6, n_equilibrate=2000
    )
    missed = missed_lines(dynamics, found, magnet)
    assert len(missed) == 65
    assert missed.max() <= 1.0
    # The other sign would put the peak of Q = ¼ at 8 meV, 40 bins away. Detailed balance leaves nothing at −E.
    row = found.signal["line"][48]
    assert axis.centres[np.argmax(row)] == pytest.approx(12.0, abs=0.1)
    assert row[axis.centres < -1.0].max() < 1e-6 * row.max()


def test_integrated_intensities_are_those_of_spin_waves():
    """After the factor x/(1 − exp(−x)); each Q of each state has the scatter of an exponential distribution."""
    magnet = polarised_dm_chain()
    axis = EnergyAxis.from_range(first=6.0, last=14.0, step=0.1)
    dynamics, found = followed(
        magnet,
        (1, 1, 64),
        [(0, 0, -0.5), (0, 0, 0.5)],
        [65],
        energy=axis,
        n_configuration=30,
        n_equilibrate=2000,
        n_between=400,
    )
    _, values = spin_waves(magnet, dynamics.allowed.interpolated(dynamics.allowed.q))
    ratio = found.signal["line"].sum(axis=1)[:64] * axis.step / values.sum(axis=1)[:64]
    assert abs(ratio.mean() - 1.0) < 4.0 / np.sqrt(64 * 30)
    error = np.sqrt(np.mean((found.error["line"].sum(axis=1)[:64] * axis.step) ** 2))
    # Errors of the bins of one line are correlated: their sum is what the scatter over Q shows, or more.
    assert np.std(ratio) < 2.0 * error


def test_the_square_antiferromagnet_with_an_easy_axis():
    """S = 5/2, J = 0.6544 meV: 4JS at the zone boundary; a magnetic cell of two, a gap of the easy axis."""
    magnet = rb2mnf4()
    axis = EnergyAxis.from_range(first=0.0, last=7.5, step=0.06)
    dynamics, found = followed(
        magnet,
        (16, 16, 1),
        [(0.5, 0.5, 0), (0.5, 0, 0), (0.25, 0.25, 0), (0.5, 0.5, 0)],
        [9, 5, 5],
        energy=axis,
        n_configuration=6,
        n_equilibrate=1500,
        n_between=300,
    )
    missed = missed_lines(dynamics, found, magnet)
    assert len(missed) >= 30
    assert missed.max() <= 1.0
    boundary = found.signal["line"][8]
    assert axis.centres[np.argmax(boundary)] == pytest.approx(4 * 0.6544 * 2.5 + 2 * 2.5 * 0.0048, rel=0.01)


@pytest.mark.slow
def test_rb2mnf4_and_its_softening():
    magnet = rb2mnf4()
    axis = EnergyAxis.from_range(first=0.0, last=7.5, step=0.03)
    vertices = [(0.5, 0.5, 0), (0.5, 0, 0), (0.25, 0.25, 0), (0.5, 0.5, 0), (1.0, 0.5, 0)]
    shift = []
    for factor in (1.0, 10.0):
        dynamics, found = followed(
            magnet,
            (48, 48, 1),
            vertices,
            [25, 13, 13, 25],
            energy=axis,
            n_configuration=12,
            n_equilibrate=3000,
            n_between=500,
            temperature_factor=factor,
        )
        missed = missed_lines(dynamics, found, magnet)
        assert len(missed) > 60
        if factor == 1.0:
            assert missed.max() <= 1.0
            ratio, error = intensity_ratio(dynamics, found, magnet, elastic=0.3)
            assert abs(ratio - 1.0) < 4.0 * error
            assert error < 0.05
        boundary = found.signal["line"][24]
        shift.append(axis.centres @ boundary / boundary.sum() / (4 * 0.6544 * 2.5 + 2 * 2.5 * 0.0048) - 1.0)
    # Ten times hotter, softer; by some tenths of a percent.
    assert abs(shift[0]) < 2e-3
    assert -0.02 < shift[1] - shift[0] < 0.0


@pytest.mark.slow
def test_the_zigzag_magnet():
    magnet = zigzag()
    axis = EnergyAxis.from_range(first=0.0, last=6.0, step=0.05)
    vertices = [(0.5, 0.5, 0), (0.5, 0, 0), (0.25, 0.25, 0), (0.0, 0.5, 0)]
    dynamics, found = followed(
        magnet, (24, 24, 1), vertices, [13, 7, 7], energy=axis, n_configuration=12, n_equilibrate=3000, n_between=500
    )
    missed = missed_lines(dynamics, found, magnet)
    assert len(missed) > 20
    assert missed.max() <= 1.0
    ratio, error = intensity_ratio(dynamics, found, magnet, elastic=0.3)
    assert abs(ratio - 1.0) < 4.0 * error
    assert error < 0.05


def test_paths_of_these_tests_are_on_the_grids_of_their_supercells():
    for magnet, numbers, point in (
        (rb2mnf4(), (16, 16, 1), (0.3125, 0.1875, 0)),
        (zigzag(), (24, 24, 1), (0.25, 0, 0)),
    ):
        cell = block(magnet[0], numbers)
        assert allowed_q(magnet[0].crystal, cell, [point]).distance.max() < 1e-9
