"""Comparison of models: a coupling that is there, one that is not, and data that cannot tell."""

import json

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.compare import Candidate, compare
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.poisson import gaussian_likelihood, poisson_likelihood
from spinscape.infer.problem import Problem

FLAT = BackgroundForm("none", (0, 0))
"""One constant: with one for each energy a band without dispersion is background."""


class Without:
    """The band with its cosine held at zero."""

    parameter_names, units, coupling_names = ("a",), ("meV",), ("a",)

    def __init__(self, inner):
        self.inner = inner

    def predict(self, parameters):
        return self.inner.predict([parameters[0], 0.0])


def candidates(band, measurement, likelihood=poisson_likelihood):
    whole = band(("a", "b"), ("meV", "meV"))
    boxes = Box.from_intervals({"a": (6.0, 20.0), "b": (-6.0, 6.0)}), Box.from_intervals({"a": (6.0, 20.0)})
    out = []
    for name, forward, box in (("with b", whole, boxes[0]), ("without b", Without(whole), boxes[1])):
        problem = Problem(forward, likelihood([measurement], background=FLAT))
        start = np.array([12.0, 0.3])[: len(box.names)]
        out.append(Candidate(name, problem, box, gauss_newton(problem, start, box=box).parameters))
    return out


def counted(band, measure, b, *, per_unit, seed, simulated=True):
    expected = per_unit * (band(("a", "b"), ("meV", "meV")).predict([12.0, b])[0] + 0.05)
    counts = np.random.default_rng(seed).poisson(expected).astype(float)
    one = measure(counts, simulated=simulated)
    one.provenance["counts_per_unit"] = 1.0
    return one


@pytest.mark.parametrize("seed", range(4))
def test_a_coupling_that_is_there_is_preferred(band, measure, seed):
    one = counted(band, measure, 1.5, per_unit=60.0, seed=seed)
    found = compare(candidates(band, one), measurements=[one], block=(4, 5), seed=seed)
    assert found.preferred == "with b" and "prefer with b" in found.sentence
    other = next(d for d in found.differences if d["name"] == "without b")
    assert other["held_out"] > 2 * other["error"] and other["log_evidence"] < -3
    plain = json.loads(json.dumps(found.to_dict()))
    assert [m["n_parameter"] for m in plain["models"]] == [2, 1] and plain["noise_scale"] == 1.0


def test_a_coupling_that_is_not_there_is_never_preferred(band, measure):
    """Occam: the smaller model, or no answer, whatever the noise."""
    answers = []
    for seed in range(12):
        one = counted(band, measure, 0.0, per_unit=60.0, seed=seed)
        answers.append(compare(candidates(band, one), measurements=[one], block=(4, 5), seed=seed).preferred)
    # A false alarm by two standard errors comes in a few of a hundred; one in twelve is let pass.
    assert answers.count("with b") <= 1 and answers.count("without b") >= 3


def test_few_counts_cannot_tell(band, measure):
    one = counted(band, measure, 0.35, per_unit=1.5, seed=3)
    found = compare(candidates(band, one), measurements=[one], block=(4, 5))
    assert found.preferred is None and found.sentence.startswith("cannot tell")


def test_the_evidence_does_not_decide_for_real_data(band, measure):
    one = counted(band, measure, 0.0, per_unit=60.0, seed=5, simulated=False)
    assert compare(candidates(band, one), measurements=[one], block=(4, 5)).preferred is None


def test_laplace_evidence_is_that_of_quadrature(band, measure):
    rng = np.random.default_rng(2)
    image = band(("a", "b"), ("meV", "meV")).predict([12.0, 0.4])[0]
    one = measure(image + 0.1 * rng.normal(size=image.shape), std=np.full(image.shape, 0.1), simulated=True)
    with_b, without_b = candidates(band, one, gaussian_likelihood)
    found = compare([with_b, without_b], measurements=[one], block=(4, 5))
    values = []
    for candidate in (with_b, without_b):
        axes = [np.linspace(x - 0.6, x + 0.6, 41) for x in candidate.best]
        mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        log = np.array([-0.5 * candidate.problem(point) for point in mesh])
        cell = np.prod([a[1] - a[0] for a in axes]) / np.prod(candidate.box.width)
        values.append(log.max() + np.log(np.exp(log - log.max()).sum() * cell))
    ours = [s.log_evidence for s in found.scores]
    # Laplace's error is of the cubic terms: a few hundredths here.
    assert ours[0] - ours[1] == pytest.approx(values[0] - values[1], abs=0.2)


def test_a_comparison_needs_two_models_and_blocks(band, measure):
    one = counted(band, measure, 0.0, per_unit=60.0, seed=5)
    both = candidates(band, one)
    with pytest.raises(FitError, match="two models"):
        compare(both[:1], measurements=[one])
    with pytest.raises(FitError, match="too few blocks"):
        compare(both, measurements=[one], block=(24, 30))
