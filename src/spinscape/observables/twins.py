"""Twins and domains: a sample of several orientations of one structure.

An orientation R takes the structure to the one of its domain. What a domain scatters at Q of the laboratory is what
the structure scatters at Rᵀ Q; fields, axial vectors, go to det(R) Rᵀ B, and the tensor comes back as R S Rᵀ.

    S(Q) = Σ_d w_d S_0(R_dᵀ Q),    S^αβ(Q) = Σ_d w_d [R_d S_0(R_dᵀ Q) R_dᵀ]^αβ
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..lattice.crystal import read_only
from ..lattice.symmetry import cartesian_rotations

ORTHOGONAL = 1e-6
"""Largest error of a rotation matrix that is typed in."""


@dataclass(frozen=True, eq=False)
class Twins:
    """Orientations and their volume fractions.

    Parameters
    ----------
    rotations : (n_twin, 3, 3) float64
        Orthogonal, in the Cartesian frame of the crystal; the identity is one of them where the crystal as declared is
        a part of the sample.
    weights : (n_twin,) float64, positive
        Volume fractions; kept with the sum 1.
    """

    rotations: np.ndarray
    weights: np.ndarray

    def __post_init__(self):
        rotations, weights = read_only(self.rotations), np.array(self.weights, dtype=np.float64)
        check_shape("rotations", rotations, ("n_twin", 3, 3))
        check_shape("weights", weights, (len(rotations),), hint="one volume fraction for each rotation")
        if len(weights) == 0 or not np.all((weights > 0) & (weights < np.inf)):
            raise ConfigError("the weights of twins must be positive", where="twins.weights", got=weights.tolist())
        error = rotations @ rotations.transpose(0, 2, 1) - np.eye(3)
        if not np.abs(error).max() <= ORTHOGONAL:
            worst = int(np.abs(error).max(axis=(1, 2)).argmax())
            raise ConfigError(
                "a rotation of a twin is not orthogonal",
                where=f"twins.rotations[{worst}]",
                got=rotations[worst].tolist(),
                fix="give it in the Cartesian frame, or take twins_from_operations for operations on fractions",
            )
        u, _, vt = np.linalg.svd(rotations)
        object.__setattr__(self, "rotations", read_only(u @ vt))
        object.__setattr__(self, "weights", read_only(weights / weights.sum()))

    @property
    def n_twin(self) -> int:
        """Number of orientations."""
        return len(self.weights)

    def wave_vectors(self, q, *, reciprocal) -> np.ndarray:
        """Return Rᵀ Q of every domain.

        Parameters
        ----------
        q : (n_q, 3) float64, r.l.u.
        reciprocal : (3, 3) float64, 1/Å
            Reciprocal vectors as rows.

        Returns
        -------
        (n_twin, n_q, 3) float64, r.l.u.
        """
        q = np.asarray(q, dtype=np.float64)
        check_shape("q", q, ("n_q", 3))
        return (q @ reciprocal) @ self.rotations @ np.linalg.inv(reciprocal)

    def fields(self, field) -> np.ndarray:
        """Return the field that each domain feels in its own frame, (n_twin, 3) T, for a field (3,) T."""
        return np.linalg.det(self.rotations)[:, None] * (np.asarray(field, dtype=np.float64) @ self.rotations)


def twins_about(axis, angles, *, weights=None) -> Twins:
    """Return the twins of rotations about one axis.

    Parameters
    ----------
    axis : (3,) float64, Cartesian
    angles : (n_twin,) float64, degrees
        Right-handed.
    weights : (n_twin,) float64, optional
        Equal where they are left out.

    Returns
    -------
    Twins

    Examples
    --------
    Three domains of a hexagonal crystal: ``twins_about((0, 0, 1), (0, 120, 240))``.
    """
    axis, angles = np.asarray(axis, dtype=np.float64), np.radians(np.asarray(angles, dtype=np.float64))
    check_shape("axis", axis, (3,))
    length = np.linalg.norm(axis)
    if not 0 < length < np.inf:
        raise ConfigError("the axis of twins has no direction", where="twins.axis", got=axis.tolist())
    x, y, z = axis / length
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotations = (
        np.eye(3) + np.sin(angles)[:, None, None] * cross + (1.0 - np.cos(angles))[:, None, None] * (cross @ cross)
    )
    return Twins(rotations, np.ones(len(angles)) if weights is None else weights)


def twins_from_operations(vectors, rotations, *, weights=None) -> Twins:
    """Return the twins of rotations that act on fractional coordinates.

    Parameters
    ----------
    vectors : (3, 3) float64, Å
        Lattice vectors as rows.
    rotations : (n_twin, 3, 3) int64
        As those of a space group: a crystal's own, for the domains of a structure of lower symmetry.
    weights : (n_twin,) float64, optional

    Returns
    -------
    Twins
        An operation that the lattice does not have is refused.
    """
    rotations = np.asarray(rotations)
    check_shape("rotations", rotations, ("n_twin", 3, 3))
    metric = np.asarray(vectors) @ np.asarray(vectors).T
    error = np.abs(rotations.transpose(0, 2, 1) @ metric @ rotations - metric).max(axis=(1, 2))
    if not np.all(error <= ORTHOGONAL * np.abs(metric).max()):
        worst = int(error.argmax())
        raise ConfigError(
            "an operation of a twin does not keep the lattice",
            where=f"twins.rotations[{worst}]",
            got=rotations[worst].tolist(),
        )
    return Twins(cartesian_rotations(vectors, rotations), np.ones(len(rotations)) if weights is None else weights)


def twin_average(function: Callable, q, *, twins: Twins, reciprocal) -> np.ndarray:
    """Return Σ_d w_d f(R_dᵀ Q) of a scalar intensity.

    Parameters
    ----------
    function : callable
        (n, 3) float64, r.l.u. -> (n, ...): the trace, or the part across Q; a Cartesian component needs
        :func:`twin_tensor_average`.
    q : (n_q, 3) float64, r.l.u.
    twins : Twins
    reciprocal : (3, 3) float64, 1/Å

    Returns
    -------
    (n_q, ...) array

    Notes
    -----
    In a field the domains differ in more than Q: average the spectra of models in :meth:`Twins.fields` instead.
    """
    points = twins.wave_vectors(q, reciprocal=reciprocal)
    return sum(w * np.asarray(function(p)) for w, p in zip(twins.weights, points, strict=True))


def twin_tensor_average(function: Callable, q, *, twins: Twins, reciprocal) -> np.ndarray:
    """Return Σ_d w_d R_d S(R_dᵀ Q) R_dᵀ of a tensor S^αβ.

    Parameters
    ----------
    function : callable
        (n, 3) float64, r.l.u. -> (n, ..., 3, 3), Cartesian.
    q : (n_q, 3) float64, r.l.u.
    twins : Twins
    reciprocal : (3, 3) float64, 1/Å

    Returns
    -------
    (n_q, ..., 3, 3) array
    """
    points = twins.wave_vectors(q, reciprocal=reciprocal)
    parts = zip(twins.weights, twins.rotations, points, strict=True)
    return sum(w * (R @ np.asarray(function(p)) @ R.T) for w, R, p in parts)
