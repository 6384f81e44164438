"""A chooser of rounds: points where a Gaussian process expects a fit's objective to be low."""

import numpy as np

from ..infer.gaussian_process import GaussianProcessRounds, objective_process
from ..infer.generator_forward import lines_between
from ..store.read import StudyStore
from .coordinates import grid_coordinates
from .fit_job import Job
from .forward_generator import temperatures_of, which_temperature
from .simulated_axes import check_axes

_CHUNK = 64
"""Points whose images are held at once."""


def choose(section, seed, inputs):
    """Return the coordinates of the next points, (n, n_coordinate).

    Parameters
    ----------
    section : dict
        ``build.refine_section``.
    seed : int
    inputs : dict
        ``index``: of all points so far; ``model``; ``measurements``, of the fit.
    """
    refine, grid = section["refine"], grid_coordinates(section)
    files = inputs["measurements"]
    job = Job(section["fit"], inputs["model"], [files] if isinstance(files, str) else list(files))
    measurements = job.prepared(job.fit)
    for one in measurements:
        check_axes(one, section["arrays"][one.name], section)
    objective = job.objective(job.fit.objective, measurements)
    with StudyStore(inputs["index"]) as store:
        values = simulated_values(store, objective, measurements, section["arrays"])
        points = grid.of_theta(store.theta)
    width = grid.box[1] - grid.box[0]
    rounds = GaussianProcessRounds(n_new=refine["points"], acquisition=refine["acquisition"], keep=refine["keep"])
    return grid.box[0] + width * rounds.next(objective_process((points - grid.box[0]) / width, values), seed=seed)


def simulated_values(store, objective, measurements, arrays):
    """Return an objective's value for the images of every simulated point, (n_point,).

    Parameters
    ----------
    store : StudyStore
    objective : Objective
    measurements : sequence of Measurement
        On the axes of the simulations.
    arrays : dict of str to str
        Measurement → array of the simulations.
    """
    out = np.empty(store.n_point)
    for start in range(0, store.n_point, _CHUNK):
        chunk = np.arange(start, min(start + _CHUNK, store.n_point))
        images = [simulated_images(store, arrays[m.name], m, chunk) for m in measurements]
        out[chunk] = [objective.value(point) for point in zip(*images, strict=True)]
    return out


def simulated_images(store, array, measurement, points):
    """Return the images of some points on a measurement's axes and at its temperature, (n, n_q, n_energy)."""
    rows = store.read_many(array, points)
    temperatures = temperatures_of(store, array)
    if measurement.momentum is None:
        return (rows @ lines_between(temperatures, measurement).T)[..., None].astype(np.float64)
    if temperatures is not None:
        rows = rows[:, which_temperature(temperatures, measurement)]
    return rows.reshape(len(points), *measurement.shape).astype(np.float64)
