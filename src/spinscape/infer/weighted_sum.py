"""Objective ``weighted_sum``: several objectives, each of some of the measurements, added with weights."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from .poisson import Likelihood


@dataclass(frozen=True, eq=False)
class Term:
    """One objective of a sum.

    Parameters
    ----------
    objective : Objective
    measurements : tuple of int
        Positions of its measurements among those of the fit.
    weight : float
    """

    objective: object
    measurements: tuple[int, ...]
    weight: float = 1.0

    def own(self, images):
        """Return its images of all."""
        return tuple(images[k] for k in self.measurements)


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """L = Σ_t w_t L_t. Make it with :func:`weighted_sum`.

    Weights of one for all deviances and χ² are the joint likelihood. Other weights, and objectives that are no
    likelihoods, still have a minimum and an error: of the sandwich

        H⁻¹ (Σ_t w_t² G_t) H⁻¹,   G_t = H_t C_t H_t,

    where C_t is what noise makes of the minimum of term t alone and H_t its Gauss-Newton matrix, so that G_t is the
    covariance of the term's gradient. With H = Σ w_t H_t: one term, or weights of one, give back the terms' own law.
    """

    terms: tuple[Term, ...]
    n_measurement: int
    kind: str = "weighted_sum"

    @property
    def pixels(self):
        """The pixel set of each measurement."""
        found = {k: p for t in self.terms for k, p in zip(t.measurements, t.objective.pixels, strict=True)}
        return tuple(found[k] for k in range(self.n_measurement))

    def value(self, predictions):
        """Return L."""
        return float(sum(t.weight * t.objective.value(t.own(predictions)) for t in self.terms))

    def derivative(self, predictions):
        """Return L and its derivative by the predictions, zero at masked pixels."""
        total, images = 0.0, [None] * self.n_measurement
        for term in self.terms:
            value, slopes = term.objective.derivative(term.own(predictions))
            total += term.weight * value
            for k, slope in zip(term.measurements, slopes, strict=True):
                images[k] = term.weight * slope
        return float(total), tuple(images)

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) and the Gauss-Newton matrix (p, p)."""
        parts = [t.objective.normal_equations(t.own(predictions), t.own(jacobians)) for t in self.terms]
        weights = [t.weight for t in self.terms]
        gradient = sum(w * g for w, (g, _) in zip(weights, parts, strict=True))
        return gradient, sum(w * m for w, (_, m) in zip(weights, parts, strict=True))

    def covariance(self, predictions, jacobians, hessian):
        """Return the covariance (p, p) of the minimum."""
        p = len(hessian)
        noise = np.zeros((p, p))
        for term in self.terms:
            images, slopes = term.own(predictions), term.own(jacobians)
            _, own = term.objective.normal_equations(images, slopes)
            # A ridge far below anything measured: a term alone need not determine every parameter.
            ridge = 1e-9 * np.diag(np.maximum(np.diag(hessian), 1e-300)) / term.weight
            noise += term.weight**2 * own @ term.objective.covariance(images, slopes, own + ridge) @ own
        inverse = np.linalg.inv(hessian)
        return inverse @ noise @ inverse

    def scores(self, predictions, jacobians):
        """Return columns and residuals of each measurement, times the root of its weight."""
        out = [None] * self.n_measurement
        for term in self.terms:
            found = term.objective.scores(term.own(predictions), term.own(jacobians))
            root = np.sqrt(term.weight)
            for k, (columns, residuals) in zip(term.measurements, found, strict=True):
                out[k] = (root * columns, root * residuals)
        return out

    def shift_of(self, predictions, jacobians, columns):
        """Return what changes of the model (m, n_row, n_column) would move the minimum by, (m, p)."""
        if missing := [t.objective.kind for t in self.terms if not hasattr(t.objective, "pull")]:
            raise FitError(
                "an objective does not say what an error of the model does to its minimum", where="objective.terms",
                expected="likelihoods and robust_tiled", got=", ".join(missing),
            )  # fmt: skip
        matrix = right = 0.0
        for term in self.terms:
            own = (term.own(images) for images in (predictions, jacobians, columns))
            one, pulled = term.objective.pull(*own)
            matrix, right = matrix + term.weight * one, right + term.weight * pulled
        return -np.linalg.solve(matrix, right.T).T

    def noise_scale(self, value, *, n_parameter):
        """Return 1: each term's covariance has its own."""
        return 1.0

    def reweighted(self, multiplicities):
        """Return the objective with pixels counted as often as the images (n_row, n_column) say."""
        return self._with(lambda t: t.objective.reweighted(t.own(multiplicities)))

    def coarse(self):
        """Return the objective for wide lines: that of each term that has one."""
        return self._with(lambda t: t.objective.coarse() if hasattr(t.objective, "coarse") else t.objective)

    def subset(self, chosen):
        """Return the objective on some of the valid pixels: rising positions for each measurement."""
        return self._with(lambda t: t.objective.subset(t.own(chosen)))

    def residuals(self, predictions):
        """Return the terms' residuals as images."""
        return self._images("residuals", predictions)

    def residuals_by(self, reduced, predictions):
        """Return :meth:`Likelihood.residuals_by` of the terms that have it; zero of the others, which nothing clips."""
        images = [np.zeros(p.shape) for p in self.pixels]
        for term, rest in zip(self.terms, reduced.terms, strict=True):
            if hasattr(term.objective, "residuals_by"):
                found = term.objective.residuals_by(rest.objective, term.own(predictions))
                for k, image in zip(term.measurements, found, strict=True):
                    images[k] = image
        return tuple(images)

    def fitted(self, predictions):
        """Return the terms' fits as images."""
        return self._images("fitted", predictions)

    def quality(self, predictions):
        """Return the terms' figures of merit, numbered where there are several, and the shares of the sum."""
        out = {}
        for n, term in enumerate(self.terms):
            own = term.own(predictions)
            out |= {f"term {n}: {key}": value for key, value in term.objective.quality(own).items()}
            out[f"term {n}: weight × value"] = float(term.weight * term.objective.value(own))
        return out

    def _images(self, what, predictions):
        images = [None] * self.n_measurement
        for term in self.terms:
            for k, image in zip(term.measurements, getattr(term.objective, what)(term.own(predictions)), strict=True):
                images[k] = image
        return tuple(images)

    def _with(self, changed):
        return replace(self, terms=tuple(replace(t, objective=changed(t)) for t in self.terms))


def terms_of(objective):
    """Return the terms of a sum; of any other objective none."""
    return objective.terms if isinstance(objective, WeightedSum) else ()


def as_likelihood(objective):
    """Return a sum of likelihoods of known noise, each of the weight one, as the one that it is; others as they are."""
    terms = terms_of(objective)
    if not terms or not all(isinstance(t.objective, Likelihood) and t.weight == 1.0 for t in terms):
        return objective
    if any(t.objective.estimated for t in terms):
        return objective  # each term has a scale of its own for its noise
    sets = {k: one for t in terms for k, one in zip(t.measurements, t.objective.sets, strict=True)}
    return Likelihood(tuple(sets[k] for k in range(objective.n_measurement)), objective.kind)


def weighted_sum(terms, *, n_measurement):
    """Return the :class:`WeightedSum` of terms that have every measurement once.

    Parameters
    ----------
    terms : sequence of Term
    n_measurement : int
    """
    used = sorted(k for term in terms for k in term.measurements)
    if used != list(range(n_measurement)):
        raise FitError(
            "the terms of a sum must have every measurement once",
            where="objective.terms",
            expected=list(range(n_measurement)),
            got=used,
        )
    if any(not 0.0 < term.weight < np.inf for term in terms):
        raise FitError("the weights of a sum are positive", where="objective.terms", got=[t.weight for t in terms])
    return WeightedSum(tuple(terms), n_measurement)
