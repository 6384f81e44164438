"""Simulated spectra to learn from: where their pixels lie, which are held out, what they span."""

from dataclasses import dataclass

import numpy as np

from ..errors import TrainingError
from ..lattice.crystal import read_only
from ..rng import stream
from .domain import TrainingDomain

CHUNK = 64
"""Points that are read together."""


@dataclass(frozen=True, eq=False)
class SpectrumLayout:
    """Which arrays of a store are learnt, and where their pixels lie.

    Parameters
    ----------
    names : tuple of str
        Arrays (n_q, n_energy) of a point; their rows stand one after the other.
    q_points : (n_q, 3) float64, r.l.u.
        Momenta of all rows.
    energy : (n_energy,) float64, meV
        The energy axis that they share.
    """

    names: tuple[str, ...]
    q_points: np.ndarray
    energy: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "q_points", read_only(self.q_points))
        object.__setattr__(self, "energy", read_only(self.energy))

    @property
    def shape(self):
        """(n_q, n_energy) of one point, all arrays together."""
        return (len(self.q_points), len(self.energy))

    @property
    def n_pixel(self):
        """Number of pixels of one point."""
        return self.shape[0] * self.shape[1]


def layout_from_store(store, names=None):
    """Return the layout of a store's spectra, from the coordinates that it declares.

    Parameters
    ----------
    store : StudyStore
    names : sequence of str, optional
        Arrays to learn; all that have momenta and an energy axis where left out, or all S(Q) where none has energies.
        S(Q) has one energy, zero.
    """
    momenta = {}
    for name, spec in store.template.items():
        for coordinate in spec["coords"].values():
            if list(coordinate["dims"]) == [spec["dims"][0], "hkl"]:
                momenta[name] = np.asarray(coordinate["values"], dtype=np.float64)
    if names is None:
        resolved = [name for name in momenta if "energy" in store.template[name]["coords"]]
        names = resolved or list(momenta)
    unknown = [name for name in names if name not in momenta]
    if unknown or not names:
        raise TrainingError(
            "the store has no such spectra",
            where=f"training data: {', '.join(unknown) or 'names'}",
            expected=f"arrays with momenta: {', '.join(momenta) or 'none is there'}",
            got=list(names),
        )
    axes = [_energies(store.template[name]["coords"]) for name in names]
    if any(axis.tobytes() != axes[0].tobytes() for axis in axes):
        raise TrainingError("the spectra do not share one energy axis", where=", ".join(names))
    return SpectrumLayout(names, np.concatenate([momenta[name] for name in names]), axes[0])


def _energies(coords):
    """Return the energies (n_energy,) of an array's coordinates; of S(Q) one, zero."""
    return np.asarray(coords["energy"]["values"], dtype=np.float64) if "energy" in coords else np.zeros(1)


def split_points(theta, *, n_train, seed):
    """Return the indices of the training points and of the held-out points, each rising.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    n_train : int
    seed : int

    Notes
    -----
    A point's place in the split is drawn from its couplings, not from its place in the store: the same points fall on
    the same side whatever their order.
    """
    if not 1 <= n_train < len(theta):
        raise TrainingError(
            "there are not enough simulated spectra to learn from",
            where="training data",
            expected=f"at least {n_train + 1}: {n_train} to learn from and one to be held out",
            got=f"{len(theta)} spectra",
            fix="simulate more points, or lower n_train",
        )
    draw = np.array([stream(seed, "split", row).random() for row in np.asarray(theta, dtype=np.float64)])
    order = np.argsort(draw, kind="stable")
    return np.sort(order[:n_train]), np.sort(order[n_train:])


def read_log_spectra(store, layout, indices):
    """Return log(1 + S) of points, (n, n_q, n_energy) float32.

    Raises
    ------
    TrainingError
        Where a spectrum holds a number that is not finite, or S ≤ −1.
    """
    out = np.empty((len(indices), *layout.shape), dtype=np.float32)
    row = 0
    for name in layout.names:
        spectra = store.read_many(name, indices)
        if spectra.ndim == 2 and layout.shape[1] == 1:
            spectra = spectra[..., None]
        if spectra.shape[2] != layout.shape[1] or row + spectra.shape[1] > layout.shape[0]:
            raise TrainingError("a spectrum does not have the declared axes", where=name, got=spectra.shape)
        low = spectra.min(axis=(1, 2))
        # Written so that NaN, which compares with nothing, is caught.
        bad = np.flatnonzero(~((low > -1.0) & np.isfinite(spectra.max(axis=(1, 2)))))
        if bad.size:
            raise TrainingError(
                "a spectrum holds numbers that no intensity can have",
                where=f"{name}, point {int(np.asarray(indices)[bad[0]])}",
                expected="finite numbers above −1",
                got=f"lowest {low[bad[0]]:.3g}",
                fix="find out why the simulation made it; a failed point must have a result code, not such numbers",
            )
        np.log1p(spectra, out=out[:, row : row + spectra.shape[1]], casting="same_kind")
        row += spectra.shape[1]
    return out


def domain_from_store(store, layout, indices, *, box=None):
    """Return the domain that the chosen points span, and the moments of their log(1 + S).

    Parameters
    ----------
    store : StudyStore
    layout : SpectrumLayout
    indices : (n,) int
        The training points.
    box : dict of str to (float, float), optional
        Declared bounds of the couplings; those of the training points where left out.
    """
    theta = store.theta[indices]
    bounds = [
        (theta[:, k].min(), theta[:, k].max()) if box is None or name not in box else box[name]
        for k, name in enumerate(store.parameter_names)
    ]
    lower, upper = np.array(bounds, dtype=np.float64).T
    total = square = 0.0
    for start in range(0, len(indices), CHUNK):
        spectra = read_log_spectra(store, layout, indices[start : start + CHUNK])
        total += spectra.sum(dtype=np.float64)
        square += np.einsum("i,i", spectra.ravel(), spectra.ravel(), dtype=np.float64)
    mean = total / (len(indices) * layout.n_pixel)
    std = np.sqrt(max(square / (len(indices) * layout.n_pixel) - mean**2, 0.0))
    if not std > 1e-9 * (1.0 + abs(mean)):
        raise TrainingError(
            "the spectra to learn from are constant",
            where="training data",
            expected="a signal that varies",
            got=f"log(1 + S) of mean {mean:.3g} and standard deviation {std:.3g}",
            fix="check the simulation: its intensity, energy window and paths",
        )
    return TrainingDomain(store.parameter_names, layout.q_points, layout.energy, lower, upper, float(mean), float(std))
