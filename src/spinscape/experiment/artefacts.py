"""What spoils measurements, made to order: for tests of robustness and for demonstrations.

Every artefact is a small function of coordinates, a level and a generator, and returns intensity in units of the clean
image's mean, (n_pixel,), never negative; what hides pixels returns a mask, (n_pixel,) bool, True where a pixel is lost.
Images are flat: coordinates stand beside them, so that paths, planes and volumes are alike. Draw the generator from
``stream(seed, "artefact", name)``: equal seeds give equal artefacts. Level 1 is what a user would call bad.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter

from ..errors import DataError, check_shape


class Contaminated(NamedTuple):
    """An image with artefacts.

    Parameters
    ----------
    values : (n_pixel,) float64
        Never NaN; what stands in a lost pixel is what would have been seen.
    valid : (n_pixel,) bool
    """

    values: np.ndarray
    valid: np.ndarray


def powder_rings(
    modulus, *, level, generator=None, radii=(0.62, 1.24, 1.75), widths=(0.03, 0.03, 0.04), heights=(2, 3, 2)
):
    """Return Gaussian rings at fixed |Q|: lines of a polycrystalline sample holder.

    Parameters
    ----------
    modulus : (n_pixel,) float64
    level : float
    generator : Generator, optional
        Draws as many rings anew: radii over the range of ``modulus``, widths and heights within a factor of two.
    radii, widths : sequence of float
        In units of ``modulus``.
    heights : sequence of float
        At level 1, in units of the image's mean.
    """
    radii, widths, heights = (np.array(x, dtype=np.float64) for x in (radii, widths, heights))
    if generator is not None:
        radii = generator.uniform(modulus.min(), modulus.max(), size=len(radii))
        widths, heights = (x * np.exp(generator.uniform(-0.7, 0.7, size=len(x))) for x in (widths, heights))
    lines = np.exp(-0.5 * ((modulus[:, None] - radii) / widths) ** 2)
    return level * lines @ heights


def elliptic_ring(q, *, level, generator, height=2.0, width=0.04):
    """Return a ring that is no circle: a misaligned or strained crystallite powder.

    q : (n_pixel, 2) float64
    """
    q = _planar(q)
    semi = np.ptp(q, axis=0) * generator.uniform(0.15, 0.45, size=2)
    centre = q.min(axis=0) + np.ptp(q, axis=0) * generator.uniform(0.3, 0.7, size=2)
    radius = np.hypot(*((q - centre) / semi).T)
    return level * height * np.exp(-0.5 * ((radius - 1.0) * semi.mean() / width) ** 2)


def bragg_leakage(q, *, level, generator=None, height=40.0, width=0.0, spacing=1.0):
    """Return intensity at the reciprocal lattice: Bragg peaks that leak into the map.

    Parameters
    ----------
    q : (n_pixel, n_dimension) float64, r.l.u.
    level : float
    generator : Generator, optional
        Draws a height for every peak, exponential about ``height``.
    height : float
    width : float, r.l.u.
        Standard deviation; 0 for the pixels exactly at lattice points.
    spacing : float
        Of the peaks.
    """
    nearest = np.round(np.asarray(q) / spacing)
    distance = np.linalg.norm(np.asarray(q) - spacing * nearest, axis=1)
    peak = (distance < 1e-9).astype(float) if width == 0 else np.exp(-0.5 * (distance / width) ** 2)
    if generator is None:
        return level * height * peak
    _, which = np.unique(nearest, axis=0, return_inverse=True)
    which = which.reshape(-1)
    return level * height * generator.exponential(size=which.max() + 1)[which] * peak


def smooth_background(modulus, *, level, generator=None, constant=0.3, slope=0.3):
    """Return a background that rises with |Q|: level · (constant + slope · |Q|/max|Q|); both drawn with a generator."""
    if generator is not None:
        constant, slope = generator.uniform(0.0, 2.0 * constant), generator.uniform(0.0, 2.0 * slope)
    return level * (constant + slope * modulus / max(float(modulus.max()), 1e-300))


def blob(q, *, level, generator, height=1.5, width=(0.08, 0.25)):
    """Return a broad hump somewhere: structured background, multiple scattering.

    q : (n_pixel, n_dimension) float64 in any units; ``width`` in parts of the range.
    """
    span = np.maximum(np.ptp(q, axis=0), 1e-300)
    unit = (np.asarray(q) - np.min(q, axis=0)) / span
    centre, sigma = generator.uniform(size=unit.shape[1]), generator.uniform(*width, size=unit.shape[1])
    return level * height * np.exp(-0.5 * (((unit - centre) / sigma) ** 2).sum(axis=1))


def step(q, *, level, generator, height=0.6):
    """Return a background with a step across a random line: two detector banks that do not agree."""
    along = _projected(q, generator)
    return level * height * (along > np.quantile(along, generator.uniform(0.25, 0.75))).astype(float)


def fan(q, *, level, generator, height=0.8, n_blade=None, centre=(0.0, 0.0)):
    """Return blades from a centre outwards: shadows and flares of sample environment as the crystal turns.

    q : (n_pixel, 2) float64
    """
    q = _planar(q) - np.asarray(centre)
    angle = np.arctan2(q[:, 1], q[:, 0])
    n_blade = int(generator.integers(5, 12)) if n_blade is None else n_blade
    wave = np.cos(n_blade * angle + generator.uniform(0.0, 2.0 * np.pi))
    return level * height * np.maximum(wave, 0.0) ** 2


def dead_sector(q, *, generator, width=0.35, centre=(0.0, 0.0)):
    """Return which pixels lie in a dead wedge of ``width`` radians at a random angle.

    q : (n_pixel, 2) float64
    """
    q = _planar(q) - np.asarray(centre)
    angle = np.arctan2(q[:, 1], q[:, 0])
    low, high = np.quantile(angle, 0.05), np.quantile(angle, 0.95)
    turn = np.angle(np.exp(1j * (angle - generator.uniform(low, high))))
    return np.abs(turn) < 0.5 * width


def detector_gaps(q, *, generator, n_gap=3, width=0.04):
    """Return which pixels lie in straight gaps, each ``width`` of the map wide: between modules of a detector."""
    lost = np.zeros(len(q), bool)
    for _ in range(n_gap):
        along = _projected(q, generator)
        at = along.min() + np.ptp(along) * generator.uniform(0.1, 0.9)
        lost |= np.abs(along - at) < 0.5 * width * np.ptp(along)
    return lost


def wrong_resolution(generator, *, spread=0.1, tails=0.0):
    """Return changes of spin-wave settings: widths off by up to ``spread``, lines with a Lorentzian part ``tails``.

    Use with ``dataclasses.replace(settings, **changes)`` to make data whose resolution the fit does not know.
    """
    changes = {"fwhm_factor": float(generator.uniform(1.0 - spread, 1.0 + spread))}
    if tails > 0:
        changes |= {"line": "pseudo_voigt", "mixing": float(tails)}
    return changes


def smeared(image, *, shape, generator, width=(0.5, 2.0)):
    """Return an image seen with a wider resolution in Q than the fit knows: a Gaussian, the intensity kept.

    image : (n_pixel,) float64
    shape : tuple of int
        Of the pixels as they lie beside each other.
    width : (float, float)
        Standard deviations in pixels, one drawn between them for each axis.
    """
    widths = generator.uniform(*width, size=len(shape))
    return gaussian_filter(np.asarray(image, dtype=np.float64).reshape(shape), widths, mode="nearest").ravel()


def contaminated(image, *, added=(), lost=(), counts_per_mean=None, gamma_shape=None, generator=None):
    """Return an image with artefacts, and noise.

    Parameters
    ----------
    image : (n_pixel,) float64
        Clean, not negative.
    added : sequence of (n_pixel,) float64
        Artefacts in units of the image's mean.
    lost : sequence of (n_pixel,) bool
    counts_per_mean : float, optional
        Poisson counts of a pixel of mean intensity; without it no counting noise.
    gamma_shape : float, optional
        Every pixel times a gamma variable of mean 1 and this shape: a noisy simulation.
    generator : Generator, optional
        Of the noise.
    """
    image = np.asarray(image, dtype=np.float64)
    check_shape("image", image, ("n_pixel",), hint="artefacts work on flat images, coordinates beside them")
    if not np.isfinite(image).all() or image.min() < 0 or not image.mean() > 0:
        raise DataError("an image to be contaminated is negative, empty or not finite", where="artefacts")
    noisy = counts_per_mean is not None or gamma_shape is not None
    if noisy and generator is None:
        raise DataError("noise needs a generator", where="artefacts", fix='give stream(seed, "artefact", name)')
    mean, values, valid = image.mean(), image.copy(), np.ones(len(image), bool)
    if gamma_shape is not None:
        values = values * generator.gamma(gamma_shape, 1.0 / gamma_shape, size=len(values))
    for one in added:
        check_shape("added", np.asarray(one), image.shape)
        values = values + mean * one
    if counts_per_mean is not None:
        per_unit = counts_per_mean / mean
        values = generator.poisson(per_unit * values) / per_unit
    for one in lost:
        check_shape("lost", np.asarray(one), image.shape)
        valid &= ~np.asarray(one, dtype=bool)
    return Contaminated(values, valid)


def _planar(q):
    q = np.asarray(q, dtype=np.float64)
    check_shape("q", q, ("n_pixel", 2), hint="two coordinates in the plane of the map")
    return q


def _projected(q, generator):
    """Return coordinates along a random direction, (n_pixel,), the map scaled to unit ranges."""
    q = np.asarray(q, dtype=np.float64)
    direction = generator.standard_normal(q.shape[1])
    return ((q - q.min(axis=0)) / np.maximum(np.ptp(q, axis=0), 1e-300)) @ direction
