"""Forward × objective: values, derivatives, and Gauss-Newton descents."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import FitError, UnstableError
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.objectives import chi2_profiled, correlation
from spinscape.infer.problem import Problem
from spinscape.infer.protocols import Forward, GradientForward, ModeForward, Objective
from spinscape.infer.simplex import nelder_mead
from spinscape.infer.strategies import Adam, Multistart

HERE = np.array([13.6, 4.8, 2.2])


@pytest.fixture
def problem(noisy, band):
    return Problem(band(), chi2_profiled([noisy()]))


def test_unstable_points_are_infinite_and_counted(problem):
    assert problem(np.array([-1.0, 0.0, 2.0])) == np.inf
    assert np.isfinite(problem(HERE))
    assert (problem.calls.n_call, problem.calls.n_unstable) == (2, 1)
    assert problem.counting().calls.n_call == 0


def test_an_overflow_is_an_error_and_not_a_minimum(problem):
    with pytest.raises(FitError, match="not a number"):
        problem(np.array([10.0, 0.0, np.nan]))


def test_differences_agree_with_a_known_derivative(problem, box, band):
    predictions, (jacobian,) = problem.linearise(HERE, box)
    assert predictions[0].shape == jacobian.shape[1:]
    energy, line = np.arange(30), HERE[0] + HERE[1] * np.cos(2 * np.pi * np.arange(24) / 24)
    by_a = predictions[0] * (energy - line[:, None]) / HERE[2] ** 2
    assert np.abs(jacobian[0] - by_a).max() < 1e-5
    _, (one_sided,) = problem.linearise(HERE, box, central=False)
    assert np.abs(one_sided[0] - by_a).max() < 1e-3


def test_derivatives_at_bounds_and_at_the_edge_of_stability_are_one_sided(problem, band):
    edge = Box(("a", "b", "width"), [-5.0, -10.0, 2.0], [25.0, 10.0, 5.0])
    at = np.array([0.0, 4.8, 2.0])
    _, (jacobian,) = problem.linearise(at, edge)
    inner = Box(edge.names, [-5.0, -10.0, 1.0], edge.upper)
    _, (reference,) = problem.linearise(np.array([1e-2, 4.8, 2.0]), inner)
    assert np.abs(jacobian - reference).max() < 5e-3
    cornered = Problem(_OnlyAt(at), problem.objective)
    with pytest.raises(FitError, match="unstable on both sides"):
        cornered.linearise(at, edge)
    with pytest.raises(FitError, match="unstable at the point"):
        problem.linearise(np.array([-1.0, 0.0, 2.0]), edge)


class _OnlyAt:
    """A model with one stable point."""

    def __init__(self, at):
        self.at = at

    def predict(self, parameters):
        if not np.array_equal(parameters, self.at):
            raise UnstableError("no stable state")
        return (np.ones((24, 30)),)


class _WithGradient:
    """A band that knows its derivatives by a and b, and not by the width."""

    def __init__(self, forward):
        self.forward = forward
        self.parameter_names, self.units, self.coupling_names = forward.parameter_names, forward.units, ("a", "b")

    def predict(self, parameters):
        return self.forward.predict(parameters)

    def gradient(self, parameters):
        image, cos = self.predict(parameters)[0], np.cos(2 * np.pi * np.arange(24) / 24)[:, None]
        by_a = image * (np.arange(30) - parameters[0] - parameters[1] * cos) / parameters[2] ** 2
        return (np.stack([by_a, by_a * cos]),)


def test_a_forward_s_own_derivatives_are_used_and_the_rest_is_filled_in(problem, box, band):
    exact = Problem(_WithGradient(band()), problem.objective)
    assert isinstance(exact.forward, GradientForward) and not isinstance(band(), GradientForward)
    (own,), (stepped,) = exact.linearise(HERE, box)[1], problem.linearise(HERE, box)[1]
    assert own.shape == stepped.shape
    assert np.abs(own - stepped).max() < 1e-5
    assert exact.calls.n_call == 3


def test_protocols_are_met(problem, band):
    assert isinstance(band(), Forward) and isinstance(band(), ModeForward)
    assert isinstance(problem.objective, Objective)


@pytest.mark.parametrize("central", [True, False])
def test_gauss_newton_ends_where_a_simplex_does(problem, box, central):
    refined = gauss_newton(problem, HERE, box=box, central=central)
    simplex = nelder_mead(problem, HERE, box=box, size=0.02, tolerance=1e-9, max_call=2000)
    assert refined.converged
    assert refined.value == pytest.approx(simplex.value, rel=1e-6)
    # One standard deviation is 0.03 meV here; the descent ends within a thousandth of one, one-sided steps add 1e-4.
    assert refined.parameters == pytest.approx(simplex.parameters, abs=3e-4)


def test_the_value_never_rises_and_bounds_hold(problem):
    tight = Box(("a", "b", "width"), [5.0, -10.0, 2.5], [13.0, 10.0, 5.0])
    start = np.array([11.5, 3.0, 3.5])
    refined = gauss_newton(problem, start, box=tight)
    assert refined.value < problem(start)
    assert refined.parameters[0] == 13.0 and refined.parameters[2] == 2.5
    assert -10.0 < refined.parameters[1] < 10.0


def test_parameters_that_cannot_be_told_apart_do_not_move(noisy, band, box):
    class Blind(type(band())):
        def predict(self, parameters):
            return band().predict(np.array([parameters[0] + parameters[1], 5.0, parameters[2]]))

    refined = gauss_newton(Problem(Blind(), chi2_profiled([noisy()])), np.array([10.0, 3.8, 2.1]), box=box)
    assert refined.parameters[:2].sum() == pytest.approx(14.0, abs=0.1)


def test_pixels_are_drawn_without_replacement_and_by_key(noisy, band):
    seen = []

    class Pixels(type(band())):
        def predict_pixels(self, parameters, pixels):
            seen.append(pixels)
            images = self.predict(parameters)
            values = tuple(i.reshape(-1)[p] for i, p in zip(images, pixels, strict=True))
            return values, lambda slopes: np.array([s.sum() for s in slopes])

    sets = [noisy(1), noisy(2, missing=False)]
    problem = Problem(Pixels(n_set=2), chi2_profiled(sets))
    value, _ = problem.sample_gradient(HERE, np.random.default_rng(0), n_pixel=300)
    problem.sample_gradient(HERE, np.random.default_rng(0), n_pixel=300)
    first, again = seen
    assert sum(len(p) for p in first) == 300 and np.isfinite(value)
    for p, q, m in zip(first, again, sets, strict=True):
        assert np.array_equal(p, q) and len(np.unique(p)) == len(p)
        assert m.valid.reshape(-1)[p].all()
    with pytest.raises(FitError, match="differentiable forward"):
        Problem(band(), problem.objective).sample_gradient(HERE, np.random.default_rng(0), n_pixel=10)


class _BandOfPixels(_WithGradient):
    """A band of one line with width 2 that answers for single pixels, as a network does."""

    def __init__(self, forward):
        super().__init__(forward)
        self.parameter_names = ("a", "b")

    def predict(self, parameters):
        return self.forward.predict(np.append(parameters[:2], 2.0))

    def gradient(self, parameters):
        return super().gradient(np.append(parameters[:2], 2.0))

    def predict_pixels(self, parameters, pixels):
        values = self.predict(parameters)[0].reshape(-1)[pixels[0]]
        slopes = self.gradient(parameters)[0].reshape(2, -1)[:, pixels[0]]
        return (values,), lambda weights: slopes @ weights[0]


def test_adam_on_batches_of_pixels_ends_where_the_whole_image_has_its_minimum(noisy, band):
    measurement = noisy(missing=True)
    clipped = replace(measurement, signal=np.maximum(measurement.signal, 0.0))
    problem = Problem(_BandOfPixels(band()), correlation([clipped], c_model=10.0))
    small = Box(("a", "b"), [10.0, 2.0], [18.0, 8.0])
    best = Adam(n_start=3, n_step=400, batch_size=200).minimise(problem, small, 4).best
    whole = Multistart(n_sobol=32, n_refine=2).minimise(problem, small, 4).best
    # Batches of a third of the pixels scatter the end by a few steps of 0.005 × 8 meV.
    assert best.parameters == pytest.approx(whole.parameters, abs=0.1)
    assert best.objective == pytest.approx(whole.objective, abs=2e-3)
    assert best.n_start == 3
