"""Landau-Lifshitz dynamics: S(Q, ω) from trajectories that start at given states.

    ħ dS/dt = S × H,   H = −∂E/∂S

:class:`DynamicsModel` takes any initial states; where they are thermal, its spectra are those of a classical magnet at
that temperature.
"""

import itertools
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..lattice.qspace import EnergyAxis
from ..observables.dynamic import DynamicSettings, EnergyProjection, SpectrumSum, WholeProjection
from ..observables.dynamic_q import allowed_q
from ..observables.dynamic_series import Probes, SpatialTransform, check_memory
from .integrators import INTEGRATORS, OneState, integrator
from .integrators_field import interactions, largest_field
from .integrators_step import checked_step, frequency_error, sampling, step_from_error
from .spin_system import SpinSystem

__all__ = ["DynamicSpectrum", "DynamicsModel", "TrajectorySettings"]


@dataclass(frozen=True)
class TrajectorySettings:
    """How trajectories are made and looked at.

    Parameters
    ----------
    integrator : str
        One of :data:`spinscape.simulate.integrators.INTEGRATORS`.
    dt : float or None, ps
        None for the step at which frequencies err by ``frequency_error`` at most.
    frequency_error : float
        Relative.
    stride : int or None
        Steps between samples; None for the largest at which no excitation appears under a false energy.
    n_sample : int or None
        None for as many as the energy axis, or a third of the resolution, asks for.
    per_block : int or None
        Trajectories in a block, whose scatter gives the errors: more than one where they are correlated, or where the
        closing of blocks (a pass over the whole spectrum) would cost. None for one.
    n_probe : int
        Spins followed for the spectrum summed over the zone.
    memory : float
        Bytes that the record of a trajectory may take.
    gpu : bool
        Follow as many states at once as fit into ``memory``, on a GPU where torch sees one (not on a GPU otherwise).
    """

    integrator: str = "suzuki_trotter_2"
    dt: float | None = None
    frequency_error: float = 2e-3
    stride: int | None = None
    n_sample: int | None = None
    per_block: int | None = None
    n_probe: int = 512
    memory: float = 2e9
    gpu: bool = False

    def __post_init__(self):
        if self.integrator not in INTEGRATORS:
            raise ConfigError(
                "no such integrator",
                where="dynamics.integrator",
                expected=f"one of {', '.join(INTEGRATORS)}",
                got=self.integrator,
            )
        for name in ("per_block", "n_probe"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError("a number must be positive", where=f"dynamics.{name}", got=value)


@dataclass(frozen=True, eq=False)
class DynamicSpectrum:
    """What came out of some trajectories.

    Parameters
    ----------
    signal, error : dict of str to (*shape, n_energy) float64
        By the name of the path or grid: S(Q, E) per meV and chemical cell, and its standard error.
    zone, zone_error : (n_weighting, n_energy) float64
        The trace of S, its mean over all wave vectors, per meV and chemical cell; by each weighting of the zone.
    moment, moment_error : (1 + n_weighting,) float64
        Its integral over all energies, classical and by each weighting. The classical one is Σ S² over the cell.
    facts : dict
        Plain numbers and strings: steps, errors, rules, sums.
    """

    signal: dict[str, np.ndarray]
    error: dict[str, np.ndarray]
    zone: np.ndarray
    zone_error: np.ndarray
    moment: np.ndarray
    moment_error: np.ndarray
    facts: dict = field(default_factory=dict)


class DynamicsModel:
    """S(Q, ω) of one system at one θ, for given initial states.

    Parameters
    ----------
    system : SpinSystem
    theta : (n_parameter,) float64, meV
    conditions : Conditions
        Field, and the temperature of the weighting.
    where : sequence of QPath or QGrid
    energy : EnergyAxis
    trajectory : TrajectorySettings, optional
    spectrum : DynamicSettings, optional
    zone_weightings : tuple of str
        Of the spectrum summed over the zone; that of ``spectrum`` where left out.

    Attributes
    ----------
    sampling : Sampling
    interactions : Interactions
    """

    def __init__(
        self,
        system: SpinSystem,
        theta,
        conditions,
        where,
        energy: EnergyAxis,
        trajectory=None,
        spectrum=None,
        *,
        zone_weightings=(),
    ):
        self.system, self.conditions, self.energy = system, conditions or Conditions(), energy
        self.trajectory, self.settings = trajectory or TrajectorySettings(), spectrum or DynamicSettings()
        self.where = tuple(where)
        self.zone_weightings = tuple(zone_weightings) or (self.settings.weighting,)
        self.interactions = interactions(system, theta, self.conditions)
        self._bound = largest_field(self.interactions)
        self.sampling = self._sampling()
        points = np.concatenate([np.asarray(w.points) for w in self.where])
        self.allowed = allowed_q(system.model.crystal, system.cell, points, rule=self.settings.rule)
        self._transform = SpatialTransform(
            system.model.crystal,
            system.cell,
            self.allowed.number,
            moments=self.settings.moments,
            form_factor=self.settings.form_factor,
        )
        check_memory(self._transform, self.sampling.n_sample, memory=self.trajectory.memory)
        self._integrator = integrator(self.interactions, kind=self.trajectory.integrator, dt=self.sampling.dt)

    def _sampling(self):
        """Return the time step and the samples, from what is given and what the spectrum needs."""
        s = self.trajectory
        if not self._bound > 0:
            raise ConfigError("nothing moves: all couplings and fields are zero", where="dynamics")
        if s.dt is None:
            dt = step_from_error(s.integrator, s.frequency_error, bound=self._bound)
        else:
            dt = checked_step(s.integrator, s.dt, bound=self._bound)
        edges = self.energy.edges
        step = self.energy.step
        if self.settings.fwhm is not None:
            widths = np.polynomial.polynomial.polyval(self.energy.centres, self.settings.fwhm)
            step = float(np.min(widths)) / 3.0
            if not step > 0:
                raise ConfigError("the energy resolution has no positive width", where="dynamics.fwhm")
        window = float(np.max(np.abs(edges)))
        if {self.settings.weighting, *self.zone_weightings} != {"classical"}:
            # Integrals over all energies: an excitation under a false energy would have a false weight.
            window = max(window, 2.0 * self._bound)
        return sampling(dt=dt, window=window, energy_step=step, bound=self._bound, stride=s.stride, n_sample=s.n_sample)

    def spectrum(self, configurations) -> DynamicSpectrum:
        """Follow some states and return their mean spectrum.

        Parameters
        ----------
        configurations : iterable of (n_spin, 3) float64
            Taken one at a time: what lies behind may make them as they are asked for.

        Returns
        -------
        DynamicSpectrum
        """
        q = self.allowed.q @ self.system.model.crystal.reciprocal
        probes = Probes(self.system.cell, self.trajectory.n_probe)
        total = self._sum(self._transform, q, EnergyProjection, self.settings, n_cell=self.system.cell.n_cell)
        zone = self._sum(
            probes,
            np.zeros((len(probes.row), 3)),
            partial(WholeProjection, weightings=self.zone_weightings),
            DynamicSettings(**{**self.settings.to_dict(), "component": "trace"}),
            pooled=True,
            n_cell=1.0 / self.system.cell.n_site,
        )
        watchers = ((self._transform, total), (probes, zone))
        mover, n_state = self._mover(watchers)
        s = self.sampling
        # One record for all trajectories: fresh memory would cost as much as the transforms.
        records = [np.zeros((n_state, s.n_sample, *watcher.shape), dtype=np.complex64) for watcher, _ in watchers]
        drift, states = 0.0, iter(configurations)
        while batch := list(itertools.islice(states, n_state)):
            drift = max(drift, self._follow(mover, batch, watchers, records))
        return self._result(total, zone, drift)

    def _mover(self, watchers):
        """Return what moves states on, and how many at once: on a GPU, as many as their records leave room for."""
        if self.trajectory.gpu:
            from .integrators_torch import StatesOnDevice, gpu_is_there

            if gpu_is_there():
                size = 8 * self.sampling.n_sample * sum(int(np.prod(watcher.shape)) for watcher, _ in watchers)
                mover = StatesOnDevice(self.interactions, kind=self.trajectory.integrator, dt=self.sampling.dt)
                return mover, max(1, int(self.trajectory.memory / size))
        return OneState(self._integrator), 1

    def _sum(self, transform, q, projection, settings, **how):
        s = self.sampling
        project = projection(self.energy, s.n_sample, s.energy_step, settings, self.conditions.temperature)
        how = {"n_sample": s.n_sample, "interval": s.interval, "per_block": self.trajectory.per_block or 1, **how}
        return SpectrumSum(transform, q, project, settings, **how)

    def _follow(self, mover, states, watchers, records):
        """Follow some states at once, give their records to each sum, and return the change of the energy per spin."""
        s, cell = self.sampling, self.system.cell
        mover.set_spins(states)
        grids = np.empty((len(states), cell.n_site, 3, *cell.shape), dtype=np.float32)
        for k in range(s.n_sample):
            if k:
                mover.run(s.stride)
            mover.write_grids(grids)
            for (transform, total), rows in zip(watchers, records, strict=True):
                for grid, record in zip(grids, rows, strict=False):
                    transform.sample(grid, total.weight[k], record[k])
        for (_, total), rows in zip(watchers, records, strict=True):
            for record in rows[: len(states)]:
                total.add(record)
        energy = self.interactions.energy
        pairs = zip(mover.spins, states, strict=True)
        change = max(abs(energy(after) - energy(np.asarray(before, dtype=np.float64))) for after, before in pairs)
        return change / self.system.n_spin

    def _result(self, total, zone, drift):
        mean, error = self.allowed.interpolated(total.mean), self.allowed.interpolated_error(total.error)
        signal, errors, first = {}, {}, 0
        for where in self.where:
            last = first + len(where.points)
            shape = (*where.shape, len(self.energy.centres))
            signal[where.name], errors[where.name] = mean[first:last].reshape(shape), error[first:last].reshape(shape)
            first = last
        facts = {**self.facts(), "n_block": total.n_block, "energy_drift": float(drift)}
        whole, scatter, n = zone.mean[0], zone.error[0], len(self.zone_weightings)
        moment, moment_error = whole[-n - 1 :], scatter[-n - 1 :]
        facts["moment_classical"], facts["moment_weighted"] = float(moment[0]), float(moment[1])
        spectra = [values[: -n - 1].reshape(n, -1) for values in (whole, scatter)]
        return DynamicSpectrum(signal, errors, *spectra, moment, moment_error, facts)

    def facts(self):
        """Return what the spectra were made with, plain values by name."""
        s, kind = self.sampling, self.trajectory.integrator
        lengths = self.system.lengths
        return {
            **self.settings.to_dict(),
            "integrator": kind,
            "dt": s.dt,
            "stride": s.stride,
            "n_sample": s.n_sample,
            "energy_step": s.energy_step,
            "largest_field": self._bound,
            "frequency_error": frequency_error(kind, s.dt, bound=self._bound),
            "largest_q_distance": float(self.allowed.distance.max()),
            "moment_of_spins": float(np.sum(lengths**2)),
        }
