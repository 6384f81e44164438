"""The engine of interacting Ising spins: energies, what it refuses, and that results follow from their seed alone."""

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
from spinscape.lattice.bonds import Bond, shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.simulate.ice_engine import IceEngine
from spinscape.simulate.ice_graph import ice_graph
from spinscape.simulate.ice_table import ice_table
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import spin_system

SKEW = [[3, 0, 0], [1, 3, 0], [0, 1, 2]]
FIELD = Conditions(field=(0.5, -1.0, 2.0))
ALL = (Move("flip", 2), Move("short_loop", 3), Move("long_loop"))


def tetragonal(matrix=(3, 3, 2), occupied=None):
    """Return two kinds of spins of unequal length on tilted axes, with every kind of term."""
    sites = [
        SiteSpec("A", "Ni2+", (0, 0, 0), 1.0, kind="ising", axis=(0, 0, 1)),
        SiteSpec("B", "Ni2+", (0.5, 0.5, 0.5), 1.5, kind="ising", axis=(0, 0, 2)),
    ]
    crystal = crystal_from_space_group(lattice_vectors(a=4.0, b=4.0, c=7.0), "P4/mmm", sites)
    names = ("J", "D", "K")
    parts = [
        BondTerm("heisenberg", terms.heisenberg("J", names), Bond(0, 1, (0, 0, 0))),
        BondTerm("heisenberg", terms.heisenberg("K", names), Bond(0, 0, (1, 0, 0))),
        OnsiteTerm("easy_axis", terms.easy_axis("J", (0, 0, 1), names), 1),
        BiquadraticTerm({"K": 0.3}, Bond(0, 1, (0, 0, 0)), form="large_s"),
        DipolarTerm({"D": 3.0, "J": 0.1}),
    ]
    model = model_from_terms(crystal, names, parts)
    return spin_system(model, supercell(matrix, n_site=2), occupied=occupied), np.array([0.7, 0.9, -0.2])


def pyrochlore(n=2, axis=(1, 1, 1)):
    site = SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0, g=np.eye(3), kind="ising", axis=axis)
    crystal = crystal_from_space_group(lattice_vectors(a=10.0, b=10.0, c=10.0), "Fd-3m", [site])
    parts = [
        DipolarTerm({"D": (10.0 / np.sqrt(8.0)) ** 3}),
        BondTerm("heisenberg", terms.heisenberg("J", ("D", "J")), shell_bond(crystal, 1)),
    ]
    return spin_system(model_from_terms(crystal, ("D", "J"), parts), supercell((n, n, n), n_site=16)), [1.32, 3.41]


def reference_energies(system, spins, surface=0.0):
    """Return E_k from the bonds and the dipole sums of the whole supercell, (n_parameter,)."""
    model = system.model
    out = coupling_energies(replace(model, dipolar=empty_dipolar()), spins, cell=system.cell)
    vectors = system.cell.matrix @ model.crystal.vectors
    tensor = dipole_sums(vectors, system.positions, np.zeros((1, 3)))[0].real
    moments = np.einsum("iab,ib->ia", model.crystal.g[system.site], spins)
    dipoles = 0.5 * np.einsum("ia,ijab,jb", moments, tensor, moments)
    dipoles += surface * 2 * np.pi / (3 * abs(np.linalg.det(vectors))) * np.sum(moments.sum(axis=0) ** 2)
    np.add.at(out, model.dipolar.parameter, model.dipolar.factor * dipoles)
    return out


@pytest.mark.parametrize("matrix", [(3, 3, 2), SKEW])
@pytest.mark.parametrize("vacant", [False, True])
def test_energies_after_any_moves(matrix, vacant):
    occupied = None
    if vacant:
        occupied = np.random.default_rng(0).random(supercell(matrix, n_site=2).n_spin) > 0.2
    system, theta = tetragonal(matrix, occupied)
    engine = IceEngine(system, theta, FIELD, (1, 2))
    for _ in range(2):
        engine.run((Move("flip", 2),), 0.2, 3)
        spins = engine.spins
        system.check_spins(spins)
        expected = reference_energies(system, spins)
        np.testing.assert_allclose(engine.coupling_energies(), expected, rtol=1e-11, atol=1e-9)
        bare = replace(system.model, dipolar=empty_dipolar())
        zeeman = energy(bare, spins, np.zeros(3), cell=system.cell, conditions=FIELD)
        assert engine.zeeman_energy() == pytest.approx(zeeman, rel=1e-12)
        assert engine.energy == pytest.approx(theta @ expected + zeeman, rel=1e-11)


def test_a_demagnetising_field_is_in_the_energies():
    system, theta = pyrochlore(1)
    engine = IceEngine(system, theta, Conditions(), (1, 2), table=ice_table(system, demagnetisation=SPHERE))
    engine.run(ALL, 0.1, 2)
    expected = reference_energies(system, engine.spins, surface=1.0)
    np.testing.assert_allclose(engine.coupling_energies(), expected, rtol=1e-11)


def test_cached_fields_are_those_of_the_spins_to_the_last_digit():
    system, theta = pyrochlore()
    engine = IceEngine(system, theta, Conditions(), (1, 2))
    engine.adapting = True
    for beta in (0.2, 1.0, 3.0):
        engine.run(ALL, beta, 20)
        local = engine._local.copy()
        engine.set_spins(engine.spins)
        np.testing.assert_array_equal(engine._local, local)
    # What the integers say of the energy, self-interaction aside, to their resolution.
    own = theta[0] * np.trace(engine.table.dipole[:, :16]) * system.cell.n_cell * engine.table.dipole_unit[0]
    whole = 0.5 * float(np.sum(engine._spins * engine._local.astype(float))) * engine.unit
    assert engine.energy == pytest.approx(whole + own / 2, rel=1e-6)


def test_the_largest_couplings_fit_into_integers():
    """Two spins whose one bond is all there is, at strengths around a power of two."""
    sites = [
        SiteSpec(n, "Ni2+", p, 1.0, kind="ising", axis=(0, 0, 1)) for n, p in (("A", (0, 0, 0)), ("B", (0.3, 0, 0)))
    ]
    crystal = crystal_from_space_group(lattice_vectors(a=9.0, b=9.0, c=9.0), "P1", sites)
    parts = [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), Bond(0, 1, (0, 0, 0)))]
    system = spin_system(model_from_terms(crystal, ("J",), parts), supercell((1, 1, 1), n_site=2))
    table = ice_table(system)
    for strength in (1.0, -1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0), 0.0, 1e-30, 1e30):
        rows, field, unit = table.quantised([strength], np.array([strength, 0.0]))
        found = rows.reshape(table.places.width, -1)[0, table.places.of_spin[1]] / 2 * unit
        assert found == pytest.approx(strength, rel=1e-8)
        assert field[0] * unit == pytest.approx(strength, rel=1e-8)


def test_a_run_is_a_function_of_its_seed_and_calls():
    system, theta = pyrochlore()
    runs = {}
    for name, seed, parts in (
        ("one", (1, 2), [6]),
        ("again", (1, 2), [6]),
        ("parts", (1, 2), [2, 4]),
        ("b", (1, 3), [6]),
    ):
        engine = IceEngine(system, theta, Conditions(), seed)
        for n_round in parts:
            engine.run(ALL, 0.3, n_round)
        runs[name] = engine.sigma
    np.testing.assert_array_equal(runs["one"], runs["again"])
    np.testing.assert_array_equal(runs["one"], runs["parts"])
    assert np.any(runs["one"] != runs["b"])


def test_a_table_serves_many_points():
    system, theta = pyrochlore()
    table = ice_table(system)
    shared = IceEngine(system, theta, Conditions(), (1, 2), table=table)
    IceEngine(system, [9.0, -1.0], FIELD, (5, 6), table=table).run((Move("flip"),), 0.3, 5)
    shared.run(ALL, 0.3, 4)
    alone = IceEngine(system, theta, Conditions(), (1, 2))
    alone.run(ALL, 0.3, 4)
    np.testing.assert_array_equal(shared.sigma, alone.sigma)


def test_the_way_of_flipping_follows_from_acceptance_and_then_stays():
    system, theta = pyrochlore(3)
    engine = IceEngine(system, theta, Conditions(), (1, 2))
    engine.adapting = True
    assert engine.way(0.05) is None
    ways = []
    for beta in (0.05, 0.2, 1.0, 2.5):
        engine.run((Move("flip", 40), Move("short_loop", 400)), beta, 3)
        ways.append(engine.way(beta))
    assert ways == ["crowded", "crowded", "prescreened", "rejection_free"]
    engine.adapting = False
    # Decided once: a state far from equilibrium does not change it.
    engine.set_spins(system.random_spins(np.random.default_rng(0)))
    engine.run((Move("flip", 40),), 2.5, 1)
    assert engine.way(2.5) == "rejection_free"
    # A new temperature is decided on after its first sweeps.
    engine.run((Move("flip", 40),), 0.06, 1)
    assert engine.way(0.06) == "crowded"


def test_counts_of_moves():
    system, theta = pyrochlore(1)
    counts = IceEngine(system, theta, Conditions(), (1, 2)).run(ALL, 0.3, 5)
    assert {kind: tried for kind, (tried, _) in counts.items()} == {"flip": 160, "short_loop": 15, "long_loop": 5}
    assert all(0 <= accepted <= tried for tried, accepted in counts.values())


def test_arrows_of_a_graph_are_consistent():
    for axis in ((1, 1, 1), (-1, -1, -1)):
        system, _ = pyrochlore(2, axis)
        graph = ice_graph(system)
        # What points out of one simplex points into the other.
        out = dict(
            zip(zip(graph.corner.ravel(), np.repeat(np.arange(64), 4), strict=True), graph.outward.ravel(), strict=True)
        )
        for (spin, simplex), sign in out.items():
            row = graph.corner[simplex].tolist().index(spin)
            assert out[(spin, graph.other[simplex, row])] == -sign


def test_loops_need_an_ice_rule():
    system, theta = tetragonal()
    engine = IceEngine(system, theta, Conditions(), (1, 2))
    assert engine.supports == {"flip", "slab"}
    with pytest.raises(ConfigError, match=r"short_loop cannot be made here(.|\n)*simplices"):
        engine.run((Move("short_loop"),), 1.0, 1)
    with pytest.raises(ConfigError, match="uniform cannot be made here"):
        engine.run((Move("uniform"),), 1.0, 1)


@pytest.mark.parametrize(("axis", "ice"), [((0, 1, 0), True), ((1, 0, 0), False), ((0, 0, 1), True)])
def test_axes_that_point_past_the_triangles_make_no_ice(axis, ice):
    site = SiteSpec("A", "Ni2+", (0.5, 0.0, 0.0), 1.0, kind="ising", axis=axis)
    crystal = crystal_from_space_group(lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0), "P6/mmm", [site])
    parts = [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), shell_bond(crystal, 1))]
    system = spin_system(model_from_terms(crystal, ("J",), parts), supercell((2, 2, 1), n_site=3))
    table = ice_table(system)
    assert (table.graph is not None) == ice
    assert ice or "do not point" in table.no_graph


@pytest.mark.parametrize("beta", [-1.0, np.nan, np.inf])
def test_no_temperature(beta):
    system, theta = pyrochlore(1)
    with pytest.raises(ConfigError, match="not negative"):
        IceEngine(system, theta, Conditions(), (1, 2)).run((Move("flip"),), beta, 1)


def test_other_spins_and_couplings_are_refused():
    crystal = crystal_from_space_group(
        lattice_vectors(a=4.0, b=4.0, c=7.0), "P4/mmm", [SiteSpec("A", "Ni2+", (0, 0, 0), 1.0)]
    )
    parts = [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), Bond(0, 0, (1, 0, 0)))]
    system = spin_system(model_from_terms(crystal, ("J",), parts), supercell((4, 4, 4), n_site=1))
    with pytest.raises(ConfigError, match="for Ising spins"):
        ice_table(system)
    system, _ = pyrochlore(1)
    with pytest.raises(ConfigError, match="not finite"):
        IceEngine(system, [np.nan, 1.0], Conditions(), (1, 2))
