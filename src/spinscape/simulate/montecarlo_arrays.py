"""The result of a Monte Carlo point as arrays: what they are, and how they follow from samples."""

import numpy as np

from ..observables.diffuse import CorrelationGrid
from ..observables.diffuse_average import Averager
from ..observables.diffuse_projection import DiffuseSettings, Projector
from ..observables.diffuse_template import signal_layout
from ..observables.statistics import Estimate, block_means, jackknife, mean_estimate
from ..observables.thermodynamics import (
    heat_capacity,
    heat_capacity_from_energies,
    order_parameter,
    susceptibility,
)
from .chains import Observer, Sample
from .montecarlo_settings import MonteCarloSettings
from .protocol import ArrayTemplate, Coordinate

ORDER = ("absolute", "second", "fourth", "binder")
"""What is stored of an order parameter m: ⟨|m|⟩, ⟨|m|²⟩, ⟨|m|⁴⟩ and 1 − ⟨|m|⁴⟩/(3⟨|m|²⟩²)."""

_LARGE = 2000
"""Waves from which on fewer of them are looked at for a peak."""


class Layout:
    """The arrays of a point of one study.

    Parameters
    ----------
    observer : Observer
    projectors : dict of str to Projector
        By the name of the path or volume.
    """

    def __init__(self, observer: Observer, projectors: dict[str, Projector]):
        self.observer, self.projectors = observer, projectors
        self.settings: MonteCarloSettings = observer.settings
        self.grid: CorrelationGrid | None = observer.grid
        self.averager = Averager(self.grid) if self.grid is not None else None
        self._peak = Projector(self.grid, _box(self.grid), DiffuseSettings()) if self.grid is not None else None
        self.kinds = tuple(dict.fromkeys(move.kind for move in self.settings.all_moves))

    @property
    def correlated(self):
        """Temperatures at which correlations are gathered, in the order of all."""
        kept = self.settings.correlations
        return tuple(t for t in self.settings.temperatures if kept is not None and t in kept.temperatures)

    def template(self) -> dict[str, ArrayTemplate]:
        """Return the declaration of every array, by name."""
        return {**self._means(), **self._orders(), **self._correlations(), **self._kept()}

    def _axis(self):
        return Coordinate(("temperature",), np.array(self.settings.temperatures), "K")

    def _array(self, dims, shape, unit, dtype="float64", coords=None):
        coords = {"temperature": self._axis(), **(coords or {})}
        return ArrayTemplate(("temperature", *dims), (len(self.settings.temperatures), *shape), dtype, unit, coords)

    def _means(self):
        k = self.observer.columns.n_parameter
        ways = {
            "energy": ((), (), "meV per spin"),
            "heat_capacity": ((), (), "k_B per spin"),
            "moment": (("axis",), (3,), "μ_B per spin"),
            "susceptibility": (("axis", "along"), (3, 3), "μ_B/T per spin"),
            "coupling_energy": (("parameter",), (k,), "1 per spin"),
            "coupling_covariance": (("parameter", "other"), (k, k), "1 per spin"),
        }
        if len(self.settings.temperatures) >= 3:
            ways["heat_capacity_slope"] = ((), (), "k_B per spin")
        out = {}
        for name, way in ways.items():
            out[name], out[f"{name}_error"] = self._array(*way), self._array(*way)
        out["acceptance"] = self._array(("move",), (len(self.kinds),), "")
        for name, unit in (("autocorrelation", "rounds"), ("sample_size", ""), ("r_hat", ""), ("n_sample", "")):
            out[name] = self._array((), (), unit)
        return out

    def _orders(self):
        out = {}
        for order in self.settings.orders:
            for name in (f"order_{order.name}", f"order_{order.name}_error"):
                out[name] = self._array(("statistic",), (len(ORDER),), "")
        return out

    def _correlations(self):
        n, out = len(self.correlated), {}
        if self.grid is None or self.settings.correlations is None:
            return out
        axis = {"temperature_of_signal": Coordinate(("temperature_of_signal",), np.array(self.correlated), "K")}
        if self.settings.correlations.pairs:
            wave = {"wave": Coordinate(("wave", "hkl"), self.grid.waves.q, "r.l.u.")}
            shape = (n, *self.grid.shape)
            dims = ("temperature_of_signal", "wave", "mode", "other_mode")
            coords = {**axis, **wave}
            out["pairs"] = ArrayTemplate((*dims, "complex"), (*shape, 2), "float32", "1 per cell", coords)
            out["pairs_error"] = ArrayTemplate(dims, shape, "float32", "1 per cell", coords)
        for where in self.settings.correlations.where:
            dims, shape, coords = signal_layout(where)
            placed = {**axis, **{name: Coordinate(*coordinate) for name, coordinate in coords.items()}}
            for kind in ("signal", "signal_error"):
                every = ("temperature_of_signal", *dims), (n, *shape)
                out[f"{kind}_{where.name}"] = ArrayTemplate(*every, "float32", "1 per cell", placed)
        return out

    def _kept(self):
        settings, out = self.settings, {}
        n_chain, n_sample = settings.sampling.replicas, settings.sampling.samples
        if "series" in settings.keep:
            dims, shape = ("replica", "sample", "column"), (n_chain, n_sample, len(self.observer.columns.names))
            out["series"] = self._array(dims, shape, "of the supercell", "float64")
        if "configurations" in settings.keep:
            n = self.observer.system.n_spin
            dims, shape, dtype = ("replica", "spin", "axis"), (n_chain, n, 3), "float32"
            if set(self.observer.system.kind) == {"ising"}:
                dims, shape, dtype = dims[:2], shape[:2], "int8"
            out["configurations"] = self._array(dims, shape, "", dtype)
        return out

    def peak(self, samples: dict[float, Sample], n_spin: int) -> float:
        """Return the largest S_perp(Q) per spin at the lowest temperature of the correlations, Q = 0 left out."""
        coldest = samples[min(self.correlated)].correlations
        assert self._peak is not None and coldest is not None
        per_cell = float(self._peak.star_intensity(coldest.mean).max())
        return per_cell * self.observer.system.cell.n_cell / n_spin

    def arrays(self, samples: dict[float, Sample], theta, n_spin: int) -> dict[str, np.ndarray]:
        """Return the arrays of a point from its samples by temperature, all of them there; vacancies are no spins."""
        every = [samples[t] for t in self.settings.temperatures]
        rows = [self._row(one, theta, n_spin) for one in every]
        out = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        if len(every) >= 3:
            slope = heat_capacity_from_energies(self.settings.temperatures, out["energy"], out["energy_error"])
            out["heat_capacity_slope"], out["heat_capacity_slope_error"] = slope
        if self.grid is not None:
            out |= self._signals([samples[t] for t in self.correlated])
        return out

    def _row(self, one: Sample, theta, n):
        """Return what one temperature gives, by name."""
        columns = self.observer.columns
        e_k = columns.coupling_energies(one.rows)
        energy, moment = e_k @ theta + columns.zeeman(one.rows), columns.moment(one.rows)
        estimates = {
            "energy": mean_estimate(energy / n),
            "heat_capacity": heat_capacity(energy, temperature=one.temperature, n_spin=n),
            "moment": mean_estimate(moment / n),
            "susceptibility": susceptibility(
                moment, temperature=one.temperature, n_spin=n, connected=bool(np.any(columns.zeeman(one.rows) != 0))
            ),
            "coupling_energy": mean_estimate(e_k / n),
            "coupling_covariance": _covariance(e_k, n),
        }
        for index, order in enumerate(columns.orders):
            estimates[f"order_{order.name}"] = _order(columns.order(one.rows, index))
        out = {name: estimate.value for name, estimate in estimates.items()}
        out |= {f"{name}_error": estimate.error for name, estimate in estimates.items()}
        tried = np.array([one.tally.get(kind, (0, 0)) for kind in self.kinds], dtype=np.float64)
        out["acceptance"] = tried[:, 1] / np.maximum(tried[:, 0], 1.0)
        out["autocorrelation"] = one.verdict.tau * self.settings.at(one.temperature).sampling.rounds
        out["sample_size"], out["n_sample"] = one.verdict.sample_size, float(one.rows.shape[0] * one.rows.shape[1])
        # What stands still at different values has an infinite R̂, which no file should hold.
        out["r_hat"] = min(one.verdict.r_hat, 1e6)
        return {**out, **self._row_kept(one)}

    def _row_kept(self, one: Sample):
        out = {}
        if "series" in self.settings.keep:
            step = one.rows.shape[1] // self.settings.sampling.samples
            out["series"] = one.rows[:, step - 1 :: step]
        if "configurations" in self.settings.keep:
            system = self.observer.system
            spins = one.spins
            if set(system.kind) == {"ising"}:
                spins = np.sign(np.einsum("cix,ix->ci", spins, system.axis[system.site])).astype(np.int8)
            out["configurations"] = spins
        return out

    def _signals(self, samples):
        """Return correlations and what is projected from them, by name."""
        out: dict[str, np.ndarray] = {}
        if self.settings.correlations.pairs:
            averaged = [self.averager(one.correlations.blocks) for one in samples]
            weights = [one.correlations.weights for one in samples]
            pairs = [_weighted(blocks, w) for blocks, w in zip(averaged, weights, strict=True)]
            out["pairs"] = np.array([np.stack([p.value.real, p.value.imag], axis=-1) for p in pairs])
            out["pairs_error"] = np.array([p.error for p in pairs])
        for name, projector in self.projectors.items():
            found = [
                _weighted(projector.star_intensity(one.correlations.blocks), one.correlations.weights)
                for one in samples
            ]
            out[f"signal_{name}"] = np.array([projector.bins(f.value) for f in found])
            out[f"signal_error_{name}"] = np.array([projector.bins(f.error) for f in found])
        return out


def _box(grid):
    """Return every wave vector that a supercell holds up to 2 r.l.u. (1 of large ones), without 0: (n_q, 3) r.l.u."""
    reach = (2 if grid.waves.n_half < _LARGE else 1) * np.abs(grid.cell.matrix).sum(axis=1)
    axes = [np.arange(-n, n + 1) for n in reach]
    numbers = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    # Q and −Q are the same.
    half = numbers[: len(numbers) // 2]
    return half @ np.linalg.inv(grid.cell.matrix).T


def _weighted(blocks, weights) -> Estimate:
    """Return the weighted mean of blocks (n_block, ...) and its error from their scatter."""
    share = np.asarray(weights) / np.sum(weights)
    mean = np.tensordot(share, blocks, 1)
    scatter = np.tensordot(share, np.abs(blocks - mean) ** 2, 1)
    return Estimate(mean, np.sqrt(scatter / (len(blocks) - 1)))


def _covariance(e_k, n) -> Estimate:
    """Return the covariance of the energies of the couplings per spin, with errors: (K, K)."""
    x = e_k - e_k.mean(axis=(0, 1))
    k = x.shape[2]
    both = np.concatenate([x, (x[..., :, None] * x[..., None, :]).reshape(*x.shape[:2], k * k)], axis=2)
    blocks = block_means(both)
    found = jackknife(lambda m: m[k:] - np.outer(m[:k], m[:k]).ravel(), blocks[:, None], n_block=len(blocks))
    return Estimate(found.value.reshape(k, k) / n, found.error.reshape(k, k) / n)


def _order(values) -> Estimate:
    """Return the columns of :data:`ORDER` of samples (n_chain, n_sample, n_component)."""
    if not np.any(values):
        return Estimate(np.zeros(len(ORDER)), np.zeros(len(ORDER)))
    found = order_parameter(values)
    return Estimate(*(np.array([float(getattr(part, field)) for part in found]) for field in ("value", "error")))
