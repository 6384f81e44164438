"""S(Q) over slices and volumes that no file holds: made from the stored correlations whenever it is read."""

import numpy as np

from ..errors import DataError
from ..hamiltonian.operations import model_operations
from ..lattice.volumes import QGrid
from ..observables.diffuse import correlation_grid
from ..observables.diffuse_projection import DiffuseSettings, Projector
from ..observables.diffuse_template import signal_layout
from ..simulate.spin_system import block

PAIRS = "pairs"


def projector(model, where, *, supercell, field, settings):
    """Return what makes S(Q) over a slice or a volume of the correlations of a supercell.

    Parameters
    ----------
    model : Model
    where : QGrid
    supercell : (3,) int
    field : (3,) float64, T
    settings : dict
        Of :class:`~spinscape.observables.diffuse_projection.DiffuseSettings`.
    """
    operations = model_operations(model, field=field)
    waves = correlation_grid(model.crystal, block(model, supercell), operations=operations)
    return Projector(waves, where, DiffuseSettings(**settings))


def projected(project, pairs):
    """Return S(Q), float32, of stored correlations (n_wave, n_mode, n_mode, 2)."""
    pairs = np.asarray(pairs, dtype=np.float64)
    return project(pairs[..., 0] + 1j * pairs[..., 1])


class ProjectingStore:
    """A store that also has ``signal_<volume>`` for declared volumes. Make it with :func:`with_projections`.

    Attributes
    ----------
    template : dict
        Of the store, and of what is made from its correlations.
    n_point : int
    """

    def __init__(self, store, projectors, volumes):
        self._store, self._projectors = store, projectors
        self.n_point, self.template = store.n_point, dict(store.template)
        source = store.template[PAIRS]
        axis = source["dims"][0]
        for name, where in volumes.items():
            dims, shape, coords = signal_layout(where)
            placed = {key: {"dims": list(d), "values": v, "unit": u} for key, (d, v, u) in coords.items()}
            self.template[f"signal_{name}"] = {
                "dims": [axis, *dims],
                "shape": [source["shape"][0], *shape],
                "dtype": "float32",
                "unit": source["unit"],
                "coords": placed,
            }

    def read_many(self, name, indices):
        """Return one array of several points, in the order asked, (n, ...)."""
        if name in self._store.template:
            return self._store.read_many(name, indices)
        project = self._projectors[name]
        pairs = self._store.read_many(PAIRS, indices)
        return np.array([[projected(project, one) for one in point] for point in pairs])


def with_projections(store, names, *, model, signals):
    """Return a store that has all named arrays: itself, or one that makes those over volumes from correlations.

    Parameters
    ----------
    store : StudyStore
    names : sequence of str
    model : Model
    signals : dict or None
        ``volumes`` by name as plain data, ``supercell``, ``field`` and ``settings`` of the correlations; None where the
        study keeps none.
    """
    wanted = [name.removeprefix("signal_") for name in names if name not in store.template]
    if not wanted:
        return store
    if signals is None or PAIRS not in store.template or not set(wanted) <= set(signals["volumes"]):
        raise DataError(
            f"the simulations have no array {names[0] if len(names) == 1 else wanted!r}",
            where="arrays",
            expected=f"some of {', '.join(sorted(store.template))}, or signal_<volume> where correlations are kept",
            got=list(names),
            fix="name arrays that the study simulates",
        )
    volumes = {name: QGrid.from_dict(signals["volumes"][name]) for name in wanted}
    how = {key: signals[key] for key in ("supercell", "field", "settings")}
    projectors = {f"signal_{name}": projector(model, where, **how) for name, where in volumes.items()}
    return ProjectingStore(store, projectors, volumes)
