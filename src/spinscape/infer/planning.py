"""What to measure next: how far each of several further measurements would shrink the intervals.

The information of independent measurements adds up. That of one not yet made is the expected one, of the counts that
the present best fit predicts for it: nothing is simulated with noise.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError


@dataclass(frozen=True)
class Gain:
    """What one option would bring.

    Parameters
    ----------
    label : str
    stds : dict of str to float
        Of each coupling alone, all else free, with the option's data beside the present ones; infinite where they
        leave it open.
    factor : float
        (det I_before / det I_after)^(1/2n) over the n couplings asked for, all others free: by how much their
        intervals shrink, in the mean. Zero where they were open before.
    counts : float
        Expected in the option's measurement; NaN where it is not counted.
    """

    label: str
    stds: dict[str, float]
    factor: float
    counts: float = np.nan


def full_information(problem, best, box, *, scale=None):
    """Return the information on all parameters of a fit, (n_parameter, n_parameter), scale and backgrounds eliminated.

    Half the Gauss-Newton matrix of the objective over its noise scale: additive over independent measurements that
    share the parameters. ``scale`` is the noise scale where another fit's is to be taken.
    """
    predictions, jacobians = problem.linearise(best, box)
    _, matrix = problem.objective.normal_equations(predictions, jacobians)
    return 0.25 * (matrix + matrix.T) / (noise_scale(problem, predictions) if scale is None else scale)


def noise_scale(problem, predictions):
    """Return the factor on the variances that a fit finds where its noise was estimated; 1 where it is known."""
    objective = problem.objective
    return objective.noise_scale(objective.value(predictions), n_parameter=len(problem.forward.parameter_names))


def gains(present, options, *, names, wanted=None):
    """Return the options, the one that shrinks the intervals most first.

    Parameters
    ----------
    present : (n_parameter, n_parameter) float64
        :func:`full_information` of what is measured already; zero for nothing.
    options : sequence of (label, information, counts)
    names : sequence of str
        The couplings, the leading parameters.
    wanted : sequence of str, optional
        The couplings whose intervals count; all by default.

    Returns
    -------
    before : Gain
        Without any of them.
    list of Gain
    """
    wanted = tuple(wanted or names)
    unknown = [name for name in wanted if name not in names]
    if unknown or not options:
        raise FitError(
            "nothing to choose between" if not options else f"{unknown[0]} is no free coupling of the fit",
            where="next", expected=", ".join(names), got=", ".join(wanted),
        )  # fmt: skip
    index = [tuple(names).index(name) for name in wanted]
    before = _gain("now", present, present, index, names, np.nan)
    out = [_gain(label, present, present + added, index, names, counts) for label, added, counts in options]
    return before, sorted(out, key=lambda gain: gain.factor)


def counts_needed(counts, std, target):
    """Return how many counts make a standard deviation of ``target`` where ``counts`` make ``std``.

    The information is proportional to the counts as long as their composition stays: N (std/target)².

    >>> counts_needed(1000.0, 0.2, 0.1)
    4000.0
    """
    return float(counts * (std / target) ** 2)


def _gain(label, present, information, index, names, counts):
    stds = dict(zip(names, stds_of(information, len(names)), strict=True))
    root = np.exp((_log_det(present, index) - _log_det(information, index)) / (2 * len(index)))
    return Gain(label, stds, float(np.nan_to_num(root, nan=1.0)), float(counts))


def stds_of(information, n):
    """Return the standard deviations of the first n parameters, all else free; infinite along open directions."""
    root = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, turn = np.linalg.eigh(information / np.outer(root, root))
    known = values > 1e-12
    inverse = np.where(known, 1.0 / np.where(known, values, 1.0), 0.0)
    out = np.sqrt(turn**2 @ inverse) / root
    out[(turn[:, ~known] ** 2).sum(axis=1) > 1e-9] = np.inf
    return out[:n]


def _log_det(information, index):
    """Return the logarithm of the determinant of the marginal information on some parameters; -inf where open."""
    rest = np.setdiff1d(np.arange(len(information)), index)
    part = information[np.ix_(index, index)]
    if len(rest):
        mixed = information[np.ix_(index, rest)]
        inner = information[np.ix_(rest, rest)]
        part = part - mixed @ np.linalg.pinv(inner, rcond=1e-12, hermitian=True) @ mixed.T
    sign, value = np.linalg.slogdet(part)
    return value if sign > 0 else -np.inf


def expected_measurement(measurement, signal, exposure):
    """Return a measurement that saw just what was expected, with the standard deviations of its counts.

    Parameters
    ----------
    measurement : Measurement
        Its axes, mask and conditions.
    signal : (n_q, n_energy) float64
        Expected intensity, background included.
    exposure : float
        Counts of an intensity of one.
    """
    std = np.sqrt(np.maximum(signal * exposure, 1e-6)) / exposure
    provenance = {**measurement.provenance, "counts_per_unit": float(exposure), "noise": {"std": "expected"}}
    return replace(measurement, signal=signal, std=std, simulated=True, provenance=provenance)
