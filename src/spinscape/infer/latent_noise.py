"""The noise of latent numbers: what that of the voxels becomes behind an encoder."""

import numpy as np

from .noise import estimate_noise

LEAST_COPIES = 64
COPIES_PER_LATENT = 16
"""Noisy copies of the data that C is found from: its errors widen the scatter of the couplings by n_latent/copies."""
HELD = 2**24
"""Numbers of the copies that are held at once."""
WEIGHTS = ("noise", "equal")


def latent_covariance(compressor, data, valid, std, generator):
    """Return C (n_latent, n_latent) from noisy copies, of which the inverse is right in the mean."""
    n_latent = compressor.n_latent
    n_copy = max(LEAST_COPIES, COPIES_PER_LATENT * n_latent)
    clouds, at_once = [], max(1, HELD // len(data))
    for start in range(0, n_copy, at_once):
        noise = generator.standard_normal((min(at_once, n_copy - start), len(data)))
        clouds.append(compressor.encode(data + std * noise, None if valid.all() else valid))
    matrix = np.atleast_2d(np.cov(np.concatenate(clouds), rowvar=False))
    return matrix * (n_copy - 1) / (n_copy - n_latent - 2)


def metric_of(covariance, weights):
    """Return M and the covariance of M z(data)."""
    if weights == "equal":
        return np.eye(len(covariance)), covariance
    values, turn = np.linalg.eigh(covariance)
    return (turn / np.sqrt(np.maximum(values, 1e-9 * values.max() + 1e-300))).T, np.eye(len(covariance))


def std_of(measurement):
    """Return standard deviations (n_q, n_energy): the counts', the file's, or read off neighbours."""
    per_unit = measurement.provenance.get("counts_per_unit")
    if per_unit is not None:
        return np.sqrt(np.maximum(np.where(measurement.valid, measurement.signal, 0.0), 1.0 / per_unit) / per_unit)
    return estimate_noise(measurement).std if measurement.std is None else measurement.std
