"""Whether a study of dynamics could run: its settings against its model."""

import numpy as np

from ..errors import ConfigError
from ..observables.dynamic_q import allowed_q

MAX_SPIN = 1_000_000
"""Spins of a supercell."""
_FAR = 1e-6
"""Distance from a wave vector of the supercell, 1/Å, that is no rounding."""
_NAMED = 3


def check_dynamics(model, structure, settings, *, between, thetas):
    """Raise :class:`ConfigError` where trajectories could not be made as a study says.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or None
    settings : dict
        Of ``DynamicsSimulator.from_settings``.
    between : str or None
        The rule between wave vectors of the supercell; None where the study declares none.
    thetas : (n, n_parameter) float64, meV
        Couplings to try: time step, energy window and integrator are judged at each.
    """
    from ..hamiltonian.conditions import Conditions
    from ..hamiltonian.model import MagneticStructure
    from ..simulate.dynamics_simulator import DynamicsSimulator
    from ..simulate.dynamics_start import structure_spins
    from ..simulate.spin_system import block, spin_system

    if structure is not None and not isinstance(structure, MagneticStructure):
        raise ConfigError(
            "trajectories start from a commensurate structure, or from none", where="dynamics: structure.kind",
            expected="supercell", got=type(structure).__name__, fix="leave the structure out, or lay it out in a cell",
        )  # fmt: skip
    cell = block(model, settings["supercell"])
    if cell.n_spin > MAX_SPIN:
        raise ConfigError("too many spins", where="dynamics.supercell", expected=MAX_SPIN, got=cell.n_spin)
    simulator = DynamicsSimulator.from_settings(model, settings)
    check_wave_vectors(model.crystal, cell, simulator.where, between=between)
    system = spin_system(model, cell)
    if structure is not None:
        structure_spins(system, structure)
    coldest = Conditions(min(simulator.temperatures), simulator.conditions.field)
    for theta in thetas:
        _check_device(simulator.dynamics(system, theta, coldest))
        _check_moves(system, simulator.start, coldest)


def _check_device(dynamics):
    """Refuse what a GPU cannot take where one is asked for, be there one or not: a study runs anywhere or nowhere."""
    if dynamics.trajectory.gpu:
        from ..simulate.integrators import check_states

        check_states(dynamics.interactions, dynamics.trajectory.integrator)


def _check_moves(system, start, conditions):
    from ..simulate.schedule_checks import check_schedule

    if start.method == "monte_carlo":
        check_schedule(system, start.moves, field=conditions.field)


def check_wave_vectors(crystal, cell, where, *, between):
    """Raise :class:`ConfigError` for wave vectors that the supercell does not hold, unless a rule makes them.

    Parameters
    ----------
    crystal : Crystal
    cell : Supercell
    where : sequence of QPath or QGrid
    between : str or None
    """
    if between is not None:
        return
    for one in where:
        points = np.asarray(one.points)
        found = allowed_q(crystal, cell, points)
        off = np.flatnonzero(found.distance > _FAR)
        if not len(off):
            continue
        near = found.interpolated(found.q)
        pairs = "; ".join(f"({_text(points[k])}) → ({_text(near[k])})" for k in off[:_NAMED])
        raise ConfigError(
            f"{one.name} asks for wave vectors that the supercell does not hold",
            where="dynamics.between",
            expected="'nearest' or 'linear'",
            got=f"none, and {len(off)} of {len(points)} are off; nearest ones: {pairs}",
            fix="declare between: nearest or between: linear, or take a path and a supercell that fit",
        )


def _text(q):
    return " ".join(f"{x + 0.0:.4g}" for x in np.round(q, 12))
