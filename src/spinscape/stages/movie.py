"""A movie of one trajectory: a spin of a declared structure is turned, and sites take the colour of their motion."""

import itertools
from pathlib import Path

import numpy as np

from ..config import build
from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure
from ..plot.movie import movie_figure, write_movie
from ..rng import stream
from ..simulate.dynamics_start import structure_spins
from ..simulate.integrators_field import interactions
from ..simulate.spin_system import block, spin_system
from ..simulate.trajectory import band_motion, band_power, follow, participation
from ..units import HBAR

_FULL, _LEAST = 0.98, 0.1
"""Quantile of the motion in a band that has its full colour; at least so much of that of the strongest band."""


def run(study, output, *, edges, duration=200.0, n_frame=150, spin=None, turn=90.0, tilt=1e-3):
    """Make a movie from a study of kind ``dynamics`` with a structure.

    Parameters
    ----------
    study : Study
        The first point of its grid is followed, in the supercell of its simulation.
    output : str or Path
        ``.gif`` or ``.mp4``.
    edges : sequence of float, meV
        Of the bands of frequency.
    duration : float, ps
    n_frame : int
    spin : int, optional
        Which spin is turned; one in the middle where left out.
    turn : float, degrees
    tilt : float
        Of every spin from the structure, in spin lengths: what stands exactly would never move.

    Returns
    -------
    dict
        ``power``: how much the sites move in each band, ``sites``: how many of them hold 90 % of that.
    """
    system, first, of = prepared(study)
    spin = _middle(system) if spin is None else spin
    start = disturbed(system, first, spin=spin, turn=turn, tilt=tilt, generator=stream(study.seed, "start", "movie"))
    # Samples for the highest band and more; frames are some of them.
    per_frame = max(1, int(np.ceil(4.0 * duration * max(edges) / (2.0 * np.pi * HBAR) / n_frame)))
    trajectory = follow(of, start, duration=duration, n_sample=n_frame * per_frame)
    power, motion = band_power(trajectory, edges), band_motion(trajectory, edges)[::per_frame]
    floor = np.maximum(np.quantile(motion.reshape(-1, motion.shape[2]), _FULL, axis=0), 1e-6)
    # A band in which next to nothing moves shall not look as if much did.
    floor = np.maximum(floor, _LEAST * floor.max())
    axes = _plane(system.model.crystal)
    positions = _folded(system, axes)
    lengths = np.where(system.occupied, system.lengths[system.site], 1.0)[:, None]
    figure, draw = movie_figure(
        positions=positions,
        bonds=_bonds(system, positions, axes),
        motion=motion,
        times=trajectory.times[::per_frame],
        bands=[f"{low:g} to {high:g} meV" for low, high in itertools.pairwise(edges)],
        spins=trajectory.spins[::per_frame] @ axes.T / lengths,
        floor=floor,
    )
    write_movie(figure, draw, n_frame, Path(output))
    return {"power": power.sum(axis=0), "sites": participation(power)}


def prepared(study):
    """Return the system of a study of dynamics, the spins of its structure, and its interactions at its first point."""
    if study.simulate.kind != "dynamics":
        raise ConfigError("a movie is of dynamics", where="simulate.kind", expected="dynamics", got=study.simulate.kind)
    model, structure = build.build_model(study)
    if not isinstance(structure, MagneticStructure):
        raise ConfigError(
            "a movie begins at a magnetic structure", where="structure", expected="kind: supercell",
            got="none" if structure is None else type(structure).__name__, fix="declare the state that it begins at",
        )  # fmt: skip
    system = spin_system(model, block(model, study.simulate.supercell))
    field = Conditions(None, build.conditions(study).field)
    return system, structure_spins(system, structure), interactions(system, build.grid_points(study)[0], field)


def disturbed(system, spins, *, spin, turn, tilt, generator):
    """Return a state with every spin a little off, and one turned by ``turn`` degrees towards a random direction.

    Parameters
    ----------
    system : SpinSystem
    spins : (n_spin, 3) float64
    spin : int
    turn : float, degrees
    tilt : float
    generator : numpy.random.Generator

    Returns
    -------
    (n_spin, 3) float64
        Of the lengths that ``spins`` have.
    """
    if not 0 <= spin < len(spins):
        raise ConfigError("no such spin", where="spin", expected=f"0 to {len(spins) - 1}", got=spin)
    length = np.linalg.norm(spins, axis=1, keepdims=True)
    across = np.cross(spins[spin], generator.normal(size=3))
    across *= length[spin] / np.linalg.norm(across)
    out = spins + tilt * length * generator.normal(size=spins.shape)
    out[spin] = np.cos(np.radians(turn)) * spins[spin] + np.sin(np.radians(turn)) * across
    norm = np.linalg.norm(out, axis=1, keepdims=True)
    return out * np.divide(length, norm, out=np.zeros_like(norm), where=norm > 0)


def _positions(system):
    """Return where the spins are, (n_spin, 3), Å."""
    crystal, cell = system.model.crystal, system.cell
    return ((cell.cells[:, None] + crystal.positions) @ crystal.vectors).reshape(-1, 3)


def _middle(system):
    positions = _positions(system)
    return int(np.argmin(np.linalg.norm(positions - positions.mean(axis=0), axis=1)))


def _folded(system, axes):
    """Return where spins are in the plane, (n_spin, 2), Å: moved by whole supercells into an upright picture."""
    flat = _positions(system) @ axes.T
    width = float((system.cell.matrix @ system.model.crystal.vectors @ axes.T)[0, 0])
    if not np.count_nonzero(system.cell.matrix - np.diag(np.diag(system.cell.matrix))):
        flat[:, 0] = np.mod(flat[:, 0] + 1e-6, width) - 1e-6
    return flat


def _bonds(system, positions, axes):
    """Return the ends of bonds between nearest neighbours that do not cross the boundary, (n_bond, 2, 2)."""
    crystal, bonds = system.model.crystal, system.model.bonds
    way = (bonds.offset + crystal.positions[bonds.site_j] - crystal.positions[bonds.site_i]) @ crystal.vectors
    length = np.linalg.norm(way, axis=1)
    near = length < length.min() * 1.01
    grid = positions.reshape(-1, crystal.n_site, 2)
    starts = np.concatenate([grid[:, i] for i in bonds.site_i[near]])
    ends = starts + np.repeat(way[near] @ axes.T, len(grid), axis=0)
    # Ends beyond the last cell have no site.
    low, high = positions.min(axis=0) - 1e-6, positions.max(axis=0) + 1e-6
    inside = np.all((ends > low) & (ends < high), axis=1)
    return np.stack([starts, ends], axis=1)[inside]


def _plane(crystal):
    """Return two unit vectors of the plane of a and b, (2, 3)."""
    a, b = crystal.vectors[0], crystal.vectors[1]
    x = a / np.linalg.norm(a)
    y = b - (b @ x) * x
    return np.stack([x, y / np.linalg.norm(y)])
