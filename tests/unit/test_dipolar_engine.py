"""The engine of vector spins with dipoles: energies and fields by a second way, one spin by quadrature, moves alike."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import empty_dipolar
from spinscape.hamiltonian.dipole_sums import SPHERE, dipole_sums
from spinscape.hamiltonian.energy import coupling_energies, energy
from spinscape.hamiltonian.terms import BiquadraticTerm, BondTerm, DipolarTerm, OnsiteTerm
from spinscape.kernels.simd import LANES
from spinscape.lattice.bonds import Bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.simulate.dipolar_engine import DipolarEngine
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import spin_system
from spinscape.simulate.vector_table import vector_table

FIELD = Conditions(field=(1.0, 2.0, 3.0))
EVERY = tuple(Move(kind) for kind in ("uniform", "small_step", "reflection", "heat_bath", "over_relaxation"))
SKEW = [[3, 0, 0], [1, 3, 0], [0, 1, 2]]


def mixed(matrix, occupied=None):
    """Return free, planar and Ising spins in one crystal, with every kind of term."""
    sites = [
        SiteSpec("A", "Ni2+", (0, 0, 0), 1.0, g=np.diag([2.0, 2.0, 2.4])),
        SiteSpec("B", "Ni2+", (0.5, 0.5, 0.5), 1.5, kind="xy", axis=(0, 0, 1)),
        SiteSpec("C", "Ni2+", (0.5, 0.5, 0), 0.5, kind="ising", axis=(0, 0, 1)),
    ]
    crystal = crystal_from_space_group(lattice_vectors(a=4.0, b=4.0, c=7.0), "P4/mmm", sites)
    names = ("J", "D", "K")
    parts = [
        BondTerm("heisenberg", terms.heisenberg("J", names), Bond(0, 1, (0, 0, 0))),
        BondTerm("heisenberg", terms.heisenberg("K", names), Bond(0, 2, (0, 0, 0))),
        OnsiteTerm("easy_axis", terms.easy_axis("J", (0, 0, 1), names), 0),
        BiquadraticTerm({"K": 0.3}, Bond(0, 1, (0, 0, 0)), form="large_s"),
        DipolarTerm({"D": 3.0, "J": 0.1}),
    ]
    model = model_from_terms(crystal, names, parts)
    return spin_system(model, supercell(matrix, n_site=3), occupied=occupied), np.array([0.7, 0.9, -0.2])


def reference_energies(system, spins):
    """Return E_k from the bonds and the dipole sums of the whole supercell, (n_parameter,)."""
    model = system.model
    out = coupling_energies(replace(model, dipolar=empty_dipolar()), spins, cell=system.cell)
    tensor = dipole_sums(system.cell.matrix @ model.crystal.vectors, system.positions, np.zeros((1, 3)))[0].real
    moments = np.einsum("iab,ib->ia", model.crystal.g[system.site], spins)
    np.add.at(
        out, model.dipolar.parameter, model.dipolar.factor * 0.5 * np.einsum("ia,ijab,jb", moments, tensor, moments)
    )
    return out


@pytest.mark.parametrize("matrix", [(3, 3, 2), SKEW])
def test_energies_and_fields_after_any_moves(matrix):
    occupied = np.random.default_rng(0).random(supercell(matrix, n_site=3).n_spin) > 0.15
    system, theta = mixed(matrix, occupied)
    engine = DipolarEngine(system, theta, FIELD, (1, 2))
    counts = engine.run(EVERY, 0.5, 10)
    assert all(0 < accepted <= tried == 10 * system.n_occupied for tried, accepted in counts.values())
    spins = engine.spins
    system.check_spins(spins)
    expected = reference_energies(system, spins)
    np.testing.assert_allclose(engine.coupling_energies(), expected, rtol=1e-11)
    zeeman = energy(
        replace(system.model, dipolar=empty_dipolar()), spins, np.zeros(3), cell=system.cell, conditions=FIELD
    )
    assert engine.energy == pytest.approx(theta @ expected + zeeman, rel=1e-11)
    # Fields that followed a thousand moves by rows of couplings are those by Fourier transforms.
    at = engine.table.places.of_spin
    followed = engine._field[:, at // LANES, at % LANES].copy()
    engine.set_spins(spins)
    there = system.occupied
    np.testing.assert_allclose(followed[:, there], engine._field[:, at // LANES, at % LANES][:, there], atol=1e-12)


def test_fields_are_slopes_of_the_energy():
    system, theta = mixed((3, 3, 2))
    engine = DipolarEngine(system, theta, FIELD, (3, 4))
    place = engine.table.places.of_spin[3]
    h = engine._field[:, place // LANES, place % LANES].copy()
    onsite = engine._links.onsite[0]
    spins, step = engine.spins, np.array([0.3, -0.2, 0.5])
    turned = spins.copy()
    turned[3] = spins[3] + step
    turned[3] /= np.linalg.norm(turned[3])
    before = engine.energy
    engine.set_spins(turned)
    change = turned[3] - spins[3]
    squares = sum(
        theta[2] * 0.3 * ((turned[3] @ spins[j]) ** 2 - (spins[3] @ spins[j]) ** 2)
        for j in engine._lattice.square_near[3]
        if j >= 0
    )
    expected = -h @ change + turned[3] @ onsite @ turned[3] - spins[3] @ onsite @ spins[3] + squares
    assert engine.energy - before == pytest.approx(expected, rel=1e-9)


def lone(c=5.0, kind="heisenberg"):
    """Return one spin in a tetragonal cell: with its images, an easy axis or plane."""
    axis = None if kind == "heisenberg" else (1, 0, 0)
    site = SiteSpec("A", "Ni2+", (0, 0, 0), 1.0, g=np.eye(3), kind=kind, axis=axis)
    crystal = crystal_from_space_group(lattice_vectors(a=4.0, b=4.0, c=c), "P4/mmm" if axis is None else "Pmmm", [site])
    model = model_from_terms(crystal, ("D",), [DipolarTerm({"D": 1.0})])
    return spin_system(model, supercell((1, 1, 1), n_site=1)), np.array([60.0])


@pytest.mark.parametrize("kind", ["uniform", "small_step", "heat_bath"])
def test_one_spin_with_its_images_by_quadrature(kind):
    """⟨S_z²⟩ and ⟨E⟩ of E = S·A·S θ/2 with A of the lattice: each move must see the energy of a spin with itself."""
    system, theta = lone()
    engine = DipolarEngine(system, theta, Conditions(), (5, 6))
    a = theta[0] * dipole_sums(system.model.crystal.vectors, np.zeros((1, 3)), np.zeros((1, 3)))[0, 0, 0].real
    z, weight = np.polynomial.legendre.leggauss(60)
    levels = 0.5 * (a[2, 2] * z**2 + a[0, 0] * (1 - z**2))
    assert np.ptp(levels) > 1.0
    weight = weight * np.exp(-(levels - levels.min()))
    exact = np.array([weight @ z**2, weight @ levels]) / weight.sum()
    spins = np.empty((6000, 3))
    for row in spins:
        engine.run((Move(kind, 4),), 1.0, 1)
        row[:] = engine.spins[0]
    samples = np.column_stack([spins[:, 2] ** 2, 0.5 * spins**2 @ np.diag(a)])
    assert engine.energy == pytest.approx(samples[-1, 1], rel=1e-10)
    blocks = samples.reshape(40, -1, 2).mean(axis=1)
    error = blocks.std(axis=0, ddof=1) / np.sqrt(40)
    assert np.all(np.abs(blocks.mean(axis=0) - exact) < 4 * error)


def test_moves_agree_with_each_other():
    """Mean energies and their squares of one system by three mixtures."""
    system, theta = mixed((3, 3, 2))
    table, means = vector_table(system), []
    mixtures = [("uniform", "small_step"), ("heat_bath",), ("heat_bath", "over_relaxation", "reflection")]
    for k, kinds in enumerate(mixtures):
        engine = DipolarEngine(system, theta, FIELD, (k, 9), table=table)
        engine.adapting = True
        moves = tuple(Move(kind, 2) for kind in kinds)
        engine.run(moves, 0.6, 50)
        engine.adapting = False
        samples = np.empty(800)
        for n in range(len(samples)):
            engine.run(moves, 0.6, 2)
            samples[n] = engine.energy
        blocks = np.stack([samples, (samples - samples.mean()) ** 2]).reshape(2, 40, -1).mean(axis=2)
        means.append((blocks.mean(axis=1), blocks.std(axis=1, ddof=1) / np.sqrt(40)))
    for mean, error in means[1:]:
        assert np.all(np.abs(mean - means[0][0]) < 4 * np.hypot(error, means[0][1]))


def test_a_demagnetising_field():
    system, theta = lone(c=4.0)
    table = vector_table(system, demagnetisation=SPHERE)
    # In a cube with its sphere the lattice sum vanishes.
    assert DipolarEngine(system, theta, Conditions(), (1, 2), table=table).energy == pytest.approx(0.0, abs=1e-12)
    tin_foil = DipolarEngine(system, theta, Conditions(), (1, 2)).energy
    assert tin_foil == pytest.approx(-theta[0] * 2 * np.pi / (3 * 64.0), rel=1e-12)


def test_a_run_is_a_function_of_its_seed_and_calls():
    system, theta = mixed((3, 3, 2))
    table, ends = vector_table(system), []
    for seed, parts in (((1, 2), [5]), ((1, 2), [2, 3]), ((2, 1), [5])):
        engine = DipolarEngine(system, theta, FIELD, seed, table=table)
        for n_round in parts:
            engine.run(EVERY, 0.5, n_round)
        ends.append(engine.spins)
    np.testing.assert_array_equal(ends[0], ends[1])
    assert np.abs(ends[0] - ends[2]).max() > 0.1


def test_refusals():
    system, theta = lone()
    engine = DipolarEngine(system, theta, Conditions(), (1, 2))
    with pytest.raises(ConfigError, match="do not move like this"):
        engine.run((Move("short_loop"),), 1.0, 1)
    with pytest.raises(ConfigError, match="not finite"):
        DipolarEngine(system, [np.inf], Conditions(), (1, 2))
    with pytest.raises(ConfigError, match="not what its site may hold"):
        engine.set_spins([[0.0, 0.0, 2.0]])
