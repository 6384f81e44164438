import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, Model
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.observables.diffuse import correlation_grid
from spinscape.simulate.montecarlo_settings import Order
from spinscape.simulate.moves import Move
from spinscape.simulate.sampling_columns import Columns, OrderColumns, StarColumns
from spinscape.simulate.schedule import engine_for
from spinscape.simulate.spin_system import block, spin_system


def system_of(model, numbers):
    return spin_system(model, block(model, numbers))


def test_a_row_holds_what_its_names_say(small):
    model = small.model("heisenberg")
    system = system_of(model, (3, 3, 4))
    columns = Columns(system, (Order("neel", (0.0, 0.0, 0.5)), Order("wave", (0.0, 0.0, 0.25), (0, 0, 1))))
    theta, field = np.array([0.3]), Conditions(field=(0.0, 0.0, 2.0))
    engine = engine_for(system, (Move("heat_bath"),), theta, field, np.array([1, 2], dtype=np.uint64))
    row = columns.row(engine, engine.spins)
    assert len(row) == len(columns.names) == 1 + 1 + 3 + 3 + 2
    assert columns.coupling_energies(row) @ theta + columns.zeeman(row) == pytest.approx(engine.energy)
    np.testing.assert_allclose(columns.moment(row), -2.0 * engine.spins.sum(axis=0), atol=1e-12)
    z = system.cell.cells[:, 2]
    np.testing.assert_allclose(columns.order(row, 0), ((-1.0) ** z) @ engine.spins / 36, atol=1e-14)
    wave = np.exp(-0.5j * np.pi * z) @ engine.spins[:, 2] / 36
    np.testing.assert_allclose(columns.order(row, 1), [wave.real, wave.imag], atol=1e-14)


def test_order_along_the_axes_needs_axes(small):
    ising, vector = (system_of(small.model(kind), (3, 3, 3)) for kind in ("ising", "heisenberg"))
    spins = np.tile([0.0, 0.0, 1.0], (27, 1))
    assert OrderColumns(ising, Order("m", direction="axis"))(spins).tolist() == [pytest.approx(1.0)]
    with pytest.raises(ConfigError, match="no direction"):
        OrderColumns(vector, Order("m", direction="axis"))
    with pytest.raises(ConfigError, match="no direction"):
        OrderColumns(vector, Order("m", direction=(0.0, 0.0, 0.0)))


def direct_perp(system, spins, q):
    """Return S_perp(Q)/N of one configuration, by the sum over spins."""
    k = q @ system.model.crystal.reciprocal
    amplitude = np.exp(-1j * system.positions @ k) @ spins
    unit = k / np.linalg.norm(k)
    across = amplitude - unit * (unit @ amplitude)
    return float(np.sum(np.abs(across) ** 2)) / system.n_spin


@pytest.mark.parametrize("kind", ["ising", "heisenberg"])
def test_stars_are_means_of_the_direct_sum_over_equivalent_waves(small, kind):
    system = system_of(small.model(kind), (4, 4, 4))
    crystal = system.model.crystal
    grid = correlation_grid(crystal, system.cell)
    stars = StarColumns(grid, system.n_spin)
    spins = np.array([system.random_spins(np.random.default_rng(k)) for k in range(2)])
    found = stars(grid.amplitudes(spins))
    assert found.shape == (2, stars.n_star) and stars.n_star >= 8
    for k, q in enumerate(stars.q):
        every = np.unique(np.round(np.einsum("oji,j->oi", crystal.rotations, q), 9), axis=0)
        every = np.unique(np.concatenate([every, -every]), axis=0)
        for spin, value in zip(spins, found[:, k], strict=True):
            assert value == pytest.approx(np.mean([direct_perp(system, spin, p) for p in every]), rel=1e-10, abs=1e-12)


def test_domains_of_one_order_have_the_same_stars(small):
    system = system_of(small.model("heisenberg"), (4, 4, 4))
    stars = StarColumns(correlation_grid(system.model.crystal, system.cell), system.n_spin)
    stripes = [((-1.0) ** system.cell.cells[:, k])[:, None] * np.roll([1.0, 0, 0], k) for k in range(3)]
    grid = correlation_grid(system.model.crystal, system.cell)
    values = stars(grid.amplitudes(np.array(stripes)))
    np.testing.assert_allclose(values, values[:1].repeat(3, axis=0), atol=1e-10)
    assert values.max() > 10.0


def test_a_pyrochlore_has_stars_of_its_primitive_lattice():
    site = SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0, kind="ising", axis=(1, 1, 1))
    crystal = crystal_from_space_group(10.0 * np.eye(3), "Fd-3m:2", [site])
    model = Model(crystal, ("J",), BondTable([0], [6], [[0, 0, 0]], [0], np.eye(3)[None]))
    system = system_of(model, (2, 2, 2))
    grid = correlation_grid(crystal, system.cell)
    stars, spins = StarColumns(grid, system.n_spin), system.random_spins(np.random.default_rng(1))
    found = stars(grid.amplitudes(spins[None]))[0]
    lone = next(k for k, q in enumerate(stars.q) if np.allclose(sorted(np.abs(q)), [0, 0, 1]))
    faces = [direct_perp(system, spins, q) for q in np.eye(3)]
    assert found[lone] == pytest.approx(np.mean(faces))
