"""What is noted of one configuration: energies of the couplings, moment, order parameters, S(Q) of a few stars."""

import numpy as np

from ..errors import ConfigError
from ..observables.diffuse import CorrelationGrid
from ..observables.diffuse_average import stars
from ..observables.diffuse_projection import DiffuseSettings, mode_vectors
from ..observables.thermodynamics import total_moment
from .montecarlo_settings import Order
from .spin_system import SpinSystem

N_SIMPLE, N_SHORT = 10, 4
"""Stars of wave vectors whose intensity is followed: of integers and halves, and the shortest of all."""
_ZERO = 1e-9


class OrderColumns:
    """The components of one order parameter of configurations.

    Parameters
    ----------
    system : SpinSystem
    order : Order

    Attributes
    ----------
    n_component : int
        1 or 3, twice as many where the phases are not real.
    """

    def __init__(self, system: SpinSystem, order: Order):
        crystal, cell = system.model.crystal, system.cell
        self.name = order.name
        r = (cell.cells[:, None] + crystal.positions[None]).reshape(-1, 3)
        phase = np.exp(-2j * np.pi * (r @ np.array(order.q))) / system.n_occupied
        parts = [phase.real] if np.all(np.abs(phase.imag) < _ZERO / system.n_occupied) else [phase.real, phase.imag]
        self._phase = np.array(parts)
        self._direction = _directions(system, order)
        self.n_component = len(parts) * (3 if self._direction is None else 1)

    def __call__(self, spins):
        """Return the components of one configuration (n_spin, 3): (n_component,)."""
        if self._direction is None:
            return (self._phase @ spins).ravel()
        return self._phase @ np.einsum("ix,ix->i", spins, self._direction)


def _directions(system, order):
    """Return the unit vector that each spin is projected on, (n_spin, 3), or None for all three components."""
    if isinstance(order.direction, str) and order.direction == "all":
        return None
    if isinstance(order.direction, str):
        axes = system.axis[system.site]
    else:
        axes = np.tile(np.array(order.direction, dtype=np.float64), (system.n_spin, 1))
    length = np.linalg.norm(axes, axis=1, keepdims=True)
    if np.any(length == 0):
        raise ConfigError(
            "an order parameter has no direction", where=f"order_parameters.{order.name}.direction",
            expected="a vector that is not zero, all, or axis where every site has one", got=order.direction,
        )  # fmt: skip
    return axes / length


class Columns:
    """What is noted of each sample as a row of numbers.

    Parameters
    ----------
    system : SpinSystem
    orders : tuple of Order

    Attributes
    ----------
    moment_square : float, μ_B²
        Σ |g·S|², of Ising spins along their axes and of others over all directions: M² without correlations.
    """

    def __init__(self, system: SpinSystem, orders=()):
        self.moment_square = _moment_square(system)
        self.system = system
        self.orders = [OrderColumns(system, order) for order in orders]
        self.n_parameter = system.model.n_parameter
        names = [f"energy_of_{name}" for name in system.model.parameter_names]
        names += ["zeeman", "moment_x", "moment_y", "moment_z"]
        for order in self.orders:
            names += [f"{order.name}_{k}" for k in range(order.n_component)]
        self.names = tuple(names)

    def row(self, engine, spins):
        """Return the numbers of one configuration, (n_column,) float64.

        E_k of the supercell (dimensionless), its Zeeman energy (meV), its moment (μ_B), order parameters.
        """
        moment = total_moment(spins, g=self.system.model.crystal.g)
        parts = [engine.coupling_energies(), [engine.zeeman_energy()], moment, *[order(spins) for order in self.orders]]
        return np.concatenate(parts)

    def coupling_energies(self, rows):
        """Return E_k from rows (..., n_column)."""
        return rows[..., : self.n_parameter]

    def zeeman(self, rows):
        """Return the Zeeman energy from rows, meV."""
        return rows[..., self.n_parameter]

    def moment(self, rows):
        """Return the moment from rows, (..., 3) μ_B."""
        return rows[..., self.n_parameter + 1 : self.n_parameter + 4]

    def order(self, rows, index):
        """Return the components of an order parameter from rows, (..., n_component)."""
        start = self.n_parameter + 4 + sum(order.n_component for order in self.orders[:index])
        return rows[..., start : start + self.orders[index].n_component]


def _moment_square(system):
    crystal = system.model.crystal
    along = np.einsum("sab,sb->sa", crystal.g, system.axis)
    ising = np.array([kind == "ising" for kind in system.kind])
    square = np.where(ising, np.sum(along**2, axis=1), np.sum(crystal.g**2, axis=(1, 2)) / 3.0)
    n = system.occupied.reshape(-1, crystal.n_site).sum(axis=0)
    return float(n @ (system.lengths**2 * square))


class StarColumns:
    """S_perp per spin on a few stars of wave vectors, of configurations one by one.

        S(star) = mean over its Q of Σ_k |b_k(Q)·A(Q)|²/N

    Parameters
    ----------
    grid : CorrelationGrid
    n_spin : int
        N.

    Notes
    -----
    Domains of one order are equivalent: a sum over the star tells them from each other no more.
    """

    def __init__(self, grid: CorrelationGrid, n_spin: int):
        numbers = np.unique(_followed_waves(grid), axis=0)
        found = stars(grid, numbers, symmetry=True)
        self._star, self.n_star = found.star, len(found.numbers)
        self._weight = 1.0 / np.bincount(self._star)
        to_q = np.linalg.inv(grid.cell.matrix).T
        self.q, q = found.numbers @ to_q, numbers @ to_q
        self._wave, mirrored = grid.waves.index(numbers)
        site = np.repeat(grid.waves.primitive.representative, grid.n_component)
        vectors = mode_vectors(
            grid.crystal, site, grid.crystal.positions[site], grid.direction.reshape(-1, 3), q, DiffuseSettings()
        )
        # A wave that is not kept is the conjugate of its mirror image: turn the vectors instead.
        self._vectors = np.where(mirrored[:, None, None], vectors.conj(), vectors)
        self._scale = 1.0 / n_spin

    def __call__(self, amplitudes):
        """Return the intensities of configurations, (n_config, n_star), from amplitudes (n_config, n_mode, n_wave)."""
        picked = amplitudes[:, :, self._wave]
        seen = np.einsum("qkm,cmq->cqk", self._vectors, picked, optimize=True)
        power = np.sum(seen.real**2 + seen.imag**2, axis=2)
        out = np.empty((len(power), self.n_star))
        for k, row in enumerate(power):
            out[k] = np.bincount(self._star, weights=row, minlength=self.n_star)
        return out * self._weight * self._scale


def _followed_waves(grid):
    """Return integers N = M Q of whole stars of wave vectors, (n, 3) int64: simple fractions, and the shortest."""
    halves = np.indices((9, 9, 9)).reshape(3, -1).T - 4
    numbers = (halves @ grid.cell.matrix.T) / 2.0
    simple = numbers[np.all(numbers == np.round(numbers), axis=1)]
    around = np.indices((5, 5, 5)).reshape(3, -1).T - 2
    return np.concatenate([_first_stars(grid, simple, N_SIMPLE), _first_stars(grid, around, N_SHORT)]).astype(np.int64)


def _first_stars(grid, numbers, n_star):
    """Return those of some integers that belong to their shortest whole stars, zero left out."""
    to_cartesian = np.linalg.inv(grid.cell.matrix).T @ grid.crystal.reciprocal
    length = np.round(np.linalg.norm(numbers @ to_cartesian, axis=1), 6)
    outside = np.any(np.abs(numbers) == np.abs(numbers).max(axis=0), axis=1)
    # Within a ball that fits into the box, stars are whole.
    inside = (length > 0) & (length <= length[outside].min())
    numbers, length = numbers[inside], length[inside]
    if not len(numbers):
        return numbers
    found = stars(grid, np.round(numbers).astype(np.int64), symmetry=True)
    of_star = np.zeros(len(found.numbers))
    of_star[found.star] = length
    chosen = np.argsort(of_star, kind="stable")[:n_star]
    return numbers[np.isin(found.star, chosen)]
