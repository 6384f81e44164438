"""Arrays over paths, slices and volumes as rows of momenta: what a network for spectra learns from."""

import numpy as np

from ..errors import DataError
from ..lattice.momentum import momentum_from_dict, n_momentum
from .forward_generator import temperatures_of
from .projected import with_projections

ROW, HKL, ENERGY = "row", "hkl", "energy"


class RowStore:
    """A store whose arrays are (n_row,) or (n_row, n_energy), their momenta beside them. Make it with :func:`in_rows`.

    Attributes
    ----------
    template : dict
        Of the arrays that lie over a declared axis.
    theta : (n_point, n_parameter) float64, meV
    parameter_names : tuple of str
    """

    def __init__(self, arrays, store, template, which):
        self._arrays, self._which, self.template = arrays, which, template
        self.theta, self.parameter_names = store.theta, store.parameter_names

    def read_many(self, name, indices):
        """Return one array of several points, in the order asked, (n, n_row) or (n, n_row, n_energy)."""
        values, which = self._arrays.read_many(name, indices), self._which[name]
        return (values if which is None else values[:, which]).reshape(len(values), *self.template[name]["shape"])


def in_rows(arrays, store, *, axes, temperature=None):
    """Return the :class:`RowStore` of a store.

    Parameters
    ----------
    arrays : StudyStore or ProjectingStore
        Has ``template`` and ``read_many``.
    store : StudyStore
        Has the points' couplings.
    axes : dict of str to dict
        Array → its path, slice or volume as plain data (:func:`~spinscape.lattice.momentum.momentum_to_dict`).
    temperature : float, optional, K
        Of arrays that were simulated at several: which one is taken.
    """
    template, which = {}, {}
    for name, data in axes.items():
        if name not in arrays.template:
            continue
        spec, momenta = arrays.template[name], momentum_from_dict(data)
        coords = {HKL: {"dims": [ROW, HKL], "values": momenta.points, "unit": "r.l.u."}}
        if ENERGY in spec["dims"]:
            coords[ENERGY] = spec["coords"][ENERGY]
        which[name] = _which(arrays, name, temperature)
        shape = [n_momentum(momenta), *(spec["shape"][-1:] if ENERGY in spec["dims"] else [])]
        if int(np.prod(spec["shape"][which[name] is not None :])) != int(np.prod(shape)):
            raise DataError("the simulations have other axes than the study now declares", where=name, expected=shape,
                            got=spec["shape"], fix="simulate again")  # fmt: skip
        template[name] = {"dims": [ROW, *([ENERGY] if ENERGY in coords else [])], "shape": shape, "coords": coords}
    return RowStore(arrays, store, template, which)


def learnt_rows(store, section, declared, model=None):
    """Return the :class:`RowStore` of what a network learns.

    Parameters
    ----------
    store : StudyStore
    section : dict
        With ``axes`` and ``signals`` of ``build.learn_section``.
    declared : SirenSection
    model : Model, optional
        For arrays that are made from correlations.
    """
    arrays = store
    if declared.arrays and model is not None and not set(declared.arrays) <= set(store.template):
        arrays = with_projections(store, declared.arrays, model=model, signals=section["signals"])
    axes = _wanted(section["axes"], declared, arrays)
    return in_rows(arrays, store, axes=axes, temperature=declared.temperature)


def _wanted(axes, declared, store):
    """Return the axes of the named arrays; where none is named those on paths, or all where there are none."""
    if declared.arrays is not None:
        return {name: axes[name] for name in declared.arrays}
    simulated = {name: data for name, data in axes.items() if name in store.template}
    if declared.temperature is None:
        simulated = {name: data for name, data in simulated.items() if temperatures_of(store, name) is None}
    return {name: data for name, data in simulated.items() if data["kind"] == "path"} or simulated


def _which(store, name, temperature):
    """Return the place of a temperature among those of an array; None where it has no such axis."""
    known = temperatures_of(store, name)
    if known is None:
        return None
    near = [k for k, t in enumerate(known) if temperature is not None and abs(t - temperature) <= 1e-3 * t]
    if not near and not (temperature is None and len(known) == 1):
        raise DataError(
            "a network learns one temperature", where=f"learn: {name}",
            expected=f"temperature, one of {', '.join(f'{t:g} K' for t in known)}",
            got="none" if temperature is None else f"{temperature:g} K", fix="say temperature: beside arrays",
        )  # fmt: skip
    return near[0] if near else 0
