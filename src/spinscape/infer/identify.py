"""What the data tell and what they do not: the directions of the information matrix, in words."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError

FLAT = 0.3
"""Standard deviation, in widths of the box, from which a direction counts as open: a flat law over the box has 0.29."""
LOADED = 0.1
"""A coefficient below this part of the largest is left out of words."""


@dataclass(frozen=True)
class Direction:
    """A combination of couplings, independent of the others.

    Parameters
    ----------
    coefficients : dict of str to float
        The first coupling that has a say has 1 or -1.
    value, std : float, meV
        ``std`` is infinite where the likelihood is flat.
    text : str
        ``J - 2 Jp``.
    """

    coefficients: dict[str, float]
    value: float
    std: float
    text: str

    @property
    def relative(self):
        """std/|value|; infinite where the value is zero."""
        return self.std / abs(self.value) if self.value else np.inf


@dataclass(frozen=True)
class Identifiability:
    """What a fit knows of its couplings.

    Parameters
    ----------
    directions : tuple of Direction
        The best determined first.
    stds : dict of str to float
        Of each coupling alone, all others free; infinite where the likelihood does not bound it within the box.
    unidentifiable : tuple of str
        Couplings without a number.
    sentences : tuple of str
        For the report.
    """

    directions: tuple[Direction, ...]
    stds: dict[str, float]
    unidentifiable: tuple[str, ...]
    sentences: tuple[str, ...]

    def to_dict(self):
        """Return plain values, for JSON; None for an error that is not bounded."""
        directions = [
            {"text": d.text, "coefficients": d.coefficients, "value": d.value, "std": _finite(d.std)}
            for d in self.directions
        ]
        return {
            "sentences": list(self.sentences),
            "unidentifiable": list(self.unidentifiable),
            "directions": directions,
            "stds": {name: _finite(std) for name, std in self.stds.items()},
        }


def _finite(value):
    return float(value) if np.isfinite(value) else None


def coupling_information(problem, best, box):
    """Return the information on the couplings, (n_coupling, n_coupling), everything else eliminated, 1/meV².

    Flat directions are zero eigenvalues: nothing is inverted but the block of the nuisances.
    """
    predictions, jacobians = problem.linearise(best, box)
    objective = problem.objective
    _, matrix = objective.normal_equations(predictions, jacobians)
    scale = objective.noise_scale(objective.value(predictions), n_parameter=len(matrix))
    n = len(problem.forward.coupling_names)
    a, b = matrix[:n, :n], matrix[:n, n:]
    if matrix.shape[0] > n:
        a = a - b @ np.linalg.pinv(matrix[n:, n:], rcond=1e-12, hermitian=True) @ b.T
    return 0.5 * (a + a.T) / (2.0 * scale)


def identifiability(information, values, *, names, widths):
    """Say which combinations of couplings are known, and how well.

    Parameters
    ----------
    information : (n, n) float64, 1/meV²
        Of the couplings, everything else eliminated (:func:`coupling_information`); zero along flat directions.
    values : (n,) float64, meV
    names : sequence of str
    widths : (n,) float64, meV
        Of the box: what cannot be told apart within it is not known.

    Returns
    -------
    Identifiability
    """
    widths, values = np.asarray(widths, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if not np.isfinite(information).all():
        raise FitError("the information matrix is not finite", where="identifiability")
    lengths, turn = np.linalg.eigh(information * np.outer(widths, widths))
    # Standard deviations along the eigenvectors, in widths of the box.
    spread = np.where(lengths > 0, 1.0 / np.sqrt(np.maximum(lengths, 1e-300)), np.inf)
    flat = spread > FLAT
    stds = _alone(turn, spread, flat, widths, names)
    lost = tuple(name for name in names if not np.isfinite(stds[name]))
    directions = _directions(information, values, names)
    return Identifiability(
        directions, stds, lost, _sentences(directions, stds, dict(zip(names, values, strict=True)), lost)
    )


def _alone(turn, spread, flat, widths, names):
    """Return the standard deviation of each coupling; infinite where a flat direction has a part in it."""
    known = (turn[:, ~flat] * spread[~flat]) ** 2
    std = np.sqrt(known.sum(axis=1)) * widths
    loose = np.abs(turn[:, flat]).max(axis=1) > LOADED if flat.any() else np.zeros(len(names), bool)
    return {name: float(np.inf if lost else s) for name, s, lost in zip(names, std, loose, strict=True)}


def _directions(information, values, names):
    """Return eigenvectors of the information in meV, the best determined first."""
    weights, vectors = np.linalg.eigh(information)
    out = []
    for weight, vector in zip(weights[::-1], vectors.T[::-1], strict=True):
        leading = int(np.flatnonzero(np.abs(vector) > LOADED * np.abs(vector).max())[0])
        scale = 1.0 / vector[leading]
        coefficients = dict(zip(names, (vector * scale).tolist(), strict=True))
        std = float(abs(scale) / np.sqrt(weight)) if weight > 1e-14 * weights[-1] and weight > 0 else np.inf
        out.append(Direction(coefficients, float(scale * vector @ values), std, combination_text(coefficients)))
    return tuple(out)


def combination_text(coefficients):
    """Return a combination in words, small coefficients left out.

    >>> combination_text({"J": 1.0, "Jp": -2.0, "K": 0.01})
    'J − 2 Jp'
    """
    largest = max(abs(c) for c in coefficients.values())
    parts = []
    for name, c in coefficients.items():
        if abs(c) <= LOADED * largest:
            continue
        size = "" if f"{abs(c):.2g}" == "1" else f"{abs(c):.2g} "
        sign = ("−" if c < 0 else "") if not parts else (" − " if c < 0 else " + ")
        parts.append(f"{sign}{size}{name}")
    return "".join(parts)


def _sentences(directions, stds, values, lost):
    best = directions[0]
    known = [name for name in stds if name not in lost]
    alone = ", ".join(f"{name} alone to {_percent(stds[name], values[name])}" for name in known)
    out = []
    if np.isfinite(best.std):
        alone = f", {alone}" if alone and len(stds) > 1 else ""
        out.append(f"{best.text} is known to {_percent(best.std, best.value)}{alone}")
    if lost:
        out.append(f"the data do not determine {', '.join(lost)} within the box: no number is given")
    if lost and len(directions) > 1:
        out.append(f"the direction that they leave open is {directions[-1].text}")
    return tuple(out)


def _percent(std, value):
    """Return an error relative to the value, or in meV where the value is nearly zero."""
    if not value or std > abs(value):
        return f"± {std:.2g} meV"
    return f"{100.0 * std / abs(value):.2g} %"
