"""A store in memory: lines of a cosine band on two paths, with the faces of a real store that training uses."""

import numpy as np
import pytest

ENERGY = np.linspace(0.0, 12.0, 25)
PATHS = {"a": np.linspace([0.0, 0.2, 0.0], [0.5, 0.2, 0.0], 11), "b": np.linspace([0.1, 0.0, 0.0], [0.1, 0.4, 0.0], 9)}
BOX = {"gap": (1.0, 3.0), "band": (2.0, 6.0)}


def band(theta, q):
    return theta[0] + theta[1] * (1.0 - np.cos(2 * np.pi * (q[:, 0] + q[:, 1]))) / 2


def spectrum(theta, q):
    e = band(theta, q)[:, None]
    return 0.8 * np.exp(-0.5 * ((ENERGY - e) / 0.9) ** 2)


class MemoryStore:
    """As StudyStore: points, couplings, declared axes, and arrays read by name and index."""

    parameter_names = ("gap", "band")

    def __init__(self, n_point=24, dtype=np.float32):
        rng = np.random.default_rng(7)
        lower, upper = np.array(list(BOX.values())).T
        self.theta = rng.uniform(lower, upper, (n_point, 2))
        self.n_point, self.reads = n_point, []
        self.template = {f"signal_{name}": self._declared(name, q) for name, q in PATHS.items()}
        self.arrays = {
            f"signal_{name}": np.array([spectrum(theta, q) for theta in self.theta], dtype=dtype)
            for name, q in PATHS.items()
        }

    @staticmethod
    def _declared(name, q):
        coords = {
            f"hkl_{name}": {"dims": [f"q_{name}", "hkl"], "values": q.tolist(), "unit": "r.l.u."},
            f"distance_{name}": {"dims": [f"q_{name}"], "values": q[:, 0].tolist(), "unit": "1/Å"},
            "energy": {"dims": ["energy"], "values": ENERGY.tolist(), "unit": "meV"},
        }
        return {"dims": [f"q_{name}", "energy"], "shape": [len(q), len(ENERGY)], "coords": coords}

    def read_many(self, name, indices):
        self.reads.append((name, len(indices)))
        return self.arrays[name][np.asarray(indices)]


@pytest.fixture
def make_store():
    return MemoryStore


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def box():
    return BOX
