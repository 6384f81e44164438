"""Where a network was trained: its momenta, energies and couplings, and how they become inputs of about ± 1."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..errors import TrainingError, check_shape
from ..lattice.crystal import read_only

N_COORDINATE = 4
"""Columns of a coordinate row before θ: h, k, l and the energy."""
_CONSTANT = 1e-9
_CLOSE = 1e-9


@dataclass(frozen=True, eq=False)
class TrainingDomain:
    """The region that a network learnt, and the affine maps of its inputs and its output.

    Parameters
    ----------
    parameter_names : tuple of str
    q_points : (n_q, 3) float64, r.l.u.
        Momenta of the training spectra.
    energy : (n_energy,) float64, meV
        Their bin centres.
    theta_lower, theta_upper : (n_parameter,) float64
        The box of couplings.
    target_mean, target_std : float
        Of log(1 + S) over the training pixels.
    """

    parameter_names: tuple[str, ...]
    q_points: np.ndarray
    energy: np.ndarray
    theta_lower: np.ndarray
    theta_upper: np.ndarray
    target_mean: float = 0.0
    target_std: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "parameter_names", tuple(self.parameter_names))
        for name in ("q_points", "energy", "theta_lower", "theta_upper"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        check_shape("q_points", self.q_points, ("n_q", 3), hint="one row (h, k, l) for each point")
        check_shape("energy", self.energy, ("n_energy",))
        for name in ("theta_lower", "theta_upper"):
            check_shape(name, getattr(self, name), (len(self.parameter_names),))
        if not len(self.q_points) or not len(self.energy) or np.any(self.theta_upper < self.theta_lower):
            raise TrainingError(
                "a training domain needs momenta, energies and a box whose upper bounds lie above the lower ones",
                where="training domain",
                got=f"{len(self.q_points)} momenta, {len(self.energy)} energies, box "
                f"{self.theta_lower.tolist()} to {self.theta_upper.tolist()}",
            )

    @property
    def _bounds(self):
        """Lowest and highest value of every coordinate column."""
        lower = np.concatenate([self.q_points.min(0), [self.energy.min()], self.theta_lower])
        upper = np.concatenate([self.q_points.max(0), [self.energy.max()], self.theta_upper])
        return lower, upper

    @property
    def centre(self):
        """Middle of the range of every column (h, k, l, energy, θ...)."""
        lower, upper = self._bounds
        return 0.5 * (lower + upper)

    @property
    def half_width(self):
        """Half the range of every column; 1 for a column that does not vary."""
        lower, upper = self._bounds
        half = 0.5 * (upper - lower)
        return np.where(half > _CONSTANT, half, 1.0)

    @property
    def active(self):
        """Indices of the columns that vary: the inputs of the network."""
        lower, upper = self._bounds
        return np.flatnonzero(0.5 * (upper - lower) > _CONSTANT)

    @property
    def input_kinds(self):
        """``"q"``, ``"energy"`` or ``"theta"`` for each input."""
        kinds = ["q"] * 3 + ["energy"] + ["theta"] * len(self.parameter_names)
        return tuple(kinds[column] for column in self.active)

    def standardise(self, coords):
        """Return the inputs (n, n_input) float32 of coordinates (n, 4 + n_parameter)."""
        active = self.active
        scaled = (np.asarray(coords, dtype=np.float64)[:, active] - self.centre[active]) / self.half_width[active]
        return np.ascontiguousarray(scaled, dtype=np.float32)

    def theta_gradient(self, slopes):
        """Return the derivative of log(1 + S) by θ, (n, n_parameter), from that of the output by the inputs."""
        out = np.zeros((len(slopes), len(self.parameter_names)))
        for column, coordinate in enumerate(self.active):
            if coordinate >= N_COORDINATE:
                out[:, coordinate - N_COORDINATE] = slopes[:, column] * (self.target_std / self.half_width[coordinate])
        return out

    @property
    def q_tolerance(self):
        """How far from a training momentum still counts as seen, r.l.u.: the widest gap between neighbours."""
        points = np.unique(np.round(self.q_points, 12), axis=0)
        if len(points) < 2:
            return _CLOSE
        distance, _ = cKDTree(points).query(points, k=2)
        return float(distance[:, 1].max()) + _CLOSE

    def inside_q(self, q):
        """Return which momenta (n_q, 3) lie beside the training momenta, (n_q,) bool."""
        distance, _ = cKDTree(self.q_points).query(np.asarray(q, dtype=np.float64))
        return distance <= self.q_tolerance

    def inside_energy(self, energy):
        """Return which energies (n_energy,) lie within the training window, bins whole, (n_energy,) bool."""
        half_bin = 0.5 * np.ptp(self.energy) / max(len(self.energy) - 1, 1) + _CLOSE
        energy = np.asarray(energy, dtype=np.float64)
        return (energy >= self.energy.min() - half_bin) & (energy <= self.energy.max() + half_bin)

    def inside_theta(self, theta):
        """Return which couplings (..., n_parameter) lie within the training box, of the same shape, bool."""
        theta = np.asarray(theta, dtype=np.float64)
        margin = _CLOSE * (1.0 + np.abs(self.theta_upper - self.theta_lower))
        return (theta >= self.theta_lower - margin) & (theta <= self.theta_upper + margin)

    def coverage(self, q, energy, theta):
        """Say what of a request lies inside the training domain.

        Returns
        -------
        dict
            ``"q"`` (n_q,), ``"energy"`` (n_energy,), ``"theta"`` (n_parameter,): bool arrays, and ``"inside"``: all.
        """
        flags = {"q": self.inside_q(q), "energy": self.inside_energy(energy), "theta": self.inside_theta(theta)}
        return {**flags, "inside": all(bool(flag.all()) for flag in flags.values())}

    def to_dict(self):
        """Return plain values, for JSON; :meth:`from_dict` is the inverse, bit for bit."""
        out = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in out.items()}

    @classmethod
    def from_dict(cls, data):
        """Rebuild a domain from :meth:`to_dict`."""
        return cls(**data)
