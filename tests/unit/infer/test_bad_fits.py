"""What a fit refuses, and what it warns of: errors, counts and axes that cannot be right."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import DataError, FitError
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.fit import Fit, run_fit
from spinscape.infer.objectives import chi2_profiled
from spinscape.infer.poisson import gaussian_likelihood, likelihood, student_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.strategies import strategy_by_name

BOX = Box.from_intervals({"a": (6.0, 20.0), "b": (1.0, 9.0), "width": (1.0, 4.0)})


def fitted(band, measurement, objective, box=BOX):
    fit = Fit("bad", Problem(band(), objective), strategy_by_name("grid_start", n_point=16), box, (measurement,))
    return run_fit(fit, seed=1)[0]


def test_negative_errors_are_refused_where_the_measurement_is_made(band, measure):
    image = band().predict([12.0, 5.0, 2.0])[0]
    std = np.full(image.shape, 0.1)
    std[3, 4] = -0.1
    with pytest.raises(DataError, match=r"negative[\s\S]*1 pixels[\s\S]*variances"):
        measure(image, std=std)
    # Where nothing was measured any number may stand.
    measure(image, std=std, valid=std > 0)


@pytest.mark.parametrize("make", [gaussian_likelihood, student_likelihood, likelihood, chi2_profiled])
def test_errors_of_zero_are_refused_where_they_are_read(band, measure, make):
    image = band().predict([12.0, 5.0, 2.0])[0]
    with pytest.raises(FitError, match="no usable standard deviation"):
        make([measure(image, std=np.zeros(image.shape))])


def test_nothing_but_zero_counts_is_no_measurement(band, measure):
    one = measure(np.zeros(band().predict([12.0, 5.0, 2.0])[0].shape))
    with pytest.raises(FitError, match="nothing was counted"):
        likelihood([replace(one, provenance={"counts_per_unit": 1.0})])
    with pytest.raises(FitError, match=r"too few neighbouring|no noise"):
        gaussian_likelihood([one])


def test_axes_that_do_not_overlap_the_simulation_are_told(band, measure):
    image = band().predict([12.0, 5.0, 2.0])[0]
    one = measure(image, std=np.full(image.shape, 0.1))
    away = Box.from_intervals({"a": (900.0, 990.0), "b": (1.0, 9.0), "width": (1.0, 4.0)})
    for objective in (gaussian_likelihood([one]), chi2_profiled([one])):
        with pytest.raises(FitError, match=r"no intensity where the measurement is[\s\S]*axes that overlap"):
            fitted(band, one, objective, away)


def test_a_background_with_more_freedom_than_data_is_refused(band, measure):
    image = band().predict([12.0, 5.0, 2.0])[0]
    few = np.zeros(image.shape, bool)
    few[:2] = True
    one = measure(image, std=np.full(image.shape, 0.1), valid=few)
    with pytest.raises(FitError, match="more freedom than the measurement has pixels"):
        gaussian_likelihood([one], background=BackgroundForm("row", (3, 40)))


def test_a_likelihood_that_is_flat_in_a_coupling_gives_no_number(band, measure):
    """One momentum: a and b are one number, E(q) = a + b cos 2πq."""
    rng, image = np.random.default_rng(5), band().predict([12.0, 5.0, 2.0])[0]
    seen = np.zeros(image.shape, bool)
    seen[4] = True
    one = measure(image + 0.02 * rng.normal(size=image.shape), std=np.full(image.shape, 0.02), valid=seen)
    objective = gaussian_likelihood([one], background=BackgroundForm("none", (0, 0)))
    result = fitted(band, one, objective)
    assert all(e.std is None and not e.identifiable for e in result.parameters.values())
    assert any("do not determine a, b" in w for w in result.warnings)
    # So with few counts, where a profile would be asked for: nothing is simulated.
    counts = replace(one, signal=np.random.default_rng(6).poisson(40.0 * np.abs(image)).astype(float), std=None,
                     provenance={"counts_per_unit": 1.0})  # fmt: skip
    of_counts = fitted(band, counts, likelihood([counts], background=BackgroundForm("none", (0, 0))))
    assert all(e.std is None and not e.identifiable for e in of_counts.parameters.values())
    assert any("no profile error: the likelihood is flat" in w for w in of_counts.warnings)
    sentence = result.details["identifiability"]["sentences"][0]
    # cos(2π/6) = 1/2: what is known is a + b/2.
    assert sentence.startswith("a + 0.5 b is known to")
