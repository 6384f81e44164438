"""Small systems and settings of Monte Carlo for the tests of this folder."""

from types import SimpleNamespace

import numpy as np
import pytest

from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, Model
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.montecarlo_settings import Correlations, MonteCarloSettings, Order, Sampling
from spinscape.simulate.moves import Move
from spinscape.units import K_B


def cubic_model(kind="heisenberg", *, n_dimension=3):
    """Return spins on a simple cubic or square lattice with one coupling J between nearest neighbours."""
    axis = None if kind == "heisenberg" else (0, 0, 1)
    site = SiteSpec(label="A", ion="Mn2+", position=(0, 0, 0), spin=1.0, kind=kind, axis=axis)
    group = "Pm-3m" if kind == "heisenberg" and n_dimension == 3 else "P4/mmm"
    vectors = np.diag([4.0, 4.0, 4.0 if n_dimension == 3 else 12.0])
    crystal = crystal_from_space_group(vectors, group, [site])
    n = n_dimension
    bonds = BondTable(np.zeros(n), np.zeros(n), np.eye(3, dtype=int)[:n], np.zeros(n), np.tile(np.eye(3), (n, 1, 1)))
    return Model(crystal, ("J",), bonds)


def ising_settings(**changes):
    """Return settings of 6×6 Ising spins at three temperatures, with everything gathered at one of them."""
    values = {
        "supercell": (6, 6, 1),
        "temperatures": (4.0, 3.0, 2.5),
        "moves": (Move("flip", 5),),
        "equilibration": 20,
        "sampling": Sampling(replicas=3, samples=40, extensions=1),
        "orders": (Order("m", direction="axis"),),
        "correlations": Correlations((2.5,)),
    }
    return MonteCarloSettings(**{**values, **changes})


@pytest.fixture
def small():
    """The builders of this file: test modules cannot import each other."""

    def simulator(settings, *, kind="ising", n_dimension=2, conditions=None, communicator=None):
        model = cubic_model(kind, n_dimension=n_dimension)
        return MonteCarloSimulator(model, settings, conditions or Conditions(), communicator)

    return SimpleNamespace(
        model=cubic_model, settings=ising_settings, simulator=simulator, theta=lambda kelvin: np.array([K_B * kelvin])
    )
