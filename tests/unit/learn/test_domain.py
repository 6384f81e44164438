"""What a network was trained on: standardised inputs, and flags for what lies outside."""

import json

import numpy as np
import pytest

from spinscape.errors import ShapeError, TrainingError
from spinscape.learn.domain import TrainingDomain

Q = np.linspace([0.5, 0.0, 2.0], [0.7, 0.0, 2.0], 5)


def domain(**changes):
    settings = {
        "parameter_names": ("J", "fixed"),
        "q_points": Q,
        "energy": np.array([0.0, 10.0, 20.0]),
        "theta_lower": [20.0, 3.0],
        "theta_upper": [60.0, 3.0],
        "target_mean": 0.5,
        "target_std": 0.25,
    }
    return TrainingDomain(**{**settings, **changes})


def test_columns_that_vary_become_inputs_between_minus_one_and_one():
    d = domain()
    assert d.input_kinds == ("q", "energy", "theta")
    corners = d.standardise([[0.5, 0.0, 2.0, 0.0, 20.0, 3.0], [0.7, 0.0, 2.0, 20.0, 60.0, 3.0]])
    np.testing.assert_allclose(corners, [[-1, -1, -1], [1, 1, 1]], atol=1e-6)
    assert corners.dtype == np.float32 and corners.flags.c_contiguous


def test_theta_gradient_undoes_both_standardisations_and_is_zero_for_a_fixed_coupling():
    gradient = domain().theta_gradient(np.array([[9.0, 9.0, 2.0]]))
    np.testing.assert_allclose(gradient, [[2.0 * 0.25 / 20.0, 0.0]])


def test_flags_of_momenta_beside_the_path_and_off_it():
    d = domain()
    asked = np.array([[0.525, 0, 2], [0.7, 0.04, 2], [0.9, 0, 2], [0.6, 0, 1.5]])
    assert d.inside_q(asked).tolist() == [True, True, False, False]
    assert d.q_tolerance == pytest.approx(0.05)


def test_flags_of_energies_take_whole_bins():
    assert domain().inside_energy([-5.0, -5.1, 12.3, 25.0, 25.1]).tolist() == [True, False, True, True, False]


def test_flags_of_couplings():
    assert domain().inside_theta([[20.0, 3.0], [60.1, 3.0], [40.0, 2.9]]).tolist() == [
        [True] * 2,
        [False, True],
        [True, False],
    ]


def test_coverage_says_all_and_each():
    d = domain()
    assert d.coverage(Q, [3.0], [30.0, 3.0])["inside"]
    flags = d.coverage(Q, [3.0, 40.0], [30.0, 3.0])
    assert not flags["inside"] and flags["energy"].tolist() == [True, False] and flags["q"].all()


def test_a_single_momentum_covers_only_itself():
    d = domain(q_points=[[0.5, 0.0, 0.0]])
    assert d.inside_q([[0.5, 0, 0], [0.5, 1e-3, 0]]).tolist() == [True, False]


def test_round_trip_through_json_is_exact():
    d = domain(q_points=Q / 3.0)
    back = TrainingDomain.from_dict(json.loads(json.dumps(d.to_dict())))
    assert back.q_points.tobytes() == d.q_points.tobytes() and back.target_std == d.target_std
    assert back.parameter_names == d.parameter_names


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"theta_lower": [70.0, 3.0]}, TrainingError),
        ({"q_points": np.zeros((0, 3))}, TrainingError),
        ({"theta_upper": [60.0]}, ShapeError),
        ({"q_points": np.zeros((4, 2))}, ShapeError),
    ],
)
def test_a_domain_that_contradicts_itself_is_refused(changes, error):
    with pytest.raises(error):
        domain(**changes)
