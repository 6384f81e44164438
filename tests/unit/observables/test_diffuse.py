"""Diffuse scattering against the direct sum over spins."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.qspace import path_through
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.lattice.volumes import QGrid, edges_from_range
from spinscape.observables.diffuse import PairSums, correlation_grid
from spinscape.observables.diffuse_projection import DiffuseSettings, Projector, structure_tensor
from spinscape.observables.formfactor import magnetic_form_factor
from spinscape.observables.structure_factor import polarisation_weights

EXACT = 1e-10
CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)
HEXAGONAL = lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0)


def pyrochlore(kind="ising"):
    axis = (1, 1, 1) if kind == "ising" else None
    g = np.diag([1.2, 1.2, 1.2])
    return crystal_from_space_group(CUBIC, "Fd-3m", [SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0, g, kind, axis)])


def two_orbits():
    """A hexagonal crystal of two ions, of different lengths and g, one of which has two sites."""
    sites = [
        SiteSpec("A", "Mn2+", (0, 0, 0), 2.5),
        SiteSpec("B", "Dy3+", (1 / 3, 2 / 3, 0.25), 1.0, np.diag([0.5, 0.5, 3.0])),
    ]
    return crystal_from_space_group(HEXAGONAL, "P6_3/mmc", sites)


def random_spins(crystal, cell, n_config, seed=1):
    """Random spins with a mean, so that nothing vanishes by accident."""
    rng = np.random.default_rng(seed)
    if crystal.kind[0] == "ising":
        sigma = np.where(rng.random((n_config, cell.n_spin)) < 0.4, -1, 1)
        return sigma[..., None] * np.tile(crystal.axis, (cell.n_cell, 1))
    return rng.normal(loc=(0.3, 0.0, 0.5), size=(n_config, cell.n_spin, 3))


def direct(crystal, cell, spins, q, component, *, form_factor=False, moments=False):
    """Σ_αβ W_αβ Re⟨S^α(Q)* S^β(Q)⟩ per chemical cell, spin by spin."""
    place = (cell.cells[:, None] + crystal.positions[None]).reshape(-1, 3)
    cartesian = q @ crystal.reciprocal
    weight = np.ones((len(q), cell.n_site))
    if form_factor:
        length = np.linalg.norm(cartesian, axis=1)
        columns = [
            magnetic_form_factor(length, ion=ion, g=np.trace(g) / 3)
            for ion, g in zip(crystal.ions, crystal.g, strict=True)
        ]
        weight = np.stack(columns, axis=1)
    if moments:
        spins = np.einsum("sxy,csy->csx", np.tile(crystal.g, (cell.n_cell, 1, 1)), spins)
    wave = np.exp(-2j * np.pi * q @ place.T) * np.tile(weight, (1, cell.n_cell))
    amplitude = np.einsum("qs,csx->cqx", wave, spins)
    tensor = np.einsum("cqx,cqy->qxy", amplitude.conj(), amplitude).real / len(spins) / cell.n_cell
    return np.einsum("qxy,qxy->q", tensor, polarisation_weights(component, cartesian))


def gathered(grid, spins):
    sums = PairSums(grid)
    sums.add(spins)
    return sums.correlations()


def allowed(cell, n, seed=2):
    numbers = np.random.default_rng(seed).integers(-9, 10, size=(n, 3))
    return np.vstack([np.zeros((1, 3)), numbers @ np.linalg.inv(cell.matrix).T])


CASES = [
    ("ice", pyrochlore(), (2, 2, 2)),
    ("ice, flat", pyrochlore(), (1, 2, 3)),
    ("vectors", pyrochlore("heisenberg"), (2, 2, 2)),
    ("two orbits", two_orbits(), (3, 2, 2)),
    ("skew", two_orbits(), [[2, 1, 0], [0, 2, 1], [1, 0, 2]]),
]


@pytest.mark.parametrize(("crystal", "matrix"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
@pytest.mark.parametrize("component", ["trace", "perp", "xx"])
def test_allowed_wave_vectors_have_the_direct_sum(crystal, matrix, component):
    cell = supercell(matrix, n_site=crystal.n_site)
    spins = random_spins(crystal, cell, 3)
    q = allowed(cell, 25)
    pairs = gathered(correlation_grid(crystal, cell), spins)
    plain = direct(crystal, cell, spins, q, component)
    found = values(Projector(pairs.grid, q, DiffuseSettings(component, symmetry=False)), pairs.mean)
    np.testing.assert_allclose(found, plain, rtol=EXACT, atol=EXACT * plain.max())


def values(projector, pairs):
    """The intensity at each of the wanted wave vectors, in double precision."""
    return projector.star_intensity(pairs)[projector.star[:, 0]]


@pytest.mark.parametrize(("crystal", "matrix"), [c[1:] for c in CASES[1:]], ids=[c[0] for c in CASES[1:]])
@pytest.mark.parametrize("component", ["perp", "zz"])
def test_the_average_over_the_point_group(crystal, matrix, component):
    cell = supercell(matrix, n_site=crystal.n_site)
    spins = random_spins(crystal, cell, 2)
    q = allowed(cell, 6)
    grid = correlation_grid(crystal, cell)
    # The second way: turn the scattering, S(Q) → R S(W^T Q) R^T, operation by operation.
    total = np.zeros(len(q))
    for o in grid.operations:
        turn = crystal.vectors.T @ crystal.rotations[o] @ np.linalg.inv(crystal.vectors.T)
        image = q @ crystal.rotations[o]
        if component == "perp":
            total += direct(crystal, cell, spins, image, "perp")
        else:
            turned = spins @ (np.linalg.det(turn) * turn).T
            total += direct(crystal, cell, turned, image, "zz")
    found = values(Projector(grid, q, DiffuseSettings(component)), gathered(grid, spins).mean)
    np.testing.assert_allclose(found, total / len(grid.operations), rtol=EXACT)


def test_form_factors_and_g_tensors():
    crystal = two_orbits()
    cell = supercell((2, 2, 1), n_site=crystal.n_site)
    spins = random_spins(crystal, cell, 2)
    q = allowed(cell, 20)
    pairs = gathered(correlation_grid(crystal, cell), spins)
    for form_factor, moments in ((True, False), (False, True), (True, True)):
        settings = DiffuseSettings("perp", form_factor=form_factor, moments=moments, symmetry=False)
        plain = direct(crystal, cell, spins, q, "perp", form_factor=form_factor, moments=moments)
        np.testing.assert_allclose(values(Projector(pairs.grid, q, settings), pairs.mean), plain, rtol=EXACT)


def test_a_supercell_that_breaks_the_symmetry_keeps_what_fits():
    crystal = pyrochlore()
    assert len(correlation_grid(crystal, supercell((2, 2, 2), n_site=16)).operations) == 192
    # A tetragonal block: 16 of the 48 rotations.
    assert len(correlation_grid(crystal, supercell((2, 2, 1), n_site=16)).operations) == 64


def test_numbers_along_axes_are_spins():
    crystal = pyrochlore()
    cell = supercell((2, 1, 1), n_site=16)
    grid = correlation_grid(crystal, cell)
    sigma = np.where(np.random.default_rng(4).random((5, 32)) < 0.5, -1, 1).astype(np.int8)
    spins = sigma[..., None] * np.tile(crystal.axis, (2, 1))
    np.testing.assert_allclose(grid.amplitudes(sigma), grid.amplitudes(spins), atol=EXACT)


def test_blocks_errors_and_means():
    crystal = pyrochlore()
    cell = supercell((2, 2, 2), n_site=16)
    grid = correlation_grid(crystal, cell)
    rng = np.random.default_rng(5)
    sums, whole = PairSums(grid), []
    for n in (3, 5, 4):
        block = np.where(rng.random((n, 128)) < 0.4, -1, 1)
        sums.add(block[:2])
        sums.add(block[2:])
        sums.close_block()
        whole.append(block)
    found = sums.correlations()
    assert found.weights.tolist() == [3, 5, 4]
    one = gathered(grid, np.concatenate(whole))
    np.testing.assert_allclose(found.mean, one.mean, atol=EXACT)
    np.testing.assert_allclose(found.connected, one.connected, atol=EXACT)
    amplitudes = grid.amplitudes(np.concatenate(whole)) - grid.amplitudes(np.concatenate(whole)).mean(axis=0)
    plain = np.einsum("cmq,cnq->qmn", amplitudes.conj(), amplitudes) / 12 / cell.n_cell
    np.testing.assert_allclose(found.connected, plain, atol=EXACT)
    with pytest.raises(ShapeError, match="two blocks"):
        _ = one.error


def test_block_errors_are_those_of_free_spins():
    crystal = pyrochlore("heisenberg")
    cell = supercell((1, 1, 1), n_site=16)
    grid = correlation_grid(crystal, cell)
    rng = np.random.default_rng(6)
    sums = PairSums(grid)
    for _ in range(400):
        sums.add(rng.normal(size=(10, 16, 3)))
        sums.close_block()
    pairs = sums.correlations()
    # |A|² of a complex Gaussian scatters as much as it is; of a real one sqrt(2) times that.
    size = 4 * 1.0
    real = np.abs(grid.waves.index(-grid.waves.numbers)[0] - np.arange(grid.waves.n_half)) == 0
    diagonal = np.einsum("qmm->qm", pairs.error) / (size / np.sqrt(4000))
    expected = np.where(real & ~mirrored_self(grid), np.sqrt(2.0), 1.0)
    np.testing.assert_allclose(diagonal.mean(axis=1), expected, rtol=4 / np.sqrt(2 * 400 * 12) + 0.02)
    deviation = np.abs(np.einsum("qmm->qm", pairs.mean).real - size) / np.einsum("qmm->qm", pairs.error)
    assert deviation.max() < 4.5


def mirrored_self(grid):
    return grid.waves.index(-grid.waves.numbers)[1]


def test_volumes_take_the_nearest_allowed_wave_vector():
    crystal = pyrochlore()
    cell = supercell((2, 2, 2), n_site=16)
    spins = random_spins(crystal, cell, 2)
    grid = correlation_grid(crystal, cell)
    edges = [edges_from_range(first=-1.6, last=2.0, n_bin=n) for n in (5, 4, 3)]
    where = QGrid("v", [0.1, 0, 0], [[1, 1, 0], [0, 0, 1], [1, -1, 0]], edges)
    found = Projector(grid, where, DiffuseSettings("perp", symmetry=False))(gathered(grid, spins).mean)
    assert found.shape == (5, 4, 3)
    nearest = np.round(where.points * 2) / 2
    plain = direct(crystal, cell, spins, nearest, "perp").reshape(5, 4, 3)
    np.testing.assert_allclose(found, plain, rtol=1e-6)


def test_linear_interpolation_and_integrated_axes():
    crystal = pyrochlore()
    cell = supercell((2, 2, 2), n_site=16)
    spins = random_spins(crystal, cell, 2)
    grid = correlation_grid(crystal, cell)
    pairs = gathered(grid, spins).mean
    edges = [
        edges_from_range(first=-1, last=1, n_bin=6),
        edges_from_range(first=0, last=1, n_bin=3),
        np.array([-0.2, 0.2]),
    ]
    where = QGrid("s", [0, 0, 0.05], np.eye(3), edges)
    found = Projector(grid, where, DiffuseSettings("trace", rule="linear", n_sub=4))(pairs)
    assert found.shape == (6, 3)
    plain = np.zeros(18)
    for points in np.moveaxis(where.integration_points(4), 1, 0):
        low = np.floor(points * 2)
        rest = points * 2 - low
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(corner, rest, 1 - rest), axis=1)
            q = (low + corner) / 2
            average = values(Projector(grid, q, DiffuseSettings("trace")), pairs)
            plain += weight * average / 4
    np.testing.assert_allclose(found.ravel(), plain, rtol=1e-5)


def test_paths_and_single_points():
    crystal = pyrochlore()
    cell = supercell((2, 2, 2), n_site=16)
    spins = random_spins(crystal, cell, 1)
    grid = correlation_grid(crystal, cell)
    path = path_through([[0, 0, 0], [2, 0, 0]], n_point=[5], reciprocal=crystal.reciprocal)
    found = Projector(grid, path, DiffuseSettings("trace", rule="linear", symmetry=False))(gathered(grid, spins).mean)
    np.testing.assert_allclose(found, direct(crystal, cell, spins, path.points, "trace"), rtol=1e-6)


def test_blocks_project_one_by_one():
    crystal = pyrochlore()
    cell = supercell((2, 2, 2), n_site=16)
    grid = correlation_grid(crystal, cell)
    sums = PairSums(grid)
    for seed in range(3):
        sums.add(random_spins(crystal, cell, 2, seed=seed))
        sums.close_block()
    pairs = sums.correlations()
    projector = Projector(grid, allowed(cell, 10), DiffuseSettings("perp"))
    every = projector.star_intensity(pairs.blocks)
    assert every.shape == (3, len(projector.q))
    np.testing.assert_allclose(every.mean(axis=0), projector.star_intensity(pairs.mean), rtol=EXACT)


@pytest.mark.parametrize(
    "changes", [{"component": "yz"}, {"rule": "cubic"}, {"n_sub": 0}], ids=["component", "rule", "n_sub"]
)
def test_bad_settings(changes):
    with pytest.raises(ConfigError, match="out of range"):
        DiffuseSettings(**changes)


def test_bad_input():
    crystal = pyrochlore("heisenberg")
    cell = supercell((1, 1, 1), n_site=16)
    grid = correlation_grid(crystal, cell)
    with pytest.raises(ShapeError, match="no axis"):
        grid.amplitudes(np.ones((1, 16)))
    with pytest.raises(ShapeError):
        grid.amplitudes(np.ones((1, 15, 3)))
    with pytest.raises(ShapeError, match="no configuration"):
        PairSums(grid).correlations()
    with pytest.raises(ConfigError, match="rows of three"):
        Projector(grid, [[0.0, np.nan, 0.0]], DiffuseSettings())
    huge = [edges_from_range(first=0, last=1e5, n_bin=2)] * 3
    with pytest.raises(ConfigError, match="too many"):
        Projector(grid, QGrid("v", np.zeros(3), np.eye(3), huge), DiffuseSettings())


def test_the_whole_tensor():
    crystal = two_orbits()
    cell = supercell((3, 2, 2), n_site=crystal.n_site)
    spins = random_spins(crystal, cell, 3)
    q = allowed(cell, 12)
    pairs = gathered(correlation_grid(crystal, cell), spins)
    place = (cell.cells[:, None] + crystal.positions[None]).reshape(-1, 3)
    amplitude = np.einsum("qs,csx->cqx", np.exp(-2j * np.pi * q @ place.T), spins)
    plain = np.einsum("cqx,cqy->qxy", amplitude.conj(), amplitude) / 3 / cell.n_cell
    np.testing.assert_allclose(structure_tensor(pairs.grid, pairs.mean, q), plain, atol=EXACT * np.abs(plain).max())
    with pytest.raises(ConfigError, match="does not hold"):
        structure_tensor(pairs.grid, pairs.mean, [[0.1, 0, 0]])
