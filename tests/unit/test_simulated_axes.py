"""Measurements on bins beside those of the simulations: refused by all that compare the two bin by bin."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spinscape.config.forward_generator import GeneratorForwardSection
from spinscape.config.forward_montecarlo import MonteCarloForwardSection
from spinscape.config.forward_polynomial import PolynomialForwardSection
from spinscape.config.objective_latent import LatentChi2Section
from spinscape.errors import FitError
from spinscape.experiment.measurement import Measurement
from spinscape.hamiltonian.conditions import Conditions
from spinscape.lattice.momentum import momentum_to_dict
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.volumes import QGrid, edges_from_range
from spinscape.stages import (
    choose_by_fit,
    forward_generator,
    forward_montecarlo,
    forward_polynomial,
    objective_latent,
)
from spinscape.stages.simulated_axes import check_axes

EDGES = edges_from_range(first=0.0, last=1.0, n_bin=6)
GRID = QGrid("hk0", np.zeros(3), np.eye(3), (EDGES, EDGES, np.array([-0.1, 0.1])))
MOVED = replace(GRID, origin=np.array([0.5 / 6, 0.0, 0.0]))
OTHER = replace(GRID, basis=np.diag([1.0, 1.01, 1.0]))
PLACES = {
    "axes": {"signal_hk0": momentum_to_dict(GRID)}, "energies": None, "arrays": {"plane": "signal_hk0"}, "gaussian": {},
}  # fmt: skip


def plane(grid):
    n = int(np.prod(grid.shape))
    return Measurement("plane", grid, None, np.ones((n, 1)), np.ones((n, 1), bool), np.ones((n, 1)), Conditions(9.0))


class Store(SimpleNamespace):
    """Has the array, and nothing in it: no step may come as far as reading it."""

    def __init__(self, *_, **__):
        super().__init__(template={"signal_hk0": {}})

    __enter__, __exit__ = (lambda self: self), (lambda self, *_: None)


def by_generator(job, one):
    return forward_generator.forward(GeneratorForwardSection(kind="generator", model="m"), job, [one])


def by_polynomial(job, one):
    return forward_polynomial.forward(PolynomialForwardSection(kind="polynomial"), job, [one])


def by_montecarlo(job, one):
    return forward_montecarlo.forward(MonteCarloForwardSection(kind="montecarlo"), job, [one])


def by_latent(job, one):
    return objective_latent.objective(LatentChi2Section(kind="latent_chi2", model="m"), job, [one])


def by_rounds(job, one):
    fit = SimpleNamespace(objective=None)
    choose_by_fit.Job = lambda *_: SimpleNamespace(fit=fit, prepared=lambda _: [one], objective=lambda *_: None)
    grid = {"kind": "lattice", "axes": {"J": {"first": "0 meV", "last": "1 meV", "n": 3}}}
    section = {"refine": {}, "fit": {}, "grid": grid, "parameter_names": ["J"], "couplings": {"J": None}, **PLACES}
    return choose_by_fit.choose(section, 1, {"measurements": [], "model": None, "index": None})


@pytest.mark.parametrize("way", [by_generator, by_polynomial, by_montecarlo, by_latent, by_rounds])
@pytest.mark.parametrize("grid", [MOVED, OTHER], ids=["half a bin aside", "another cell"])
def test_bins_beside_the_simulated_ones_are_refused(way, grid, monkeypatch):
    about = {"arrays": ["signal_hk0"], "shapes": {"signal_hk0": [6, 6]}, "temperatures": {"signal_hk0": None}}
    monkeypatch.setattr(forward_generator, "load_generator", lambda _: (None, about))
    monkeypatch.setattr(objective_latent, "load_compressor", lambda _: (None, about))
    monkeypatch.setattr(forward_polynomial, "StudyStore", Store)
    monkeypatch.setattr(choose_by_fit, "Job", None)
    files = {"generator:m": "g", "compressor": "c", "index": "i"}
    job = SimpleNamespace(forward_settings=PLACES, objective_settings=PLACES, files=files, fixed={}, model=None)
    with pytest.raises(FitError, match="not those that were simulated") as caught:
        way(job, plane(grid))
    told = str(caught.value)
    assert "measurement plane" in told and "expected: 36 bins from [0.0833, 0.0833, 0.0]" in told and "fix:" in told


def test_energies_aside_are_refused_and_the_same_bins_are_not():
    path = path_through([[0.0, 0, 0], [0.5, 0, 0]], n_point=[5], reciprocal=np.eye(3))
    axis = EnergyAxis.from_range(first=1.0, last=8.0, step=1.0)
    shape = (5, len(axis.centres))
    one = Measurement("m", path, axis, np.ones(shape), np.ones(shape, bool))
    places = {"axes": {"signal_p": momentum_to_dict(path)}, "energies": axis.centres.tolist()}
    check_axes(one, "signal_p", places)
    check_axes(one, "no array", places)
    moved = replace(one, energy=EnergyAxis(axis.centres + 0.5))
    with pytest.raises(FitError, match="in energy are not those"):
        check_axes(moved, "signal_p", places)
    check_axes(moved, "signal_p", {**places, "energies": None})
    check_axes(plane(GRID), "signal_hk0", PLACES)
