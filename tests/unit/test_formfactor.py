import numpy as np
import pytest

from spinscape.errors import ConfigError, DataError
from spinscape.observables.formfactor import (
    FormFactor,
    form_factor,
    form_factor_ions,
    form_factor_j0,
    form_factor_j2,
    magnetic_form_factor,
)

Q = np.linspace(0.0, 12.0, 25)


def expansion(q, a, A, b, B, c, C, d):
    s2 = (q / (4 * np.pi)) ** 2
    return a * np.exp(-A * s2) + b * np.exp(-B * s2) + c * np.exp(-C * s2) + d


def test_dysprosium_and_manganese_have_the_printed_coefficients():
    dy = expansion(Q, 0.1157, 15.0732, 0.3270, 6.7991, 0.5821, 3.0202, -0.0249)
    np.testing.assert_allclose(form_factor_j0(Q, ion="Dy3+"), dy, atol=1e-12)
    # periodictable prints the exponents of <j2> with three decimals: 5e-4 · A s⁴ exp(-a s²) is 5e-5 at most.
    dy2 = (Q / (4 * np.pi)) ** 2 * expansion(Q, 0.2523, 18.5172, 1.0914, 6.7362, 0.9345, 2.2082, 0.0250)
    np.testing.assert_allclose(form_factor_j2(Q, ion="Dy3+"), dy2, atol=6e-5)
    np.testing.assert_allclose(magnetic_form_factor(Q, ion="Dy3+", g=4 / 3), dy + 0.5 * dy2, atol=6e-5)
    mn = expansion(Q, 0.4220, 17.6840, 0.5948, 6.0050, 0.0043, -0.6090, -0.0219)
    np.testing.assert_allclose(magnetic_form_factor(Q, ion="Mn2+"), mn, atol=1e-12)


@pytest.mark.parametrize("ion", form_factor_ions())
def test_every_ion_begins_at_one_and_falls(ion):
    table = form_factor(ion)
    g = 2.0 if table.dipole_g is None else table.dipole_g
    f = magnetic_form_factor(Q, ion=ion, g=g)
    # The fits of the table are good to 3e-3 at Q = 0.
    assert abs(f[0] - 1) < 3e-3
    assert np.all(np.abs(f) < f[0] + 1e-12)
    if table.j2 is not None:
        assert form_factor_j2(0.0, ion=ion) == 0


@pytest.mark.parametrize(("ion", "g"), [("Tb3+", 3 / 2), ("Ho3+", 5 / 4), ("Er3+", 6 / 5), ("Yb3+", 8 / 7)])
def test_the_dipole_form_agrees_with_the_tables_own_fit_of_it(ion, g):
    import periodictable

    entry = getattr(periodictable, ion[:2]).magnetic_ff[3]
    np.testing.assert_allclose(magnetic_form_factor(Q[:15], ion=ion, g=g), entry.J_Q(Q[:15]), atol=3e-3)


def test_cerium_has_its_dipole_form_at_its_own_g_only():
    assert magnetic_form_factor(0.0, ion="Ce3+", g=6 / 7) == pytest.approx(1.0, abs=1e-3)
    with pytest.raises(DataError, match=r"g = 0\.8571"):
        magnetic_form_factor(1.0, ion="Ce3+", g=2.0)
    with pytest.raises(DataError, match="no <j2> of Ce3"):
        form_factor_j2(1.0, ion="Ce3+")


@pytest.mark.parametrize(
    ("ion", "near"),
    [("Ni9+", "Ni2+"), ("ni2", "Ni2+"), ("Ni", "Ni2+"), ("Pr4+", "Ce3+"), ("Dy+3", "Dy3+"), ("Mn2-", "Mn2+")],
)
def test_unknown_ions_are_refused_with_near_ones(ion, near):
    with pytest.raises(DataError, match="no magnetic form factor") as caught:
        form_factor(ion)
    assert near in caught.value.expected


@pytest.mark.parametrize("ion", ["", "Qq3+", "7", "Ni2+" * 40])
def test_nonsense_is_refused_too(ion):
    with pytest.raises(DataError, match="no magnetic form factor"):
        form_factor(ion)


def test_coefficients_of_ones_own():
    own = FormFactor("Pr4+", (1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(magnetic_form_factor(Q, ion=own), np.exp(-2 * (Q / (4 * np.pi)) ** 2))
    with pytest.raises(DataError, match="seven finite"):
        FormFactor("Pr4+", (1.0, 2.0))


@pytest.mark.parametrize("g", [0.0, np.nan, np.inf])
def test_a_g_out_of_range(g):
    with pytest.raises(ConfigError, match="g factor"):
        magnetic_form_factor(1.0, ion="Ni2+", g=g)
