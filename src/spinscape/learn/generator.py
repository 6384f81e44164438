"""The generator: couplings to latent numbers to an image, with the error of each and the derivative by the couplings.

    z_cd(θ) ~ Gaussian process with the Matérn kernel of order 5/2,   S(θ) = Σ_c p_c(θ) decode(z_c(θ))

There is one phase c with p = 1 where nothing jumps (:mod:`.jumps` decides), else one set of processes for each, learnt
from its points alone, and a gate p_c (:mod:`.gate`). What is not known of an image is then also which phase it is of:

    variance = (1 − Σ_i q_i) Σ_c p_c (variance of decode(z_c) + r_c + (decode(z_c) − S)²) + Σ_i q_i (decode(z_i) − S)²

r_c is what the compressor leaves (:mod:`.remainder`), and q_i with which chance a point near is like the simulated
point i, which belongs to no phase (:mod:`.strays`). Gaussian processes left to themselves state the first variance
alone.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import DataError, check_shape
from ..lattice.crystal import read_only
from ..rng import stream
from .gate import Gate
from .jumps import phases_of_points
from .latent_process import MAX_KEPT, MAX_TUNED, LatentProcess, conditioned_process, fitted_process
from .remainder import Remainder, fit_remainder
from .strays import Strays, fit_strays

EXPERTS = ("auto", "one")
_METRIC_POINTS = 32

__all__ = ["EXPERTS", "Generator", "LatentProcess", "conditioned_process", "fit_generator", "fitted_process"]


@dataclass(frozen=True, eq=False)
class Generator:
    """Images of any couplings. Make it with :func:`fit_generator`.

    Parameters
    ----------
    compressor : Compressor
    parameter_names : tuple of str
    box : (2, n_parameter) float64
        Least and largest couplings that it has learnt from: outside nothing is known.
    experts : tuple of tuple of LatentProcess
        For each phase, the process of each latent number.
    gate : Gate, optional
        Where there are several phases.
    remainder : Remainder, optional
        What the compressor leaves of the images: without it stated errors are those of the latent numbers alone.
    strays : Strays, optional
        Points of no phase, where there are any.
    error_factor : float
        What the stated errors are short of: found at held-out points
        (:func:`~spinscape.learn.generator_error.with_measured_error`).
    """

    compressor: object
    parameter_names: tuple[str, ...]
    box: np.ndarray
    experts: tuple[tuple[LatentProcess, ...], ...]
    gate: Gate | None = None
    remainder: Remainder | None = None
    strays: Strays | None = None
    error_factor: float = 1.0

    @property
    def n_phase(self):
        """Number of phases, each with processes of its own."""
        return len(self.experts)

    def probability(self, theta):
        """Return with which probability couplings (m, n_parameter) lie in each phase, (m, n_phase)."""
        return self._probability(self._checked(theta))

    def latent(self, theta):
        """Return latent numbers and their standard deviations at couplings (m, n_parameter), both (m, n_latent)."""
        theta = self._checked(theta)
        p = self._probability(theta).T[:, :, None]
        mean, std = (np.array(values) for values in zip(*(_predicted(e, theta) for e in self.experts), strict=True))
        total = np.sum(p * mean, axis=0)
        return total, np.sqrt(np.sum(p * (std**2 + (mean - total) ** 2), axis=0))

    def mean_latent(self, theta):
        """Return latent numbers (m, n_latent) without their standard deviations, which are what takes time."""
        theta = self._checked(theta)
        p = self._probability(theta)
        return sum(p[:, c, None] * _means(expert, theta) for c, expert in enumerate(self.experts))

    def predict(self, theta):
        """Return images (m, n_voxel) at couplings (m, n_parameter)."""
        theta = self._checked(theta)
        if self.gate is None:
            return self.compressor.decode(_means(self.experts[0], theta))
        p = self._probability(theta)
        return sum(p[:, c, None] * self.compressor.decode(_means(e, theta)) for c, e in enumerate(self.experts))

    def predict_with_std(self, theta):
        """Return images and the standard deviation of each voxel, both (m, n_voxel)."""
        theta = self._checked(theta)
        p, image, within, square = self._probability(theta), 0.0, 0.0, 0.0
        for c, expert in enumerate(self.experts):
            mean, std = _predicted(expert, theta)
            mine, share = self.compressor.decode(mean), p[:, c, None]
            image = image + share * mine
            within = within + share * np.einsum("mdv,md->mv", self.compressor.decode_slope(mean) ** 2, std**2)
            square = square + share * mine**2
            if self.remainder is not None:
                within = within + share * self.remainder.variance(c, mean)
        between = np.maximum(square - image**2, 0.0) if self.gate is not None else 0.0
        return image, self.error_factor * np.sqrt(self._with_strays(theta, image, within + between))

    def _with_strays(self, theta, image, variance):
        """Return the variance (m, n_voxel) with that of the chance that couplings belong to no phase."""
        if self.strays is None:
            return variance
        chance = self.strays.chances(theta)
        variance = (1.0 - chance.sum(axis=1))[:, None] * variance
        for m in np.flatnonzero(chance.any(axis=1)):
            near = chance[m] > 0
            away = self.compressor.decode(self.strays.latent[near]) - image[m]
            variance[m] += chance[m, near] @ away**2
        return variance

    def error_columns(self, theta):
        """Return independent errors of an image, one standard deviation each, (n_error, n_voxel).

        What one standard deviation of each latent number changes, what the compressor leaves, how far phases are apart,
        and how far simulated points of no phase. Errors of the voxels are not independent: the covariance of an image's
        error is the Gram matrix of these rows, and a fit is misled by all of it at once.

        theta : (n_parameter,) float64
        """
        theta = self._checked(theta)
        p, rows, images, independent = self._probability(theta)[0], [], [], 0.0
        for c, (share, expert) in enumerate(zip(np.sqrt(p), self.experts, strict=True)):
            mean, std = _predicted(expert, theta)
            rows.append(share * std[0][:, None] * self.compressor.decode_slope(mean)[0])
            images.append(self.compressor.decode(mean)[0])
            if self.remainder is not None:
                rows.append(share * self.remainder.rows[c])
                independent += p[c] * self.remainder.independent(c, mean)[0]
        image = p @ np.array(images)
        if self.gate is not None:
            rows.append(np.sqrt(p)[:, None] * (np.array(images) - image))
        if self.remainder is not None:
            rows.append(self.remainder.noise_rows(independent))
        return self.error_factor * np.concatenate(self._rows_with_strays(theta, image, rows))

    def _rows_with_strays(self, theta, image, rows):
        if self.strays is None:
            return rows
        chance = self.strays.chances(theta)[0]
        near, kept = chance > 0, np.sqrt(1.0 - chance.sum())
        away = self.compressor.decode(self.strays.latent[near]) - image
        return [*(kept * part for part in rows), np.sqrt(chance[near])[:, None] * away]

    def gradient(self, theta):
        """Return d(image)/dθ, (m, n_parameter, n_voxel)."""
        theta = self._checked(theta)
        one = np.ones((len(theta), 1)), np.zeros((len(theta), 1, theta.shape[1]))
        p, p_slope = one if self.gate is None else self.gate.probability_and_slope(theta)
        out = 0.0
        for c, expert in enumerate(self.experts):
            mean = _means(expert, theta)
            by_coupling = np.stack([process.gradient(theta) for process in expert], axis=1)
            inner = np.einsum("mdk,mdv->mkv", by_coupling, self.compressor.decode_slope(mean))
            out = out + p[:, c, None, None] * inner
            if self.gate is not None:
                out = out + p_slope[:, c, :, None] * self.compressor.decode(mean)[:, None]
        return out

    def _probability(self, theta):
        return np.ones((len(theta), 1)) if self.gate is None else self.gate.probability(theta)

    def _checked(self, theta):
        theta = np.atleast_2d(np.asarray(theta, dtype=np.float64))
        check_shape("theta", theta, ("m", len(self.parameter_names)), hint=", ".join(self.parameter_names))
        room = 1e-9 * np.ptp(self.box, axis=0)
        outside = np.any((theta < self.box[0] - room) | (theta > self.box[1] + room), axis=0)
        if outside.any() or not np.all(np.isfinite(theta)):
            raise DataError(
                "couplings outside of what the generator has learnt from",
                where=", ".join(np.array(self.parameter_names)[outside]),
                expected=f"between {self.box[0].tolist()} and {self.box[1].tolist()}",
                got=theta[:3].tolist(),
                fix="stay inside the grid, or simulate a larger one",
            )
        return theta


def _means(expert, theta):
    """Return the means of one phase's latent numbers, (m, n_latent)."""
    return np.column_stack([process.mean_at(theta) for process in expert])


def _predicted(expert, theta):
    """Return means and standard deviations of one phase's latent numbers, both (m, n_latent)."""
    mean, std = zip(*(process.predict(theta) for process in expert), strict=True)
    return np.column_stack(mean), np.column_stack(std)


def fit_generator(
    theta, latent, compressor, *, seed, parameter_names, experts="auto", slopes=None, images=None, settled=None
):
    """Return the :class:`Generator` of simulated couplings.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    latent : (n_point, n_latent) float64
        What the compressor encodes of each point's image.
    compressor : Compressor
    seed : int
        Of the choice of points where there are more than are kept.
    parameter_names : sequence of str
    experts : str
        ``"auto"``: one set of processes for each phase where latent numbers jump between phases, by the likelihood of
        points that are left out; ``"one"``: one for all.
    slopes : (n_point, n_parameter) float64, optional
        Derivatives of the free energy by the couplings, ⟨∂E/∂θ⟩: they tell where phases meet.
    images : ImageSource or (n_point, n_voxel) array, optional
        What was encoded: stated errors then hold what the compressor leaves of it.
    settled : (n_point,) bool, optional
        Points known to have come to equilibrium. Others that belong to no phase say nothing of equilibrium, and do not
        count as :class:`~spinscape.learn.strays.Strays`.

    Returns
    -------
    Generator
    """
    theta, latent = np.asarray(theta, dtype=np.float64), np.asarray(latent, dtype=np.float64)
    check_shape("latent", latent, (len(theta), "n_latent"))
    if len(theta) < 4 * theta.shape[1] or not np.any(np.ptp(theta, axis=0) > 0):
        raise DataError(
            "too few different points for a generator",
            where="theta",
            expected=f"couplings that vary, and at least {4 * theta.shape[1]} points to learn from: four a coupling",
            got=f"{len(theta)} points",
            fix="simulate more points",
        )
    if experts not in EXPERTS:
        raise DataError("no such choice of experts", where="experts", expected=", ".join(EXPERTS), got=experts)
    label, gate = np.zeros(len(theta), dtype=np.int64), None
    if experts == "auto":
        label, gate = phases_of_points(theta, latent, metric=_metric(compressor, latent), seed=seed, slopes=slopes)
    made = tuple(_expert(theta[label == c], latent[label == c], seed) for c in range(label.max() + 1))
    box = read_only(np.stack([theta.min(axis=0), theta.max(axis=0)]))
    left = None if images is None else fit_remainder(theta, latent, images, compressor, label, seed=seed)
    told = np.ones(len(theta), dtype=bool) if settled is None else np.asarray(settled, dtype=bool)
    strays = None if gate is None else fit_strays(theta[told], latent[told], label[told])
    return Generator(compressor, tuple(parameter_names), box, made, gate, left, strays)


def _expert(theta, latent, seed):
    """Return the processes of one phase."""
    order = stream(seed, "dataset", "generator", len(theta)).permutation(len(theta))
    kept, tuned = np.sort(order[:MAX_KEPT]), np.sort(order[:MAX_TUNED])
    return tuple(fitted_process(theta, column, kept=kept, tuned=tuned) for column in latent.T)


def _metric(compressor, latent):
    """Return what makes distances of latent numbers those of their images, (n_latent, n_latent).

    The Cholesky factor of the mean of J Jᵀ over some points, J the derivative of the decoder.
    """
    some = latent[np.unique(np.linspace(0, len(latent) - 1, _METRIC_POINTS).round().astype(int))]
    slopes = (compressor.decode_slope(row[None])[0] for row in some)
    gram = sum(slope @ slope.T for slope in slopes) / len(some)
    gram[np.diag_indices_from(gram)] += 1e-12 * np.trace(gram)
    return np.linalg.cholesky(gram)
