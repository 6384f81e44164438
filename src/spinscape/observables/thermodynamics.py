"""Thermodynamics from samples: heat capacity, susceptibility, order parameters, derivatives and reweighting.

Samples are (n_chain, n_sample, ...), as in ``observables.statistics``; errors are those of blocks and the jackknife.
Energies are of the whole system in meV, moments in Bohr magnetons, temperatures in K.
"""

from typing import NamedTuple

import numpy as np
from scipy import constants

from ..errors import ConfigError, ShapeError, check_shape
from ..units import K_B, MU_B
from .statistics import N_BLOCK, Estimate, block_means, checked_samples, effective_sample_size, jackknife, mean_estimate

GAS_CONSTANT = constants.R
"""J/(mol K): a heat capacity of 1 k_B per spin, per mole of spins."""
EMU_PER_MOL = constants.N_A * constants.value("Bohr magneton") * 1e3 / 1e4
"""emu/(mol Oe): a susceptibility of 1 μ_B/T per spin, per mole of spins. 1 μ_B/T is 1e3 emu/(A m²) / (1e4 Oe)."""


def total_moment(spins, *, g) -> np.ndarray:
    """Return the magnetic moment −Σ g_i·S_i of configurations.

    Parameters
    ----------
    spins : (..., n_spin, 3) float
        In the order of a supercell: the site runs fastest.
    g : (n_site, 3, 3) float64
        ``crystal.g``.

    Returns
    -------
    (..., 3) float64, μ_B
    """
    spins = np.asarray(spins, dtype=np.float64)
    sites = spins.reshape(*spins.shape[:-2], -1, len(g), 3).sum(axis=-3)
    return -np.einsum("sxy,...sy->...x", g, sites)


def beta_from_temperature(temperature) -> float:
    """Return 1/(k_B T) in 1/meV, of a temperature in K."""
    if not 0 < temperature < np.inf:
        raise ConfigError("a temperature must be positive", where="temperature", expected="kelvin", got=temperature)
    return 1.0 / (K_B * float(temperature))


def heat_capacity(energy, *, temperature, n_spin, n_block=N_BLOCK) -> Estimate:
    """Return the heat capacity by fluctuation.

        C = (⟨E²⟩ − ⟨E⟩²)/(k_B T)²/N

    Parameters
    ----------
    energy : (n_chain, n_sample) float64, meV
    temperature : float, K
    n_spin : int
    n_block : int

    Returns
    -------
    Estimate
        k_B per spin; times :data:`GAS_CONSTANT`: J/(mol K) per mole of spins.
    """
    beta = beta_from_temperature(temperature)
    return _scaled(_covariance_estimate(energy, energy, n_block), beta**2 / n_spin)


def heat_capacity_from_energies(temperatures, energies, errors) -> Estimate:
    """Return the heat capacity dE/dT of energies on a ladder of temperatures, in second order on uneven steps.

    Parameters
    ----------
    temperatures : (n_temperature,) float64, K
        Rising or falling, at least three.
    energies, errors : (n_temperature,) float64, meV per spin

    Returns
    -------
    Estimate
        k_B per spin, (n_temperature,); the two ends by the parabola through the last three.
    """
    t, e, error = (np.asarray(x, dtype=np.float64) for x in (temperatures, energies, errors))
    steps = np.diff(t)
    if t.ndim != 1 or len(t) < 3 or e.shape != t.shape or error.shape != t.shape:
        raise ShapeError("a derivative needs three temperatures", where="temperatures", got=(t.shape, e.shape))
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise ConfigError("temperatures must be sorted", where="temperatures", got=t[:8].tolist())
    # The derivative is linear in the energies: its matrix is that of the unit vectors.
    matrix = np.gradient(np.eye(len(t)), t, axis=0, edge_order=2) / K_B
    return Estimate(matrix @ e, np.sqrt(matrix**2 @ error**2))


def susceptibility(moment, *, temperature, n_spin, n_block=N_BLOCK, connected=True) -> Estimate:
    """Return the susceptibility tensor by fluctuation.

        χ_ab = μ_B (⟨M_a M_b⟩ − ⟨M_a⟩⟨M_b⟩)/(k_B T)/N

    Parameters
    ----------
    moment : (n_chain, n_sample, 3) float64, μ_B
        Of the whole system, from :func:`total_moment`.
    temperature : float, K
    n_spin : int
    n_block : int
    connected : bool
        Subtract the mean moment. Without a field it is zero by symmetry, and to leave it costs less noise.

    Returns
    -------
    Estimate
        (3, 3), μ_B/T per spin; times :data:`EMU_PER_MOL`: emu/(mol Oe) per mole of spins.
    """
    moment = checked_samples(moment, name="moment")
    check_shape("moment", moment, ("n_chain", "n_sample", 3))
    scale = MU_B * beta_from_temperature(temperature) / n_spin
    if not connected:
        square = mean_estimate(moment[..., :, None] * moment[..., None, :], n_block=n_block)
        return _scaled(square, scale)
    return _scaled(_covariance_estimate(moment, moment, n_block, outer=True), scale)


def susceptibility_by_field(fields, moments, errors) -> Estimate:
    """Return the susceptibility tensor as the slope of moments in small fields, by weighted least squares.

        M = M_0 + χ·B

    Parameters
    ----------
    fields : (n_field, 3) float64, T
        Directions that span space, at least four fields.
    moments, errors : (n_field, 3) float64, μ_B per spin

    Returns
    -------
    Estimate
        χ_ab = dM_a/dB_b, (3, 3), μ_B/T per spin.
    """
    fields, moments, errors = (np.asarray(x, dtype=np.float64) for x in (fields, moments, errors))
    for name, array in (("fields", fields), ("moments", moments), ("errors", errors)):
        check_shape(name, array, (len(fields), 3))
    design = np.column_stack([np.ones(len(fields)), fields])
    if len(fields) < 4 or np.linalg.matrix_rank(design) < 4 or np.any(errors <= 0):
        raise ConfigError(
            "these fields give no susceptibility tensor",
            where="fields",
            expected="four fields or more whose differences span space, moments with errors",
            got=fields.tolist(),
        )
    value, error = np.empty((3, 3)), np.empty((3, 3))
    for a in range(3):
        covariance = np.linalg.inv(design.T @ (design / errors[:, a, None] ** 2))
        value[a] = (covariance @ design.T @ (moments[:, a] / errors[:, a] ** 2))[1:]
        error[a] = np.sqrt(np.diag(covariance))[1:]
    return Estimate(value, error)


class OrderParameter(NamedTuple):
    """What fluctuates of an order parameter m of any number of components.

    Parameters
    ----------
    absolute, second, fourth : Estimate
        ⟨|m|⟩, ⟨|m|²⟩, ⟨|m|⁴⟩.
    binder : Estimate
        1 − ⟨|m|⁴⟩/(3 ⟨|m|²⟩²).
    """

    absolute: Estimate
    second: Estimate
    fourth: Estimate
    binder: Estimate


def order_parameter(values, *, n_block=N_BLOCK) -> OrderParameter:
    """Return the :class:`OrderParameter` of samples (n_chain, n_sample, n_component), or without the last axis."""
    values = checked_samples(values, name="order parameter")
    size = np.abs(values) if values.ndim == 2 else np.linalg.norm(values, axis=-1)
    powers = np.stack([size, size**2, size**4], axis=-1)
    moments = mean_estimate(powers, n_block=n_block)
    if not moments.value[1] > 0:
        raise ShapeError("an order parameter that is always zero has no cumulant", where="order parameter", got=0.0)
    binder = jackknife(lambda m: 1.0 - m[2] / (3.0 * m[1] ** 2), powers, n_block=n_block)
    parts = [Estimate(float(v), float(e)) for v, e in zip(moments.value, moments.error, strict=True)]
    return OrderParameter(parts[0], parts[1], parts[2], binder)


def histogram(values, *, edges, n_block=N_BLOCK) -> Estimate:
    """Return the probability density of samples.

    Parameters
    ----------
    values : (n_chain, n_sample) float64
    edges : (n_bin + 1,) float64
        Rising. What lies outside is counted in the total and shown in no bin.

    Returns
    -------
    Estimate
        (n_bin,), per unit of the values.
    """
    values, edges = checked_samples(values, name="histogram"), np.asarray(edges, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or np.any(np.diff(edges) <= 0):
        raise ConfigError("bin edges must rise", where="edges", got=edges[:8].tolist())
    where = np.searchsorted(edges, values, side="right") - 1
    # As for numpy's histogram, the last edge belongs to the last bin.
    where = np.where(values == edges[-1], len(edges) - 2, where)
    inside = where[..., None] == np.arange(len(edges) - 1)
    return _scaled(mean_estimate(inside.astype(np.float64), n_block=n_block), 1.0 / np.diff(edges))


def derivative_by_couplings(observable, coupling_energies, *, temperature, n_block=N_BLOCK) -> Estimate:
    """Return d⟨O⟩/dθ_k = −⟨O E_k⟩/(k_B T) + ⟨O⟩⟨E_k⟩/(k_B T) for an O that does not itself depend on θ.

    Parameters
    ----------
    observable : (n_chain, n_sample, ...) float64
    coupling_energies : (n_chain, n_sample, n_parameter) float64, dimensionless
        E_k of the whole system, E = Σ_k θ_k E_k.
    temperature : float, K

    Returns
    -------
    Estimate
        (..., n_parameter), units of the observable per meV.
    """
    scale = -beta_from_temperature(temperature)
    return _scaled(_covariance_estimate(observable, coupling_energies, n_block, outer=True), scale)


def derivative_by_temperature(observable, energy, *, temperature, n_block=N_BLOCK) -> Estimate:
    """Return d⟨O⟩/dT = (⟨O E⟩ − ⟨O⟩⟨E⟩)/(k_B T²), of an observable (n_chain, n_sample, ...): (...), per K."""
    scale = beta_from_temperature(temperature) / float(temperature)
    covariance = _covariance_estimate(observable, np.asarray(energy)[..., None], n_block, outer=True)
    return _scaled(Estimate(covariance.value[..., 0], covariance.error[..., 0]), scale)


class Reweighted(NamedTuple):
    """A mean at other couplings or another temperature than those sampled.

    Parameters
    ----------
    value, error : (...) float64
    sample_size : float
        Independent samples that carry the weight: (Σw)²/Σw², over the samples' own redundancy, that of the exponent or
        of the slowest observable. Below some 50 neither the value nor the error is to be trusted.
    """

    value: np.ndarray
    error: np.ndarray
    sample_size: float


def reweighted(observable, exponent, *, n_block=N_BLOCK) -> Reweighted:
    """Return the mean of an observable with weights exp(−x), x = β'E' − βE.

    Parameters
    ----------
    observable : (n_chain, n_sample, ...) float64
    exponent : (n_chain, n_sample) float64
        x of each sample, from :func:`reweighting_exponent`; a constant in it does not matter.
    n_block : int

    Returns
    -------
    Reweighted
    """
    observable, exponent = checked_samples(observable, name="observable"), checked_samples(exponent, name="exponent")
    check_shape("exponent", exponent, observable.shape[:2])
    weight = np.exp(exponent.min() - exponent)
    flat = observable.reshape(*weight.shape, -1)
    both = np.concatenate([weight[..., None], weight[..., None] * flat], axis=-1)
    estimate = jackknife(lambda m: m[1:] / m[0], both, n_block=n_block)
    shape = observable.shape[2:]
    share = float(weight.sum() ** 2 / (weight**2).sum()) / weight.size
    # Of what does not vary the size is that of all samples: the least counts, in a change by nothing too.
    independent = min(float(effective_sample_size(x).min()) for x in (exponent, flat))
    return Reweighted(estimate.value.reshape(shape), estimate.error.reshape(shape), share * independent)


def reweighting_exponent(coupling_energies, zeeman_energy, *, theta, temperature, new_theta, new_temperature=None):
    """Return β'E(θ') − βE(θ) of samples.

    Parameters
    ----------
    coupling_energies : (n_chain, n_sample, n_parameter) float64
    zeeman_energy : (n_chain, n_sample) float64, meV, or 0
    theta, new_theta : (n_parameter,) float64, meV
    temperature, new_temperature : float, K
        The same where the second is left out.

    Returns
    -------
    (n_chain, n_sample) float64
    """
    old = beta_from_temperature(temperature)
    new = old if new_temperature is None else beta_from_temperature(new_temperature)
    change = new * np.asarray(new_theta, dtype=np.float64) - old * np.asarray(theta, dtype=np.float64)
    return np.asarray(coupling_energies) @ change + (new - old) * np.asarray(zeeman_energy)


def _scaled(estimate, scale):
    return Estimate(estimate.value * scale, estimate.error * np.abs(scale))


def _covariance_estimate(x, y, n_block, *, outer=False):
    """Return ⟨x y⟩ − ⟨x⟩⟨y⟩ over all samples by the jackknife; with ``outer`` between all components of the two."""
    x, y = checked_samples(x), checked_samples(y)
    # Deviations from the mean first: energies of large systems have many digits in common.
    x, y = x - x.mean(axis=(0, 1)), y - y.mean(axis=(0, 1))
    if not outer:
        return jackknife(lambda m: m[2] - m[0] * m[1], np.stack([x, y, x * y], axis=2), n_block=n_block)
    shape = (*x.shape[2:], y.shape[2])
    x = x.reshape(*x.shape[:2], -1)
    n, k = x.shape[2], y.shape[2]
    product = (x[..., :, None] * y[..., None, :]).reshape(*x.shape[:2], n * k)

    def covariance(mean):
        return mean[n + k :] - np.outer(mean[:n], mean[n : n + k]).ravel()

    # Blocks once, and the jackknife on them: products of large observables are made of one sample each.
    blocks = block_means(np.concatenate([x, y, product], axis=2), n_block=n_block)
    estimate = jackknife(covariance, blocks[:, None], n_block=len(blocks))
    return Estimate(estimate.value.reshape(shape), estimate.error.reshape(shape))
