"""Powder spectra: directions reduced by symmetry, frozen rules, primitive cells, exact derivatives."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import MagneticStructure
from spinscape.hamiltonian.primitive import in_primitive_cell
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.hamiltonian.terms import BondTerm, OnsiteTerm, dm, heisenberg
from spinscape.lattice import symmetry
from spinscape.lattice.bonds import Bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis
from spinscape.observables.powder import sphere_rule
from spinscape.observables.structure_factor import polarisation_weights
from spinscape.simulate.lines import LineSource
from spinscape.simulate.powder_sampling import PowderSampling, reduced_directions, spectrum_rotations
from spinscape.simulate.powder_spectrum import PowderSpectrum
from spinscape.simulate.spectrum import SpectrumModel
from spinscape.simulate.spectrum_settings import SpinwaveSettings
from spinscape.simulate.spiral_search import minimise_spiral

SETTINGS = SpinwaveSettings(component="perp", fwhm=(0.8,))
AXIS = PowderAxis.from_range(first=0.4, last=2.4, n=6)
ENERGY = EnergyAxis.from_range(first=0.25, last=9.75, step=0.25)
MIRRORS = np.array([np.diag([a, b, c]) for a in (1, -1) for b in (1, -1) for c in (1, -1)], dtype=float)


def body_centred():
    """A body-centred antiferromagnet with second neighbours: two sites in the chemical cell, one in the primitive."""
    vectors = lattice_vectors(a=4.0, b=4.0, c=5.0)
    crystal = symmetry.crystal_from_space_group(
        vectors, "I 4/m m m", [symmetry.SiteSpec("A", "Mn2+", (0.0, 0.0, 0.0), 2.5)]
    )
    terms = [
        BondTerm("heisenberg", heisenberg(name, ("J", "Jp")), bond, where=name)
        for name, bond in (("J", Bond(0, 1, (0, 0, 0))), ("Jp", Bond(0, 0, (1, 0, 0))))
    ]
    structure = MagneticStructure(np.eye(3, dtype=int), [0, 1], np.zeros((2, 3)), [[0, 0, 1], [0, 0, -1]])
    return model_from_terms(crystal, ("J", "Jp"), terms), structure


MODEL, STRUCTURE = body_centred()
THETA = np.array([0.25, 0.02])


@pytest.mark.parametrize("degree", [7, 15, 31])
def test_one_direction_of_each_orbit_averages_like_all(degree):
    directions, weights = reduced_directions(degree, MIRRORS)
    rule = sphere_rule(degree)
    assert weights.sum() == pytest.approx(1.0, abs=1e-14) and len(weights) < rule.n_direction / 7
    even = lambda n: np.exp(n[:, 0] ** 2) + n[:, 1] ** 4 * n[:, 2] ** 2  # noqa: E731
    assert weights @ even(directions) == pytest.approx(rule.weights @ even(rule.directions), rel=1e-12)


def test_rotations_that_do_not_map_the_rule_are_left_out():
    diagonal = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    directions, _ = reduced_directions(15, np.stack([np.eye(3), diagonal, diagonal @ diagonal]))
    assert len(directions) == sphere_rule(15).n_direction


def test_the_spectrum_is_the_same_under_its_rotations_and_under_no_others():
    rotations = spectrum_rotations(MODEL, STRUCTURE)
    assert len(rotations) == 16
    q = np.random.default_rng(2).normal(size=(4, 3))
    everywhere = np.concatenate([q @ r.T for r in rotations])
    weights = polarisation_weights("perp", everywhere)
    source = LineSource(MODEL, STRUCTURE, everywhere @ np.linalg.inv(MODEL.crystal.reciprocal), weights)
    for part in source.lines(THETA):
        sums = part.reshape(len(rotations), 4, -1).sum(axis=2)
        np.testing.assert_allclose(sums, np.tile(sums[:1], (len(rotations), 1)), rtol=1e-9)


def test_magnons_that_differ_at_opposite_q_are_not_averaged_as_if_they_did_not():
    """A ferromagnetic chain along z with DM along its spins: E(Q) ≠ E(−Q), though the lattice has inversion."""
    crystal = symmetry.crystal_from_sites(
        lattice_vectors(a=4.0, b=4.0, c=4.0), [symmetry.SiteSpec("A", "Ni2+", (0.0, 0.0, 0.0), 1.0)]
    )
    bond, names = Bond(0, 0, (0, 0, 1)), ("J", "D")
    terms = [BondTerm("heisenberg", heisenberg("J", names), bond, symmetry=False, where="J")]
    terms.append(BondTerm("dm", dm(["0", "0", "D"], names), bond, symmetry=False, where="D"))
    model = model_from_terms(crystal, names, terms)
    up = MagneticStructure(np.eye(3, dtype=int), [0], np.zeros((1, 3)), [[0, 0, 1]])
    q = np.array([[0, 0, 0.2], [0, 0, -0.2]])
    energies, _ = LineSource(model, up, q, np.tile(np.eye(3), (2, 1, 1))).lines([-1.0, 0.3])
    assert abs(energies[0, 0] - energies[1, 0]) > 0.1
    assert not any(np.allclose(r @ [0, 0, 1], [0, 0, -1]) for r in spectrum_rotations(model, up))


def test_on_the_primitive_cell_energies_and_intensities_are_the_same():
    found = in_primitive_cell(MODEL, STRUCTURE)
    # The antiferromagnet breaks the centring: the primitive model has one site, its structure two spins.
    assert (found.n_copy, found.model.crystal.n_site, found.structure.n_sublattice) == (2, 1, 2)
    q = np.random.default_rng(4).uniform(-1, 1, size=(6, 3))
    weights = polarisation_weights("perp", q @ MODEL.crystal.reciprocal)
    whole = LineSource(MODEL, STRUCTURE, q, weights).lines(THETA)
    primitive = LineSource(found.model, found.structure, found.q(q), found.n_copy * weights).lines(THETA)
    np.testing.assert_allclose(primitive[0], whole[0], atol=1e-10)
    np.testing.assert_allclose(primitive[1].sum(axis=1), whole[1].sum(axis=1), rtol=1e-9)


def test_a_ferromagnet_has_one_spin_on_the_primitive_cell_and_the_modes_that_are_seen():
    up = MagneticStructure(np.eye(3, dtype=int), [0, 1], np.zeros((2, 3)), [[0, 0, 1], [0, 0, 1]])
    found = in_primitive_cell(MODEL, up)
    assert found.structure.n_sublattice == 1
    q, theta = np.array([[0.2, 0.1, 0.35]]), np.array([-0.2, 0.0])
    whole = LineSource(MODEL, up, q, np.eye(3)[None]).lines(theta)
    seen = whole[1][0] > 1e-9
    one = LineSource(found.model, found.structure, found.q(q), found.n_copy * np.eye(3)[None]).lines(theta)
    assert seen.sum() == 1
    np.testing.assert_allclose([one[0][0, 0], one[1][0, 0]], [whole[0][0, seen][0], whole[1][0, seen][0]], rtol=1e-9)


def test_the_average_is_that_of_a_finer_rule_to_the_tolerance():
    spectrum = PowderSpectrum(MODEL, STRUCTURE, AXIS, ENERGY, SETTINGS, reference=THETA, tolerance=0.05)
    degrees = spectrum.sampling.degrees
    assert degrees[0] <= degrees[-1] and len(degrees) == 6
    rule = sphere_rule(4 * max(degrees) + 3)
    rows = []
    for modulus in AXIS.centres:
        q = modulus * rule.directions
        source = LineSource(
            MODEL, STRUCTURE, q @ np.linalg.inv(MODEL.crystal.reciprocal), polarisation_weights("perp", q)
        )
        rows.append(rule.weights @ spectrum._spectrum.instrument.rows(*source.lines(THETA)))
    expected, got = np.array(rows), spectrum.predict(THETA)
    error = np.sqrt(np.mean((got - expected) ** 2, axis=1))
    assert error.max() <= 0.05 * np.sqrt(np.mean(expected**2))
    assert spectrum.for_width(6.0).sampling.counts.sum() < spectrum.sampling.counts.sum()


@pytest.mark.parametrize("relax", [False, True])
def test_derivatives_are_those_of_the_frozen_average(relax):
    spectrum = PowderSpectrum(MODEL, STRUCTURE, AXIS, ENERGY, SETTINGS, reference=THETA, relax=relax, tolerance=0.3)
    slope, step = spectrum.predict_gradient(THETA), 1e-4
    for k, axis in enumerate(np.eye(2)):
        a, b, c, d = (spectrum.predict(THETA + n * step * axis) for n in (-2, -1, 1, 2))
        difference = (8.0 * (c - b) - (d - a)) / (12.0 * step)
        np.testing.assert_allclose(slope[k], difference, atol=1e-7 * np.abs(slope[k]).max())
    value, pullback = spectrum.predict_with_pullback(THETA)
    cotangent = np.random.default_rng(1).normal(size=value.shape)
    np.testing.assert_allclose(pullback(cotangent), np.einsum("qe,kqe->k", cotangent, slope), rtol=1e-9)
    assert np.array_equal(spectrum.predict(THETA), spectrum.predict(THETA))


def full_sphere(spectrum):
    """The same average over every direction of the rules."""
    sampling = replace(spectrum.sampling, rotations=np.eye(3)[None])
    cell, axes = spectrum._cell, (spectrum.axis, spectrum.energy, spectrum.settings, spectrum.conditions)
    model = SpectrumModel(cell.model, cell.structure, *axes, sampling=sampling, source=spectrum._source)
    assert sampling.counts.sum() > spectrum.sampling.counts.sum()
    return model


@pytest.mark.parametrize("component", ["perp", "xx", "zz"])
def test_components_are_averaged_over_the_directions_that_they_are_the_same_for(component):
    """A tetragonal magnet whose exchange knows the direction of its bond: a quarter turn changes S^xx to S^yy."""
    crystal = symmetry.crystal_from_space_group(
        lattice_vectors(a=4.0, b=4.0, c=5.0), "P 4/m m m", [symmetry.SiteSpec("A", "Mn2+", (0.0, 0.0, 0.0), 1.0)]
    )
    terms = [BondTerm("matrix", {"J": np.diag([1.4, 0.5, 1.0])}, Bond(0, 0, (1, 0, 0)), where="J")]
    model = model_from_terms(
        crystal, ("J", "D"), [*terms, OnsiteTerm("matrix", {"D": np.diag([0.0, 0.0, -1.0])}, 0, where="D")]
    )
    up = MagneticStructure(np.eye(3, dtype=int), [0], np.zeros((1, 3)), [[0, 0, 1]])
    theta, settings = np.array([-1.0, 1.0]), replace(SETTINGS, component=component)
    spectrum = PowderSpectrum(model, up, AXIS, ENERGY, settings, reference=theta, tolerance=0.05)
    whole = full_sphere(spectrum).predict(theta)
    np.testing.assert_allclose(spectrum.predict(theta), whole, atol=1e-12 * max(whole.max(), 1.0))


def chains(sites, bonds, *, couplings):
    """A magnet of chains along c, each coupled to its neighbours by a ferromagnetic F, with an easy plane P."""
    crystal = symmetry.crystal_from_space_group(lattice_vectors(a=4.0, b=4.5, c=5.0), "P m m m", sites)
    names = (*couplings, "F", "P")
    n = len(sites)
    bonds = [*bonds, *(("F", Bond(k, k, offset)) for k in range(n) for offset in ((1, 0, 0), (0, 1, 0)))]
    terms = [BondTerm("heisenberg", heisenberg(name, names), bond, where=name) for name, bond in bonds]
    terms += [OnsiteTerm("matrix", {"P": np.diag([0.0, 0.0, 1.0])}, k, where="P") for k in range(n)]
    return model_from_terms(crystal, names, terms)


def test_a_powder_of_spirals_has_their_symmetry_and_their_derivatives():
    """Two unlike sites in turn along the chain; the angle between them is no half of the turn of a cell."""
    sites = [symmetry.SiteSpec(label, "Mn2+", (0.0, 0.0, z), s) for label, z, s in (("A", 0.0, 1.0), ("B", 0.5, 1.5))]
    bonds = [("J", Bond(0, 1, (0, 0, 0))), ("K", Bond(0, 0, (0, 0, 1))), ("K", Bond(1, 1, (0, 0, 1)))]
    model, theta = chains(sites, bonds, couplings=("J", "K")), np.array([-1.0, 1.0, -0.5, 0.3])
    spiral = minimise_spiral(model, theta, n_mesh=6).spiral
    assert 0.05 < abs(spiral.k[2]) < 0.45
    settings = replace(SETTINGS, fwhm=(3.0,))
    spectrum = PowderSpectrum(model, spiral, AXIS, ENERGY, settings, reference=theta, tolerance=0.3)
    assert len(spectrum.rotations) == 8
    value, pullback = spectrum.predict_with_pullback(theta)
    np.testing.assert_allclose(value, full_sphere(spectrum).predict(theta), atol=1e-9 * value.max())
    slope = spectrum.predict_gradient(theta)
    np.testing.assert_allclose(pullback(np.ones(value.shape)), slope.sum(axis=(1, 2)), rtol=1e-8)


def test_a_powder_of_a_commensurate_spiral_is_that_of_its_supercell():
    site = symmetry.SiteSpec("A", "Mn2+", (0.0, 0.0, 0.0), 1.0)
    model = chains([site], [("K", Bond(0, 0, (0, 0, 2)))], couplings=("K",))
    spiral, theta = SpiralStructure([0, 0, 0.25], [0, 0, 1], [[1, 0, 0]]), np.array([1.0, -0.5, 0.5])
    how = {"reference": theta, "tolerance": 0.1}
    settings = replace(SETTINGS, fwhm=(2.0,))
    turning, laid_out = (
        PowderSpectrum(model, s, AXIS, ENERGY, settings, **how).predict(theta)
        for s in (spiral, spiral.in_cell((1, 1, 4)))
    )
    error = np.sqrt(np.mean((turning - laid_out) ** 2))
    assert error < 0.1 * np.sqrt(np.mean(laid_out**2))


def test_means_over_bins_of_q_and_energy():
    settings = replace(SETTINGS, bins="means")
    how = {"reference": THETA, "tolerance": 0.02}
    means = PowderSpectrum(MODEL, STRUCTURE, AXIS, ENERGY, settings, **how).predict(THETA)
    n = 8
    edges = AXIS.edges
    inner = [0.5 * (e[1:] + e[:-1]) for e in (np.linspace(a, b, n + 1) for a, b in pairwise(edges))]
    energy = EnergyAxis(np.linspace(ENERGY.edges[0], ENERGY.edges[-1], 2 * 5 * len(ENERGY.centres) + 1)[1::2])
    fine = PowderSpectrum(MODEL, STRUCTURE, PowderAxis("fine", np.concatenate(inner)), energy, SETTINGS, **how)
    expected = fine.predict(THETA).reshape(6, n, -1, 5).mean(axis=(1, 3))
    assert np.sqrt(np.mean((means - expected) ** 2)) < 0.05 * np.sqrt(np.mean(expected**2))


def test_the_directions_of_a_sampling_lie_on_their_spheres():
    reciprocal = MODEL.crystal.reciprocal
    sampling = PowderSampling(AXIS, (7, 7, 15, 15, 15, 7), MIRRORS, reciprocal)
    samples = sampling.at(2, 4)
    assert sampling.counts[2:4].sum() == len(samples.q)
    modulus = np.linalg.norm(samples.q @ reciprocal, axis=1)
    np.testing.assert_allclose(samples.means(modulus[:, None])[:, 0], AXIS.centres[2:4], rtol=1e-12)


def test_what_a_powder_has_not_is_refused():
    common = {"reference": THETA}
    with pytest.raises(ConfigError, match="field"):
        PowderSpectrum(MODEL, STRUCTURE, AXIS, ENERGY, SETTINGS, Conditions(None, (0, 0, 1.0)), **common)
    with pytest.raises(ConfigError, match="tolerance"):
        PowderSpectrum(MODEL, STRUCTURE, AXIS, ENERGY, SETTINGS, tolerance=0.0, **common)
    with pytest.raises(ConfigError, match="must rise"):
        PowderAxis("p", [1.0, 0.5])
    with pytest.raises(ConfigError, match="no such axis"):
        PowderAxis.from_range(first=0.0, last=1.0, n=1)
