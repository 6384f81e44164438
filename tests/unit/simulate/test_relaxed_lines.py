"""Structures that come to rest at every set of couplings: lines, their slopes with the motion, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinscape.errors import ConfigError, UnstableError
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import MagneticStructure
from spinscape.hamiltonian.terms import BondTerm, OnsiteTerm, dm, easy_axis, heisenberg
from spinscape.lattice import symmetry
from spinscape.lattice.bonds import Bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.lines import LineSource
from spinscape.simulate.relaxed_lines import Relaxation, RelaxedSource, exchange_matrices
from spinscape.simulate.spectra import RelaxedSpectrum, spectrum_on
from spinscape.simulate.spectrum import SpectrumModel
from spinscape.simulate.spectrum_settings import SpinwaveSettings
from spinscape.simulate.spectrum_torch import predict_torch
from spinscape.units import MU_B

NAMES = ("J", "D", "K")
THETA = np.array([2.0, 0.35, -0.15])
CONDITIONS = Conditions(None, (0.3, 0.0, 4.0))
SETTINGS = SpinwaveSettings(component="perp", fwhm=(0.4,), units="moment", form_factor={})


def canted_chain(names=NAMES):
    """A chain of two sites with a DM vector along z and an anisotropy, canted by both and by a field."""
    vectors = lattice_vectors(a=4.0, b=6.0, c=7.0)
    sites = [symmetry.SiteSpec("A", "Ni2+", (x, 0.0, 0.0), 1.0, 2.2 * np.eye(3)) for x in (0.0, 0.5)]
    crystal = symmetry.crystal_from_sites(vectors, sites)
    terms = []
    for bond, sign in ((Bond(0, 1, (0, 0, 0)), ""), (Bond(1, 0, (1, 0, 0)), "-")):
        terms.append(BondTerm("heisenberg", heisenberg("J", names), bond, symmetry=False, where="J"))
        terms.append(BondTerm("dm", dm(["0", "0", f"{sign}D"], names), bond, symmetry=False, where="D"))
    terms += [OnsiteTerm("anisotropy", easy_axis("K", (1, 0, 0), names), k, symmetry=False, where="K") for k in (0, 1)]
    structure = MagneticStructure(np.eye(3, dtype=int), [0, 1], np.zeros((2, 3)), [[1, 0.2, 0.1], [-1, 0.2, 0.1]])
    return model_from_terms(crystal, names, terms), structure


MODEL, STRUCTURE = canted_chain()
Q = np.array([[0.13, 0.2, 0.4], [0.5, 0.0, 0.1], [0.77, 0.3, 0.0]])
WEIGHTS = np.random.default_rng(3).normal(size=(3, 3, 3))
WEIGHTS = WEIGHTS @ WEIGHTS.swapaxes(1, 2)


def five_point(function, step=1e-3):
    """Return the derivative at zero by a difference of fourth order."""
    a, b, c, d = (function(k * step) for k in (-2, -1, 1, 2))
    return (8.0 * (c - b) - (d - a)) / (12.0 * step)


def test_at_rest_the_lines_are_those_of_the_structure():
    relaxation = Relaxation(MODEL, STRUCTURE, CONDITIONS)
    source = RelaxedSource(relaxation, Q, WEIGHTS, settings=SETTINGS)
    plain = LineSource(MODEL, relaxation.at(THETA), Q, WEIGHTS, conditions=CONDITIONS, settings=SETTINGS)
    for got, expected in zip(source.lines(THETA), plain.lines(THETA), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11)


def test_slopes_hold_the_motion_of_the_spins():
    relaxation = Relaxation(MODEL, STRUCTURE, CONDITIONS)
    source = RelaxedSource(relaxation, Q, WEIGHTS, settings=SETTINGS)
    lines = source.lines_with_slopes(THETA)
    for k, axis in enumerate(np.eye(3)):
        by_energy, by_intensity = five_point(lambda x, axis=axis: np.stack(source.lines(THETA + x * axis)))
        np.testing.assert_allclose(lines.brighten[k], by_intensity, atol=3e-9)
        np.testing.assert_allclose(lines.shift[k], lines.intensities * by_energy, atol=3e-9)
    # The structure moves: slopes at fixed directions are others.
    fixed = LineSource(MODEL, relaxation.at(THETA), Q, WEIGHTS, conditions=CONDITIONS, settings=SETTINGS)
    assert np.abs(lines.brighten - fixed.lines_with_slopes(THETA).brighten).max() > 1e-2


@pytest.mark.parametrize("form", ["large_s", "renormalised"])
def test_biquadratic_terms_move_with_the_structure(form):
    """The canted chain with B (S₁·S₂)² on both of its bonds: lines as of the structure at rest, exact slopes."""
    model, structure = canted_chain()
    quartic = BiquadraticTable([0, 1], [1, 0], [[0, 0, 0], [1, 0, 0]], [3, 3], [1.0, 1.0], (form, form))
    model = replace(model, parameter_names=(*NAMES, "B"), biquadratic=quartic)
    theta = np.array([*THETA, 0.3])
    relaxation = Relaxation(model, structure, CONDITIONS)
    source = RelaxedSource(relaxation, Q, WEIGHTS, settings=SETTINGS)
    plain = LineSource(model, relaxation.at(theta), Q, WEIGHTS, conditions=CONDITIONS, settings=SETTINGS)
    for got, expected in zip(source.lines(theta), plain.lines(theta), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11)
    lines = source.lines_with_slopes(theta)
    for k, axis in enumerate(np.eye(4)):
        by_energy, by_intensity = five_point(lambda x, axis=axis: np.stack(source.lines(theta + x * axis)))
        np.testing.assert_allclose(lines.brighten[k], by_intensity, atol=1e-8)
        np.testing.assert_allclose(lines.shift[k], lines.intensities * by_energy, atol=1e-8)


def test_the_pullback_is_the_transpose_of_the_slopes():
    source = RelaxedSource(Relaxation(MODEL, STRUCTURE, CONDITIONS), Q, WEIGHTS)
    a, b = np.random.default_rng(1).normal(size=(2, 3, 2))
    lines, (_, _, pullback) = source.lines_with_slopes(THETA), source.lines_with_pullback(THETA)
    expected = np.einsum("qn,kqn->k", a, lines.brighten) + np.einsum("qn,kqn->k", b, lines.shift)
    np.testing.assert_allclose(pullback(a, b), expected, rtol=1e-12)


def test_two_spins_cant_as_the_closed_form_says():
    """E = 2 J S₁·S₂ + g μ_B B·(S₁ + S₂) for the pair of bonds: sin α = −g μ_B B/(4 J S)."""
    angle = []
    for field in (2.0, 4.0):
        found = Relaxation(MODEL, STRUCTURE, Conditions(None, (0.0, 0.0, field))).at(np.array([2.0, 0.0, -1e-3]))
        angle.append(found.direction[:, 2])
        np.testing.assert_allclose(found.direction[:, 2], -2.2 * MU_B * field / (4.0 * 2.0), rtol=1e-3)
    np.testing.assert_allclose(angle[1], 2 * angle[0], rtol=1e-3)


def test_exchange_matrices_are_hermitian_and_sum_all_bonds():
    found = exchange_matrices(MODEL, STRUCTURE, Q)
    np.testing.assert_allclose(found, found.conj().swapaxes(-1, -2), atol=1e-14)
    at_zero = exchange_matrices(MODEL, STRUCTURE, np.zeros((1, 3)))[0, 0]
    np.testing.assert_allclose(at_zero[:3, 3:], 2 * np.eye(3), atol=1e-14)


def test_a_spectrum_of_a_relaxed_structure_and_its_gradient():
    path = path_through([[0.05, 0, 0.2], [0.95, 0, 0.2]], n_point=[9], reciprocal=MODEL.crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.5, last=9.5, step=0.25)
    spectrum = spectrum_on(MODEL, STRUCTURE, path, energy, SETTINGS, CONDITIONS, relax=True)
    assert isinstance(spectrum, RelaxedSpectrum)
    slope = spectrum.predict_gradient(THETA)
    for k, axis in enumerate(np.eye(3)):
        difference = five_point(lambda x, axis=axis: spectrum.predict(THETA + x * axis))
        np.testing.assert_allclose(slope[k], difference, atol=1e-7 * np.abs(slope[k]).max())
    rest = Relaxation(MODEL, STRUCTURE, CONDITIONS).at(THETA)
    frozen = SpectrumModel(MODEL, rest, path, energy, SETTINGS, CONDITIONS)
    np.testing.assert_allclose(spectrum.predict(THETA), frozen.predict(THETA), atol=1e-10)
    np.testing.assert_allclose(spectrum.mode_energies(THETA, Q), frozen.mode_energies(THETA, Q), atol=1e-10)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_image_loss_goes_back_through_the_relaxation(device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    path = path_through([[0.05, 0, 0.2], [0.95, 0, 0.2]], n_point=[5], reciprocal=MODEL.crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.5, last=9.5, step=0.5)
    spectrum = spectrum_on(MODEL, STRUCTURE, path, energy, SETTINGS, CONDITIONS, relax=True)
    theta = torch.tensor(THETA, device=device, requires_grad=True)
    weights = torch.linspace(-1.0, 1.0, 5 * 19, dtype=torch.float64, device=device).reshape(5, 19)
    (predict_torch(spectrum, theta) * weights).sum().backward()
    assert theta.grad.device.type == device
    total = lambda x, axis: float((spectrum.predict(THETA + x * axis) * weights.cpu().numpy()).sum())  # noqa: E731
    expected = [five_point(lambda x, axis=axis: total(x, axis), 2e-4) for axis in np.eye(3)]
    np.testing.assert_allclose(theta.grad.cpu().numpy(), expected, rtol=1e-8)


def test_answers_do_not_depend_on_the_order_of_questions():
    there, back = Relaxation(MODEL, STRUCTURE, CONDITIONS), Relaxation(MODEL, STRUCTURE, CONDITIONS)
    there.at(THETA + 0.5)
    assert np.array_equal(there.at(THETA).direction, back.at(THETA).direction)
    assert there.at(THETA) is there.at(THETA.copy())


def test_what_is_refused():
    ferromagnetic = RelaxedSource(Relaxation(MODEL, STRUCTURE), np.array([[0.3, 0.0, 0.0]]), WEIGHTS[:1])
    with pytest.raises((UnstableError, ConfigError)):
        ferromagnetic.lines(np.array([np.nan, 0.0, 0.0]))
