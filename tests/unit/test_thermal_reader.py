"""Tables of heat capacity and susceptibility: units against constants of physics, rows, errors."""

import numpy as np
import pytest
from scipy import constants

from spinscape.errors import DataError
from spinscape.experiment.thermal_reader import read_thermal_table
from spinscape.units import K_B, MU_B


def table(tmp_path, rows, header="T,x"):
    path = tmp_path / "t.csv"
    path.write_text(header + "\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


def read(path, quantity="susceptibility", unit="emu/mol", **how):
    return read_thermal_table(path, quantity=quantity, unit=unit, name="x", skip=1, **how)


def test_a_curie_law_in_every_unit(tmp_path):
    """χ = N_A g² μ_B² S(S+1)/3k_BT: 0.125 g² S(S+1)/T K emu/mol, and g² μ_B S(S+1)/3k_BT in μ_B/T per spin."""
    g, s, t = 2.0, 1.5, 10.0
    per_spin = g**2 * MU_B * s * (s + 1) / (3 * K_B * t)
    emu = 0.125049 * g**2 * s * (s + 1) / t
    si = emu * 4e-6 * np.pi
    for unit, value in (("emu/mol", emu), ("cm3/mol", emu), ("m3/mol", si), ("μ_B/T", per_spin)):
        found = read(table(tmp_path, [(t, value)]), unit=unit)
        assert found.signal[0, 0] == pytest.approx(per_spin, rel=1e-5)
        assert found.direction is None and found.unit == "μ_B/T per spin"


def test_the_law_of_dulong_and_petit_per_formula(tmp_path):
    path = table(tmp_path, [(300.0, 3 * constants.R * 2)])
    found = read(path, "heat_capacity", "J/(mol K)", spins=2.0)
    assert found.signal[0, 0] == pytest.approx(3.0, rel=1e-12)
    found = read(table(tmp_path, [(300.0, 3e3 * constants.R)]), "heat_capacity", "mJ/(mol K)")
    assert found.signal[0, 0] == pytest.approx(3.0, rel=1e-12)


def test_rows_are_sorted_windows_and_errors(tmp_path):
    path = table(tmp_path, [(30, 3.0, 0.3), (10, 1.0, 0.1), (20, "nan", 0.2), (40, 4.0, 0.4)])
    columns = ("temperature", "value", "error")
    found = read(path, unit="μ_B/T", columns=columns, errors=(0.0, 0.1), between=(5, 35))
    assert found.temperatures.tolist() == [10, 20, 30, 40]
    assert found.valid.ravel().tolist() == [True, False, True, False]
    np.testing.assert_allclose(found.std[[0, 2], 0], np.sqrt(2) * np.array([0.1, 0.3]))
    assert read(path, unit="μ_B/T", columns=("temperature", "value", "skip")).std is None


@pytest.mark.parametrize(
    "rows, how, message",
    [
        ([(10, 1), (10, 2)], {}, "stands once"),
        ([(-1, 1)], {}, "positive"),
        ([(10, 1, -0.1)], {"columns": ("temperature", "value", "error")}, "negative"),
        ([(10, 1)], {"columns": ("temperature", "value", "error")}, "not those declared"),
        ([(10, 1)], {"columns": ("value", "skip")}, "temperature and value"),
        ([(10, 1)], {"between": (20, 30)}, "no row"),
    ],
)
def test_bad_tables_are_refused(tmp_path, rows, how, message):
    with pytest.raises(DataError, match=message):
        read(table(tmp_path, rows), **how)
