"""What to measure next: information that adds up, open directions, and counts that are still needed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import FitError
from spinscape.infer.planning import counts_needed, gains, stds_of

NAMES = ("J", "K")


def positive(seed, n=3):
    root = np.random.default_rng(seed).normal(size=(n, n + 2))
    return root @ root.T


@given(st.integers(0, 10_000))
def test_standard_deviations_are_those_of_the_inverse(seed):
    information = positive(seed)
    np.testing.assert_allclose(stds_of(information, 2), np.sqrt(np.diag(np.linalg.inv(information)))[:2], rtol=1e-6)


@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
def test_the_same_again_shrinks_all_intervals_by_the_root_of_its_share(seed, time):
    information = positive(seed)
    before, (option,) = gains(information, [("again", time * information, 1.0)], names=NAMES)
    assert option.factor == pytest.approx((1.0 + time) ** -0.5, rel=1e-6)
    for name in NAMES:
        assert option.stds[name] == pytest.approx(before.stds[name] * (1.0 + time) ** -0.5, rel=1e-5)


def test_the_option_that_sees_the_open_direction_is_the_most_telling():
    present = np.diag([100.0, 0.0, 1.0])
    options = [("more of J", np.diag([1e4, 0.0, 0.0]), 1.0), ("sees K", np.diag([0.0, 4.0, 0.0]), 1.0)]
    before, (best, other) = gains(present, options, names=NAMES)
    assert before.stds == {"J": pytest.approx(0.1), "K": np.inf}
    assert best.label == "sees K" and best.stds["K"] == pytest.approx(0.5) and best.factor == 0.0
    assert other.stds["K"] == np.inf
    # Where J alone is asked for, K is a nuisance.
    assert gains(present, options, names=NAMES, wanted=["J"])[1][0].label == "more of J"


def test_a_nuisance_that_an_option_tells_counts():
    # J and the nuisance move the data alike; the option sees the nuisance alone, and so helps J.
    shared = np.array([[1.0, 0.0, 0.999], [0.0, 1.0, 0.0], [0.999, 0.0, 1.0]])
    before, (option,) = gains(shared, [("width", np.diag([0.0, 0.0, 100.0]), 1.0)], names=NAMES)
    assert option.stds["J"] < 0.1 * before.stds["J"] and option.stds["K"] == pytest.approx(before.stds["K"])


def test_counts_needed_go_with_the_square():
    assert counts_needed(500.0, 0.3, 0.1) == pytest.approx(4500.0)


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(FitError, match="nothing to choose"):
        gains(np.eye(3), [], names=NAMES)
    with pytest.raises(FitError, match="Q is no free coupling"):
        gains(np.eye(3), [("a", np.eye(3), 1.0)], names=NAMES, wanted=["Q"])
