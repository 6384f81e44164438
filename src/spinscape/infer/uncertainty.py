"""Statistical errors of a fit: curvature of the objective, blocks of pixels drawn anew, groups of pixels left out."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from ..rng import stream
from .gauss_newton import gauss_newton

CONDITIONAL_STEP = 1.0
"""Step of the numerical Hessian, in standard deviations of a parameter with the others held."""
REFIT_TOLERANCE = 0.1
"""How near to its minimum a replica is fitted, in standard deviations by curvature; replicas scatter by more."""
MAX_FAILED = 0.1
"""Largest share of replicas that may fail."""


@dataclass(frozen=True, eq=False)
class Covariance:
    """Covariance of all parameters; those in ``fixed`` sit at a bound and have zero rows and columns.

    Parameters
    ----------
    names : tuple of str
    matrix : (n_parameter, n_parameter) float64
    fixed : tuple of str
    method : str
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    fixed: tuple[str, ...]
    method: str

    @property
    def std(self):
        """Standard deviations, (n_parameter,)."""
        return np.sqrt(np.diag(self.matrix))

    @property
    def correlation(self):
        """Correlation matrix, (n_parameter, n_parameter): unit diagonal, zeros for fixed parameters."""
        std = np.where(self.std > 0, self.std, 1.0)
        out = self.matrix / np.outer(std, std)
        np.fill_diagonal(out, 1.0)
        return out

    def along(self, gradient):
        """Return the standard deviation of a quantity with the derivatives ``gradient`` (n_parameter,)."""
        gradient = np.asarray(gradient)
        return float(np.sqrt(max(gradient @ self.matrix @ gradient, 0.0)))


def hessian_covariance(problem, best, box):
    """Return the covariance from the curvature of the profiled objective at its minimum.

    Parameters
    ----------
    problem : Problem
    best : (n_parameter,) float64
        The minimum. Parameters at a bound are held there.
    box : Box

    Returns
    -------
    Covariance

    Notes
    -----
    Second derivatives by central differences of the objective itself, over about one standard deviation of each
    parameter with the others held, so that the profiled scale and backgrounds are in it exactly. χ² gives 2 H⁻¹, times
    χ²/dof where the variances were estimated; a correlation gives the sandwich of its own noise.
    """
    fixed = box.at_bound(best)
    free = np.array([name not in fixed for name in box.names])
    if not free.any():
        raise FitError("every parameter sits at a bound of the box", where="fit", got=box.to_dict(), fix="widen it")
    predictions, jacobians = problem.linearise(best, box)
    _, gauss = problem.objective.normal_equations(predictions, jacobians)
    part = gauss[np.ix_(free, free)]
    _require_definite(part, box, free, "the spectra")
    kept = tuple(jacobian[free] for jacobian in jacobians)
    scale = problem.objective.covariance(predictions, kept, part)
    # 1/sqrt of the inverse's diagonal: the standard deviation of one parameter alone, the others held.
    steps = CONDITIONAL_STEP / np.sqrt(np.diag(np.linalg.inv(scale)))
    hessian = hessian_matrix(problem, best, np.flatnonzero(free), steps, box)
    _require_definite(hessian, box, free, "the objective")
    matrix = np.zeros((len(free), len(free)))
    matrix[np.ix_(free, free)] = problem.objective.covariance(predictions, kept, hessian)
    return Covariance(box.names, matrix, fixed, "hessian")


def hessian_matrix(function, at, indices, steps, box):
    """Return second derivatives by the parameters ``indices``, (m, m), by central differences of ``steps`` (m,).

    Steps are shortened where the box is nearer.
    """
    at = np.asarray(at, dtype=np.float64)
    room = 0.5 * np.minimum(at - box.lower, box.upper - at)[indices]
    steps = np.minimum(steps, room)

    def value(*moves):
        moved = at.copy()
        for which, sign in moves:
            moved[indices[which]] += sign * steps[which]
        return function(moved)

    m, centre = len(indices), function(at)
    up, down = [value((k, 1)) for k in range(m)], [value((k, -1)) for k in range(m)]
    out = np.zeros((m, m))
    for k in range(m):
        out[k, k] = (up[k] - 2.0 * centre + down[k]) / steps[k] ** 2
        for j in range(k):
            mixed = value((k, 1), (j, 1)) + value((k, -1), (j, -1)) - value((k, 1), (j, -1)) - value((k, -1), (j, 1))
            out[k, j] = out[j, k] = mixed / (4.0 * steps[k] * steps[j])
    if not np.isfinite(out).all():
        raise FitError(
            "the minimum lies at the edge of stability: the objective has no curvature there",
            where="fit, Hessian",
            got=", ".join(f"{n} = {v:.6g}" for n, v in zip(box.names, at, strict=True)),
            fix="quote the bootstrap instead",
        )
    return out


@dataclass(frozen=True, eq=False)
class Replicas:
    """Refits of the same data under other weights.

    Parameters
    ----------
    names : tuple of str
    parameters : (n_replica, n_parameter) float64
        Of the replicas that could be fitted.
    n_failed : int
    method : str
        ``"bootstrap"`` or ``"jackknife"``.
    description : dict
        Block size, seeds: plain values.
    """

    names: tuple[str, ...]
    parameters: np.ndarray
    n_failed: int
    method: str
    description: dict

    def covariance(self):
        """Return the :class:`Covariance` of the replicas; a jackknife's is (n − 1)²/n times larger than theirs."""
        n = len(self.parameters)
        centred = self.parameters - self.parameters.mean(axis=0)
        factor = (n - 1.0) / n if self.method == "jackknife" else 1.0 / (n - 1.0)
        matrix = factor * centred.T @ centred
        fixed = tuple(name for name, v in zip(self.names, np.diag(matrix), strict=True) if v == 0.0)
        return Covariance(self.names, matrix, fixed, self.method)

    def interval(self, level):
        """Return the central quantiles of each parameter, (n_parameter, 2)."""
        tail = 0.5 * (1.0 - level)
        return np.quantile(self.parameters, [tail, 1.0 - tail], axis=0).T


def block_labels(shape, segment, block):
    """Return the block of each pixel, (n_q, n_energy) int64, and the number of blocks.

    Blocks are rectangles of ``block`` = (momenta, energies); they do not cross segments, and those of one segment or
    of the energy axis are as even as its length allows.
    """
    rows, n_row = np.zeros(shape[0], dtype=np.int64), 0
    for one in np.unique(segment):
        members = np.flatnonzero(segment == one)
        n = max(1, round(len(members) / block[0]))
        rows[members] = n_row + np.arange(len(members)) * n // len(members)
        n_row += n
    n_column = max(1, round(shape[1] / block[1]))
    columns = np.arange(shape[1]) * n_column // shape[1]
    return rows[:, None] * n_column + columns[None, :], n_row * n_column


def block_bootstrap(problem, best, box, *, measurements, block=(12, 10), n_replica=200, seed=0):
    """Refit the data with whole blocks of pixels drawn anew.

    Parameters
    ----------
    problem : Problem
    best : (n_parameter,) float64
        The fit of the data themselves, where every refit starts.
    box : Box
    measurements : sequence of Measurement
        Whose paths' segments and masks the blocks follow.
    block : (int, int)
        Pixels along momentum and energy; longer than what correlates the residuals.
    n_replica : int
    seed : int
        Replica k draws from the stream (seed, "bootstrap", block, k) and from nothing else.

    Returns
    -------
    Replicas

    Notes
    -----
    Only blocks with valid pixels are drawn, as many as there are. A pixel's weight is how often its block was drawn.
    Where the residuals are not those of independent pixels (flat phonon bands, a line shape that is not quite right),
    this is wider than the curvature says, and closer to the truth.
    """
    maps = [_block_map(m, block) for m in measurements]
    first = problem.linearise(best, box)

    def multiplicities(k):
        generator = stream(seed, "bootstrap", int(block[0]), int(block[1]), replica=k)
        return tuple(_drawn(labels, known, n_block, generator) for labels, known, n_block in maps)

    kept, n_failed = _refit_all(problem, best, box, multiplicities, range(n_replica), first)
    description = {"block": [int(b) for b in block], "n_replica": int(n_replica), "n_failed": n_failed}
    return Replicas(box.names, kept, n_failed, "bootstrap", description)


def group_jackknife(problem, best, box, *, measurements, n_band=3):
    """Refit with each group of pixels (a segment of a path × a band of energies) left out in turn.

    Where the model misses something on the scale of a whole segment or band, the groups disagree by more than pixels or
    blocks know of; this shows it.

    Returns
    -------
    Replicas
    """
    labels, n_group = _groups(measurements, n_band)
    first = problem.linearise(best, box)

    def multiplicities(group):
        return tuple((one != group).astype(np.float64) for one in labels)

    pairs = list(zip(labels, measurements, strict=True))
    groups = [g for g in range(n_group) if any(((one == g) & m.valid).any() for one, m in pairs)]
    kept, n_failed = _refit_all(problem, best, box, multiplicities, groups, first)
    return Replicas(box.names, kept, n_failed, "jackknife", {"n_group": len(groups), "n_band": int(n_band)})


def _refit_all(problem, best, box, multiplicities, keys, first):
    kept, n_failed = [], 0
    for key in keys:
        try:
            replica = problem.reweighted(multiplicities(key))
            refit = gauss_newton(replica, best, box=box, first=first, tolerance=REFIT_TOLERANCE, central=False)
            kept.append(refit.parameters)
        except FitError:
            n_failed += 1
    if n_failed > MAX_FAILED * len(keys) or len(kept) < 3:
        raise FitError(
            "too many replicas could not be refitted",
            where="uncertainty",
            expected=f"at most {MAX_FAILED:.0%} failures, and three fits",
            got=f"{n_failed} of {len(keys)}",
            fix="use larger blocks, or more data",
        )
    return np.array(kept), n_failed


def _block_map(measurement, block):
    labels, n_block = block_labels(measurement.shape, measurement.segments, block)
    known = np.unique(labels[measurement.valid])
    return labels, known, n_block


def _drawn(labels, known, n_block, generator):
    counts = np.bincount(generator.choice(known, size=len(known)), minlength=n_block)
    return counts[labels].astype(np.float64)


def _groups(measurements, n_band):
    labels, start = [], 0
    for m in measurements:
        _, segment = np.unique(m.segments, return_inverse=True)
        band = np.arange(m.shape[1]) * n_band // m.shape[1]
        labels.append(start + segment.reshape(-1)[:, None] * n_band + band[None, :])
        start = int(labels[-1].max()) + 1
    return labels, start


def _require_definite(matrix, box, free, what):
    names = [n for n, is_free in zip(box.names, free, strict=True) if is_free]
    diagonal = np.sqrt(np.abs(np.diag(matrix)))
    lowest = -1.0
    if np.isfinite(matrix).all() and diagonal.min() > 0:
        lowest = float(np.linalg.eigvalsh(matrix / np.outer(diagonal, diagonal))[0])
    if lowest < 1e-10:
        raise FitError(
            f"the curvature of {what} is not positive: this is no minimum that determines every parameter",
            where=f"fit, parameters {', '.join(names)}",
            got=f"lowest eigenvalue {lowest:.3g} of the scaled curvature",
            fix="fix one of them, fit more data, or refine the minimum",
        )
