"""The Kitaev-Heisenberg circle from Monte Carlo S(Q) alone: phases, boundaries, no run stuck, the negative control."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from spinscape.learn.phase_count import count_phases

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
phases = pytest.importorskip("phases")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def circle():
    return phases.simulated(2.5, 72)


def test_four_phases_without_labels(circle):
    angle, theta, features, _ = circle
    found = count_phases(features, theta, seed=phases.SEED, dimension=1)
    assert found.n_phase == 4 and adjusted_rand_score(phases.exact(angle), found.phase) == 1.0


def test_boundaries_lie_inside_their_bands(circle):
    angle, theta, features, energy = circle
    found = count_phases(features, theta, seed=phases.SEED, dimension=1)
    errors = phases.boundaries(angle, theta, energy, found.phase)
    assert np.abs(errors[:, 0]).max() <= 0.05 and errors[:, 1].all()


def test_no_run_holds_a_wall_between_domains(circle):
    """144 anneals: a straight wall across the cells raises the energy by more than 0.02 meV a spin."""
    _, theta, _, energy = circle
    assert np.abs(phases.excess(theta, energy)).max() < 0.002


def test_without_the_point_groups_average_the_rule_does_not_say_four():
    _, theta, features, _ = phases.simulated(2.5, 72, symmetry=False)
    found = count_phases(features, theta, seed=phases.SEED, dimension=1)
    assert found.n_phase != 4 and "not known" in found.reason
