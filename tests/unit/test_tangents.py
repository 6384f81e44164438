"""Tangents below biquadratic terms: the bound of each state, the energy of waves, and the best choice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.energy import energy
from spinscape.hamiltonian.model import BondTable, Model
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.supercell import supercell
from spinscape.simulate.exchange import exchange, zone_mesh
from spinscape.simulate.tangents import best_tangents, quartic


def model_of(strengths, forms=("large_s",) * 2, bilinear=0.0):
    """Two sites of unequal spins: a bond between them, and one along a chain of the first."""
    crystal = Crystal(
        vectors=np.eye(3) * 4.0,
        positions=[[0, 0, 0], [0.4, 0.1, 0.2]],
        labels=("a", "b"),
        orbit=[0, 1],
        spins=[1.0, 1.5],
        ions=("", ""),
        g=np.tile(2.0 * np.eye(3), (2, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    where = [0, 0], [1, 0], [[0, 0, 0], [1, 0, 0]]
    bonds = BondTable(*where, [0, 0], bilinear * np.tile(np.eye(3), (2, 1, 1)))
    return Model(crystal, ("J",), bonds, biquadratic=BiquadraticTable(*where, [0, 0], strengths, forms))


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_no_state_of_a_supercell_lies_below_its_tangents(seed):
    rng = np.random.default_rng(seed)
    model = model_of(rng.uniform(-1, 1, 2), ("renormalised", "large_s"), rng.normal())
    cell, terms = supercell((3, 1, 1), n_site=2), quartic(model, [1.0])
    n = rng.normal(size=(6, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    true = energy(model, np.tile([1.0, 1.5], 3)[:, None] * n, [1.0], cell=cell) / 3
    x = rng.uniform(-1, 1, terms.n_family)
    waves = np.array([[a / 3, 0, 0] for a in range(3)])
    amplitudes = np.einsum("qc,cia->qia", np.exp(-2j * np.pi * waves @ cell.cells.T), n.reshape(3, 2, 3)).reshape(3, -1)
    matrices = terms.tangents(exchange(model, [1.0]), x).at(waves)
    bound = 0.5 * np.einsum("qx,qxy,qy->", amplitudes.conj(), matrices, amplitudes).real / 9 + terms.floor(x)
    assert bound <= true + 1e-12


@pytest.mark.parametrize("wave", [0.5, 0.2])
def test_energy_of_a_wave_is_the_mean_of_its_states(wave):
    """An elliptical wave, its spins of unequal lengths: phases over a whole turn, laid out in cells."""
    rng, model = np.random.default_rng(4), model_of([0.7, -0.4], ("renormalised", "large_s"))
    u, q = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3)), np.array([wave, 0.0, 0.0])
    u = u.real + 0j if wave == 0.5 else u
    terms, cell = quartic(model, [1.0]), supercell((10, 1, 1), n_site=2)
    bilinear = 0.5 * (u.ravel().conj() @ exchange(model, [1.0]).at(q[None])[0] @ u.ravel()).real
    bilinear *= 1.0 if wave == 0.5 else 0.5
    total = []
    for phase in [0.0] if wave == 0.5 else 2 * np.pi * np.arange(12) / 12:
        n = (np.exp(2j * np.pi * cell.cells @ q + 1j * phase)[:, None, None] * u).real.reshape(-1, 3)
        total.append(energy(model, np.tile([1.0, 1.5], 10)[:, None] * n, [1.0], cell=cell) / 10)
    assert bilinear + terms.energy(q, u, real=wave == 0.5) == pytest.approx(np.mean(total), rel=1e-12)


def test_the_best_tangent_is_where_differences_vanish():
    """J p + B p² along a chain that the second site takes no part in: least at p = -J/2B where that is within ±1."""
    model = model_of([0.0, 1.0], bilinear=0.6)
    base, terms = exchange(model, [1.0]), quartic(model, [1.0])
    bonds = base.matrix[:, 0, 0].copy()
    assert bonds.tolist() == pytest.approx([0.9, 0.6, 0.0, 0.0])
    mesh, _ = zone_mesh(terms.offset, 6)
    x = best_tangents(base, terms, mesh)
    family = terms.family[np.argmax(terms.weight)]
    values = [
        0.5 * 2 * np.linalg.eigvalsh(terms.tangents(base, y).at(mesh)).min() + terms.floor(y) for y in near(x, family)
    ]
    assert values[1] >= max(values[0], values[2]) and -1.0 < x[family] < 0.0


def near(x, family):
    return [np.where(np.arange(len(x)) == family, x + step, x) for step in (-1e-3, 0.0, 1e-3)]


def test_negative_terms_have_no_tangent_and_are_bounded_by_parallel_spins():
    model = model_of([-1.0, -0.5])
    terms = quartic(model, [1.0])
    x = best_tangents(exchange(model, [1.0]), terms, np.zeros((1, 3)))
    assert not np.any(x) and terms.floor(x) == pytest.approx(-1.0 * 2.25 - 0.5)
