"""Which of several models do the data prefer? Held-out blocks, and Laplace's evidence; "cannot tell" is an answer."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from ..rng import stream
from .gauss_newton import gauss_newton
from .inner import dot
from .uncertainty import block_labels

SURE = 2.0
"""Standard errors by which held-out pixels must be described better."""
STRONG = 3.0
"""Difference of log evidence that decides where held-out pixels do not: odds of 20."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One model of the data: the same measurements and the same objective, other free couplings.

    Parameters
    ----------
    name : str
    problem : Problem
        Whose objective is a :class:`~spinscape.infer.poisson.Likelihood`.
    box : Box
    best : (n_parameter,) float64
    """

    name: str
    problem: object
    box: object
    best: np.ndarray


@dataclass(frozen=True, eq=False)
class Scores:
    """What speaks for one model.

    Parameters
    ----------
    name : str
    n_parameter : int
    deviance : float
        At the minimum.
    log_evidence : float
        Laplace's, with flat priors over the box.
    bic : float
        D/s + p ln N.
    held_out : (n_block,) float64
        Deviance of the pixels of each block, over the noise scale, of fits that did not see them.
    """

    name: str
    n_parameter: int
    deviance: float
    log_evidence: float
    bic: float
    held_out: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """The answer.

    Parameters
    ----------
    scores : tuple of Scores
        In the order of the candidates.
    preferred : str or None
        None: the data cannot tell the best two apart.
    differences : tuple of dict
        Of every model to the one that describes held-out pixels best: ``name``, ``held_out``, ``error`` (its standard
        error, from the scatter over blocks), ``log_evidence``.
    sentence : str
    noise_scale : float
    """

    scores: tuple[Scores, ...]
    preferred: str | None
    differences: tuple[dict, ...]
    sentence: str
    noise_scale: float

    def to_dict(self):
        """Return plain values, for JSON."""
        models = [
            {
                "name": s.name,
                "n_parameter": s.n_parameter,
                "deviance": s.deviance,
                "log_evidence": s.log_evidence,
                "bic": s.bic,
                "held_out": float(s.held_out.sum()),
            }
            for s in self.scores
        ]
        return {
            "models": models,
            "preferred": self.preferred,
            "differences": list(self.differences),
            "sentence": self.sentence,
            "noise_scale": self.noise_scale,
        }


def compare(candidates, *, measurements, block=(12, 18), n_fold=5, seed=0):
    """Compare models of the same data.

    Parameters
    ----------
    candidates : sequence of Candidate
        Two at least.
    measurements : sequence of Measurement
    block : (int, int)
        Pixels along momentum and energy that are left out together: longer than what correlates residuals.
    n_fold : int
        Blocks are dealt into so many parts; each is left out once.
    seed : int

    Returns
    -------
    Comparison

    Notes
    -----
    Deviances are divided by one noise scale for all models: that of the model that leaves least, where the noise was
    estimated. A model is preferred where it describes held-out blocks better by two standard errors of the differences
    from block to block; where no model does, the evidence decides if its odds are above 20, but never against what the
    held-out blocks lean to by more than one standard error. The evidence takes residuals for independent, which those
    of real data (phonons, wrong line shapes) are not: there it does not decide.
    """
    if len(candidates) < 2:
        raise FitError("a comparison needs two models", where="comparison", got=len(candidates))
    blocks = _Blocks(measurements, block, n_fold, seed)
    scale = _noise_scale(candidates)
    scores = tuple(_scores(one, blocks, scale) for one in candidates)
    seen = np.all([np.isfinite(s.held_out) for s in scores], axis=0)
    scores = tuple(replace(s, held_out=s.held_out[seen]) for s in scores)
    decides = all(m.simulated for m in measurements)
    return _judged(scores, scale, evidence_decides=decides)


class _Blocks:
    """Blocks of pixels of all measurements, dealt into folds."""

    def __init__(self, measurements, block, n_fold, seed):
        self.labels, self.n = [], 0
        for m in measurements:
            labels, n = block_labels(m.shape, m.segments, block)
            self.labels.append(labels + self.n)
            self.n += n
        known = np.unique(np.concatenate([b[m.valid] for b, m in zip(self.labels, measurements, strict=True)]))
        if len(known) < 2 * n_fold:
            raise FitError(
                "too few blocks to hold some out", where="comparison.block",
                expected=f"at least {2 * n_fold} blocks with measured pixels", got=len(known), fix="take smaller ones",
            )  # fmt: skip
        order = stream(seed, "split", "comparison", int(block[0]), int(block[1]), n_fold).permutation(len(known))
        self.fold = np.full(self.n, -1)
        self.fold[known[order]] = np.arange(len(known)) % n_fold
        self.n_fold = n_fold

    def weights(self, fold):
        """Return images that are one at the pixels outside a fold."""
        return tuple((self.fold[labels] != fold).astype(np.float64) for labels in self.labels)


def _noise_scale(candidates):
    """Return the one factor on all variances: of the model that leaves least."""
    values = []
    for one in candidates:
        value = one.problem(one.best)
        values.append(one.problem.objective.noise_scale(value, n_parameter=len(one.box.names)))
    return float(min(values))


def _scores(one, blocks, scale):
    problem, box = one.problem, one.box
    predictions, jacobians = problem.linearise(one.best, box)
    deviance = problem.objective.value(predictions)
    _, matrix = problem.objective.normal_equations(predictions, jacobians)
    n_pixel = sum(pixels.n_pixel for pixels in problem.objective.pixels)
    return Scores(
        name=one.name,
        n_parameter=len(box.names),
        deviance=deviance,
        log_evidence=_log_evidence(deviance / scale, 0.5 * matrix / scale, box),
        bic=deviance / scale + len(box.names) * np.log(n_pixel),
        held_out=_held_out(one, blocks) / scale,
    )


def _log_evidence(deviance, information, box):
    """Return −D/2 + p/2 ln 2π − ½ ln det I − ln V, each parameter's spread never wider than its interval."""
    values = np.linalg.eigvalsh(information * np.outer(box.width, box.width))
    # A direction that the data leave open is as wide as the box: it costs nothing.
    spread = np.minimum(np.sqrt(2.0 * np.pi / np.maximum(values, 1e-300)), 1.0)
    return float(-0.5 * deviance + np.sum(np.log(spread)))


def _held_out(one, blocks):
    """Return the deviance of each block's pixels, of fits without its fold, (n_block,); NaN where it has none."""
    total, count = np.zeros(blocks.n), np.zeros(blocks.n)
    for fold in range(blocks.n_fold):
        reduced = one.problem.reweighted(blocks.weights(fold))
        fit = gauss_newton(reduced, one.best, box=one.box)
        predictions = reduced.predict(fit.parameters)
        inner = reduced.objective.inner(predictions)
        for (_, found), part, labels in zip(inner, reduced.objective.sets, blocks.labels, strict=True):
            left = (part.multiplicity == 0) & _has_background(part)
            block = part.pixels.gather(labels)
            values = np.where(left, part.law.deviance(part.data, _expected(part, found), part.variance), 0.0)
            total += np.bincount(block, values, minlength=blocks.n)
            count += np.bincount(block, left, minlength=blocks.n)
    return np.where(count > 0, total, np.nan)


def _expected(part, found):
    """Return what a fit expects of all pixels, (n_pixel,).

    Of counts half a count is added to what each background was found from (Jeffreys' prior): a row that saw nothing
    does not say that nothing can be seen there.
    """
    if not part.law.positive:
        return found.mu
    seen = part.multiplicity * part.exposure
    total = np.full(len(seen), seen.sum()) if part.groups is None else part.groups.total(seen)[part.groups.of_pixel]
    return found.mu + 0.5 * part.exposure / np.maximum(total, 1e-300)


def _has_background(part):
    """Tell which pixels share their background's constant with a pixel that was fitted, (n_pixel,) bool."""
    if part.groups is None:
        return np.ones(len(part.data), bool)
    return (part.groups.total(part.multiplicity) > 0)[part.groups.of_pixel]


def _judged(scores, scale, *, evidence_decides):
    best = min(scores, key=lambda s: s.held_out.sum())
    differences = []
    for s in scores:
        gain = s.held_out - best.held_out
        error = float(np.sqrt(dot(gain - gain.mean(), gain - gain.mean()) * len(gain) / max(len(gain) - 1, 1)))
        differences.append(
            {"name": s.name, "held_out": float(gain.sum()), "error": error,
             "log_evidence": s.log_evidence - best.log_evidence}
        )  # fmt: skip
    others = [d for d in differences if d["name"] != best.name]
    close = [d for d in others if d["held_out"] <= SURE * d["error"]]
    if not close:
        return Comparison(scores, best.name, tuple(differences), _sure(best, others), scale)
    preferred = _by_evidence(best, others, close) if evidence_decides else None
    return Comparison(scores, preferred, tuple(differences), _unsure(best, close, preferred), scale)


def _by_evidence(best, others, close):
    """Return the model that the evidence prefers among those that held-out blocks leave open, or None."""
    open_ = {best.name: 0.0} | {d["name"]: d["log_evidence"] for d in close}
    first, *rest = sorted(open_.items(), key=lambda item: -item[1])
    strong = all(first[1] - value > STRONG for _, value in rest)
    against = next((d for d in others if d["name"] == first[0] and d["held_out"] > d["error"] + 1.0), None)
    return first[0] if strong and against is None else None


def _sure(best, others):
    least = min(others, key=lambda d: d["held_out"] / max(d["error"], 1e-300))
    return (
        f"the data prefer {best.name}: blocks that were left out are described better than by {least['name']}, "
        f"by {_size(least)} in deviance"
    )


def _size(difference):
    gain, error = difference["held_out"], difference["error"]
    return f"{gain:.0f} ± {error:.0f}" if error >= 10.0 else f"{gain:.1f} ± {error:.1f}"


def _unsure(best, close, preferred):
    names = ", ".join([best.name, *(d["name"] for d in close)])
    least = min(close, key=lambda d: d["held_out"])
    text = f"left-out blocks do not tell {names} apart ({_size(least)} in deviance)"
    if preferred is None:
        return f"cannot tell: {text}"
    return f"{text}; the evidence prefers {preferred}, odds above {np.exp(STRONG):.0f}"
