"""A spectrum with one band in closed form, fast enough for hundreds of fits."""

from dataclasses import dataclass

import numpy as np
import pytest

from spinscape.errors import UnstableError
from spinscape.experiment.measurement import Measurement
from spinscape.infer.box import Box
from spinscape.lattice.qspace import EnergyAxis, QPath

N_Q, N_ENERGY = 24, 30


@dataclass(frozen=True)
class Band:
    """A Gaussian line at a + b cos 2πq of a given width: parameters a, b (couplings) and width (nuisance), in meV."""

    parameter_names: tuple[str, ...] = ("a", "b", "width")
    units: tuple[str, ...] = ("meV", "meV", "meV")
    coupling_names: tuple[str, ...] = ("a", "b")
    n_set: int = 1
    fixed_width: float = 2.0

    def predict(self, parameters):
        if parameters[0] < 0:
            raise UnstableError("no stable state", where="a")
        width = parameters[2] if len(parameters) > 2 else self.fixed_width
        q, energy = np.arange(N_Q) / N_Q, np.arange(N_ENERGY, dtype=float)
        line = parameters[0] + parameters[1] * np.cos(2 * np.pi * q)
        image = np.exp(-0.5 * ((energy - line[:, None]) / width) ** 2) / width
        return tuple(image * (1 + k) for k in range(self.n_set))

    def mode_energies(self, parameters, q):
        return (parameters[0] + parameters[1] * np.cos(2 * np.pi * np.asarray(q)[:, :1])) * np.array([1.0, 2.0])


def make_measurement(signal, *, valid=None, std=None, name="toy", segment=None, simulated=False):
    n_q, n_energy = signal.shape
    path = QPath(
        name,
        np.linspace([0, 0, 0], [1, 0, 0], n_q),
        np.zeros(n_q) if segment is None else segment,
        np.arange(n_q) / n_q,
    )
    valid = np.ones(signal.shape, bool) if valid is None else valid
    return Measurement(name, path, EnergyAxis(np.arange(n_energy)), signal, valid, std=std, simulated=simulated)


@pytest.fixture
def band():
    return Band


@pytest.fixture
def measure():
    return make_measurement


@pytest.fixture
def box():
    return Box(("a", "b", "width"), [5.0, -10.0, 0.5], [25.0, 10.0, 5.0])


@pytest.fixture
def noisy():
    """Return a measurement of the band at (14, 5, 2): scale 40, a background that differs from row to row, noise."""

    def make(seed=0, *, noise=0.5, with_std=True, missing=True, parameters=(14.0, 5.0, 2.0)):
        rng = np.random.default_rng(seed)
        image = 40.0 * Band().predict(np.array(parameters))[0] + 3.0 + 2.0 * np.sin(np.arange(N_ENERGY))
        signal = image + rng.normal(scale=noise, size=image.shape)
        valid = np.ones(image.shape, bool)
        if missing:
            valid[4:9, 10:20] = False
        std = np.full(image.shape, noise) if with_std else None
        return make_measurement(signal, valid=valid, std=std, segment=np.repeat([0, 1], N_Q // 2))

    return make
