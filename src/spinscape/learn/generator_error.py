"""How much larger than it says a generator's error is: measured where it has not learnt.

Processes, gate and what the compressor leaves are known from the points learnt from. What these cannot tell (a network
that has fitted some of their noise, say) shows only at others. A factor near 1 says that there is nothing of the kind.
"""

from dataclasses import replace

import numpy as np

from ..errors import DataError

LEAST_POINTS = 8
"""Held-out points from which on a factor is measured."""


def with_measured_error(generator, theta, runs):
    """Return the generator with its ``error_factor`` measured in the couplings of held-out points.

        Δθ = (JᵀWJ)⁻¹ JᵀW e,   factor² = ⟨(Δθ_k² − noise_k)/claimed_k⟩ over points and couplings, at least 1

    e is simulation − prediction, J the derivative by the couplings with scale and a constant projected off, W = 1/image
    (that of counts); ``claimed`` is what the latent numbers' errors move the couplings by, and ``noise`` the variance
    of the mean of a point's runs, from their scatter.

    Parameters
    ----------
    generator : Generator
    theta : (n_point, n_parameter) float64
        Those outside of the generator's box are left out.
    runs : iterable of (n_run, n_voxel) float64
        Images of each point: several runs, or one that has no noise to speak of.
    """
    plain = replace(generator, error_factor=1.0)
    theta = np.atleast_2d(np.asarray(theta, dtype=np.float64))
    inside = np.all((theta >= generator.box[0]) & (theta <= generator.box[1]), axis=1)
    pairs = zip(theta, runs, inside, strict=True)
    ratios = [_ratios(plain, row, np.asarray(values, np.float64)) for row, values, known in pairs if known]
    if len(ratios) < LEAST_POINTS:
        raise DataError(
            "too few held-out points to measure a generator's error",
            where="theta",
            expected=f"at least {LEAST_POINTS} inside the generator's box",
            got=len(ratios),
        )
    known = np.concatenate(ratios)
    return replace(generator, error_factor=float(np.sqrt(max(known.mean(), 1.0))) if known.size else 1.0)


def _ratios(generator, theta, runs):
    """Return squared shifts of the couplings over their claimed variances, the runs' noise taken off."""
    image = generator.predict(theta)[0]
    root = 1.0 / np.sqrt(np.maximum(image, 1e-3 * image.mean()))
    basis = np.linalg.qr(root[:, None] * np.stack([image, np.ones_like(image)], axis=1))[0]
    rows = root * np.concatenate([generator.gradient(theta)[0], generator.error_columns(theta), runs - image])
    rows -= (rows @ basis) @ basis.T
    p, n_run = len(theta), len(runs)
    shifts = np.linalg.lstsq(rows[:p].T, rows[p:].T, rcond=None)[0].T
    claimed = np.sum(shifts[:-n_run] ** 2, axis=0)
    noise = shifts[-n_run:].var(axis=0, ddof=1) / n_run if n_run > 1 else 0.0
    # A coupling whose error is claimed to be nothing has no ratio.
    told = claimed > 1e-12 * np.max(shifts**2)
    return ((shifts[-n_run:].mean(axis=0) ** 2 - noise) / np.where(told, claimed, np.inf))[told]
