"""The ground state that a set of couplings has of its own, chosen by rules that leave nothing to chance.

Of the states found from random starts in each magnetic cell asked for,

1. the one of lowest energy per spin is taken, of equal ones that of the smaller magnetic cell, then that of the cell
   that comes first in :func:`magnetic_cells`;
2. where turns of all spins together cost no energy, the state is turned: about every axis, so that the first spin lies
   along z and the next one that is not parallel to it in the half plane y = 0, x > 0; about one axis only, so that the
   first spin that is not along this axis lies in the half plane of the axis and the Cartesian one farthest from it;
3. of the starts that reached this energy the one is taken whose directions, so turned and rounded to six digits, come
   last in lexical order: (1, 0, 0) before (0, 1, 0).

A point's neighbours so have domains and orientations like its own, wherever its random starts ended.
"""

import numpy as np

from ..errors import ConfigError, UnstableError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure, Model
from ..hamiltonian.zeeman import zeeman_field
from ..lattice.supercell import supercell
from .classical_form import classical_form
from .groundstate import SAME_ENERGY, TORQUE, random_starts, relax, structure_of_spins
from .luttinger_tisza import luttinger_tisza
from .modes import checked_couplings
from .protocol import StreamKey

N_START = 32
MAX_CELL = 16
_DIGITS = 6
_FREE = 1e-9
"""Change of a matrix under a turn, relative to the largest, that counts as none."""


def own_ground_state(
    model: Model,
    theta,
    conditions: Conditions | None = None,
    *,
    magnetic_cell=None,
    max_cell: int | None = None,
    stream_key: StreamKey,
    n_start: int = N_START,
) -> MagneticStructure:
    """Return the ground state of a point, the same each time; the rules stand at the head of this file.

    Parameters
    ----------
    model : Model
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional
    magnetic_cell : (3,) or (3, 3) int, optional
        The cell that the state repeats with.
    max_cell : int, optional
        In its place: every magnetic cell of at most so many chemical cells is searched, up to 16. Without a field the
        search ends where a state reaches the bound of Luttinger and Tisza, which no state of any cell lies below.
    stream_key : StreamKey
        Its seed goes into the random starts, with couplings, field and cell.
    n_start : int
        Random starts in each cell.

    Returns
    -------
    MagneticStructure
        At rest to 1e-12 of the local fields. In its own cell it is the lowest state found; whether a state of another
        cell lies below is for :func:`~spinscape.simulate.stability.check_structure` to see, as far as spin waves do.

    Raises
    ------
    UnstableError
        Where no start came to rest in the lowest state.
    """
    values = checked_couplings(theta, model.parameter_names)
    conditions = conditions or Conditions()
    cells = _asked_cells(model, magnetic_cell, max_cell)
    floor = -np.inf
    if len(cells) > 1 and not np.any(conditions.field):
        floor = luttinger_tisza(model, values).bound
    best = _CellStates(model, values, conditions, cells[0], stream_key.seed, n_start)
    for cell in cells[1:]:
        if best.energy <= floor + SAME_ENERGY * best.scale:
            break
        found = _CellStates(model, values, conditions, cell, stream_key.seed, n_start)
        if found.energy < best.energy - SAME_ENERGY * found.scale:
            best = found
    return best.chosen(free_turns(model, values, conditions))


def _asked_cells(model, magnetic_cell, max_cell):
    """Return the supercells to search."""
    n_site = model.crystal.n_site
    if (magnetic_cell is None) == (max_cell is None):
        raise ConfigError(
            "a search for a ground state needs a magnetic cell, or the largest one",
            where="own_ground_state",
            expected="one of magnetic_cell and max_cell",
            got="both" if max_cell is not None else "neither",
        )
    if magnetic_cell is not None:
        return [supercell(magnetic_cell, n_site=n_site)]
    if not 1 <= max_cell <= MAX_CELL:
        raise ConfigError("too many magnetic cells", where="max_cell", expected=f"1 to {MAX_CELL}", got=max_cell)
    tables = (model.bonds, model.biquadratic)
    linked = np.any(np.concatenate([table.offset for table in tables]) != 0, axis=0) | bool(model.dipolar.n_row)
    return [supercell(m, n_site=n_site) for m in magnetic_cells(max_cell, linked=linked)]


def magnetic_cells(max_cell: int, *, linked=(True, True, True)) -> list[np.ndarray]:
    """Return every lattice of at most some cells, smallest first: (3, 3) int64, upper triangular, rows.

    Parameters
    ----------
    max_cell : int
        Chemical cells in the magnetic one.
    linked : (3,) bool
        Axes that no bond goes along are not made longer.

    Examples
    --------
    >>> [len(magnetic_cells(n)) for n in (1, 2, 3, 4)]
    [1, 8, 21, 56]
    """
    out = []
    for n in range(1, max_cell + 1):
        some = []
        for a, d, f in ((a, d, n // (a * d)) for a in range(1, n + 1) for d in range(1, n + 1) if n % (a * d) == 0):
            if any(size > 1 and not used for size, used in zip((a, d, f), linked, strict=True)):
                continue
            # A shift along axis y of the vector x says something only where bonds link the cells of x.
            for b in range(d if linked[0] else 1):
                for c in range(f if linked[0] else 1):
                    some += [((a, b, c), (0, d, e), (0, 0, f)) for e in range(f if linked[1] else 1)]
        out += sorted(some, key=lambda m: (sum(x * x for row in m for x in row), m))
    return [np.array(m, dtype=np.int64) for m in out]


class _CellStates:
    """The lowest states of one magnetic cell."""

    def __init__(self, model, theta, conditions, cell, seed, n_start):
        self.model, self.theta, self.cell = model, theta, cell
        form = classical_form(model, cell=cell, conditions=conditions)
        starts = random_starts(seed, theta, conditions, cell, n_start)
        found, energy, torque, _ = relax(form, theta[None], starts[None])
        self.energies, self.torques = energy[0] / form.n_spin, torque[0]
        self.scale, self.lengths, self.directions = float(form.at(theta[None]).scale[0]), form.lengths, found[0]
        self.energy = float(self.energies.min())

    def chosen(self, axes):
        """Return the state that the rules choose, ``axes`` being those that spins turn about freely."""
        low = self.energies <= self.energy + SAME_ENERGY * self.scale
        rested = np.flatnonzero(low & (self.torques <= TORQUE))
        if len(rested) == 0:
            raise UnstableError(
                "no ground state was found at these couplings: the lowest of the states did not come to rest",
                where=", ".join(
                    f"{k} = {v:.6g} meV" for k, v in zip(self.model.parameter_names, self.theta, strict=True)
                ),
                expected=f"a relative torque below {TORQUE:g}",
                got=f"{self.torques[low].min():.3g} at best, in a cell of {self.cell.matrix.tolist()}",
                fix="ask for more starts, or another magnetic cell",
            )
        turned = [turned_state(self.directions[k], axes) for k in rested]
        last = max(range(len(turned)), key=lambda k: (np.round(turned[k], _DIGITS) + 0.0).ravel().tolist())
        return structure_of_spins(self.lengths[:, None] * turned[last], self.cell)


def free_turns(model: Model, theta, conditions: Conditions) -> np.ndarray:
    """Return the axes about which all spins turn together without a change of energy, (n_axis, 3): 0, 1 or 3 rows.

    Dipoles fix the spins to the lattice: none where there are any.
    """
    if np.any(theta[model.dipolar.parameter] * model.dipolar.factor):
        return np.zeros((0, 3))
    tables = ((model.bonds, model.bonds.matrix), (model.onsite, model.onsite.matrix))
    matrices = [matrix * theta[table.parameter, None, None] for table, matrix in tables]
    quartic = model.biquadratic
    matrices.append(quartic.turn * (theta[quartic.parameter] * quartic.factor)[:, None, None])
    spin = np.cross(np.eye(3)[:, None], np.eye(3)[None]).swapaxes(1, 2)  # spin[a] v = e_a × v
    changes = [np.einsum("axy,nyz->nxza", spin, m) - np.einsum("nxy,ayz->nxza", m, spin) for m in matrices]
    pull = np.einsum("axy,iy->ixa", spin, zeeman_field(model, conditions))
    rows = np.concatenate([*(change.reshape(-1, 3) for change in changes), pull.reshape(-1, 3), np.zeros((3, 3))])
    largest = max([np.abs(m).max(initial=0.0) for m in matrices] + [np.abs(pull).max()]) or 1.0
    _, size, axes = np.linalg.svd(rows / largest)
    free = axes[size <= _FREE]
    # Signs by rule: the largest component is positive.
    sign = np.sign(free[np.arange(len(free)), np.argmax(np.round(np.abs(free), 9), axis=1)])
    return free * sign[:, None]


def turned_state(direction, axes):
    """Return a state (n_spin, 3) turned as the second rule says; ``axes`` from :func:`free_turns`."""
    if len(axes) == 3:
        z = direction[0]
        across = direction - np.outer(direction @ z, z)
    elif len(axes) == 1:
        z = axes[0]
        across = direction - np.outer(direction @ z, z)
    else:
        return direction
    size = np.linalg.norm(across, axis=1)
    away = np.flatnonzero(size > 10.0**-_DIGITS)
    if len(away) == 0 and len(axes) == 1:
        return direction
    x = across[away[0]] / size[away[0]] if len(away) else _any_across(z)
    x = x - z * (z @ x)
    x /= np.linalg.norm(x)
    old = np.stack([x, np.cross(z, x), z])
    if len(axes) == 3:
        new = np.eye(3)
    else:
        first = _any_across(z)
        new = np.stack([first, np.cross(z, first), z])
    return direction @ old.T @ new


def _any_across(z):
    """Return the Cartesian axis farthest from z, made perpendicular to it."""
    axis = np.eye(3)[np.argmin(np.round(np.abs(z), 9))]
    axis = axis - z * (axis @ z)
    return axis / np.linalg.norm(axis)
