"""The self-consistent Gaussian approximation against closed forms, plain sums and differences."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.dipolar import DIPOLE_STRENGTH
from spinscape.hamiltonian.terms import BondTerm, DipolarTerm, OnsiteTerm
from spinscape.lattice.bonds import Bond, shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.observables.structure_factor import polarisation_weights
from spinscape.simulate.gaussian import GaussianModel, GaussianSettings
from spinscape.simulate.gaussian_matrix import Mesh, QuadraticMatrix, Waves
from spinscape.simulate.gaussian_solve import OrderedError, Sums, solve
from spinscape.units import K_B, MU_B

CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)
EXACT = 1e-9


def square(names=("J1", "J2", "J3")):
    vectors = lattice_vectors(a=4.0, b=4.0, c=9.0)
    crystal = crystal_from_space_group(vectors, "P4/mmm", [SiteSpec("A", "Cr3+", (0, 0, 0), 1.0)])
    ways = {"J1": (1, 0, 0), "J2": (1, 1, 0), "J3": (2, 0, 0)}
    rows = [BondTerm("heisenberg", terms.heisenberg(n, names), Bond(0, 0, ways[n])) for n in names]
    return model_from_terms(crystal, names, rows)


def pyrochlore(
    kind="heisenberg", *, spin=1.5, dipoles=False, anisotropy=False, g=((2.0, 0, 0), (0, 2.0, 0), (0, 0, 2.0))
):
    axis = (1, 1, 1) if kind != "heisenberg" else None
    crystal = crystal_from_space_group(CUBIC, "Fd-3m", [SiteSpec("A", "Cr3+", (0.5, 0.5, 0.5), spin, g, kind, axis)])
    names = ("J1", "J3a") + ("D",) * dipoles + ("A",) * anisotropy
    rows = [BondTerm("heisenberg", terms.heisenberg(n, names), shell_bond(crystal, n[1:])) for n in names[:2]]
    if dipoles:
        rows.append(DipolarTerm({"D": 1.0}))
    if anisotropy:
        rows.append(OnsiteTerm("anisotropy", terms.easy_axis("A", (1, 1, 1), names), 0))
    return model_from_terms(crystal, names, rows)


def two_orbits():
    """Two kinds of sites with bonds that are no numbers: DM and anisotropic exchange, at S = 1 and 2."""
    vectors = lattice_vectors(a=5.0, b=5.0, c=7.0)
    sites = [SiteSpec("A", "Cr3+", (0, 0, 0), 1.0), SiteSpec("B", "Mn2+", (0.5, 0.5, 0.3), 2.0)]
    crystal = crystal_from_space_group(vectors, "P4mm", sites)
    names = ("J", "K", "A")
    rows = [
        BondTerm("heisenberg", terms.heisenberg("J", names), Bond(0, 1, (0, 0, 0))),
        BondTerm("matrix", terms.matrix([["K", 0, 0], [0, "J", 0], [0, 0, "J"]], names), Bond(0, 0, (1, 0, 0))),
        OnsiteTerm("anisotropy", terms.easy_axis("A", (0, 0, 1), names), 1),
    ]
    return model_from_terms(crystal, names, rows)


def wave_vectors(n=15, seed=1):
    return np.random.default_rng(seed).uniform(-2, 2, size=(n, 3))


@pytest.mark.parametrize("point", [(0.3, 0.1, 1 / 3), (-0.4, 0.6, 1 / 1.5), (0.9, -0.5, 1 / 3)])
def test_the_controlled_model(point):
    """S(q) = 3/(λ + βJ(q)) with the mean of 1/(λ + βJ(q)) over 12 × 12 points 1/3, J1 = 1 as the unit of energy."""
    j2, j3, beta = point
    h = np.arange(12) / 12

    def exchange(hx, hy):
        x, y = 2 * np.pi * hx, 2 * np.pi * hy
        return 2 * (np.cos(x) + np.cos(y)) + 4 * j2 * np.cos(x) * np.cos(y) + 2 * j3 * (np.cos(2 * x) + np.cos(2 * y))

    mesh = beta * exchange(h[:, None], h[None, :])
    low, high = -mesh.min(), -mesh.min() + 3
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.mean(1 / (middle + mesh)) > 1 / 3 else (low, middle)
    settings = GaussianSettings(n_mesh=12, component="trace", max_share=1.0)
    gaussian = GaussianModel(square(), settings)
    q = np.column_stack([*wave_vectors().T[:2], np.zeros(15)])
    found = gaussian.predict_structure_factor([1.0, j2, j3], 1 / (K_B * beta), q)
    np.testing.assert_allclose(found, 3 / (low + beta * exchange(q[:, 0], q[:, 1])), rtol=EXACT)
    perp = GaussianModel(square(), GaussianSettings(n_mesh=12, component="perp", max_share=1.0))
    np.testing.assert_allclose(
        perp.predict_structure_factor([1.0, j2, j3], 1 / (K_B * beta), q), found * 2 / 3, rtol=EXACT
    )


MODELS = {
    "isotropic": (pyrochlore(), [1.0, 0.2], 40.0),
    "ice with dipoles": (pyrochlore("ising", spin=1.0, dipoles=True), [-0.3, 0.02, 8 * DIPOLE_STRENGTH], 8.0),
    "planes": (pyrochlore("xy"), [-0.5, 0.1], 30.0),
    "anisotropic": (pyrochlore(anisotropy=True), [1.0, 0.2, -0.4], 45.0),
    "two orbits": (two_orbits(), [1.0, 0.6, -0.3], 70.0),
}


def plain_matrix(model, theta, q):
    """K(q) over all sites of the chemical cell and x, y, z, summed bond by bond between the sites themselves."""
    n = model.crystal.n_site
    out = np.zeros((n, 3, n, 3), dtype=complex)
    bonds = model.bonds
    for i, j, offset, k, matrix in zip(
        bonds.site_i, bonds.site_j, bonds.offset, bonds.parameter, bonds.matrix, strict=True
    ):
        phase = np.exp(2j * np.pi * q @ (model.crystal.positions[j] + offset - model.crystal.positions[i]))
        out[i, :, j] += theta[k] * matrix * phase
        out[j, :, i] += theta[k] * matrix.T * phase.conj()
    for s, k, matrix in zip(model.onsite.site, model.onsite.parameter, model.onsite.matrix, strict=True):
        out[s, :, s] += theta[k] * (matrix + matrix.T)
    return out.reshape(3 * n, 3 * n)


@pytest.mark.parametrize("name", ["isotropic", "anisotropic", "two orbits"])
def test_structure_factors_of_the_whole_cell(name):
    """The same from all sites of the chemical cell, without symmetry, primitive cells or classes."""
    model, theta, temperature = MODELS[name]
    crystal = model.crystal
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=6, component="perp"))
    state = gaussian.state(theta, temperature)
    of_site = state.solution.value[gaussian.classes][gaussian.matrix.primitive.site]
    q = wave_vectors(6)
    plain = []
    for one in q:
        k = plain_matrix(model, theta, one) + np.diag(np.repeat(of_site, 3))
        c = K_B * temperature * np.linalg.inv(k).reshape(crystal.n_site, 3, crystal.n_site, 3)
        weight = polarisation_weights("perp", one[None] @ crystal.reciprocal)[0]
        plain.append(np.einsum("ixjy,xy->", c, weight).real)
    np.testing.assert_allclose(gaussian.predict_structure_factor(theta, temperature, q), plain, rtol=EXACT)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_spin_has_its_length(name):
    """Without symmetry reduction, site by site: the mean over the mesh of k_B T Tr G is S²."""
    model, theta, temperature = MODELS[name]
    matrix = QuadraticMatrix(model)
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=4))
    state = gaussian.state(theta, temperature)
    mesh = Mesh(matrix, 4, symmetry=False)
    assert mesh.weight.sum() == pytest.approx(1.0)
    assert len(mesh.q) > len(gaussian.mesh.q)
    k = Waves(matrix, mesh.q).sum(np.asarray(theta)) + np.diag(state.multiplier)
    diagonal = np.einsum("q,qmm->m", mesh.weight, np.linalg.inv(k)).real * K_B * temperature * matrix.degeneracy
    lengths = np.bincount(matrix.site, weights=diagonal)
    np.testing.assert_allclose(lengths, matrix.lengths("S^2"), rtol=1e-9)
    by_site = GaussianModel(model, GaussianSettings(n_mesh=4, multipliers="site")).state(theta, temperature)
    np.testing.assert_allclose(by_site.multiplier, state.multiplier, rtol=1e-8)


@pytest.mark.parametrize("name", list(MODELS))
def test_derivatives_are_those_of_differences(name):
    model, theta, temperature = MODELS[name]
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=4, moments=True))
    theta, q = np.array(theta), wave_vectors(5)
    functions = {
        "structure_factor_gradient": lambda x, t: gaussian.predict_structure_factor(x, t, q),
        "susceptibility_gradient": gaussian.susceptibility,
        "heat_capacity_gradient": gaussian.heat_capacity,
    }
    for method, function in functions.items():
        found = getattr(gaussian, method)(theta, temperature, *([q] if method.startswith("structure") else []))
        size = np.abs(found.value).max()
        np.testing.assert_allclose(found.value, function(theta, temperature), rtol=1e-12, atol=1e-12 * size)
        for k in range(len(theta)):
            h = 1e-5 * np.eye(len(theta))[k]
            plain = (np.asarray(function(theta + h, temperature)) - function(theta - h, temperature)) / 2e-5
            np.testing.assert_allclose(found.by_theta[k], plain, rtol=2e-6, atol=1e-6 * size)
        plain = (np.asarray(function(theta, temperature + 1e-3)) - function(theta, temperature - 1e-3)) / 2e-3
        np.testing.assert_allclose(found.by_temperature, plain, rtol=2e-6, atol=1e-7 * size)


@pytest.mark.parametrize("name", list(MODELS))
def test_heat_capacity_is_the_slope_of_the_energy(name):
    model, theta, temperature = MODELS[name]
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=4))
    slope = (gaussian.energy(theta, temperature + 0.01) - gaussian.energy(theta, temperature - 0.01)) / 0.02
    assert gaussian.heat_capacity(theta, temperature) == pytest.approx(slope / K_B, rel=1e-6)


def test_high_temperatures():
    """e = −(z/2) J² S⁴/(3 k_B T), and Curie-Weiss: 1/χ = 3 (k_B T + z J S²/3)/(g² μ_B S²), to the next order."""
    model = square(("J1",))
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=16))
    for temperature in (400.0, 800.0):
        t = K_B * temperature
        order = 1 / t**2
        assert gaussian.energy([1.0], temperature) == pytest.approx(-4 / (6 * t), rel=3 * order)
        assert gaussian.heat_capacity([1.0], temperature) == pytest.approx(4 / (6 * t**2), rel=6 * order)
        chi = gaussian.susceptibility([1.0], temperature)
        np.testing.assert_allclose(chi, 4 * MU_B / (3 * t + 4) * np.eye(3), rtol=2 * order, atol=1e-12)


def test_ising_spins_at_high_temperatures():
    """Each spin has one component: ⟨σ²⟩ = 1 and χ = g² μ_B/(3 k_B T) in the mean over four axes."""
    model, temperature = pyrochlore("ising", spin=1.0), 4000.0
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=4))
    chi = gaussian.susceptibility([0.1, 0.0], temperature)
    np.testing.assert_allclose(chi, 4 * MU_B / (3 * K_B * temperature) * np.eye(3), rtol=1e-3, atol=1e-9)


def test_structure_factor_is_per_chemical_cell():
    gaussian = GaussianModel(pyrochlore(), GaussianSettings(n_mesh=4, component="trace"))
    found = gaussian.predict_structure_factor([0.0, 0.0], 10.0, wave_vectors(4))
    np.testing.assert_allclose(found, 16 * 1.5**2, rtol=EXACT)
    quantum = GaussianModel(pyrochlore(), GaussianSettings(n_mesh=4, component="trace", length="S(S+1)"))
    found = quantum.predict_structure_factor([0.0, 0.0], 10.0, wave_vectors(4))
    np.testing.assert_allclose(found, 16 * 1.5 * 2.5, rtol=EXACT)


def test_views_and_chunks_give_the_same(monkeypatch):
    gaussian = GaussianModel(pyrochlore(), GaussianSettings(n_mesh=4, form_factor=True))
    q = wave_vectors(20)
    whole = gaussian.predict_structure_factor([1.0, 0.2], 40.0, gaussian.view(q))
    monkeypatch.setattr("spinscape.simulate.gaussian._CHUNK", 7)
    np.testing.assert_allclose(gaussian.predict_structure_factor([1.0, 0.2], 40.0, q), whole, rtol=1e-13)


def test_dipoles_near_the_zone_centre_depend_on_the_direction():
    """Longitudinal fluctuations cost 4π D/V per g² more than transverse ones, at any small wave vector."""
    model, theta, _ = MODELS["ice with dipoles"]
    matrix = QuadraticMatrix(model)
    q = 1e-3 * np.array([[1.0, 0, 0], [0, 1.0, 0]])
    along, across = Waves(matrix, q).sum(np.asarray(theta))
    x = matrix.direction[:, 0]
    volume = 1000.0 / 4
    expected = theta[2] * 4 * 4 * np.pi / volume * x @ x * (x @ x)
    assert (x @ (along - across) @ x).real == pytest.approx(expected, rel=1e-3)


def test_below_the_ordering():
    vectors = np.diag([4.0, 4.0, 4.0])
    crystal = crystal_from_space_group(vectors, "Pm-3m", [SiteSpec("A", "Cr3+", (0, 0, 0), 1.0)])
    rows = [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), Bond(0, 0, (1, 0, 0)))]
    gaussian = GaussianModel(model_from_terms(crystal, ("J",), rows), GaussianSettings(n_mesh=16))
    # The spherical model orders at k_B T = 6J/(3 · 1.51639), G(0) of the simple cubic lattice.
    critical = 6 / (3 * 1.5163860) / K_B
    gaussian.state([1.0], 1.05 * critical)
    for n_mesh in (8, 16):
        scaled = GaussianModel(gaussian.model, GaussianSettings(n_mesh=n_mesh))
        # At the ordering the share of the wave falls with the size of the system, as the docstring says.
        assert scaled.shares(scaled.state([1.0], critical).solution).max() * n_mesh == pytest.approx(1.06, abs=0.01)
    with pytest.raises(OrderedError, match=r"0\.5 0\.5 0\.5"):
        gaussian.state([1.0], 0.7 * critical)


def test_two_classes_that_cannot_be_solved_say_so(monkeypatch):
    monkeypatch.setattr("spinscape.simulate.gaussian_solve._ITERATIONS", 2)
    model, theta, temperature = MODELS["two orbits"]
    with pytest.raises(OrderedError, match="no Lagrange multipliers"):
        GaussianModel(model, GaussianSettings(n_mesh=4)).state(theta, temperature)


def test_few_steps_solve_several_classes_near_their_ordering(monkeypatch):
    monkeypatch.setattr("spinscape.simulate.gaussian_solve._ITERATIONS", 12)
    model, theta, _ = MODELS["two orbits"]
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=12))
    state = gaussian.state(theta, 20.0)
    diagonal = np.einsum("q,qmm->m", state.sums.weight, state.solution.inverse).real * state.solution.thermal
    np.testing.assert_allclose(state.sums.member @ diagonal, state.sums.target, rtol=1e-9)
    assert gaussian.shares(state.solution).max() > 0.02


def test_multipliers_of_uncoupled_classes():
    member = np.array([[1.0, 0], [0, 1.0]])
    sums = Sums(np.diag([0.3, -2.0])[None].astype(complex), np.ones(1), member, 1, np.array([1.0, 4.0]))
    assert solve(sums, 0.5).value == pytest.approx([0.5 - 0.3, 0.125 + 2.0])


def test_bad_input():
    with pytest.raises(ConfigError, match="out of range"):
        GaussianSettings(length="S")
    gaussian = GaussianModel(square(), GaussianSettings(n_mesh=4))
    with pytest.raises(ShapeError):
        gaussian.state([1.0], 10.0)
    with pytest.raises(ConfigError, match="positive"):
        gaussian.state([1.0, 0, 0], 0.0)
    with pytest.raises(ShapeError):
        gaussian.predict_structure_factor([1.0, 0, 0], 100.0, [0.0, 0.0, 0.0])
    crystal = square().crystal
    rows = [terms.BiquadraticTerm({"B": 1.0}, Bond(0, 0, (1, 0, 0)))]
    with pytest.raises(ConfigError, match="not quadratic"):
        GaussianModel(model_from_terms(crystal, ("B",), rows))


@pytest.mark.parametrize("name", list(MODELS))
def test_components_are_those_of_the_tensor(name):
    model, theta, temperature = MODELS[name]
    q = wave_vectors(5)
    tensor = GaussianModel(model, GaussianSettings(n_mesh=4)).predict_tensor(theta, temperature, q)
    np.testing.assert_allclose(tensor, tensor.conj().swapaxes(1, 2), atol=1e-10)
    for component in ("trace", "perp", "yy"):
        gaussian = GaussianModel(model, GaussianSettings(n_mesh=4, component=component))
        weight = polarisation_weights(component, q @ model.crystal.reciprocal)
        found = gaussian.predict_structure_factor(theta, temperature, q)
        np.testing.assert_allclose(found, np.einsum("qxy,qxy->q", weight, tensor).real, rtol=EXACT)


def test_the_tensor_has_the_phases_of_spins_drawn_from_the_distribution():
    """Antisymmetric exchange makes S^xy(Q) imaginary: its sign is that of ⟨S^x(Q)* S^y(Q)⟩."""
    vectors = np.diag([3.0, 8.0, 8.0])
    crystal = crystal_from_space_group(vectors, "P1", [SiteSpec("A", "Cr3+", (0, 0, 0), 1.0)])
    model = model_from_terms(
        crystal, ("D",), [BondTerm("dm", terms.dm((0, 0, "D"), ("D",)), Bond(0, 0, (1, 0, 0)), symmetry=False)]
    )
    n, temperature = 12, 20.0
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=n, multipliers="site"))
    state = gaussian.state([1.0], temperature)
    # E = ½ s·H·s + λ|s|²/2 of a ring of vectors, and its covariance in real space.
    dm = np.array([[0, 1.0, 0], [-1.0, 0, 0], [0, 0, 0]])
    hessian = np.zeros((n, 3, n, 3))
    for i in range(n):
        hessian[i, :, (i + 1) % n] += dm
        hessian[(i + 1) % n, :, i] += dm.T
    hessian = hessian.reshape(3 * n, 3 * n) + state.solution.value[0] * np.eye(3 * n)
    covariance = K_B * temperature * np.linalg.inv(hessian).reshape(n, 3, n, 3)
    q = np.array([[k / n, 0, 0] for k in (1, 3, 8)])
    wave = np.exp(-2j * np.pi * np.outer(q[:, 0], np.arange(n)))
    plain = np.einsum("qi,ixjy,qj->qxy", wave.conj(), covariance, wave) / n
    np.testing.assert_allclose(gaussian.predict_tensor([1.0], temperature, q), plain, atol=1e-10)
    assert np.abs(plain[:, 0, 1].imag).min() > 0.05
