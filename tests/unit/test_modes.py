"""Modes and the errors of structures that are none: unstable, not stationary, misshapen couplings."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError, UnstableError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.modes import blocks_of, modes
from spinscape.simulate.quadratic import quadratic_form
from spinscape.units import MU_B

Q = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.25, 0.0, 0.0], [0.5, 0.0, 0.0]])


def chain(names=("J", "J2")):
    one = Crystal(
        vectors=np.diag([3.0, 8.0, 8.0]),
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.5],
        ions=("",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    return Model(one, names, BondTable([0, 0], [0, 0], [[1, 0, 0], [2, 0, 0]], [0, 1], [np.eye(3)] * 2))


def ferromagnet(direction=(0, 0, 1)):
    return MagneticStructure(np.eye(3), [0], [[0, 0, 0]], [direction])


def antiferromagnet(tilt=0.0):
    return MagneticStructure(np.diag([2, 1, 1]), [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [tilt, 0, -1]])


def test_ferromagnetic_chain_has_its_closed_form_and_a_regularised_zero():
    found = modes(quadratic_form(chain(), ferromagnet(), Q), [-1.0, 0.0])
    expected = 2 * 1.5 * (1 - np.cos(2 * np.pi * Q[:, 0]))
    np.testing.assert_allclose(found.energies[:, 0], expected, atol=1e-8)
    assert found.regularised.tolist() == [True, False, False, False]
    # One magnon carries S/2 in each component across the spin, xy with the sense of precession.
    np.testing.assert_allclose(found.s_ab[:, 0, [0, 1], [0, 1]], 0.75, rtol=1e-12)
    np.testing.assert_allclose(np.abs(found.s_ab[:, 0, 0, 1]), 0.75, rtol=1e-12)


def test_the_zeeman_term_is_that_of_electrons():
    """E = + μ_B B·g·S: a spin against the field is the ground state and precesses at g μ_B B."""
    up, down = ferromagnet(), ferromagnet((0, 0, -1))
    field = Conditions(field=(0.0, 0.0, 7.0))
    found = modes(quadratic_form(chain(), down, Q[:1], field), [-1.0, 0.0])
    assert found.energies[0, 0] == pytest.approx(2.0 * MU_B * 7.0, rel=1e-12)
    with pytest.raises(UnstableError):
        modes(quadratic_form(chain(), up, Q[:1], field), [-1.0, 0.0])


def test_an_unstable_structure_names_q_and_the_lowest_eigenvalue():
    form = quadratic_form(chain(), ferromagnet(), Q)
    with pytest.raises(UnstableError) as caught:
        modes(form, [1.0, 0.0])
    text = str(caught.value)
    assert "Q = (0.5, 0, 0) r.l.u." in text
    assert "J = 1 meV, J2 = 0 meV" in text
    assert "lowest eigenvalue -6 meV" in text


def test_a_spin_across_its_field_is_named():
    with pytest.raises(UnstableError, match="not stationary") as caught:
        modes(quadratic_form(chain(), antiferromagnet(tilt=0.01), Q[1:]), [1.0, 0.0])
    assert "sublattice" in str(caught.value)


def test_no_couplings_at_all_is_no_stable_structure():
    with pytest.raises(UnstableError, match="lowest eigenvalue"):
        modes(quadratic_form(chain(), ferromagnet(), Q), [0.0, 0.0])


@pytest.mark.parametrize("theta", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]]])
def test_misshapen_couplings(theta):
    with pytest.raises(ShapeError, match="theta"):
        modes(quadratic_form(chain(), ferromagnet(), Q), theta)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_couplings_that_are_not_finite(bad):
    with pytest.raises(ConfigError, match="a coupling is not finite"):
        modes(quadratic_form(chain(), ferromagnet(), Q), [-1.0, bad])


def test_a_collinear_magnet_falls_apart_into_two_blocks():
    blocks = blocks_of(quadratic_form(chain(), antiferromagnet(), Q))
    assert blocks.members.tolist() == [0, 3, 1, 2]
    assert blocks.start.tolist() == [0, 2, 4]


def test_correlations_are_hermitian_and_per_chemical_cell():
    found = modes(quadratic_form(chain(), antiferromagnet(), Q[1:3]), [1.0, 0.0])
    np.testing.assert_allclose(found.s_ab, found.s_ab.conj().swapaxes(2, 3), atol=1e-12)
    # S^xx + S^yy = S |tan(πh)| per site.
    trace = np.einsum("qnaa->q", found.s_ab).real
    np.testing.assert_allclose(trace, 1.5 * np.abs(np.tan(np.pi * Q[1:3, 0])), rtol=1e-9)
