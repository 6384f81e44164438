"""Wave vectors that the point group makes alike."""

import numpy as np

from ..errors import check_shape

_STEP = 1e-7
"""r.l.u. Wave vectors nearer than this are one."""


def equivalent_waves(q, rotations) -> tuple[np.ndarray, np.ndarray]:
    """Return one of each group of equivalent wave vectors, for what is the same at Q, −Q and Wᵀ·Q.

    Parameters
    ----------
    q : (n_q, 3) float64, r.l.u.
    rotations : (n_operation, 3, 3) int64
        W, on fractional coordinates.

    Returns
    -------
    first : (n_group,) int64
        Index of one wave vector of each group.
    group : (n_q,) int64
        Group of each.
    """
    q = np.asarray(q, dtype=np.float64)
    check_shape("q", q, ("n_q", 3))
    maps = np.asarray(rotations, dtype=np.int64).reshape(-1, 3, 3)
    lowest = _lower(_whole(q), _whole(-q))
    for one in np.unique(np.concatenate([maps, -maps]), axis=0):
        lowest = _lower(lowest, _whole(q @ one))
    order = np.lexsort(lowest.T[::-1])
    ordered = lowest[order]
    starts = np.concatenate([[True], np.any(ordered[1:] != ordered[:-1], axis=1)])
    group = np.empty(len(q), dtype=np.int64)
    group[order] = np.cumsum(starts) - 1
    return order[starts], group


def _whole(q):
    """Return wave vectors in whole steps. Images are rounded, not made of rounded ones: the errors would add up."""
    return np.round(q / _STEP).astype(np.int64)


def _lower(a, b):
    """Return the lower of two rows each, by their first, second, then third number."""
    equal = a[:, 0] == b[:, 0]
    less = (b[:, 2] < a[:, 2]) & (b[:, 1] == a[:, 1]) | (b[:, 1] < a[:, 1])
    return np.where((b[:, 0] < a[:, 0]) | equal & less, b.T, a.T).T
