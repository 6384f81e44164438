"""Whole fits: what stands in the result, what is warned of, what a failure costs."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.derived import combinations
from spinscape.infer.fit import Clip, Fit, FitVariant, UncertaintyOptions, run_fit
from spinscape.infer.intervals import interval_width
from spinscape.infer.objectives import chi2_profiled
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.strategies import Adam, Multistart
from spinscape.infer.uncertainty import Covariance

SEARCH = Multistart(n_sobol=64, n_refine=3)
ERRORS = UncertaintyOptions(hessian=True, bootstrap=(4, 5), n_replica=30, jackknife=3)
MODES = {"top": (0.0, 0.0, 0.0), "middle": (0.25, 0.0, 0.0)}


@pytest.fixture
def fit(noisy, band, box):
    measurement = noisy()
    objective = chi2_profiled([measurement])
    narrow = Box(("a", "b"), box.lower[:2], box.upper[:2])
    thinner = Problem(band(("a", "b"), ("meV", "meV"), fixed_width=1.8), objective)
    wider = Problem(band(("a", "b"), ("meV", "meV"), fixed_width=2.4), objective)
    variants = (FitVariant("thinner", thinner, narrow), FitVariant("wider", wider, narrow))
    problem = Problem(band(), objective)
    return Fit("toy", problem, SEARCH, box, (measurement,), MODES, ERRORS, variants)


def test_a_fit_recovers_what_was_put_in_and_says_how_well(fit):
    result, search = run_fit(fit, seed=1, provenance={"data": "none"})
    plain = json.loads(json.dumps(result.to_dict()))
    assert set(plain["parameters"]) == {"a", "b"} and set(plain["nuisances"]) == {"width"}
    for name, truth in (("a", 14.0), ("b", 5.0)):
        estimate = plain["parameters"][name]
        assert estimate["value"] == pytest.approx(truth, abs=4 * estimate["std"])
        assert estimate["unit"] == "meV" and 0.005 < estimate["std"] < 0.3
        low, high = estimate["interval68"]
        methods, method = estimate["std_by_method"], estimate["method"]
        # A standard deviation of six groups of pixels (two segments, three bands) has Student's intervals.
        groups = 6 if method == "jackknife" else None
        for level, (low, high) in ((0.6827, estimate["interval68"]), (0.95, estimate["interval95"])):
            width = 2 * interval_width(level, n_group=groups) * estimate["std"]
            assert high - low == pytest.approx(width, rel=1e-3) and low < estimate["value"] < high
        assert set(methods) == {"hessian", "bootstrap", "jackknife"}
        assert estimate["std"] == methods[method] and estimate["identifiable"]
        assert (
            max(methods, key=lambda m: methods[m] * interval_width(0.95, n_group=6 if m == "jackknife" else None))
            == method
        )
    assert plain["objective"]["kind"] == "chi2_profiled"
    assert plain["objective"]["value"] == search.best.objective == plain["minima"][0]["objective"]
    assert plain["quality"]["chi2_per_dof"] == pytest.approx(1.0, abs=0.2)
    assert plain["strategy"]["kind"] == "multistart" and plain["strategy"]["n_call"] == search.n_call
    assert plain["provenance"]["data"] == "none" and plain["provenance"]["box"]["a"] == [5.0, 25.0]
    assert result.values["width"] == pytest.approx(2.0, abs=0.1)


def test_equal_seeds_give_equal_results(fit):
    assert run_fit(fit, seed=7)[0].to_dict() == run_fit(fit, seed=7)[0].to_dict()


def test_modes_have_the_errors_of_their_couplings(fit):
    """The band is at a + b at the top and at a in the middle: the delta method must give just these errors."""
    result, _ = run_fit(fit, seed=1)
    values, names = result.values, result.correlation["names"]
    assert result.modes["top"].value == pytest.approx(values["a"] + values["b"], abs=1e-9)
    assert result.modes["middle"].std == pytest.approx(result.parameters["a"].std, rel=1e-3)
    i, j = names.index("a"), names.index("b")
    rho, method = result.correlation["matrix"][i][j], result.correlation["method"]
    a, b = (result.parameters[n].std_by_method[method] for n in "ab")
    expected = np.sqrt(a**2 + b**2 + 2 * rho * a * b)
    assert result.modes["top"].std_by_method[method] == pytest.approx(expected, rel=1e-3)


def test_the_systematic_error_is_half_the_spread_over_the_variants(fit):
    result, _ = run_fit(fit, seed=1)
    values = [result.parameters["b"].value] + [v.parameters["b"] for v in result.variants]
    assert result.parameters["b"].systematic == pytest.approx(0.5 * np.ptp(values))
    tops = [result.modes["top"].value] + [v.modes["top"] for v in result.variants]
    assert result.modes["top"].systematic == pytest.approx(0.5 * np.ptp(tops))
    assert result.nuisances["width"].systematic is None
    assert [v.label for v in result.variants] == ["thinner", "wider"]
    assert all(v.objective > result.objective["value"] for v in result.variants)


def test_a_variant_that_fails_is_told_and_costs_nothing_else(fit, band):
    class Broken(band):
        def predict(self, parameters):
            raise FitError("this variant cannot be")

    broken = FitVariant("broken", Problem(Broken(), fit.problem.objective), fit.box)
    result, _ = run_fit(replace(fit, variants=(*fit.variants, broken)), seed=1)
    assert result.variants[-1].error.startswith("this variant cannot be")
    assert any("broken" in warning for warning in result.warnings)
    assert result.parameters["a"].systematic is not None


def test_bounds_poor_fits_and_moves_are_warned_of(fit, band):
    low = Box(fit.box.names, fit.box.lower, [25.0, 3.0, 5.0])
    result, _ = run_fit(replace(fit, box=low, variants=()), seed=1)
    text = "\n".join(result.warnings)
    assert "b sits at a bound" in text and "χ²/dof" in text
    estimate = result.parameters["b"]
    assert estimate.at_bound and "hessian" not in estimate.std_by_method
    assert estimate.interval95 is None or estimate.interval95[1] <= 3.0
    assert result.parameters["a"].systematic is None


def test_an_error_that_cannot_be_had_is_a_warning(fit):
    options = UncertaintyOptions(hessian=False, bootstrap=(100, 100), n_replica=20)
    result, _ = run_fit(replace(fit, uncertainty=options, variants=()), seed=1)
    none = run_fit(replace(fit, uncertainty=UncertaintyOptions(hessian=False), variants=()), seed=1)[0]
    assert none.parameters["a"].std is None and none.parameters["a"].interval68 is None
    assert none.combinations == () and none.correlation["method"] is None
    # Two blocks in all, one for each segment: the replicas without one of them have still a fit.
    assert result.parameters["a"].std is not None


def test_forwards_without_modes_report_none_and_networks_say_where_they_extrapolate(fit, band):
    class Network:
        parameter_names, units, coupling_names = ("a", "b", "width"), ("meV",) * 3, ("a", "b")

        def predict(self, parameters):
            return band().predict(parameters)

        def outside(self, parameters):
            return ("energy",)

    result, _ = run_fit(replace(fit, problem=Problem(Network(), fit.problem.objective), variants=()), seed=1)
    assert result.modes == {}
    assert any("energies outside of its training" in w for w in result.warnings)


def test_a_box_of_another_model_is_refused(fit, band):
    with pytest.raises(FitError, match="does not fit the forward model"):
        replace(fit, box=Box(("a", "b"), [0, 0], [1, 1]))


def test_adam_without_pixel_gradients_is_refused(fit):
    with pytest.raises(FitError, match="multistart"):
        run_fit(replace(fit, strategy=Adam(n_start=1, n_step=2)), seed=0)


def test_combinations_are_uncorrelated_and_in_words():
    matrix = np.array([[1.0, 0.49, 0.0], [0.49, 0.25, 0.0], [0.0, 0.0, 9.0]])
    covariance = Covariance(("J", "K", "w"), matrix, (), "hessian")
    best, worst = combinations(covariance, {"J": 10.0, "K": 2.0, "w": 1.0}, names=("J", "K"), unit="meV")
    assert best.std < worst.std
    first, second = (np.array([c.coefficients["J"], c.coefficients["K"]]) for c in (best, worst))
    assert first @ matrix[:2, :2] @ second == pytest.approx(0.0, abs=1e-12)
    assert best.std == pytest.approx(np.sqrt(first @ matrix[:2, :2] @ first))
    assert best.value == pytest.approx(first @ [10.0, 2.0])
    assert best.text.startswith("K − 0.49") and best.text.endswith("meV")
    held = Covariance(("J", "K"), np.diag([1.0, 0.0]), ("K",), "hessian")
    assert [c.text for c in combinations(held, {"J": 3.0, "K": 0.0}, names=("J", "K"), unit="meV")] == ["J = 3 ± 1 meV"]


def test_a_simulated_measurement_is_not_judged_by_its_groups(fit):
    """What the model cannot describe is not in it: the jackknife is shown, and not quoted."""
    simulated = replace(fit, measurements=tuple(replace(m, simulated=True) for m in fit.measurements))
    for name, estimate in run_fit(simulated, seed=1)[0].parameters.items():
        assert estimate.method in ("hessian", "bootstrap"), name
        assert "jackknife" in estimate.std_by_method


def test_all_methods_agree_on_clean_data_and_say_what_they_cost(fit):
    objective = gaussian_likelihood(fit.measurements)
    problem = Problem(fit.problem.forward, objective)
    options = UncertaintyOptions(
        information=True, bootstrap=(4, 5), n_replica=30, profile=True, posterior=400,
        freer=gaussian_likelihood(fit.measurements, background=BackgroundForm("row_segment")), line_shape=2.0,
    )  # fmt: skip
    result, _ = run_fit(replace(fit, problem=problem, uncertainty=options, clip=Clip()), seed=1)
    plain = json.loads(json.dumps(result.to_dict()))
    for estimate in plain["parameters"].values():
        stds = estimate["std_by_method"]
        assert set(stds) == {"hessian", "information", "bootstrap", "robust", "shaped", "posterior"}
        # Few replicas and a chain of finite length tell a standard deviation to a quarter.
        assert np.ptp(list(stds.values())) < 0.5 * max(stds.values())
        assert stds["robust"] >= stds["information"] and stds["shaped"] >= stds["robust"]
        low, high = estimate["intervals"]["profile"]["95"]
        assert high - low == pytest.approx(2 * 1.96 * stds["hessian"], rel=0.15)
        low, high = estimate["intervals"]["posterior"]["68"]
        assert high - low == pytest.approx(2 * stds["posterior"], rel=0.2)
    assert plain["details"]["posterior"]["n_call"] > 1000 and plain["strategy"]["n_call_errors"] > 1000
    assert plain["details"]["clip"]["share"] < 0.02
    assert plain["details"]["line_shape"]["fits"] and plain["details"]["identifiability"]["unidentifiable"] == []
    assert "is known to" in plain["details"]["identifiability"]["sentences"][0]


@dataclass(frozen=True)
class Sum:
    """Only the sum of two couplings is in the spectrum: their difference is open."""

    inner: object
    parameter_names: tuple[str, ...] = ("a", "c")
    units: tuple[str, ...] = ("meV", "meV")
    coupling_names: tuple[str, ...] = ("a", "c")

    def predict(self, parameters):
        return self.inner.predict([parameters[0] + parameters[1], 5.0])


def test_a_coupling_that_the_data_do_not_determine_has_no_number(fit, band):
    source = Sum(band(("a", "b"), ("meV", "meV"), fixed_width=2.0))
    box = Box.from_intervals({"a": (5.0, 15.0), "c": (0.0, 6.0)})
    problem = Problem(source, gaussian_likelihood(fit.measurements))
    open_fit = replace(fit, problem=problem, box=box, variants=(), uncertainty=UncertaintyOptions(information=True))
    result, _ = run_fit(open_fit, seed=1)
    assert all(e.std is None and not e.identifiable and e.interval95 is None for e in result.parameters.values())
    assert any("do not determine a, c" in w for w in result.warnings)
    assert any("flat" in w or "not positive" in w for w in result.warnings)
    found = result.details["identifiability"]
    # What is known is the sum: both directions are in words.
    assert found["directions"][0]["text"] == "a + c" and found["directions"][0]["std"] < 0.1
