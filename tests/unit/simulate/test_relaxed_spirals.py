"""Spirals that come to rest at every set of couplings: wave vectors, cones, lines and their slopes with the motion."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinscape.errors import ConfigError
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.hamiltonian.terms import BondTerm, OnsiteTerm, dm, easy_axis, heisenberg
from spinscape.lattice import symmetry
from spinscape.lattice.bonds import Bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.lines import LineSource
from spinscape.simulate.relaxed_lines import Relaxation
from spinscape.simulate.relaxed_spiral_lines import relaxed_source
from spinscape.simulate.spectra import RelaxedSpectrum, spectrum_on
from spinscape.simulate.spectrum_settings import SpinwaveSettings
from spinscape.simulate.spectrum_torch import predict_torch
from spinscape.simulate.spiral_relaxation import relaxed_spiral, spiral_motion
from spinscape.simulate.spiral_search import minimise_spiral

NAMES = ("J", "K", "D", "P", "F")
THETA = np.array([-1.0, 0.9, 0.25, 0.2, -0.4])
CONDITIONS = Conditions(None, (0.0, 0.0, 3.0))
SETTINGS = SpinwaveSettings(component="perp", fwhm=(0.5,), units="moment", form_factor={})
Q = np.array([[0.13, 0.2, 0.41], [0.5, 0.0, 0.11], [0.77, 0.3, 0.0]])
WEIGHTS = np.random.default_rng(3).normal(size=(3, 3, 3))
WEIGHTS = WEIGHTS @ WEIGHTS.swapaxes(1, 2)


def helimagnet():
    """Chains along z of two unlike sites with DM vectors along z, an easy plane, and a coupling F between chains."""
    sites = [
        symmetry.SiteSpec(label, "Ni2+", (0.0, 0.0, z), s, g * np.eye(3))
        for label, z, s, g in (("A", 0.0, 1.0, 2.2), ("B", 0.4, 1.5, 2.0))
    ]
    crystal = symmetry.crystal_from_sites(lattice_vectors(a=4.0, b=4.5, c=5.0), sites)
    bonds = [("J", Bond(0, 1, (0, 0, 0))), ("J", Bond(1, 0, (0, 0, 1)))]
    bonds += [("K", Bond(k, k, (0, 0, 1))) for k in (0, 1)]
    bonds += [("F", Bond(k, k, offset)) for k in (0, 1) for offset in ((1, 0, 0), (0, 1, 0))]
    terms = [BondTerm("heisenberg", heisenberg(n, NAMES), b, symmetry=False, where=n) for n, b in bonds]
    terms += [BondTerm("dm", dm(["0", "0", "D"], NAMES), b, symmetry=False, where="D") for _, b in bonds[:1]]
    terms += [OnsiteTerm("anisotropy", easy_axis("P", (0, 0, 1), NAMES), k, symmetry=False, where="P") for k in (0, 1)]
    return model_from_terms(crystal, NAMES, terms)


MODEL = helimagnet()
START = SpiralStructure([0.0, 0.0, -0.3], [0, 0, 1], [[1, 0, -0.2], [1, -0.3, -0.2]])


def five_point(function, step=1e-3):
    """Return the derivative at zero by a difference of fourth order."""
    a, b, c, d = (function(k * step) for k in (-2, -1, 1, 2))
    return (8.0 * (c - b) - (d - a)) / (12.0 * step)


def chain():
    """One spin for each cell, first and second neighbours along z."""
    crystal = symmetry.crystal_from_sites(
        lattice_vectors(a=4.0, b=4.0, c=4.0), [symmetry.SiteSpec("A", "Ni2+", (0.0, 0.0, 0.0), 1.0)]
    )
    bonds = (("J", Bond(0, 0, (0, 0, 1))), ("K", Bond(0, 0, (0, 0, 2))))
    terms = [BondTerm("heisenberg", heisenberg(n, ("J", "K")), b, symmetry=False, where=n) for n, b in bonds]
    return model_from_terms(crystal, ("J", "K"), terms)


def test_the_wave_vector_of_the_frustrated_chain_has_its_closed_form():
    """cos 2πk = -J/4K; dk/dJ = 1/(8π K sin 2πk), dk/dK = -J/K dk/dJ."""
    start = SpiralStructure([0.0, 0.0, 0.27], [0, 0, 1], [[1, 0, 0]])
    theta = np.array([-1.0, 0.8])
    found = relaxed_spiral(chain(), start, theta)
    k = np.arccos(1.0 / 3.2) / (2.0 * np.pi)
    np.testing.assert_allclose(found.k, [0, 0, k], atol=1e-12)
    slope = 1.0 / (8.0 * np.pi * 0.8 * np.sin(2.0 * np.pi * k))
    motion = spiral_motion(chain(), found, theta)
    np.testing.assert_allclose(motion.k[:, 2], [slope, slope / 0.8], rtol=1e-9)
    np.testing.assert_allclose(motion.direction, 0.0, atol=1e-9)


def test_a_ferromagnet_that_is_none_leaves_its_saddle():
    start = SpiralStructure([0.0, 0.0, 0.0], [0, 0, 1], [[1, 0, 0]])
    found = relaxed_spiral(chain(), start, [-1.0, 0.8])
    assert abs(found.k[2]) == pytest.approx(np.arccos(1.0 / 3.2) / (2.0 * np.pi), abs=1e-9)
    straight = relaxed_spiral(chain(), start, [-1.0, 0.1])
    np.testing.assert_allclose(straight.k, 0.0, atol=1e-9)


def test_a_relaxed_cone_is_the_spiral_that_a_search_finds():
    here = relaxed_spiral(MODEL, START, THETA, CONDITIONS)
    search = minimise_spiral(MODEL, THETA, conditions=CONDITIONS, axes=[[0, 0, 1]], n_mesh=6)
    np.testing.assert_allclose(here.k[2], search.spiral.k[2], atol=1e-7)
    assert np.all(here.direction[:, 2] < -0.05)
    motion = spiral_motion(MODEL, here, THETA, CONDITIONS)
    for n, axis in enumerate(np.eye(5)):
        at = lambda x, axis=axis: relaxed_spiral(MODEL, here, THETA + x * axis, CONDITIONS)  # noqa: E731
        np.testing.assert_allclose(motion.k[n], five_point(lambda x, at=at: at(x).k), atol=1e-8)
        cone = five_point(lambda x, at=at: at(x).direction[:, 2])
        np.testing.assert_allclose(motion.direction[n, :, 2], cone, atol=1e-8)


def test_at_rest_the_lines_are_those_of_the_spiral():
    relaxation = Relaxation(MODEL, START, CONDITIONS)
    source = relaxed_source(relaxation, Q, WEIGHTS, settings=SETTINGS)
    plain = LineSource(MODEL, relaxation.at(THETA), Q, WEIGHTS, conditions=CONDITIONS, settings=SETTINGS)
    for got, expected in zip(source.lines(THETA), plain.lines(THETA), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


def test_slopes_hold_the_motion_of_the_wave_vector():
    relaxation = Relaxation(MODEL, START, CONDITIONS)
    source = relaxed_source(relaxation, Q, WEIGHTS, settings=SETTINGS)
    lines = source.lines_with_slopes(THETA)
    for k, axis in enumerate(np.eye(5)):
        by_energy, by_intensity = five_point(lambda x, axis=axis: np.stack(source.lines(THETA + x * axis)))
        np.testing.assert_allclose(lines.brighten[k], by_intensity, atol=1e-8 * np.abs(lines.brighten).max())
        np.testing.assert_allclose(lines.shift[k], lines.intensities * by_energy, atol=1e-8 * np.abs(lines.shift).max())
    fixed = LineSource(MODEL, relaxation.at(THETA), Q, WEIGHTS, conditions=CONDITIONS, settings=SETTINGS)
    assert np.abs(lines.shift - fixed.lines_with_slopes(THETA).shift).max() > 1e-2
    a, b = np.random.default_rng(1).normal(size=(2, 3, 6))
    expected = np.einsum("qn,kqn->k", a, lines.brighten) + np.einsum("qn,kqn->k", b, lines.shift)
    np.testing.assert_allclose(source.lines_with_pullback(THETA)[2](a, b), expected, rtol=1e-12)


def test_biquadratic_terms_turn_with_the_spiral():
    quartic = BiquadraticTable([0], [1], [[0, 0, 0]], [5], [1.0])
    model = replace(MODEL, parameter_names=(*NAMES, "B"), biquadratic=quartic)
    theta = np.array([*THETA, 0.05])
    relaxation = Relaxation(model, START, CONDITIONS)
    source = relaxed_source(relaxation, Q, WEIGHTS, settings=SETTINGS)
    plain = LineSource(model, relaxation.at(theta), Q, WEIGHTS, conditions=CONDITIONS, settings=SETTINGS)
    for got, expected in zip(source.lines(theta), plain.lines(theta), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)
    lines = source.lines_with_slopes(theta)
    for k, axis in enumerate(np.eye(6)):
        by_energy, by_intensity = five_point(lambda x, axis=axis: np.stack(source.lines(theta + x * axis)), 3e-4)
        np.testing.assert_allclose(lines.brighten[k], by_intensity, atol=1e-8 * np.abs(lines.brighten).max())
        np.testing.assert_allclose(lines.shift[k], lines.intensities * by_energy, atol=1e-8 * np.abs(lines.shift).max())


def test_spectra_on_paths_and_powders_follow_the_spiral():
    path = path_through([[0.05, 0, 0.2], [0.95, 0, 0.2]], n_point=[7], reciprocal=MODEL.crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.5, last=9.5, step=0.25)
    spectrum = spectrum_on(MODEL, START, path, energy, SETTINGS, CONDITIONS, relax=True)
    assert isinstance(spectrum, RelaxedSpectrum)
    powder = PowderAxis.from_range(first=0.5, last=1.5, n=3)
    how = {"relax": True, "reference": THETA, "tolerance": 0.3}
    for one in (spectrum, spectrum_on(MODEL, START, powder, energy, SETTINGS, **how)):
        slope = one.predict_gradient(THETA)
        for k, axis in enumerate(np.eye(5)):
            difference = five_point(lambda x, axis=axis, one=one: one.predict(THETA + x * axis), 2e-4)
            np.testing.assert_allclose(slope[k], difference, atol=1e-8 * np.abs(slope).max())


def test_an_image_loss_goes_back_to_the_couplings_of_a_spiral():
    """A descent by torch moves the wave vector with the couplings, from a spiral that the start would not hold."""
    path = path_through([[0.1, 0, 0.05], [0.1, 0, 0.95]], n_point=[12], reciprocal=MODEL.crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.5, last=9.5, step=0.25)
    spectrum = spectrum_on(MODEL, START, path, energy, replace(SETTINGS, fwhm=(1.5,)), relax=True)
    seen = torch.from_numpy(spectrum.predict(THETA))
    couplings = torch.tensor([0.85, 0.3], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([couplings], max_iter=40, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        theta = torch.cat([torch.tensor(THETA[:1]), couplings, torch.tensor(THETA[3:])])
        value = ((predict_torch(spectrum, theta) - seen) ** 2).sum()
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(couplings.detach(), torch.tensor(THETA[1:3]), rtol=0, atol=1e-6)


def test_what_is_refused():
    kitaev = BondTerm("matrix", {"K": np.diag([1.0, 0.0, 0.0])}, Bond(0, 0, (0, 0, 1)), symmetry=False, where="K")
    model = model_from_terms(chain().crystal, ("K",), [kitaev])
    start = SpiralStructure([0.0, 0.0, 0.5], [0, 0, 1], [[1, 0, 0]])
    with pytest.raises(ConfigError, match="may be any"):
        relaxed_spiral(model, start, [1.0])
    with pytest.raises(ConfigError, match="not finite"):
        relaxed_spiral(chain(), start, [np.nan, 1.0])
    # At J = -4K the ferromagnet becomes a spiral, like a square root.
    straight = SpiralStructure([0.0, 0.0, 0.0], [0, 0, 1], [[1, 0, 0]])
    assert np.all(np.isfinite(spiral_motion(chain(), straight, [-4.0, 1.0]).k))
