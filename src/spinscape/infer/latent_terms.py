"""Scale and background of an image that an encoder sees: at their best for every model, as in other objectives.

    x = Σ_m a_m S_m + Σ_k b_k B_k,      D(S) = min over a, b of |M (z(x) − z(data))|²

S_m is the model on measurement m, zero on the others; a ≥ 0. An encoder is not linear: the minimum is searched by
damped Gauss-Newton steps. They start from the better of two points that depend on the model alone, so that D does.
"""

from dataclasses import dataclass

import numpy as np

from .background_terms import BackgroundForm

MAX_INNER = 60
"""Steps at most: far from the data the logarithm of what is below zero makes a valley without a slope."""
CLOSE = 1e-9
"""Relative decrease of D that a further step promises, at which the inner search ends."""
STEP = 1e-3
"""Of the derivative of the encoder along a change of the image, relative to the change that one parameter makes."""


@dataclass(frozen=True, eq=False)
class Terms:
    """What is fitted beside the couplings.

    Parameters
    ----------
    spans : tuple of slice
        Voxels of each measurement.
    columns : (n_column, n_voxel) float64
        Of the background, in the mean of the data: a coefficient of one is as large as these.
    free_scale : bool
        Whether each measurement has a scale; else it is one.
    """

    spans: tuple[slice, ...]
    columns: np.ndarray
    free_scale: bool

    @property
    def n_scale(self):
        """Number of scales."""
        return len(self.spans) if self.free_scale else 0

    @property
    def n_term(self):
        """Number of scales and coefficients of the background."""
        return self.n_scale + len(self.columns)

    def held(self, coefficients):
        """Return which are scales at zero, that may not fall below: (n_term,) bool."""
        return (np.arange(self.n_term) < self.n_scale) & (coefficients <= 0.0)

    def rows(self, model):
        """Return the derivatives of the image by scales and coefficients, (n_term, n_voxel)."""
        parts = np.zeros((self.n_scale, len(model)))
        for row, span in zip(parts, self.spans, strict=False):
            row[span] = model[span]
        return np.concatenate([parts, self.columns])

    def image(self, model, coefficients):
        """Return x (n_voxel,)."""
        scaled = self.scaled(model[None], coefficients)[0]
        return scaled + coefficients[self.n_scale :] @ self.columns if len(self.columns) else scaled

    def scaled(self, rows, coefficients):
        """Return rows (n, n_voxel) of the model's kind times the scales."""
        if not self.free_scale:
            return rows
        return np.concatenate([a * rows[:, s] for a, s in zip(coefficients, self.spans, strict=False)], axis=1)

    def by_least_squares(self, model, data, weight):
        """Return the coefficients that leave least of the data voxel by voxel."""
        root, rows = np.sqrt(weight), self.rows(model)
        target = data if self.free_scale else data - model
        return self.allowed(np.linalg.lstsq((root * rows).T, root * target, rcond=None)[0])

    def plain(self):
        """Return the coefficients of the model alone."""
        return np.concatenate([np.ones(self.n_scale), np.zeros(len(self.columns))])

    def allowed(self, coefficients):
        """Return the coefficients with scales of zero where they were negative."""
        return np.where(np.arange(self.n_term) < self.n_scale, np.maximum(coefficients, 0.0), coefficients)


def slopes_of(encode, here, columns):
    """Return the derivatives (p, n_latent) of an encoder along changes (p, n_voxel) of the image ``here``."""
    if not len(columns):
        return np.zeros((0, encode(here[None]).shape[1]))
    moved = np.concatenate([here + STEP * columns, here - STEP * columns])
    ahead, behind = np.split(encode(moved), 2)
    return (ahead - behind) / (2.0 * STEP)


def best_terms(terms, model, encode, latent, starts):
    """Return the coefficients (n_term,) at the inner minimum.

    Parameters
    ----------
    terms : Terms
    model : (n_voxel,) float64
    encode : callable
        Images (n, n_voxel) → M z, (n, n_latent).
    latent : (n_latent,) float64
        M z of the data.
    starts : sequence of (n_term,) float64
        The one of least D is taken.
    """
    if not terms.n_term:
        return np.zeros(0)

    def rest(coefficients):
        return encode(terms.image(model, coefficients)[None])[0] - latent

    tried = [(rest(start), start) for start in starts]
    residual, here = min(tried, key=lambda pair: float(pair[0] @ pair[0]))
    rows, damping = terms.rows(model), 1e-6
    for _ in range(MAX_INNER):
        slopes = slopes_of(encode, terms.image(model, here), rows)
        value, gradient = float(residual @ residual), slopes @ residual
        free = ~(terms.held(here) & (gradient > 0.0))
        if np.sum(_step(slopes, gradient, free, 0.0) * -gradient) <= CLOSE * value:
            return here
        while damping < 1e8:
            trial = terms.allowed(here + _step(slopes, gradient, free, damping))
            following = rest(trial)
            if following @ following < value:
                break
            damping *= 10.0
        else:
            return here  # nothing is lower, by the last digits of the encoder
        here, residual, damping = trial, following, max(0.1 * damping, 1e-9)
    return here


def _step(slopes, gradient, free, damping):
    """Return the step of the free terms, in units in which each of them moves the latent numbers by one."""
    size = np.sqrt(np.einsum("kd,kd->k", slopes, slopes))
    free = free & (size > 0.0)
    part = slopes[free] / size[free, None]
    matrix = part @ part.T + damping * np.eye(len(part))
    move = np.zeros(len(gradient))
    move[free] = np.linalg.lstsq(matrix, -gradient[free] / size[free], rcond=1e-12)[0] / size[free]
    return move


def projected(slopes, others):
    """Return slopes (p, n_latent) without what the terms' slopes (n_term, n_latent) can make of them."""
    kept = others[np.einsum("kd,kd->k", others, others) > 0.0]
    if not len(kept):
        return slopes
    size = np.sqrt(np.einsum("kd,kd->k", kept, kept))
    left, values, _ = np.linalg.svd((kept / size[:, None]).T, full_matrices=False)
    basis = left[:, values > 1e-10 * values.max()]
    return slopes - (slopes @ basis) @ basis.T


def background_columns(measurements, spans, data, form):
    """Return the background's images side by side (n_column, n_voxel), each in its measurement's mean."""
    out = []
    for measurement, span in zip(measurements, spans, strict=True):
        images = _images_of(form or BackgroundForm(constant="none"), measurement)
        level = float(np.abs(data[span][measurement.valid.ravel()]).mean())
        for image in images:
            row = np.zeros(len(data))
            row[span] = level * image.ravel() / max(float(np.abs(image).mean()), 1e-300)
            out.append(row)
    return np.array(out).reshape(len(out), len(data))


def _images_of(form, measurement):
    """Return the columns of a background, a constant of a group of pixels being one, (n_column, n_q, n_energy)."""
    labels = form.labels(measurement)
    columns = form.columns(measurement)
    if labels is None:
        return columns
    groups = [labels == k for k in np.unique(labels[measurement.valid])]
    return np.concatenate([np.array(groups, dtype=np.float64), columns])
