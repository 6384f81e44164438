"""The objective ``weighted_sum`` of a fit."""

from importlib import import_module

from ..infer.weighted_sum import Term, weighted_sum
from .shown import Shown


def objective(declared, job, measurements):
    """Return the :class:`~spinscape.infer.weighted_sum.WeightedSum` that a section declares."""

    def of(term, own, settings):
        return job.objective(term.objective, own, settings=settings)

    return _summed(declared, job, measurements, of)


def freer(declared, job, measurements, constant):
    """Return the same sum with more freedom in the backgrounds of its likelihoods: other groups of constants."""

    def of(term, own, settings):
        if term.objective.is_likelihood:
            return import_module(term.objective.module).freer(term.objective, job, own, constant)
        return job.objective(term.objective, own, settings=settings)

    return _summed(declared, job, measurements, of)


def _summed(declared, job, measurements, of):
    """Return the sum of what ``of`` makes of each term, its measurements and settings."""
    terms = []
    for term, settings in zip(declared.terms, job.objective_settings["terms"], strict=True):
        own = _positions(term, measurements)
        if not own:
            continue  # its measurements are optional, and not at hand
        terms.append(Term(of(term, [measurements[k] for k in own], settings), own, term.weight))
    return weighted_sum(terms, n_measurement=len(measurements))


def shown(declared, measurements):
    """Return what figures of each measurement show: what its term's objective says, the sum being labelled alike."""
    out = [Shown("weighted sum")] * len(measurements)
    for term in declared.terms:
        own = _positions(term, measurements)
        labels = import_module(term.objective.module).shown(term.objective, [measurements[k] for k in own])
        for k, one in zip(own, labels, strict=True):
            out[k] = Shown("weighted sum", one.quantity, one.unit, one.residual)
    return out


def _positions(term, measurements):
    return tuple(k for k, m in enumerate(measurements) if m.name in term.measurements)
