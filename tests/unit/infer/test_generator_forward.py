"""A generator as a forward model: its images on the measurement's axes, its own error in the intervals."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.experiment.measurement import ThermalMeasurement
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.generator_forward import JoinedForward, generator_forward, joined, surrogate_covariance
from spinscape.infer.intervals import information_covariance
from spinscape.infer.latent_chi2 import latent_chi2
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.robust_descents import RobustDescents
from spinscape.infer.robust_tiled import robust_tiled
from spinscape.infer.weighted_sum import Term, weighted_sum
from spinscape.learn.compressor import fit_pca
from spinscape.stages import fit_job

from .test_robust_tiled import N, hills, measured, plane

BOX = Box.from_intervals({"x": (0.2, 1.8), "y": (0.2, 1.8)})


@dataclass(frozen=True)
class Hills:
    """A generator with a closed form; ``wrong`` moves its hills along x."""

    wrong: float = 0.0
    parameter_names: tuple = ("x", "y")

    def predict(self, theta):
        return hills(np.atleast_2d(theta)[0] + [self.wrong, 0.0])[None]

    def gradient(self, theta):
        theta = np.atleast_2d(theta)[0]
        steps = 1e-5 * np.eye(2)
        return np.array([(self.predict(theta + s)[0] - self.predict(theta - s)[0]) / 2e-5 for s in steps])[None]

    def error_columns(self, theta):
        """One error of the images: that of couplings off by 0.05 along x."""
        return 0.05 * self.gradient(theta)[0][:1]


def problem(data, generator=None):
    forward = generator_forward(generator or Hills(), [data], voxels=[(plane(), 0)])
    return Problem(forward, robust_tiled([data], model_error=0.0))


def noisy(seed=1, scale=3.0):
    rng = np.random.default_rng(seed)
    return measured(scale * hills([0.7, 1.2]) + 0.3 + 0.05 * rng.standard_normal(N * N), std=0.05)


def test_the_fit_finds_the_couplings():
    found = RobustDescents().minimise(problem(noisy()), BOX, 1)
    assert found.best.parameters == pytest.approx([0.7, 1.2], abs=0.02)
    assert np.array_equal(found.best.parameters, RobustDescents().minimise(problem(noisy()), BOX, 1).best.parameters)


def test_its_errors_are_the_scatter_of_the_answers():
    """Of 80 measurements, a tenth of whose pixels are spoilt: standard deviations are right to four of their errors."""
    found, stds = [], []
    for seed in range(80):
        data = noisy(seed)
        rng = np.random.default_rng([seed, 1])
        spoilt = data.signal + 2.0 * (rng.random(data.shape) < 0.1)
        one = problem(measured(spoilt, std=0.05))
        best = gauss_newton(one, np.array([0.7, 1.2]), box=BOX).parameters
        found.append(best)
        stds.append(information_covariance(one, best, BOX).std)
    ratio = np.std(found, axis=0) / np.sqrt(np.mean(np.square(stds), axis=0))
    assert np.abs(ratio - 1.0).max() < 4.0 / np.sqrt(2 * 80)


def test_the_generators_error_moves_the_couplings_as_it_says():
    """The answer of a generator that is off by one standard deviation is off by what the covariance says."""
    one = problem(noisy())
    best = RobustDescents().minimise(one, BOX, 1).best.parameters
    covariance = surrogate_covariance(one, best, BOX)
    other = RobustDescents().minimise(problem(noisy(), Hills(wrong=0.05)), BOX, 1).best.parameters
    assert covariance.std[0] == pytest.approx(abs(other[0] - best[0]), rel=0.1)
    assert covariance.std[0] == pytest.approx(0.05, rel=0.05) and covariance.std[1] < 0.01


def test_other_axes_are_refused():
    small = measured(hills([1.0, 1.0], 10), std=0.1)
    with pytest.raises(FitError, match="axes"):
        generator_forward(Hills(), [small], voxels=[(plane(), 0)])


def test_fixed_couplings_are_held():
    forward = generator_forward(Hills(), [noisy()], voxels=[(plane(), 0)], fixed={"y": 1.2})
    assert forward.parameter_names == ("x",)
    assert np.array_equal(forward.predict([0.7])[0].ravel(), hills([0.7, 1.2]))
    assert forward.gradient([0.7])[0].shape == (1, N * N, 1)


OBJECTIVES = {
    "likelihood": lambda data: gaussian_likelihood([data], background=BackgroundForm("none", degree=(0, 0))),
    "latent_chi2": lambda data: latent_chi2(
        [data], compressor=HILLS, scale=None, background=BackgroundForm("none", degree=(0, 0))
    ),
}
HILLS = fit_pca(
    np.array([hills(BOX.from_unit(u)) + 0.2 * v for *u, v in np.random.default_rng(1).random((200, 3))]), n_latent=8
)


@pytest.mark.parametrize("kind", list(OBJECTIVES))
def test_it_moves_them_so_with_every_objective_that_eliminates_scale_and_background(kind):
    found = []
    for wrong in (0.0, 0.02):
        forward = generator_forward(Hills(wrong=wrong), [noisy()], voxels=[(plane(), 0)])
        one = Problem(forward, OBJECTIVES[kind](noisy()))
        found.append(gauss_newton(one, np.array([0.7, 1.2]), box=BOX).parameters)
        if not wrong:
            # Of an error of 0.05 along x.
            std = surrogate_covariance(one, found[0], BOX).std
    assert np.abs(found[1] - found[0]) == pytest.approx(0.02 / 0.05 * std, rel=0.05, abs=2e-4)
    assert std[0] == pytest.approx(0.05, rel=0.05)


@dataclass(frozen=True)
class Heat:
    """A heat capacity at 1, 3 and 2 K, as they were simulated, that knows y alone."""

    wrong: float = 0.0
    parameter_names: tuple = ("x", "y")

    def predict(self, theta):
        return ((np.atleast_2d(theta)[0, 1] + self.wrong) * np.array([1.0, 3.0, 4.0]))[None]

    def gradient(self, theta):
        return np.array([[np.zeros(3), [1.0, 3.0, 4.0]]])

    def error_columns(self, theta):
        return 0.1 * self.gradient(theta)[0][1:]


def heat_table(temperatures, std=0.05):
    """Return a table of the truth y = 1.2: 1, 4 and 3 times it at 1, 2 and 3 K, straight lines between."""
    values = 1.2 * np.interp(temperatures, [1.0, 2.0, 3.0], [1.0, 4.0, 3.0])[:, None]
    ones = np.ones_like(values)
    return ThermalMeasurement("heat", "heat_capacity", np.array(temperatures), values, ones > 0, std * ones)


def joint(data, table, *, wrong=0.0):
    parts = [
        generator_forward(Heat(wrong), [table], voxels=[([1.0, 3.0, 2.0], 0)]),
        generator_forward(Hills(), [data], voxels=[(plane(), 0)]),
    ]
    heat = gaussian_likelihood([table], background=BackgroundForm("none"), scale=1.0)
    terms = [Term(robust_tiled([data], model_error=0.0), (1,)), Term(heat, (0,))]
    return Problem(joined(parts, [(0,), (1,)]), weighted_sum(terms, n_measurement=2))


def test_a_table_lies_on_straight_lines_between_the_simulated_temperatures():
    one = joint(noisy(), heat_table([1.5, 2.0, 2.5]))
    heat, image = one.forward.predict([0.7, 1.2])
    assert heat.ravel() == pytest.approx([1.2 * 2.5, 1.2 * 4.0, 1.2 * 3.5])
    assert image.shape == noisy().shape
    with pytest.raises(FitError, match="beyond the simulated temperatures"):
        joint(noisy(), heat_table([0.5, 2.0]))


def test_generators_of_several_quantities_fit_jointly_and_their_errors_move_the_couplings_as_they_say():
    """The table narrows y; its generator's error, taken once, moves y by what the covariance says, and no more."""
    table = heat_table([1.5, 2.0, 2.5], std=0.005)
    one = joint(noisy(), table)
    best = RobustDescents().minimise(one, BOX, 1).best.parameters
    assert best == pytest.approx([0.7, 1.2], abs=0.02)
    errors = one.forward.error_images(best)
    assert [e.shape[0] for e in errors] == [2, 2] and not errors[0][1].any() and not errors[1][0].any()
    std = surrogate_covariance(one, best, BOX).std
    other = RobustDescents().minimise(joint(noisy(), table, wrong=0.1), BOX, 1).best.parameters
    moved = gauss_newton(joint(noisy(), table, wrong=0.02), best, box=BOX).parameters - best
    assert abs(moved[1]) / 0.02 == pytest.approx(std[1] / 0.1, rel=0.1)
    assert other[1] < best[1] - 0.05


def test_the_search_stays_where_all_generators_have_learnt(caplog):
    one, other = (replace(problem(noisy()).forward, generator=SimpleNamespace(box=np.array(b), parameter_names="xy"))
                  for b in ([[0.1, 0.3], [1.5, 2.0]], [[0.0, 0.5], [1.7, 1.6]]))  # fmt: skip
    both = JoinedForward((one, other), ((0,), (1,)))
    assert both.known.tolist() == [[0.1, 0.5], [1.5, 1.6]]
    box = fit_job._box({"x": (0.2, 1.8), "y": (0.2, 1.8)}, both)
    assert box.to_dict() == {"x": [0.2, 1.5], "y": [0.5, 1.6]}
    assert "y: nothing is simulated beyond 0.5 to 1.6" in caplog.text
    with pytest.raises(FitError, match="beyond what the model has learnt from"):
        fit_job._box({"x": (1.6, 1.8), "y": (0.2, 1.8)}, both)
