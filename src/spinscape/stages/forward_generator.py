"""The forward model ``generator`` of a fit."""

import numpy as np

from ..errors import FitError
from ..infer.generator_forward import generator_forward, joined
from ..lattice.momentum import momentum_from_dict
from ..learn.generator_file import load_generator
from .simulated_axes import check_axes


def intervals(declared):
    """A generator has couplings alone."""
    return {}


def forward(declared, job, measurements):
    """Return the forward model of a ``GeneratorForwardSection``: one generator, or several side by side."""
    arrays = {**job.forward_settings["arrays"], **declared.arrays}
    parts, which = [], []
    for name in declared.models:
        generator, about = load_generator(job.files[f"generator:{name}"])
        own = [k for k, m in enumerate(measurements) if arrays[m.name] in about["arrays"] and not _has(which, k)]
        if own:
            mine = [measurements[k] for k in own]
            for one in mine:
                check_axes(one, arrays[one.name], job.forward_settings)
            voxels = [_voxels(about, arrays[m.name], m, job.forward_settings["axes"]) for m in mine]
            parts.append(generator_forward(generator, mine, voxels=voxels, fixed=job.fixed))
            which.append(own)
    return joined(parts, which)


def _has(which, k):
    return any(k in own for own in which)


def _voxels(about, array, measurement, axes):
    """Return the axis of an array of a generator, and where its voxels begin."""
    if measurement.momentum is None:
        return about["temperatures"][array], start_of(about, array)
    return momentum_from_dict(axes[array]), first_voxel(about, array, measurement)


def start_of(about, array):
    """Return where an array begins in an image of the model: arrays stand in it side by side."""
    sizes = [int(np.prod(about["shapes"][name])) for name in about["arrays"]]
    return int(sum(sizes[: about["arrays"].index(array)]))


def first_voxel(about, array, measurement):
    """Return where a measurement's voxels begin in an image of the model."""
    return start_of(about, array) + which_temperature(about["temperatures"][array], measurement) * int(
        np.prod(measurement.shape)
    )


def temperatures_of(store, name):
    """Return the temperatures of an array whose first axis they are, K; None where it has no such axis."""
    spec = store.template[name]
    if not spec["dims"][0].startswith("temperature"):
        return None
    # An array that is made from correlations has the temperatures of these.
    places = [one["coords"] for one in (spec, *store.template.values()) if spec["dims"][0] in one["coords"]]
    return [float(t) for t in places[0][spec["dims"][0]]["values"]]


def which_temperature(temperatures, measurement):
    """Return which of the simulated temperatures is the measurement's: 0 where there is no such axis."""
    if temperatures is None:
        return 0
    wanted = measurement.conditions.temperature
    near = [k for k, t in enumerate(temperatures) if wanted is not None and abs(t - wanted) <= 1e-3 * t]
    if not near and not (wanted is None and len(temperatures) == 1):
        raise FitError(
            "the temperature of a measurement was not simulated",
            where=f"measurement {measurement.name}, conditions.temperature",
            expected=f"one of {', '.join(f'{t:g} K' for t in temperatures)}",
            got="none" if wanted is None else f"{wanted:g} K",
            fix="simulate it, or say at which temperature was measured",
        )
    return near[0] if near else 0
