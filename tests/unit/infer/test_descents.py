"""Descents from afar: wide lines lead every start to the one minimum, the same bits twice."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from spinscape.errors import FitError, UnstableError
from spinscape.infer.box import Box
from spinscape.infer.descents import Descents
from spinscape.infer.problem import Problem
from spinscape.infer.squared_error import squared_error
from spinscape.infer.strategies import strategy_by_name

N_Q, N_ENERGY = 16, 60
BOX = Box(("a", "b"), [0.0, -20.0], [60.0, 20.0])
TRUTH = np.array([31.0, 9.0])


@dataclass(frozen=True)
class SharpBand:
    """A line at a + b cos 2πq, one pixel wide; unstable below a = 5."""

    width: float = 1.0
    parameter_names: tuple[str, ...] = ("a", "b")
    coupling_names: tuple[str, ...] = ("a", "b")
    units: tuple[str, ...] = ("meV", "meV")

    def predict(self, parameters):
        if parameters[0] < 5:
            raise UnstableError("no stable state", where="a")
        line = parameters[0] + parameters[1] * np.cos(2 * np.pi * np.arange(N_Q) / N_Q)
        u = (np.arange(N_ENERGY) - line[:, None]) / self.width
        return (np.exp(-0.5 * u * u) / self.width,)

    def blurred(self, factor):
        return replace(self, width=factor * self.width)


@pytest.fixture
def problem(measure):
    return Problem(SharpBand(), squared_error([measure(SharpBand().predict(TRUTH)[0])]))


def test_wide_lines_lead_every_start_home(problem):
    found = Descents(n_start=10, widths=(15.0, 4.0, 1.0)).minimise(problem, BOX, 3)
    np.testing.assert_allclose(found.best.parameters, TRUTH, atol=1e-3)
    assert found.best.n_start >= 9 and sum(m.n_start for m in found.minima) == 10


def test_without_them_most_starts_are_lost(problem):
    found = Descents(n_start=10, widths=(1.0,)).minimise(problem.counting(), BOX, 3)
    assert sum(m.n_start for m in found.minima if np.abs(m.parameters - TRUTH).max() < 0.1) < 5


def test_equal_seeds_give_equal_bits_and_other_seeds_other_starts(problem):
    a, b, c = (Descents(n_start=4, widths=(15.0, 1.0)).minimise(problem.counting(), BOX, seed) for seed in (1, 1, 2))
    assert a.best.parameters.tobytes() == b.best.parameters.tobytes() and a.n_call == b.n_call
    assert a.best.parameters.tobytes() != c.best.parameters.tobytes()


def test_unstable_starts_are_drawn_anew_and_counted(problem):
    unstable = Box(("a", "b"), [0.0, -1.0], [6.0, 1.0])
    found = Descents(n_start=3, widths=(15.0, 1.0)).minimise(problem.counting(), unstable, 1)
    assert found.n_infinite > 0 and found.best.parameters[0] >= 5
    with pytest.raises(FitError, match="unstable at every start"):
        Descents(n_start=1).minimise(problem.counting(), Box(("a", "b"), [0.0, -1.0], [1.0, 1.0]), 1)


def test_settings_and_forwards_that_do_not_fit_are_refused(problem, band, measure):
    for widths in ((), (1.0, 4.0), (4.0, 2.0), (4.0, 4.0, 1.0)):
        with pytest.raises(FitError, match="fall to one"):
            Descents(widths=widths)
    with pytest.raises(FitError, match="forward model and an objective"):
        Descents().minimise(lambda x: 0.0, BOX, 1)
    toy = Problem(band(), squared_error([measure(band().predict([14.0, 5.0, 2.0])[0])]))
    with pytest.raises(FitError, match="wider lines"):
        Descents().minimise(toy, Box(("a", "b", "width"), [5.0, -10.0, 0.5], [25.0, 10.0, 5.0]), 1)
    assert strategy_by_name("descents", n_start=3, widths=(4.0, 1.0)) == Descents(3, (4.0, 1.0))
