"""The law of the likelihood ratio of few counts: closed forms, the limit of many counts, and experiments themselves."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.held import held_problem
from spinscape.infer.intervals import few_counts, profile_interval
from spinscape.infer.methods import UncertaintyOptions, errors_of
from spinscape.infer.noise_laws import Gaussian, Poisson, StudentT
from spinscape.infer.poisson import Likelihood, gaussian_likelihood, poisson_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.simulated_ratio import (
    RatioLaw,
    _score_directions,
    _score_statistics,
    law_of,
    ratio_excess,
    ratio_law,
)
from spinscape.infer.weighted_sum import Term, weighted_sum

TRUTH = np.array([14.0, 5.0, 2.0])


@pytest.fixture
def counting(band, measure):
    """Return the problem of so many counts, its expectation, and a function that draws it anew."""

    def make(total, *, form=None):
        image = 40.0 * band().predict(TRUTH)[0] + 3.0
        image *= total / image.sum()

        def of(counts):
            one = replace(measure(counts), provenance={"counts_per_unit": 1.0})
            return Problem(band(), poisson_likelihood([one], background=form))

        return of, image

    return make


def test_the_law_is_chi2_where_nothing_was_simulated_and_wider_for_few_experiments():
    assert RatioLaw().limit(0.95) == pytest.approx(chi2.ppf(0.95, 1))
    few, many = RatioLaw(1.2, 0.2, 16), RatioLaw(1.2, 0.02, 1600)
    assert few.limit(0.95) > many.limit(0.95) > 1.2 * chi2.ppf(0.95, 1)
    for law in (RatioLaw(1.3), few, many):
        for level in (0.68, 0.95):
            assert law.as_chi2(law.limit(level)) == pytest.approx(chi2.ppf(level, 1), rel=1e-6)
    assert law_of([]) == RatioLaw() and law_of(np.full(10, -0.9)).factor == 0.5


def test_the_score_statistic_has_the_mean_one_whatever_the_counts(counting, box):
    of, image = counting(150.0)
    problem = of(np.random.default_rng(0).poisson(image).astype(float))
    linear = problem.linearise(TRUTH, box)
    directions = _score_directions(problem.objective, linear, [0, 1])
    mu = [found.mu for _, found in problem.objective.inner(linear[0])]
    rng = np.random.default_rng(1)
    (one,) = problem.objective.sets

    def statistic():
        return _score_statistics(directions, [replace(one, data=one.law.drawn(mu[0], one.variance, rng))], mu)

    drawn = np.array([statistic() for _ in range(4000)])
    assert drawn.mean(axis=0) == pytest.approx(np.ones(2), abs=4 * 1.6 / np.sqrt(4000))


def test_of_many_counts_the_factor_is_one(counting, box):
    of, image = counting(3e5)
    problem = of(np.random.default_rng(2).poisson(image).astype(float))
    best = gauss_newton(problem, TRUTH, box=box).parameters
    law = ratio_law(problem, best, box, n_experiment=8, seed=3)
    assert law.factor == pytest.approx(1.0, abs=4 * law.error + 0.003) and law.error < 0.02
    assert not few_counts(problem.objective)


def test_of_few_counts_the_factor_is_the_mean_ratio_of_experiments(counting, box):
    # A constant for each of 30 energies, and 180 counts: what Bartlett's factor is for.
    form = BackgroundForm(least_counts=0)
    of, image = counting(180.0, form=form)
    problem, ratios = of(image), []
    assert few_counts(problem.objective)
    for k in range(120):
        one = of(np.random.default_rng([4, k]).poisson(image).astype(float))
        lowest = gauss_newton(one, TRUTH, box=box, tolerance=0.03).value
        held = [held_problem(one, box, i, TRUTH[i]) for i in (0, 1)]
        ends = [gauss_newton(p, np.delete(TRUTH, i), box=b, tolerance=0.03).value for i, (p, b) in enumerate(held)]
        ratios.append(np.mean(ends) - lowest)
    law = law_of(ratio_excess(problem, TRUTH, box, n_experiment=120, seed=5))
    error = np.hypot(np.std(ratios) / np.sqrt(len(ratios)), law.error)
    assert law.factor == pytest.approx(np.mean(ratios), abs=4 * error)
    assert law.factor > 1.0 + 3.0 * law.error


def test_experiments_are_those_of_their_number_and_the_interval_widens(counting, box):
    of, image = counting(400.0)
    problem = of(np.random.default_rng(6).poisson(image).astype(float))
    best = gauss_newton(problem, TRUTH, box=box).parameters
    whole = ratio_excess(problem, best, box, n_experiment=6, seed=7)
    assert np.array_equal(whole[4:], ratio_excess(problem, best, box, n_experiment=2, seed=7, first=4))
    plain = profile_interval(problem, best, box, "a")
    wider = profile_interval(problem, best, box, "a", law=RatioLaw(1.44))
    assert np.ptp(wider) == pytest.approx(1.2 * np.ptp(plain), rel=0.1)


def test_few_counts_are_those_of_a_likelihood_of_counts(measure):
    values = measure(np.ones((24, 30)), std=np.ones((24, 30)))
    assert not few_counts(gaussian_likelihood([values]))


def two_parts(band, measure, weight=1.0):
    """Return 300 counts and a table of values with errors, in a sum and as one likelihood: (sum, joint, box)."""
    rng, image = np.random.default_rng(11), band().predict(TRUTH)[0]
    rate = (40.0 * image + 3.0) * 300.0 / (40.0 * image + 3.0).sum()
    counts = replace(measure(rng.poisson(rate).astype(float)), provenance={"counts_per_unit": 1.0}, std=None)
    std = np.full(image.shape, 4.0 * image.max())
    values = measure(image + std * rng.standard_normal(image.shape), std=std)
    parts = poisson_likelihood([counts]), gaussian_likelihood([values])
    joint = Likelihood((*parts[0].sets, *parts[1].sets), "weighted_sum")
    both = Two(band())
    terms = [Term(parts[1], (1,), weight), Term(parts[0], (0,))]
    return Problem(both, weighted_sum(terms, n_measurement=2)), Problem(both, joint), (counts, values)


class Two:
    """The same band seen by two measurements."""

    kind = "band"

    def __init__(self, band):
        self.band = band
        self.parameter_names, self.units, self.coupling_names = band.parameter_names, band.units, band.coupling_names

    def predict(self, parameters):
        return self.band.predict(parameters) * 2


def test_a_sum_of_likelihoods_is_calibrated_as_the_one_that_it_is(band, measure, box):
    summed, joint, measured = two_parts(band, measure)
    assert few_counts(summed.objective) and summed(TRUTH) == pytest.approx(joint(TRUTH), rel=1e-12)
    best, found = gauss_newton(joint, TRUTH, box=box).parameters, []
    for problem in (summed, joint):
        options = UncertaintyOptions(information=True, simulated=3)
        found.append(errors_of(options, problem, best, box, measurements=measured, seed=5))
    assert found[0].intervals["profile"] == found[1].intervals["profile"]
    assert found[0].details["likelihood_ratio"] == found[1].details["likelihood_ratio"]
    assert found[0].details["likelihood_ratio"]["n_experiment"] == 3


def test_a_weighted_one_says_that_its_intervals_are_of_the_curvature(band, measure, box):
    summed, _, measured = two_parts(band, measure, weight=0.5)
    best = gauss_newton(summed, TRUTH, box=box).parameters
    found = errors_of(UncertaintyOptions(information=True), summed, best, box, measurements=measured, seed=5)
    assert "profile" not in found.intervals and any("few counts in a sum" in w for w in found.warnings)


@pytest.mark.parametrize(("law", "variance"), [(Poisson(), 7.0), (Gaussian(), 4.0), (StudentT(5.0), 4.0 * 5.0 / 3.0)])
def test_drawn_data_have_the_mean_and_the_variance_of_their_law(law, variance):
    n = 40_000
    drawn = law.drawn(np.full(n, 7.0), np.full(n, 4.0), np.random.default_rng(3))
    assert drawn.mean() == pytest.approx(7.0, abs=4 * np.sqrt(variance / n))
    # The fourth moment of Student's law with five degrees of freedom is nine times the variance squared.
    assert drawn.var() == pytest.approx(variance, abs=4 * variance * np.sqrt(8.0 / n))
