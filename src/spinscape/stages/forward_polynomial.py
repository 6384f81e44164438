"""The forward model ``polynomial`` of a fit."""

import numpy as np

from ..errors import FitError
from ..infer.generator_forward import generator_forward, joined
from ..infer.polynomial_model import polynomial_model
from ..lattice.momentum import momentum_from_dict
from ..store.read import StudyStore
from .forward_generator import temperatures_of, which_temperature
from .simulated_axes import check_axes


def intervals(declared):
    """A polynomial has couplings alone."""
    return {}


def forward(declared, job, measurements):
    """Return the forward model of a ``PolynomialForwardSection``: a polynomial of each array, side by side."""
    arrays = {**job.forward_settings["arrays"], **declared.arrays}
    parts, which = [], []
    with StudyStore(job.files["index"]) as store:
        for array in dict.fromkeys(arrays[m.name] for m in measurements):
            own = [k for k, m in enumerate(measurements) if arrays[m.name] == array]
            mine = [measurements[k] for k in own]
            for one in mine:
                check_axes(one, array, job.forward_settings)
            images, voxels = _seen(store, array, mine, job.forward_settings["axes"])
            theta = store.theta[_settled(store)]
            names = store.parameter_names
            model = polynomial_model(theta, images, parameter_names=names, degree=declared.degree)
            parts.append(generator_forward(model, mine, voxels=voxels, fixed=job.fixed))
            which.append(own)
    return joined(parts, which)


def _settled(store):
    return np.flatnonzero(store.state == store.result_codes["done"])


def _seen(store, array, measurements, axes):
    """Return what was simulated of measurements, (n_point, n_voxel), and where each one's voxels begin."""
    if array not in store.template:
        raise FitError("the study does not simulate what was measured", where="forward polynomial",
                       expected=sorted(store.template), got=array)  # fmt: skip
    values, temperatures = store.read_many(array, _settled(store)), temperatures_of(store, array)
    if measurements[0].momentum is None:
        return values, [(temperatures, 0)] * len(measurements)
    axis = momentum_from_dict(axes[array])
    places = [which_temperature(temperatures, m) for m in measurements]
    at = np.unique(places)
    if temperatures is not None:
        values = values[:, at]
    size = int(np.prod(measurements[0].shape))
    return values.reshape(len(values), -1), [(axis, int(np.searchsorted(at, k)) * size) for k in places]
