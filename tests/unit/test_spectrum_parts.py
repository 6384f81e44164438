"""What an instrument makes of a spectrum: twins, spreads, grids, temperature; exact derivatives through all of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError, UnstableError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.hamiltonian.structures import GroundStateSearch
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.volumes import QGrid
from spinscape.simulate import spectrum as spectrum_module
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings
from spinscape.units import K_B

THETA = np.array([3.0, 0.4, -0.2])
ENERGY = EnergyAxis.from_range(first=-10.0, last=20.0, step=0.5)
QUARTER = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
TWINS = {"rotations": [np.eye(3).tolist(), QUARTER], "weights": [0.3, 0.7]}
SPREAD = {"covariance": (np.diag([0.02, 0.03, 0.01]) ** 2).tolist(), "order": 3}
RANGE = {"axis": (0.0, 0.0, 1.0), "low": -0.2, "high": 0.2, "order": 3}


def orthorhombic():
    """An antiferromagnet without the symmetry of its quarter turn, unequal spins along z, easy axis z."""
    crystal = Crystal(
        vectors=np.diag([4.0, 4.0, 9.0]),
        positions=[[0, 0, 0], [0.5, 0.5, 0]],
        labels=("a", "b"),
        orbit=[0, 1],
        spins=[1.0, 1.5],
        ions=("Ni2+", "Cu2+"),
        g=np.tile(2.2 * np.eye(3), (2, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    offset = [[0, 0, 0], [-1, 0, 0], [0, -1, 0], [-1, -1, 0], [1, 0, 0], [0, 0, 1]]
    exchange = np.tile(np.eye(3), (6, 1, 1))
    exchange[5] = np.diag([1.0, 0.5, 1.0])
    bonds = BondTable([0] * 6, [1, 1, 1, 1, 0, 1], offset, [0, 0, 0, 0, 1, 1], exchange)
    onsite = OnsiteTable([0, 1], [2, 2], np.tile(np.diag([0.0, 0.0, 1.0]), (2, 1, 1)))
    structure = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), [[0, 0, 1], [0, 0, -1]])
    return Model(crystal, ("J", "K", "D"), bonds, onsite), structure


def path():
    reciprocal = orthorhombic()[0].crystal.reciprocal
    return path_through([[0.1, 0, 0.2], [0.6, 0.2, 0], [0.6, 0.9, 0.3]], n_point=(4, 5), reciprocal=reciprocal)


def grid():
    return QGrid("g", [0, 0, 0], np.eye(3), (np.linspace(0.1, 0.9, 4), np.linspace(0.1, 0.7, 4), np.array([-0.3, 0.3])))


def spectrum(axes=None, conditions=None, **settings):
    how = SpinwaveSettings(**{"component": "perp", "fwhm": (1.5, 0.02), **settings})
    return SpectrumModel(*orthorhombic(), axes or path(), ENERGY, how, conditions or Conditions(30.0, (0.0, 0.0, 2.0)))


CASES = {
    "temperature": {"thermal": True},
    "form factors in barn": {"form_factor": {"g": {"Ni2+": 2.2}}, "units": "cross_section"},
    "spread and interval": {"spread": SPREAD, "ranges": (RANGE,)},
    "twins of one component": {"twins": TWINS, "component": "xx"},
    "means over bins": {
        "bins": "means",
        "fwhm_table": ((-20.0, 60.0), (1.0, 2.0)),
        "line": "pseudo_voigt",
        "mixing": 0.3,
    },
    "all at once": {"thermal": True, "line": "lorentzian", "twins": TWINS, "form_factor": {"g": "sites"}},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("axes", [path, grid])
def test_derivatives_are_exact_through_everything(name, axes):
    smear = {"q_smear": 0.1} if axes is path else {}
    model = spectrum(axes(), **CASES[name], **smear)
    value, pullback = model.predict_with_pullback(THETA)
    gradient = model.predict_gradient(THETA)
    assert value.shape == model.shape == gradient.shape[1:] == (9, 61)
    np.testing.assert_allclose(value, model.predict(THETA), atol=1e-11 * value.max())
    for k, name in enumerate(model.parameter_names):
        step = 1e-4 * np.eye(3)[k]
        # Fourth order: the next term is (1e-4)⁴ of the band.
        near, far = (model.predict(THETA + n * step) - model.predict(THETA - n * step) for n in (1, 2))
        difference = (8.0 * near - far) / (12.0 * 1e-4)
        np.testing.assert_allclose(gradient[k], difference, atol=1e-8 * np.abs(gradient[k]).max(), err_msg=name)
    cotangent = np.cos(np.arange(value.size)).reshape(value.shape)
    expected = np.sum(gradient * cotangent, axis=(1, 2))
    np.testing.assert_allclose(pullback(cotangent), expected, rtol=1e-9, atol=1e-12)


def small_grid():
    edges = (np.linspace(0.1, 0.25, 4), np.linspace(0.1, 0.25, 4), np.array([-0.3, 0.3]))
    return QGrid("g", [0, 0, 0], np.eye(3), edges)


@pytest.mark.parametrize("axes", [path, small_grid])
def test_means_over_bins_are_means_of_finer_bins(axes):
    """Against the same spectrum at the centres of ten times as many bins of energy and of a grid's axes."""
    coarse = spectrum(axes(), bins="means").predict(THETA)
    n, fine_axes = 10, axes()
    steps = EnergyAxis(np.linspace(ENERGY.edges[0], ENERGY.edges[-1], 61 * n * 2 + 1)[1::2])
    if axes is small_grid:
        edges = [np.linspace(e[0], e[-1], 3 * n + 1) for e in fine_axes.edges[:2]]
        fine_axes = replace(fine_axes, edges=(*edges, fine_axes.edges[2]))
    how = SpinwaveSettings(component="perp", fwhm=(1.5, 0.02))
    fine = SpectrumModel(*orthorhombic(), fine_axes, steps, how, Conditions(30.0, (0.0, 0.0, 2.0))).predict(THETA)
    if axes is small_grid:
        fine = fine.reshape(3, n, 3, n, -1).mean(axis=(1, 3)).reshape(9, -1)
    fine = fine.reshape(9, 61, n).mean(axis=2)
    # Midpoints of a tenth of a bin are good to 1/2400 of the second derivative times the bin squared.
    np.testing.assert_allclose(coarse, fine, atol=5e-3 * fine.max())
    away = np.abs(spectrum(axes()).predict(THETA) - fine).max()
    assert np.abs(coarse - fine).max() < 0.1 * away


def test_means_over_bins_of_unequal_widths_are_refused():
    uneven = replace(grid(), edges=(np.array([0.1, 0.2, 0.5]), *grid().edges[1:]))
    with pytest.raises(ConfigError, match="bins of one width"):
        spectrum(uneven, bins="means")


def test_forms_that_are_not_kept_give_the_same(monkeypatch):
    kept = spectrum(grid(), thermal=True, twins=TWINS)
    monkeypatch.setattr(spectrum_module, "KEPT", 0)
    monkeypatch.setattr(spectrum_module, "BLOCK", 100_000)
    dealt = spectrum(grid(), thermal=True, twins=TWINS)
    assert not dealt._kept and len(dealt._pieces) > len(kept._pieces) == 4
    np.testing.assert_allclose(dealt.predict(THETA), kept.predict(THETA), rtol=1e-12)
    np.testing.assert_allclose(dealt.predict_gradient(THETA), kept.predict_gradient(THETA), atol=1e-12)
    ones = np.ones(kept.shape)
    np.testing.assert_allclose(dealt.pullback(THETA, ones), kept.pullback(THETA, ones), rtol=1e-9, atol=1e-12)


def turned_sample():
    """The model and the structure turned by a quarter about z as a whole: its own crystal, the second twin."""
    model, structure = orthorhombic()
    turn = np.array(QUARTER)
    crystal = replace(model.crystal, vectors=model.crystal.vectors @ turn.T)
    matrix = turn @ model.bonds.matrix @ turn.T
    return replace(model, crystal=crystal, bonds=replace(model.bonds, matrix=matrix)), structure


@pytest.mark.parametrize("component", ["perp", "xx", "trace"])
def test_twins_are_samples_that_are_turned(component):
    """The second twin against a crystal whose vectors and exchange were turned, seen at the same Q in 1/Å."""
    settings = SpinwaveSettings(component=component, fwhm=(1.5,))
    conditions = Conditions(field=(0.0, 0.0, 2.0))
    first = SpectrumModel(*orthorhombic(), path(), ENERGY, settings, conditions).predict(THETA)
    model, structure = turned_sample()
    q = path().points @ orthorhombic()[0].crystal.reciprocal @ np.linalg.inv(model.crystal.reciprocal)
    there = replace(path(), points=q)
    second = SpectrumModel(model, structure, there, ENERGY, settings, conditions).predict(THETA)
    both = replace(settings, twins=TWINS)
    found = SpectrumModel(*orthorhombic(), path(), ENERGY, both, conditions).predict(THETA)
    np.testing.assert_allclose(found, 0.3 * first + 0.7 * second, rtol=1e-9, atol=1e-12)
    assert np.abs(first - second).max() > 0.05 * first.max()


def test_a_field_is_another_one_in_each_domain():
    """Half a turn about x takes a field along z to -z: energies of the two domains lie on either side."""
    settings = SpinwaveSettings(fwhm=(1.5,), twins={"rotations": [np.diag([1.0, -1.0, -1.0]).tolist()], "weights": [1]})
    flipped = SpectrumModel(*orthorhombic(), path(), ENERGY, settings, Conditions(field=(0.0, 0.0, 2.0)))
    points = path().points * [1.0, -1.0, -1.0]
    plain = SpectrumModel(
        *orthorhombic(), replace(path(), points=points), ENERGY, SpinwaveSettings(fwhm=(1.5,)),
        Conditions(field=(0.0, 0.0, -2.0)),
    )  # fmt: skip
    np.testing.assert_allclose(flipped.predict(THETA), plain.predict(THETA), rtol=1e-9, atol=1e-12)


def test_a_spread_is_the_mean_of_spectra_beside_each_q():
    narrow = spectrum(ranges=({**RANGE, "order": 2},)).predict(THETA)
    nodes = 0.2 * np.array([-1.0, 1.0]) / np.sqrt(3.0)
    beside = [spectrum(replace(path(), points=path().points + np.array([0, 0, x]))).predict(THETA) for x in nodes]
    np.testing.assert_allclose(narrow, np.mean(beside, axis=0), rtol=1e-9, atol=1e-12)


def chain(*, dm=0.0, field=5.0):
    """A ferromagnetic chain along z in a field, with DM along the moments: ω(Q) differs from ω(-Q)."""
    crystal = Crystal(
        vectors=np.diag([3.0, 8.0, 8.0]),
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("Ni2+",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    twist = np.array([[0.0, dm, 0.0], [-dm, 0.0, 0.0], [0.0, 0.0, 0.0]])
    model = Model(crystal, ("J",), BondTable([0], [0], [[1, 0, 0]], [0], [np.eye(3) + twist]))
    return model, MagneticStructure(np.eye(3), [0], [[0, 0, 0]], [[0, 0, -1]]), (0.0, 0.0, field)


def test_detailed_balance_holds_line_by_line():
    """One line at each Q: what stands at -E is e^{-E/k_B T} of what stands at E, at any width."""
    model, structure, field = chain()
    axis = EnergyAxis.from_range(first=-6.0, last=6.0, step=0.1)
    line = path_through([[0.1, 0, 0], [0.4, 0, 0]], n_point=(4,), reciprocal=model.crystal.reciprocal)
    hot = SpectrumModel(
        model, structure, line, axis, SpinwaveSettings(fwhm=(0.3,), thermal=True), Conditions(20.0, field)
    )
    energy = hot.mode_energies([-1.0], line.points)
    rows = hot.predict([-1.0])
    factor = np.where(axis.centres > 0, 1.0, np.exp(-energy / (K_B * 20.0)))
    np.testing.assert_allclose(rows, factor * np.where(axis.centres > 0, rows, rows[:, ::-1]), atol=1e-9 * rows.max())


def test_energy_is_gained_from_a_magnon_of_minus_q():
    model, structure, field = chain(dm=0.4)
    axis = EnergyAxis.from_range(first=-8.0, last=8.0, step=0.05)
    line = path_through([[0.15, 0, 0], [0.3, 0, 0]], n_point=(3,), reciprocal=model.crystal.reciprocal)
    settings = SpinwaveSettings(fwhm=(0.2,), thermal=True)
    hot = SpectrumModel(model, structure, line, axis, settings, Conditions(60.0, field))
    rows = hot.predict([-1.0])
    loss, gain = (hot.mode_energies([-1.0], s * line.points)[:, 0] for s in (1, -1))
    assert np.abs(loss - gain).min() > 0.3
    np.testing.assert_allclose(axis.centres[np.argmax(np.where(axis.centres > 0, rows, 0), axis=1)], loss, atol=0.05)
    np.testing.assert_allclose(axis.centres[np.argmax(np.where(axis.centres < 0, rows, 0), axis=1)], -gain, atol=0.05)


def test_bad_combinations_are_errors():
    with pytest.raises(ConfigError, match="smear along the path"):
        spectrum(grid(), q_smear=0.1).predict(THETA)
    with pytest.raises(ConfigError, match="temperature"):
        spectrum(conditions=Conditions(), thermal=True)
    with pytest.raises(UnstableError):
        spectrum(grid()).predict([3.0, 9.0, -0.2])
    model, _ = orthorhombic()
    with pytest.raises(ConfigError, match="not a search"):
        SpectrumModel(model, GroundStateSearch(max_cell=2), path(), ENERGY)


COUPLINGS = st.one_of(st.sampled_from([0.0, 1e-12, -1e-12, 1e6]), st.floats(-5.0, 5.0))


@given(
    st.tuples(COUPLINGS, COUPLINGS, COUPLINGS),
    st.sampled_from(["gaussian", "lorentzian"]),
    st.sampled_from([None, 0.0, 1e-3, 300.0]),
    st.sampled_from(["centres", "means"]),
)
@settings(max_examples=40, deadline=None)
def test_a_spectrum_is_finite_or_an_error(theta, line, temperature, bins):
    """Through the zone centre, where modes have no energy, and for couplings that make no magnet at all."""
    model, structure = orthorhombic()
    corners = [[0, 0, 0], [0.5, 0, 0], [1, 0, 0]]
    axes = path_through(corners, n_point=(3, 3), reciprocal=model.crystal.reciprocal)
    how = SpinwaveSettings(fwhm=(1.5,), line=line, bins=bins, thermal=temperature is not None, units="moment")
    one = SpectrumModel(model, structure, axes, ENERGY, how, Conditions(temperature))
    try:
        rows = one.predict(theta)
        slopes = one.predict_gradient(theta)
    except UnstableError:
        return
    assert np.all(np.isfinite(rows)) and np.all(rows >= 0.0)
    assert np.all(np.isfinite(slopes))
