"""How S(Q) on a path, a slice or a volume is laid out in a result: its axes and their coordinates by name."""

import numpy as np

from ..lattice.qspace import QPath
from ..lattice.volumes import QGrid

AXES = ("u", "v", "w")
"""Names of a grid's axes; that of a slice which is integrated over is left out."""


def signal_layout(where: QPath | QGrid):
    """Return the axes and coordinates of an array over a path or a grid.

    Parameters
    ----------
    where : QPath or QGrid

    Returns
    -------
    dims : tuple of str
        Names that carry the path's or the grid's own name: ``q_<path>``; ``u_<grid>``, ``v_<grid>``, ``w_<grid>``.
    shape : tuple of int
    coords : dict of str to (dims, values, unit)
        Of a path, r.l.u. and length; of a grid, bin centres along its axes (in units of its basis), origin and basis.
    """
    name = where.name
    if isinstance(where, QPath):
        row = f"q_{name}"
        coords = {
            f"hkl_{name}": ((row, "hkl"), where.points, "r.l.u."),
            f"distance_{name}": ((row,), where.distance, "1/Å"),
        }
        return (row,), where.shape, coords
    seen = [k for k in range(3) if not where.integrated[k]]
    dims = tuple(f"{AXES[k]}_{name}" for k in seen)
    coords = {dim: ((dim,), where.centres[k], "") for dim, k in zip(dims, seen, strict=True)}
    coords[f"origin_{name}"] = (("hkl",), where.origin, "r.l.u.")
    coords[f"basis_{name}"] = (("axis", "hkl"), where.basis, "r.l.u.")
    return dims, where.shape, {key: (d, np.asarray(v), u) for key, (d, v, u) in coords.items()}
