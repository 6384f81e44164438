"""The sum of objectives: values, gradients and intervals against those of the parts."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.box import Box
from spinscape.infer.clip import clipped_fit
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.objectives import chi2_profiled, correlation
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.uncertainty import hessian_covariance
from spinscape.infer.weighted_sum import Term, weighted_sum

TRUTH = np.array([12.0, 5.0, 2.0])
BOX = Box.from_intervals({"a": (6.0, 20.0), "b": (1.0, 9.0), "width": (1.0, 4.0)})


@pytest.fixture
def pair(band, measure):
    """Two measurements of one band, the second brighter, with known noise."""
    forward, rng = band(n_set=2), np.random.default_rng(3)
    images = forward.predict(TRUTH)
    stds = [0.02, 0.05]
    noisy = [
        measure(i + s * rng.normal(size=i.shape), std=np.full(i.shape, s), name=f"m{k}")
        for k, (i, s) in enumerate(zip(images, stds, strict=True))
    ]
    return forward, noisy


def test_equal_weights_are_the_joint_objective(pair):
    forward, measurements = pair
    joint = Problem(forward, chi2_profiled(measurements))
    terms = [Term(chi2_profiled([m]), (k,)) for k, m in enumerate(measurements)]
    summed = Problem(forward, weighted_sum(terms, n_measurement=2))
    assert summed(TRUTH) == pytest.approx(joint(TRUTH), rel=1e-12)
    best = gauss_newton(joint, TRUTH + 0.1, box=BOX).parameters
    a, b = (hessian_covariance(p, best, BOX).matrix for p in (joint, summed))
    scale = np.sqrt(np.outer(np.diag(a), np.diag(a)))
    # The sum's law has the expected curvature beside that of the data; they differ by the noise, here by under 1 %.
    np.testing.assert_allclose(b / scale, a / scale, atol=1e-2)


def test_clipping_of_a_sum_of_likelihoods_is_that_of_the_joint_one_and_spares_other_terms(pair):
    forward, measurements = pair
    spoilt = measurements[0].signal.copy()
    spoilt[3:8, 20:26] += 0.3  # fifteen standard deviations
    both = [replace(measurements[0], signal=spoilt), measurements[1]]
    joint = Problem(forward, gaussian_likelihood(both))
    terms = [Term(gaussian_likelihood([m]), (k,)) for k, m in enumerate(both)]
    mixed = [terms[0], Term(chi2_profiled([both[1]]), (1,))]
    ends = {}
    for name, parts in {"sum": terms, "mixed": mixed}.items():
        problem = Problem(forward, weighted_sum(parts, n_measurement=2))
        ends[name] = clipped_fit(problem, gauss_newton(problem, TRUTH, box=BOX).parameters, BOX)
    wanted = clipped_fit(joint, gauss_newton(joint, TRUTH, box=BOX).parameters, BOX)
    assert all(np.array_equal(a, b) for a, b in zip(ends["sum"].kept, wanted.kept, strict=True))
    assert ends["sum"].parameters == pytest.approx(wanted.parameters, rel=1e-5)
    assert not ends["mixed"].kept[0][4:7, 21:25].any() and ends["mixed"].kept[1].all()
    assert np.abs(ends["mixed"].parameters - TRUTH).max() < 0.1


def test_the_derivative_is_that_of_differences(pair):
    forward, measurements = pair
    terms = [Term(correlation([measurements[1]]), (1,), 3.0), Term(chi2_profiled([measurements[0]]), (0,), 0.5)]
    objective = weighted_sum(terms, n_measurement=2)
    images = forward.predict(TRUTH)
    value, slopes = objective.derivative(images)
    assert value == pytest.approx(objective.value(images))
    rng = np.random.default_rng(4)
    move = tuple(1e-5 * rng.normal(size=i.shape) for i in images)
    up, down = (objective.value(tuple(i + s * m for i, m in zip(images, move, strict=True))) for s in (1, -1))
    along = sum(float((s * m).sum()) for s, m in zip(slopes, move, strict=True))
    assert along == pytest.approx((up - down) / 2, rel=1e-4)


def test_a_weight_moves_the_minimum_towards_its_term(band, measure):
    forward = band(n_set=2)
    first, second = forward.predict(TRUTH)[0], forward.predict(TRUTH + np.array([0.6, 0, 0]))[1]
    pair = [measure(i, std=np.full(i.shape, 0.05), name=f"m{k}") for k, i in enumerate((first, second))]
    ends = []
    for weight in (0.01, 1.0, 100.0):
        terms = [Term(chi2_profiled([m]), (k,), w) for k, (m, w) in enumerate(zip(pair, (1.0, weight), strict=True))]
        problem = Problem(forward, weighted_sum(terms, n_measurement=2))
        ends.append(gauss_newton(problem, TRUTH, box=BOX, max_step=60).parameters[0])
    assert ends[0] == pytest.approx(12.0, abs=0.05) and ends[2] == pytest.approx(12.6, abs=0.05)
    assert 12.1 < ends[1] < 12.58


def test_intervals_of_a_weighted_sum_are_those_of_its_scatter(band, measure):
    """The sandwich says how far refits of new noise scatter; weights that are not one make no narrower interval."""
    forward, rng, ends, stds = band(n_set=2), np.random.default_rng(11), [], []
    images = forward.predict(TRUTH)
    for _ in range(40):
        pair = [
            measure(i + 0.05 * rng.normal(size=i.shape), std=np.full(i.shape, 0.05), name=f"m{k}")
            for k, i in enumerate(images)
        ]
        terms = [Term(chi2_profiled([pair[0]]), (0,), 1.0), Term(chi2_profiled([pair[1]]), (1,), 9.0)]
        problem = Problem(forward, weighted_sum(terms, n_measurement=2))
        ends.append(gauss_newton(problem, TRUTH, box=BOX).parameters)
        predictions, jacobians = problem.linearise(ends[-1], BOX)
        _, matrix = problem.objective.normal_equations(predictions, jacobians)
        stds.append(np.sqrt(np.diag(problem.objective.covariance(predictions, jacobians, matrix))))
    ratio = np.std(ends, axis=0, ddof=1) / np.mean(stds, axis=0)
    # Forty refits tell a standard deviation to 11 %; four of that.
    np.testing.assert_allclose(ratio, 1.0, atol=0.45)


def test_every_measurement_has_one_term(pair):
    _, measurements = pair
    term = Term(chi2_profiled([measurements[0]]), (0,))
    with pytest.raises(FitError, match="every measurement once"):
        weighted_sum([term], n_measurement=2)
    with pytest.raises(FitError, match="positive"):
        weighted_sum([Term(term.objective, (0,), 0.0)], n_measurement=1)
