"""Integrators of ħ dS/dt = S × H, H = −∂E/∂S.

``suzuki_trotter_2`` and ``suzuki_trotter_4`` turn the spins of one colour after the other, each exactly about its
field: |S| and the energy stay to rounding. ``midpoint`` is the implicit midpoint rule of the whole lattice, iterated to
rounding, without normalisation: |S|, the energy (of bilinear and on-site terms; that of biquadratic ones wavers with
dt²) and, for isotropic exchange, the total spin stay. ``rk4`` keeps nothing and is a reference.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError, SpinscapeError
from ..kernels.precession import run_spins, turn_all
from ..kernels.precession_rows import run_rows, write_grid
from ..units import HBAR
from .integrators_field import Interactions, largest_field, onsite_range
from .integrators_layout import Colouring, RowLayout, colouring, row_layout

INTEGRATORS = ("suzuki_trotter_2", "suzuki_trotter_4", "midpoint", "rk4")
_MAX_ITERATION = 200
_SETTLED = 4e-16
_SUZUKI = 1.0 / (4.0 - 4.0 ** (1.0 / 3.0))
"""Length of four of the five second-order steps of one of fourth order: Suzuki, Phys. Lett. A 146, 319 (1990)."""


class IterationError(SpinscapeError):
    """An implicit step did not converge: the time step is too large."""


class Integrator(Protocol):
    """Something that moves spins on in time; it holds the spins."""

    @property
    def spins(self) -> np.ndarray:
        """A copy of the spins, (n_spin, 3) float64."""
        ...

    def set_spins(self, spins: np.ndarray) -> None:
        """Take other spins, (n_spin, 3)."""
        ...

    def run(self, n_step: int) -> None:
        """Make time steps."""
        ...

    def write_grid(self, out: np.ndarray) -> None:
        """Write the spins as (n_site, 3, *shape) of the supercell, in the type of ``out``."""
        ...


def integrator(of: Interactions, *, kind: str, dt: float, rows: bool = True) -> Integrator:
    """Return an integrator without spins.

    Parameters
    ----------
    of : Interactions
    kind : str
        One of :data:`INTEGRATORS`.
    dt : float, ps
    rows : bool
        Let Suzuki-Trotter work in rows where the supercell allows it; the plain order of spins otherwise.

    Returns
    -------
    Integrator
    """
    if kind not in INTEGRATORS:
        raise ConfigError(
            "no such integrator", where="dynamics.integrator", expected=f"one of {', '.join(INTEGRATORS)}", got=kind
        )
    if not 0 < dt < np.inf:
        raise ConfigError("a time step is positive", where="dynamics.dt", expected="a time in ps", got=dt)
    if not kind.startswith("suzuki"):
        return (Midpoint if kind == "midpoint" else RungeKutta)(of, dt)
    if of.dipole is not None:
        raise ConfigError(
            "dipoles couple all spins: they have no colours",
            where=f"dynamics.integrator: {kind}",
            expected="'midpoint' or 'rk4' for a model with dipoles",
            got=kind,
            fix="take the integrator 'midpoint'",
        )
    colours = coloured(of)
    steps = schedule(kind, dt, colours.n_colour, exact=not of.has_quadratic)
    layout = row_layout(of.system.cell, of.links, colours) if rows else None
    return ColouredSpins(of, colours, steps) if layout is None else ColouredRows(of, layout, steps)


class OneState:
    """An integrator of one state in the shape of one of many (:mod:`spinscape.simulate.integrators_torch`)."""

    def __init__(self, mover: Integrator):
        self._mover, self.run = mover, mover.run

    @property
    def spins(self):
        """A copy of the spins, (1, n_spin, 3) float64."""
        return self._mover.spins[None]

    def set_spins(self, spins):
        """Take another state, (1, n_spin, 3)."""
        self._mover.set_spins(spins[0])

    def write_grids(self, out):
        """Write the spins as (1, n_site, 3, *shape) of the supercell, in the type of ``out``."""
        self._mover.write_grid(out[0])


def check_states(of: Interactions, kind):
    """Raise :class:`ConfigError` where many states cannot move on together on a GPU."""
    if not kind.startswith("suzuki"):
        raise ConfigError("only spins of one colour turn at once on a GPU", where="dynamics.integrator",
                          expected="suzuki_trotter_2 or suzuki_trotter_4", got=kind)  # fmt: skip
    if of.dipole is not None or len(of.links.square_strength):
        got = "dipoles" if of.dipole is not None else "biquadratic terms"
        raise ConfigError("the GPU takes bonds, fields and on-site terms", where="dynamics.gpu", got=got,
                          fix="leave gpu out")  # fmt: skip


def coloured(of: Interactions) -> Colouring:
    """Return the colours of the spins of a system."""
    return colouring(of.system.cell, of.links, np.concatenate([of.neighbour, of.square_neighbour], axis=1))


@dataclass(frozen=True, eq=False)
class Schedule:
    """The stages of a step: colours and h/2ħ of each, and how they turn.

    Parameters
    ----------
    colour : (n_stage,) int64
    scale : (n_stage,) float64, 1/meV
    merge : bool
        Make the last stage of a step and the first of the next at once.
    true_angle : bool
        Turn by the true angle in place of Cayley's.
    """

    colour: np.ndarray
    scale: np.ndarray
    merge: bool
    true_angle: bool


def schedule(kind, dt, n_colour, *, exact):
    """Return the :class:`Schedule` of an integrator.

    Parameters
    ----------
    kind : str
        ``"suzuki_trotter_2"`` or ``"suzuki_trotter_4"``.
    dt : float, ps
    n_colour : int
    exact : bool
        Whether turns about a fixed field are all there is; stages of implicit turns cannot be merged in fourth order.
    """
    colours = [*range(n_colour), *range(n_colour - 2, -1, -1)]
    part = [0.5] * len(colours)
    part[n_colour - 1] = 1.0
    fourth = kind == "suzuki_trotter_4"
    lengths = [_SUZUKI, _SUZUKI, 1.0 - 4.0 * _SUZUKI, _SUZUKI, _SUZUKI] if fourth else [1.0]
    stages: list[list] = []
    for length in lengths:
        for colour, share in zip(colours, part, strict=True):
            if exact and stages and stages[-1][0] == colour:
                stages[-1][1] += share * length
            else:
                stages.append([colour, share * length])
    scale = np.array([share for _, share in stages]) * dt / (2.0 * HBAR)
    return Schedule(np.array([c for c, _ in stages], dtype=np.int64), scale, exact or not fourth, exact and fourth)


class ColouredSpins:
    """Suzuki-Trotter on any supercell, spin by spin."""

    def __init__(self, of: Interactions, colours: Colouring, steps: Schedule):
        self._of, self._steps = of, steps
        self._order, self._start = colours.chosen
        self._spins = np.zeros((of.system.n_spin, 3))

    @property
    def spins(self):
        """A copy of the spins, (n_spin, 3) float64."""
        return self._spins.copy()

    def set_spins(self, spins):
        """Take other spins, (n_spin, 3)."""
        self._spins = self._of.system.check_spins(spins)

    def run(self, n_step):
        """Make time steps."""
        x = self._steps
        failed = run_spins(
            self._spins, self._start, self._order, *self._of.arguments,
            x.colour, x.scale, n_step, x.merge, x.true_angle, self._of.has_quadratic,
        )  # fmt: skip
        if failed:
            raise _not_settled(f"{failed} implicit turns of single spins")

    def write_grid(self, out):
        """Write the spins as (n_site, 3, *shape)."""
        _write_grid(self._of.system.cell, self._spins, out)


class ColouredRows:
    """Suzuki-Trotter row by row, many spins at once."""

    def __init__(self, of: Interactions, layout: RowLayout, steps: Schedule):
        self._system, self._layout, self._steps = of.system, layout, steps
        self._data = np.zeros(layout.size)
        self._coupling, self._is_matrix = _couplings(of.links, layout)
        centred = of.links.onsite - np.eye(3) * middle(of.links.onsite)[:, None, None]
        self._onsite, self._field = centred.ravel(), np.ascontiguousarray(of.links.field).ravel()
        self._n_iteration = iterations(of, steps)
        # Spins that stand first in their rows, and their places in a grid (n_site, 3, n_cell).
        place, cell = layout.place - layout.halo, of.system.cell
        head = np.flatnonzero(place % layout.width == 0)
        self._first = np.empty(len(head), dtype=np.int64)
        self._first[place[head] // (3 * layout.width)] = head % cell.n_site * 3 * cell.n_cell + head // cell.n_site

    @property
    def spins(self):
        """A copy of the spins, (n_spin, 3) float64."""
        return self._data[self._components]

    @property
    def _components(self):
        return self._layout.place[:, None] + self._layout.width * np.arange(3)

    def set_spins(self, spins):
        """Take other spins, (n_spin, 3)."""
        self._data[self._components] = self._system.check_spins(spins)
        x = self._layout
        data = self._data.reshape(-1, x.width)
        data[:, : x.halo] = data[:, x.n : x.n + x.halo]
        data[:, x.n + x.halo : x.n + 2 * x.halo] = data[:, x.halo : 2 * x.halo]

    def run(self, n_step):
        """Make time steps."""
        x, steps = self._layout, self._steps
        run_rows(
            self._data, x.colour_start, x.rows, x.begin, x.kind, self._coupling, self._onsite, self._field,
            x.n, x.halo, x.width, steps.colour, steps.scale, n_step, steps.merge,
            self._is_matrix, steps.true_angle, self._n_iteration,
        )  # fmt: skip

    def write_grid(self, out):
        """Write the spins as (n_site, 3, *shape)."""
        x, cell = self._layout, self._system.cell
        step = x.period * int(np.prod(cell.shape[x.axis + 1 :]))
        write_grid(self._data, self._first, x.n, x.halo, x.width, cell.n_cell, step, out.reshape(-1))


def _write_grid(cell, spins, out):
    out[...] = spins.reshape(*cell.shape, cell.n_site, 3).transpose(3, 4, 0, 1, 2)


def _couplings(links, layout):
    """Return the couplings of each site in the order of its links, as numbers where all are isotropic."""
    matrix = links.matrix
    is_matrix = bool(np.any(matrix != matrix[:, :1, :1] * np.eye(3)))
    n_site = len(links.start) - 1
    out = np.zeros((n_site, layout.begin.shape[1], 3, 3))
    for site in range(n_site):
        mine = matrix[links.start[site] : links.start[site + 1]]
        out[site, : len(mine)] = mine
    return np.ascontiguousarray(out if is_matrix else out[..., 0, 0]).ravel(), is_matrix


def middle(onsite):
    """Return the middle of the eigenvalues of each on-site matrix: that part turns nothing."""
    values = np.linalg.eigvalsh(onsite)
    return 0.5 * (values[:, 0] + values[:, -1])


def iterations(of, steps):
    """Return how many iterations of an implicit turn reach rounding, whatever the state; 0 without on-site terms.

    A turn changes by at most 2 |dw| |S| when its axis changes by dw = (h/2ħ) A dS: each iteration shrinks the error by
    the factor h |A| S/ħ or more.
    """
    size = float(np.max(onsite_range(of.links) * of.system.lengths))
    if size == 0.0:
        return 0
    scale = 2.0 * float(np.max(np.abs(steps.scale))) * (2.0 if steps.merge else 1.0)
    factor = scale * size
    if factor >= 0.5:
        raise _not_settled(f"an implicit turn shrinks its error by {factor:.2g} at best")
    # The first guess, the spin itself, is off by h |G|/ħ at most.
    return int(np.ceil(np.log(0.25 * _SETTLED / min(1.0, scale * largest_field(of))) / np.log(factor)))


def _not_settled(what):
    return IterationError(
        "an implicit time step does not converge",
        where="dynamics.dt",
        got=what,
        fix="make the time step smaller",
    )


class Midpoint:
    """The implicit midpoint rule of the whole lattice: S' turns about the field of (S + S')/2."""

    def __init__(self, of: Interactions, dt: float):
        self._of, self._scale = of, dt / (2.0 * HBAR)
        self._spins = np.zeros((of.system.n_spin, 3))
        self._before: np.ndarray | None = None

    @property
    def spins(self):
        """A copy of the spins, (n_spin, 3) float64."""
        return self._spins.copy()

    def set_spins(self, spins):
        """Take other spins, (n_spin, 3)."""
        self._spins, self._before = self._of.system.check_spins(spins), None

    def run(self, n_step):
        """Make time steps."""
        for _ in range(n_step):
            self._step()

    def _step(self):
        spins = self._spins
        # Where the last step went is where the next begins to look.
        middle = spins.copy() if self._before is None else 1.5 * spins - 0.5 * self._before
        new, tolerance = np.empty_like(spins), _SETTLED * float(self._of.system.lengths.max())
        change, rounds = np.inf, 0
        while change > tolerance:
            last = change
            change = turn_all(spins, middle, self._of.fields(middle), self._scale, new)
            rounds += 1
            if rounds > 4 and change >= last and change <= 100.0 * tolerance:
                break  # rounding: it goes no lower
            if rounds > _MAX_ITERATION:
                raise _not_settled(f"a change of {change:.2g} after {rounds} iterations")
        self._before, self._spins = spins, new

    def write_grid(self, out):
        """Write the spins as (n_site, 3, *shape)."""
        _write_grid(self._of.system.cell, self._spins, out)


class RungeKutta:
    """The classical Runge-Kutta rule of fourth order, without normalisation."""

    def __init__(self, of: Interactions, dt: float):
        self._of, self._step = of, dt / HBAR
        self._spins = np.zeros((of.system.n_spin, 3))

    @property
    def spins(self):
        """A copy of the spins, (n_spin, 3) float64."""
        return self._spins.copy()

    def set_spins(self, spins):
        """Take other spins, (n_spin, 3)."""
        self._spins = self._of.system.check_spins(spins)

    def run(self, n_step):
        """Make time steps."""
        for _ in range(n_step):
            s, h = self._spins, self._step
            k1 = self._rate(s)
            k2 = self._rate(s + 0.5 * h * k1)
            k3 = self._rate(s + 0.5 * h * k2)
            k4 = self._rate(s + h * k3)
            self._spins = s + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)

    def _rate(self, spins):
        return np.cross(spins, self._of.fields(spins))

    def write_grid(self, out):
        """Write the spins as (n_site, 3, *shape)."""
        _write_grid(self._of.system.cell, self._spins, out)
