"""Measurements that the program makes: counting statistics, background, missing block, keys."""

import numpy as np
import pytest
from scipy import stats

from spinscape.errors import ConfigError, DataError, ShapeError
from spinscape.experiment.simulated import Background, MissingBlock, simulated_measurement
from spinscape.lattice.qspace import EnergyAxis, path_through

PATH = path_through([[0, 0, 0], [1, 0, 0]], n_point=[60], reciprocal=np.eye(3), name="line")
ENERGY = EnergyAxis.from_range(first=20.0, last=69.0, step=1.0)
BAND = 0.2 + np.exp(-0.5 * ((ENERGY.centres - 40.0 - 10.0 * np.sin(6.0 * PATH.points[:, :1])) / 4.0) ** 2)
FIVE_SIGMA = stats.norm.sf(5.0) * 2.0


def make(spectrum=BAND, **changed):
    return simulated_measurement(spectrum, **{"momentum": PATH, "energy": ENERGY, "counts": 1e5, "seed": 1, **changed})


def test_it_says_that_it_is_simulated():
    m = make(key=(29.0,), provenance={"couplings": {"J": 29.0}})
    assert m.simulated and m.std is None and m.name == "line" and m.valid.all()
    assert m.provenance["counts"] == 1e5 and m.provenance["couplings"] == {"J": 29.0}


def test_counts_are_whole_and_poisson():
    """χ² of 3,000 pixels about their expectation, and the total about its own, within five standard deviations."""
    m = make()
    counts = m.signal * m.provenance["counts_per_unit"]
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    expected = BAND * m.provenance["counts_per_unit"]
    assert expected.sum() == pytest.approx(1e5)
    chi2 = np.sum((counts - expected) ** 2 / expected)
    assert FIVE_SIGMA < stats.chi2.sf(chi2, counts.size) < 1.0 - FIVE_SIGMA
    assert abs(counts.sum() - 1e5) < 5.0 * np.sqrt(1e5)


def test_background_decays_to_its_constant():
    """Mean over momenta less the band, in units of the band's mean: level · exp(−(E − E₀)/decay) + constant."""
    m = make(counts=1e9, background=Background(level=5.0, decay=35.0, constant=0.5))
    found = (m.signal - BAND).mean(axis=0) / BAND.mean()
    expected = 5.0 * np.exp(-(ENERGY.centres - 20.0) / 35.0) + 0.5
    np.testing.assert_allclose(found, expected, atol=5.0 * 6.0 / np.sqrt(1e9 / ENERGY.centres.size))


def test_missing_block_is_a_mask_and_costs_no_counts():
    m = make(missing_block=MissingBlock(momentum=(10, 19), energy=(30.0, 39.5)))
    assert np.argwhere(~m.valid).min(axis=0).tolist() == [10, 10]
    assert np.argwhere(~m.valid).max(axis=0).tolist() == [19, 19]
    assert (~m.valid).sum() == 100
    total = m.signal[m.valid].sum() * m.provenance["counts_per_unit"]
    assert abs(total - 1e5) < 5.0 * np.sqrt(1e5)


def test_standard_deviations_are_those_of_counts():
    m = make(counts=3000.0, with_std=True)
    unit = m.provenance["counts_per_unit"]
    np.testing.assert_allclose((m.std * unit) ** 2, np.maximum(np.round(m.signal * unit), 1.0), rtol=1e-12)
    assert (m.signal == 0.0).any()


def test_noise_is_a_function_of_its_key():
    first = make(key=(1.0,))
    assert first.signal.tobytes() == make(key=(1.0,)).signal.tobytes()
    for other in ({"key": (2.0,)}, {"seed": 2}, {"replica": 1}, {"name": "other"}):
        assert first.signal.tobytes() != make(**{"key": (1.0,), **other}).signal.tobytes()


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"spectrum": BAND.T}, ShapeError),
        ({"spectrum": -BAND}, DataError),
        ({"spectrum": np.where(BAND > 1.0, np.nan, BAND)}, DataError),
        ({"spectrum": 0.0 * BAND}, DataError),
        ({"counts": 0.0}, ConfigError),
        ({"counts": np.inf}, ConfigError),
        ({"background": Background(level=1.0, decay=0.0)}, ConfigError),
        ({"background": Background(level=-1.0, decay=1.0)}, ConfigError),
        ({"missing_block": MissingBlock(momentum=(0, 59), energy=(0.0, 100.0))}, DataError),
    ],
)
def test_what_cannot_be_counted_is_refused(changed, kind):
    with pytest.raises(kind):
        make(**changed)
