"""The quadratic form: geometry of magnetic cells, local axes, and what of D, field and energy is linear in θ."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.quadratic import directed_bonds, local_axes, local_fields, quadratic_form, sublattice_finder
from spinscape.units import MU_B

CELL = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]])


def crystal(n_site=2):
    rng = np.random.default_rng(0)
    return Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]),
        positions=rng.uniform(0, 1, (n_site, 3)),
        labels=("a",) * n_site,
        orbit=np.zeros(n_site),
        spins=[0.5, 2.0][:n_site],
        ions=("",) * n_site,
        g=rng.uniform(1, 3, (n_site, 3, 3)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def model():
    rng = np.random.default_rng(1)
    bonds = BondTable([0, 1, 0], [1, 1, 0], [[0, 1, 0], [1, 0, 0], [1, 1, 0]], [0, 1, 0], rng.normal(size=(3, 3, 3)))
    single = rng.normal(size=(2, 3, 3))
    onsite = OnsiteTable([0, 1], [2, 1], single + single.swapaxes(1, 2))
    return Model(crystal(), ("J", "K", "D"), bonds, onsite)


def structure(seed=2):
    where = [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0]]
    return MagneticStructure(CELL, [0, 1, 0, 1], where, np.random.default_rng(seed).normal(size=(4, 3)))


def classical_energy(theta, field, spins):
    """Σ over the model's own table, for spins (4, 3) on the cells (0, 0, 0) and (1, 0, 0) of CELL, by parity."""
    m = model()
    total = 0.0
    for cell in (0, 1):
        for i, j, offset, k, matrix in zip(*(getattr(m.bonds, n) for n in m.bonds.__dataclass_fields__), strict=True):
            other = (cell + offset[0] + offset[1]) % 2
            total += theta[k] * spins[2 * cell + i] @ matrix @ spins[2 * other + j]
        for i, k, matrix in zip(m.onsite.site, m.onsite.parameter, m.onsite.matrix, strict=True):
            total += theta[k] * spins[2 * cell + i] @ matrix @ spins[2 * cell + i]
        total += MU_B * sum(field @ m.crystal.g[i] @ spins[2 * cell + i] for i in (0, 1))
    return total


def test_local_axes_are_right_handed_frames_shared_by_opposite_spins():
    direction = structure().direction
    axes = local_axes(direction)
    np.testing.assert_allclose(np.sum(axes.real * axes.real, axis=1), 1.0)
    np.testing.assert_allclose(np.cross(axes.real, axes.imag), direction, atol=1e-14)
    np.testing.assert_allclose(local_axes(-direction), axes.conj(), atol=1e-14)


@pytest.mark.parametrize("cell", [np.eye(3), CELL, CELL[[1, 0, 2]], [[3, 0, 0], [1, 2, 0], [0, 1, 1]]])
def test_every_chemical_cell_folds_into_the_magnetic_one(cell):
    cell = np.array(cell, dtype=int)
    volume = abs(round(np.linalg.det(cell)))
    steps = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = [c for c in steps if np.all((f := np.round(c @ np.linalg.inv(cell), 9)) >= 0) and np.all(f < 1)]
    # Cells that stick out of this little box are listed by an equivalent one.
    seen = {tuple(np.round(np.round(c @ np.linalg.inv(cell), 9) % 1, 6) % 1): c for c in [*steps, *inside]}
    cells = np.array(list(seen.values()))
    assert len(cells) == volume
    find = sublattice_finder(MagneticStructure(cell, [0] * volume, cells, np.tile([0, 0, 1], (volume, 1))), 1)
    for c in [[5, -7, 2], [-1, 0, 9]]:
        home = cells[find(0, c)]
        np.testing.assert_allclose((np.array(c) - home) @ np.linalg.inv(cell) % 1 % 0.999999999, 0.0, atol=1e-8)


@pytest.mark.parametrize(
    ("cell", "where"),
    [
        (CELL, [[0, 0, 0], [1, 1, 0]]),  # the same sublattice twice
        (CELL, [[0, 0, 0]]),  # one is missing
        ([[1, 1, 0], [2, 2, 0], [0, 0, 1]], [[0, 0, 0], [1, 0, 0]]),  # no volume
    ],
)
def test_moments_that_do_not_fill_the_cell_are_refused(cell, where):
    broken = MagneticStructure(cell, [0] * len(where), where, np.tile([0, 0, 1.0], (len(where), 1)))
    with pytest.raises(ConfigError, match="do not fill the magnetic cell"):
        sublattice_finder(broken, 1)


def test_the_local_field_is_the_gradient_of_the_energy():
    theta, field = np.array([1.3, -0.7, 0.4]), np.array([2.0, -5.0, 3.0])
    s = structure()
    length = np.array([0.5, 2.0, 0.5, 2.0])
    spins = length[:, None] * s.direction
    h = np.tensordot(
        theta, local_fields(directed_bonds(model(), s), spins=length, direction=s.direction, n_parameter=3), axes=1
    )
    h += MU_B * np.einsum("a,iab->ib", field, crystal().g[[0, 1, 0, 1]])
    for i in range(4):
        for a in range(3):
            step = np.zeros((4, 3))
            step[i, a] = 1e-4  # the energy is quadratic: central differences are exact
            slope = (classical_energy(theta, field, spins + step) - classical_energy(theta, field, spins - step)) / 2e-4
            assert h[i, a] == pytest.approx(slope, abs=1e-9)


def test_classical_energy_and_torque_of_the_form():
    theta, field = np.array([1.3, -0.7, 0.4]), (2.0, -5.0, 3.0)
    s = structure()
    form = quadratic_form(model(), s, np.zeros((1, 3)), Conditions(field=field))
    spins = np.array([0.5, 2.0, 0.5, 2.0])[:, None] * s.direction
    expected = classical_energy(theta, np.array(field), spins) / 4
    assert form.classical_energy(theta) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(np.sum(form.torques(theta) * s.direction, axis=1), 0.0, atol=1e-12)
    assert np.abs(form.torques(theta)).max() > 0.1


def test_the_form_is_hermitian_linear_and_read_from_both_ends_alike():
    q = np.array([[0.1, 0.7, -0.3], [-0.1, -0.7, 0.3]])
    form = quadratic_form(model(), structure(), q, Conditions(field=(0.0, 0.0, 4.0)))
    theta = np.array([1.3, -0.7, 0.4])
    full = form.assembled(theta)
    np.testing.assert_allclose(full, full.conj().swapaxes(1, 2), atol=1e-12)
    # The lower right block is the conjugate of the upper left one at -q.
    np.testing.assert_allclose(full[0, 4:, 4:], full[1, :4, :4].conj(), atol=1e-12)
    np.testing.assert_allclose(full[0, 4:, :4], full[1, :4, 4:].conj(), atol=1e-12)
    constant = form.assembled(np.zeros(3))
    np.testing.assert_allclose(form.assembled(2 * theta) - constant, 2 * (full - constant), atol=1e-12)
    assert form.scale(theta) >= np.linalg.norm(full - constant, ord=2, axis=(1, 2)).max() / 2


def test_moments_can_stand_in_place_of_spins():
    q = np.zeros((1, 3))
    plain, moments = (quadratic_form(model(), structure(), q, apply_g=x) for x in (False, True))
    g = crystal().g[[0, 1, 0, 1]]
    np.testing.assert_allclose(moments.vectors[0, :, :4], np.einsum("iab,bi->ai", g, plain.vectors[0, :, :4]))


def test_q_must_have_three_columns():
    with pytest.raises(ShapeError, match="q has the wrong shape"):
        quadratic_form(model(), structure(), np.zeros(3))


def test_a_model_without_terms_is_all_zero():
    empty = Model(crystal(), ("J",), BondTable([], [], np.zeros((0, 3)), [], np.zeros((0, 3, 3))))
    form = quadratic_form(empty, structure(), np.zeros((2, 3)))
    assert not np.any(form.dynamical)
    assert form.scale([5.0]) == 0.0
