"""Units: constants against CODATA by hand, conversion both ways, and refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import UnitError
from spinscape.units import FWHM_PER_SIGMA, HBAR, K_B, MU_B, internal_unit, quantity, unit_scale

# CODATA 2018/2022, as the tables print them, in the project's units.
CODATA = 1e-9


def test_constants_agree_with_the_printed_tables():
    assert pytest.approx(0.6582119569, rel=CODATA) == HBAR
    assert pytest.approx(0.08617333262, rel=CODATA) == K_B
    assert pytest.approx(0.057883817982, rel=CODATA) == MU_B
    assert pytest.approx(2.3548200450, rel=CODATA) == FWHM_PER_SIGMA


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("29.5 meV", "energy", 29.5),
        ("0.0295eV", "energy", 29.5),
        ("1 THz", "energy", 4.135667697),
        ("1 1/cm", "energy", 0.1239841984),
        ("11.604518 K", "energy", 1.0),
        ("-3e1 meV", "energy", -30.0),
        ("+.5 meV", "energy", 0.5),
        ("5 µeV", "energy", 5e-3),
        ("5 \u03bceV", "energy", 5e-3),
        ("0.389 nm", "length", 3.89),
        ("3.89 \u212b", "length", 3.89),
        ("250 mK", "temperature", 0.25),
        ("2 1/nm", "wavevector", 0.2),
        ("2 Å⁻¹", "wavevector", 2.0),
        ("1500 mT", "field", 1.5),
        ("3.141592653589793 rad", "angle", 180.0),
        ("2 fs", "time", 2e-3),
    ],
)
def test_quantities_become_internal_units(text, dimension, value):
    assert quantity(text, dimension) == pytest.approx(value, rel=1e-7)


@given(st.floats(-1e6, 1e6), st.sampled_from(["meV", "eV", "K", "THz", "1/cm"]))
def test_a_quantity_is_its_number_times_the_scale_of_its_unit(number, unit):
    assert quantity(f"{number!r} {unit}", "energy") == number * unit_scale(unit, "energy")


@pytest.mark.parametrize("dimension", ["energy", "temperature", "length", "wavevector", "field", "time", "angle"])
def test_internal_units_have_scale_one(dimension):
    assert unit_scale(internal_unit(dimension), dimension) == 1.0


@pytest.mark.parametrize("text", ["29", 29, 29.0, None, True, "meV", "", "1 2 meV", "nan meV", "inf meV", "1,5 meV"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(UnitError):
        quantity(text, "energy")


@pytest.mark.parametrize(("text", "dimension"), [("3 Å", "energy"), ("3 K", "field"), ("3 mev", "energy")])
def test_a_unit_of_another_dimension_is_refused_with_the_known_ones(text, dimension):
    with pytest.raises(UnitError) as caught:
        quantity(text, dimension)
    assert "is not a unit of" in caught.value.what
    assert internal_unit(dimension) in caught.value.expected
