"""Objectives ``poisson``, ``gaussian``, ``student`` and ``likelihood``: scale and background eliminated exactly."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError, check_shape
from .background_terms import BackgroundForm
from .counts import are_counts, counts_of
from .eliminate import Groups, profiled, projected
from .inner import gram, rows_dot
from .noise import estimate_noise, has_estimated_std
from .noise_laws import Gaussian, Law, Poisson, StudentT
from .pixels import OnPixels, PixelSet


@dataclass(frozen=True, eq=False)
class LikelihoodPixels:
    """One measurement at its valid pixels.

    Parameters
    ----------
    name : str
    pixels : PixelSet
        Sorted by group of the background, where it has groups.
    law : Poisson, Gaussian or StudentT
    data, variance, exposure, multiplicity : (n_pixel,) float64
        Counts or values; their variance (not read by Poisson's law); what an intensity of one gives in units of the
        data; how often a pixel counts.
    groups : Groups or None
    columns : (n_column, n_pixel) float64
        Of the background, exposure included.
    estimated : bool
        The noise was read off the data: intervals are scaled by the deviance per degree of freedom.
    scale : float or None
        Of the model, where it is known (absolute units); None where it is free.
    """

    name: str
    pixels: PixelSet
    law: Law
    data: np.ndarray
    variance: np.ndarray
    exposure: np.ndarray
    multiplicity: np.ndarray
    groups: Groups | None
    columns: np.ndarray
    estimated: bool = False
    scale: float | None = None

    @property
    def dof(self):
        """Counted pixels less the coefficients of scale and background."""
        used = float(self.scale is None) + len(self.columns)
        counted = float((self.multiplicity > 0).sum())
        if self.groups is not None:
            used += float((self.groups.total(self.multiplicity) > 0).sum())
        return counted - used

    def taken(self, chosen):
        """Return some of the pixels; ``chosen`` are rising positions."""
        groups = None if self.groups is None else Groups.of_labels(self.groups.of_pixel[chosen])
        some = {name: getattr(self, name)[chosen] for name in ("data", "variance", "exposure", "multiplicity")}
        return replace(self, pixels=self.pixels.subset(chosen), groups=groups, columns=self.columns[:, chosen], **some)


@dataclass(frozen=True, eq=False)
class Likelihood(OnPixels):
    """Twice the negative logarithm of a likelihood, as a deviance: 0 where the model meets every datum.

        D = min over a ≥ 0, c, d of Σ D(data, exposure · (a·model + background(c, d)))

    Scale a and background are at their best for every model (:mod:`spinscape.infer.eliminate`): what is left is a
    function of the couplings and of the instrument alone, whose curvature is the Schur complement of the whole
    information. Over several measurements the deviances are summed. Make it with :func:`poisson_likelihood`,
    :func:`gaussian_likelihood` or :func:`student_likelihood`.
    """

    sets: tuple[LikelihoodPixels, ...]
    kind: str = "poisson"

    @property
    def dof(self):
        """Degrees of freedom left by scales and backgrounds, over all measurements."""
        return sum(one.dof for one in self.sets)

    @property
    def estimated(self):
        """Whether the noise of any measurement was read off its own data."""
        return any(one.estimated for one in self.sets)

    def inner(self, predictions):
        """Return (values at the pixels, :class:`~spinscape.infer.eliminate.Profiled`) of each measurement."""
        values = self.gather(predictions)
        return [(vector, profiled(one, vector)) for one, vector in zip(self.sets, values, strict=True)]

    def value(self, predictions):
        """Return D."""
        return float(sum(found.deviance for _, found in self.inner(predictions)))

    def derivative(self, predictions):
        """Return D and its derivative by the predictions, zero at masked pixels."""
        inner = self.inner(predictions)
        slopes = [2.0 * self._slope(one, found) for one, (_, found) in zip(self.sets, inner, strict=True)]
        images = tuple(one.pixels.spread(slope) for one, slope in zip(self.sets, slopes, strict=True))
        return float(sum(found.deviance for _, found in inner)), images

    def derivative_of_pixels(self, vectors):
        """Return D and its derivative by each of the predictions at the valid pixels."""
        found = [profiled(one, vector) for one, vector in zip(self.sets, vectors, strict=True)]
        slopes = tuple(2.0 * self._slope(one, f) for one, f in zip(self.sets, found, strict=True))
        return float(sum(f.deviance for f in found)), slopes

    def scores(self, predictions, jacobians):
        """Return what each pixel says of the parameters, and how strongly.

        Returns
        -------
        list of (columns (p, n_pixel), residuals (n_pixel,))
            Of each measurement: √W ∂μ/∂parameter with scale and background projected off, and -slope/√W. Their
            product is half the negative gradient, pixel by pixel; the Gram matrix of the columns the information.
        """
        out = []
        for one, (vector, found), jacobian in zip(self.sets, self.inner(predictions), jacobians, strict=True):
            moved = found.scale * one.exposure * one.pixels.gather(jacobian)
            columns = projected(one, found, moved, vector)
            weight = one.law.weight(one.data, found.mu, one.variance)
            slope = one.law.slope(one.data, found.mu, one.variance)
            # A pixel that counts m times has √m in its column; its residual has the other √m.
            out.append((columns, -np.sqrt(one.multiplicity) * slope / np.sqrt(weight)))
        return out

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) of D and twice the expected information (p, p), scale and background eliminated."""
        p = len(jacobians[0])
        gradient, matrix = np.zeros(p), np.zeros((p, p))
        for columns, residuals in self.scores(predictions, jacobians):
            gradient -= 2.0 * rows_dot(columns, residuals)
            matrix += 2.0 * gram(columns)
        return gradient, matrix

    def shift_of(self, predictions, jacobians, columns):
        """Return what changes of the model (m, n_q, n_energy) would move the minimum by, (m, p)."""
        p = len(jacobians[0])
        both = tuple(np.concatenate([j, c]) for j, c in zip(jacobians, columns, strict=True))
        _, matrix = self.normal_equations(predictions, both)
        return -np.linalg.solve(matrix[:p, :p], matrix[:p, p:]).T

    def pull(self, predictions, jacobians, columns):
        """Return JᵀWJ (p, p) and JᵀWe of each change of the model (m, n_q, n_energy), (m, p)."""
        p = len(jacobians[0])
        both = tuple(np.concatenate([j, c]) for j, c in zip(jacobians, columns, strict=True))
        parts = [found for found, _ in self.scores(predictions, both)]
        return sum(gram(one[:p]) for one in parts), sum(one[p:] @ one[:p].T for one in parts)

    def noise_scale(self, deviance, *, n_parameter):
        """Return the factor on the variances: deviance/dof where the noise was estimated, else 1."""
        return deviance / max(self.dof - n_parameter, 1.0) if self.estimated else 1.0

    def covariance(self, predictions, jacobians, hessian):
        """Return 2 H⁻¹ (p, p), times the noise scale."""
        return 2.0 * self.noise_scale(self.value(predictions), n_parameter=len(hessian)) * np.linalg.inv(hessian)

    def reweighted(self, multiplicities):
        """Return the objective with pixels counted as often as the images (n_q, n_energy) say."""
        pairs = zip(self.sets, multiplicities, strict=True)
        sets = [replace(one, multiplicity=one.multiplicity * one.pixels.gather(m)) for one, m in pairs]
        return replace(self, sets=tuple(sets))

    def subset(self, chosen):
        """Return the objective on some of the valid pixels: rising positions for each measurement."""
        return replace(self, sets=tuple(one.taken(where) for one, where in zip(self.sets, chosen, strict=True)))

    def residuals(self, predictions):
        """Return standardised residuals as images, zero at masked pixels and at those that do not count."""
        images = []
        for one, (_, found) in zip(self.sets, self.inner(predictions), strict=True):
            residual = one.law.residual(one.data, found.mu, one.variance)
            images.append(one.pixels.spread(np.where(one.multiplicity > 0, residual, 0.0)))
        return tuple(images)

    def residuals_by(self, reduced, predictions):
        """Return residuals of all pixels, scale and background being those of the objective on some of them.

        Parameters
        ----------
        reduced : Likelihood
            :meth:`reweighted` of this one.
        predictions : tuple of (n_q, n_energy) float64

        Returns
        -------
        tuple of (n_q, n_energy) float64
        """
        pairs = zip(self.sets, reduced.inner(predictions), strict=True)
        return tuple(one.pixels.spread(one.law.residual(one.data, f.mu, one.variance)) for one, (_, f) in pairs)

    def fitted(self, predictions):
        """Return the expectations in the unit of the measurements, each (n_q, n_energy); zero at masked pixels."""
        inner = self.inner(predictions)
        return tuple(one.pixels.spread(f.mu / one.exposure) for one, (_, f) in zip(self.sets, inner, strict=True))

    def quality(self, predictions):
        """Return deviance, χ² of standardised residuals, degrees of freedom and the profiled scales."""
        inner = self.inner(predictions)
        deviance = float(sum(found.deviance for _, found in inner))
        chi2 = sum(float(np.square(r).sum()) for r in self.residuals(predictions))
        out = {"deviance": deviance, "chi2": chi2, "dof": self.dof, "chi2_per_dof": chi2 / self.dof}
        out["variance_estimated"] = self.estimated
        out |= {f"law_{k}": one.law.kind for k, one in enumerate(self.sets)}
        return {**out, **{f"scale_{k}": found.scale for k, (_, found) in enumerate(inner)}}

    def _slope(self, one, found):
        slope = one.multiplicity * one.law.slope(one.data, found.mu, one.variance)
        return found.scale * one.exposure * slope


def poisson_likelihood(measurements, *, background=None, counts_per_unit=None, scale=None):
    """Return the likelihood of counts.

    Parameters
    ----------
    measurements : sequence of Measurement
        Whose counts are known: see :func:`~spinscape.infer.counts.counts_of`.
    background : BackgroundForm, optional
        One constant for each energy by default.
    counts_per_unit : sequence of float or (n_q, n_energy) arrays, optional
        Of each measurement, where its file does not say.
    scale : float, optional
        Of the model, where it is known.
    """
    given = [None] * len(measurements) if counts_per_unit is None else list(counts_per_unit)
    form, sets = background or BackgroundForm(), []
    for measurement, per_unit in zip(measurements, given, strict=True):
        counted = counts_of(measurement, counts_per_unit=per_unit)
        one = _pixels(measurement, form, Poisson(), counted.counts, counted.exposure, None)
        if one.data.sum() == 0:
            raise FitError("nothing was counted", where=f"measurement {measurement.name}", got="zero in every pixel",
                           fix="check the file, or leave the measurement out")  # fmt: skip
        sets.append(replace(one, estimated=counted.estimated, scale=scale))
    return _bound(sets, "poisson")


def gaussian_likelihood(measurements, *, background=None, scale=None):
    """Return the likelihood of values with standard deviations, estimated from neighbours where the file has none."""
    return _bound([_with_std(m, background, Gaussian(), scale) for m in measurements], "gaussian")


def student_likelihood(measurements, *, background=None, scale=None, nu=4.0):
    """Return the robust likelihood: Student's law with ν degrees of freedom about the standard deviations."""
    return _bound([_with_std(m, background, StudentT(nu), scale) for m in measurements], "student")


def likelihood(measurements, *, background=None, scale=None):
    """Return the likelihood of each measurement's own noise: Poisson's law where counts are known, else Gauss's.

    Counts are known where the measurement says how many make a unit of intensity, or where its standard deviations are
    those of counts (:func:`~spinscape.infer.counts.counts_of`); voxels that saw nothing are data then.
    """
    sets = []
    for measurement in measurements:
        if are_counts(measurement):
            sets += poisson_likelihood([measurement], background=background, scale=scale).sets
        else:
            sets += gaussian_likelihood([measurement], background=background, scale=scale).sets
    return _bound(sets, "likelihood")


def _with_std(measurement, background, law, scale):
    estimated = measurement.std is None or has_estimated_std(measurement)
    std = estimate_noise(measurement).std if measurement.std is None else measurement.std
    here = std[measurement.valid]
    if not (np.isfinite(here).all() and (here > 0).all()):
        raise FitError(
            "a valid pixel has no usable standard deviation",
            where=f"measurement {measurement.name}",
            expected="positive and finite",
            got=f"{int((~(here > 0) | ~np.isfinite(here)).sum())} of {len(here)} pixels are not",
            fix="mask these pixels, or leave the standard deviations out",
        )
    ones = np.ones(measurement.shape)
    one = _pixels(measurement, background or BackgroundForm(), law, measurement.signal, ones, std)
    return replace(one, estimated=estimated, scale=scale)


def _pixels(measurement, form, law, data, exposure, std):
    """Take out the valid pixels, sorted by group of the background."""
    pixels = PixelSet.from_mask(measurement.valid, name=f"measurement {measurement.name}")
    labels, groups = form.labels_of_counts(measurement, data) if law.positive else form.labels(measurement), None
    if labels is not None:
        order = np.argsort(pixels.gather(labels), kind="stable")
        pixels = PixelSet(pixels.shape, pixels.index[order])
        groups = Groups.of_labels(pixels.gather(labels))
    check_shape("exposure", exposure, measurement.shape)
    seen = pixels.gather(exposure)
    images = form.columns(measurement)
    columns = seen * pixels.gather(images) if len(images) else np.zeros((0, len(seen)))
    variance = np.ones(len(seen)) if std is None else pixels.gather(std) ** 2
    values = pixels.gather(data).astype(np.float64)
    one = LikelihoodPixels(measurement.name, pixels, law, values, variance, seen, np.ones(len(seen)), groups, columns)
    if one.dof <= 0:
        raise FitError(
            "the background has more freedom than the measurement has pixels",
            where=f"measurement {measurement.name}",
            expected="degrees of freedom left for the couplings",
            got=f"{pixels.n_pixel} pixels, {one.dof:.0f} of them left",
            fix="give the background less freedom, or mask less",
        )
    return one


def _bound(sets, kind):
    if not sets:
        raise FitError("a fit needs at least one measurement", where="measurements", got="none")
    return Likelihood(tuple(sets), kind)
