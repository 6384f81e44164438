"""From records in time to spectra: known lines, sums, windows, errors."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError
from spinscape.kernels.precession_power import add_power, add_trace, take_off_steady
from spinscape.lattice.qspace import EnergyAxis
from spinscape.observables.dynamic import (
    WINDOWS,
    DynamicSettings,
    EnergyProjection,
    SpectrumSum,
    WholeProjection,
    time_window,
)
from spinscape.units import HBAR

N = 96
STEP = 0.1
"""meV between frequencies."""
INTERVAL = 2.0 * np.pi * HBAR / (STEP * N)
AXIS = EnergyAxis.from_range(first=-3.0, last=3.0, step=0.1)
CARTESIAN = np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])


def flat(n_q):
    """Return a transform whose waves are the amplitudes themselves."""
    return SimpleNamespace(
        shape=(1, 3, n_q),
        row=np.arange(n_q),
        beyond=np.zeros(n_q, dtype=bool),
        phase=np.ones((1, n_q), dtype=np.complex64),
        g=None,
    )


def summed(settings, records, *, axis=AXIS, projection=EnergyProjection, temperature=None, transform=None, **how):
    """Return the sum of records (n_sample, 3, n_q) of C, the weights still to be multiplied in."""
    transform = transform or flat(records[0].shape[2])
    project = projection(axis, N, STEP, settings, temperature)
    n_q = len(transform.row)
    q = CARTESIAN[np.arange(n_q) % 2]
    total = SpectrumSum(transform, q, project, settings, n_cell=2.0, n_sample=N, interval=INTERVAL, **how)
    for record in records:
        total.add((total.weight[:, None, None, None] * record[:, None]).astype(np.complex64))
    return total


def lines(energies, vectors, n_q=2):
    """Return C(t) = Σ v exp(−iEt/ħ), that of S(Q) rising at +E, conjugated: (N, 3, n_q)."""
    t = INTERVAL * np.arange(N)[:, None, None]
    parts = [np.reshape(v, (1, 3, 1)) * np.exp(-1j * e * t / HBAR) for e, v in zip(energies, vectors, strict=True)]
    return np.tile(sum(parts), (1, 1, n_q))


@pytest.mark.parametrize("window", WINDOWS)
def test_a_line_stands_at_its_energy_with_its_weight(window):
    # The gaussian, cut at three sigma, leaks a little of its weight out of the axis.
    settings = DynamicSettings(window=window)
    found = summed(settings, [lines([1.2], [(1.0, 2.0j, 0.0)])]).mean
    assert AXIS.centres[np.argmax(found[0])] == pytest.approx(1.2)
    np.testing.assert_allclose(found.sum(axis=1) * AXIS.step, 5.0 / 2.0, rtol=2e-3)


@pytest.mark.parametrize(
    ("component", "expected"),
    [("trace", (14.0, 14.0)), ("xx", (1.0, 1.0)), ("zz", (9.0, 9.0)), ("perp", (5.0, 14.0 - 4.5))],
)
def test_components(component, expected):
    """Across Q ∥ z only x and y are seen; across (1, 1, 0) all but ½|C_x + C_y|² = 4.5."""
    found = summed(DynamicSettings(component=component, window="none"), [lines([1.2], [(1.0, 2.0, 3.0)])]).mean
    np.testing.assert_allclose(found.sum(axis=1) * AXIS.step, np.array(expected) / 2.0, rtol=1e-4)


@given(seed=st.integers(0, 50), window=st.sampled_from(WINDOWS))
def test_the_integral_is_the_equal_time_correlation(seed, window):
    """Of amplitudes of constant square, as |S|² of a spin: exactly, whatever the window."""
    rng = np.random.default_rng(seed)
    record = rng.normal(size=(N, 3, 2))
    record /= np.linalg.norm(record, axis=1, keepdims=True)
    total = summed(DynamicSettings(window=window), [record], projection=WholeProjection, pooled=True)
    np.testing.assert_allclose(total.mean[0, -2:], 1.0 / 2.0, rtol=1e-5)


@pytest.mark.parametrize("weighting", ["classical", "detailed_balance", "density_of_states"])
def test_what_does_not_move_is_a_line_at_zero_or_nothing(weighting):
    """Of the shape of the window, for Hann's 1, 4, 1 sixths, whatever the weighting."""
    record = lines([0.0, 1.2], [(3.0, 0.0, 0.0), (0.0, 1.0, 0.0)])
    how = {"temperature": 5.0}
    kept = summed(DynamicSettings(weighting=weighting), [record], **how).mean * AXIS.step * 2.0
    gone = summed(DynamicSettings(weighting=weighting, elastic=False), [record], **how).mean * AXIS.step * 2.0
    zero = np.argmin(np.abs(AXIS.centres))
    np.testing.assert_allclose(kept[0, zero - 1 : zero + 2], [1.5, 6.0, 1.5], rtol=1e-4)
    assert np.abs(gone[0, zero - 1 : zero + 2]).max() < 1e-4
    np.testing.assert_allclose(kept[0, zero + 6 :], gone[0, zero + 6 :], atol=1e-6)


@pytest.mark.parametrize("window", WINDOWS)
def test_a_slow_fluctuation_goes_through_zero_energy_as_it_is(window):
    """Its mean over a trajectory is no elastic line: the plain spectrum is that of the record as it came."""
    steps = np.random.default_rng(4).normal(size=(N + 400, 3, 2))
    record = np.array([np.tensordot(0.95 ** np.arange(400), steps[t : t + 400], 1) for t in range(N)])
    total = summed(DynamicSettings(window=window), [record])
    wave = np.fft.ifft(total.weight[:, None, None] * record, axis=0, norm="forward")
    number = np.round(AXIS.centres / STEP).astype(int)
    power = np.sum(np.abs(wave[number % N]) ** 2, axis=1).T
    np.testing.assert_allclose(total.mean, power * INTERVAL / (2.0 * np.pi * HBAR * N * 2.0), rtol=1e-4, atol=1e-4)


def test_a_strong_steady_part_does_not_leak_into_what_a_weighting_lifts():
    """Factors of x = E/k_BT are large at low temperature; a faded constant would have power at ±1 frequency."""
    record = lines([0.0, 1.2], [(100.0, 0.0, 0.0), (0.0, 1.0, 0.0)])
    settings = DynamicSettings(weighting="detailed_balance")
    found = summed(settings, [record], temperature=1.0, projection=WholeProjection, pooled=True).mean[0, -2:] * 2.0
    x = 1.2 / 0.08617333
    assert found[0] == pytest.approx(10001.0, rel=1e-5)
    assert found[1] == pytest.approx(10000.0 + x / (1.0 - np.exp(-x)), rel=1e-4)


def test_a_resolution_makes_a_gaussian():
    settings = DynamicSettings(fwhm=(0.5, 0.1), window="none")
    found = summed(settings, [lines([1.2], [(1.0, 0.0, 0.0)])]).mean[0] * 2.0
    sigma = 0.62 / np.sqrt(8.0 * np.log(2.0))
    expected = np.exp(-0.5 * ((AXIS.centres - 1.2) / sigma) ** 2) / (np.sqrt(2.0 * np.pi) * sigma)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_bins_share_what_straddles_them():
    axis = EnergyAxis.from_range(first=1.0, last=1.6, step=0.2)
    found = summed(DynamicSettings(window="none"), [lines([1.1, 1.4], [(1, 0, 0), (0, 1, 0)])], axis=axis).mean[0]
    np.testing.assert_allclose(found * axis.step * 2.0, [0.5, 0.5, 1.0, 0.0], atol=1e-5)


def test_errors_are_those_of_the_mean_of_blocks():
    rng = np.random.default_rng(3)
    records = [rng.normal(size=(N, 3, 2)) + 1j * rng.normal(size=(N, 3, 2)) for _ in range(12)]
    settings = DynamicSettings()
    each = np.stack([summed(settings, [record]).mean for record in records])
    found = summed(settings, records)
    np.testing.assert_allclose(found.mean, each.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.error, each.std(axis=0, ddof=1) / np.sqrt(12), rtol=1e-4)
    blocks = each.reshape(4, 3, *each.shape[1:]).mean(axis=1)
    found = summed(settings, records, per_block=3)
    assert found.n_block == 4
    np.testing.assert_allclose(found.mean, blocks.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.error, blocks.std(axis=0, ddof=1) / 2.0, rtol=1e-4)


def test_one_block_has_no_error_and_none_no_mean():
    record = lines([1.2], [(1.0, 0.0, 0.0)])
    assert np.all(np.isinf(summed(DynamicSettings(), [record]).error))
    with pytest.raises(ConfigError, match="at least 2"):
        _ = summed(DynamicSettings(), [record], per_block=2).mean


def power_reference(wave, m, transform, factors):
    """Return Σ_k |L_k·C|² of each wave vector, (n_q,)."""
    out = []
    for q, (r, beyond) in enumerate(zip(transform.row, transform.beyond, strict=True)):
        values = wave[-m % len(wave), :, :, r].conj() if beyond else wave[m, :, :, r]
        c = np.einsum("s,sab,sb->a", transform.phase[:, q], transform.g, values)
        out.append(np.sum(np.abs(factors[q] @ c) ** 2))
    return np.array(out)


def test_power_of_several_sites_and_conjugate_waves():
    rng = np.random.default_rng(5)
    wave = (rng.normal(size=(8, 2, 3, 4)) + 1j * rng.normal(size=(8, 2, 3, 4))).astype(np.complex64)
    transform = SimpleNamespace(
        row=np.array([0, 1, 1, 3, 2]),
        beyond=np.array([False, True, False, True, False]),
        phase=np.exp(1j * rng.normal(size=(2, 5))).astype(np.complex64),
        g=rng.normal(size=(2, 3, 3)).astype(np.float32),
    )
    factors = rng.normal(size=(5, 2, 3)).astype(np.float32)
    index = np.array([0, 3, 7])
    out = np.ones((3, 5), dtype=np.float32)
    add_power(wave, index, transform.row, transform.beyond, transform.phase, transform.g, True, factors, out)
    expected = np.stack([1.0 + power_reference(wave, m, transform, factors) for m in index])
    np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_the_short_way_of_one_site_is_the_long_one():
    rng = np.random.default_rng(6)
    wave = (rng.normal(size=(8, 1, 3, 4)) + 1j * rng.normal(size=(8, 1, 3, 4))).astype(np.complex64)
    row, beyond, index = np.array([3, 0, 2]), np.array([True, False, True]), np.array([1, 6])
    phase = rng.normal(size=(1, 3)).astype(np.complex64)
    unit, same = np.tile(np.eye(3, dtype=np.float32), (3, 1, 1)), np.eye(3, dtype=np.float32)[None]
    out = np.zeros((2, 2, 3), dtype=np.float32)
    add_power(wave, index, row, beyond, phase, same, True, unit, out[0])
    add_trace(wave, index, row, beyond, np.abs(phase[0]) ** 2, out[1])
    np.testing.assert_allclose(out[1], out[0], rtol=1e-5)


def test_the_steady_part_is_the_mean_with_squared_weights():
    rng = np.random.default_rng(7)
    record = rng.normal(size=(N, 1, 3, 4)) + 2.0
    weight = time_window("hann", N)
    wave = np.fft.ifft(weight[:, None, None, None] * record, axis=0, norm="forward").astype(np.complex64)
    hat = np.fft.ifft(weight, norm="forward")
    kept = np.flatnonzero(np.abs(hat) > 1e-9)
    assert len(kept) == 3
    steady = np.empty((1, 3, 4), dtype=np.complex64)
    take_off_steady(wave, kept, hat[kept].astype(np.complex64), steady)
    expected = np.tensordot(weight**2 / N, record, 1)
    np.testing.assert_allclose(steady, expected, rtol=1e-5)
    rest = np.fft.ifft(weight[:, None, None, None] * (record - expected), axis=0, norm="forward")
    np.testing.assert_allclose(wave, rest, atol=1e-4)


@pytest.mark.parametrize("change", [{"component": "yz"}, {"window": "kaiser"}, {"fwhm": ()}, {"fwhm": (np.nan,)}])
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(ConfigError, match="out of range"):
        DynamicSettings(**change)


def test_a_resolution_without_width_is_refused():
    with pytest.raises(ConfigError, match="no positive width"):
        EnergyProjection(AXIS, N, STEP, DynamicSettings(fwhm=(0.5, 0.4)))


def test_settings_survive_their_dictionary():
    settings = DynamicSettings(component="perp", fwhm=(0.2, 0.1), weighting="symmetric")
    assert DynamicSettings(**settings.to_dict()) == settings
