"""Suzuki-Trotter of many states of one magnet at once, where torch has a GPU for it."""

import numpy as np
import torch

from ..errors import check_shape
from ..kernels.precession_torch import run_states
from .integrators import check_states, coloured, iterations, middle, schedule
from .integrators_field import Interactions

__all__ = ["StatesOnDevice", "gpu_is_there"]


def gpu_is_there():
    """Return whether torch sees a GPU."""
    return torch.cuda.is_available()


class StatesOnDevice:
    """States that move on in time together, the rule of :class:`~spinscape.simulate.integrators.ColouredSpins`.

    Parameters
    ----------
    of : Interactions
        Bonds, fields and on-site terms: no dipoles, no biquadratic terms.
    kind : str
        ``"suzuki_trotter_2"`` or ``"suzuki_trotter_4"``.
    dt : float, ps
    device : str
        Of torch.
    """

    def __init__(self, of: Interactions, *, kind, dt, device="cuda"):
        check_states(of, kind)
        self._of, self._device = of, torch.device(device)
        colours = coloured(of)
        self._order, start = colours.chosen
        self._start = [int(x) for x in start]
        self._steps = schedule(kind, dt, colours.n_colour, exact=not of.has_quadratic)
        self._stages = [(int(c), float(h)) for c, h in zip(self._steps.colour, self._steps.scale, strict=True)]
        self._n_iteration = iterations(of, self._steps)
        self._tables = tuple(torch.as_tensor(x, device=self._device) for x in _tables(of, self._order))
        self._spins = torch.empty((of.system.n_spin, 3, 0), dtype=torch.float64, device=self._device)

    @property
    def spins(self):
        """A copy of the spins, (n_state, n_spin, 3) float64."""
        out = np.empty((self._spins.shape[2], *self._spins.shape[:2]))
        out[:, self._order] = self._spins.permute(2, 0, 1).cpu().numpy()
        return out

    def set_spins(self, spins):
        """Take other states, (n_state, n_spin, 3)."""
        check_shape("spins", np.asarray(spins), ("n_state", self._of.system.n_spin, 3))
        checked = np.stack([self._of.system.check_spins(one) for one in spins])
        held = np.ascontiguousarray(checked[:, self._order].transpose(1, 2, 0))
        self._spins = torch.as_tensor(held, device=self._device)

    def run(self, n_step):
        """Make time steps."""
        steps = self._steps
        run_states(
            self._spins, self._start, self._tables, self._stages, n_step,
            merge=steps.merge, true_angle=steps.true_angle, n_iteration=self._n_iteration,
        )  # fmt: skip

    def write_grids(self, out):
        """Write the spins as (n_state, n_site, 3, *shape) of the supercell, in the type of ``out``."""
        cell = self._of.system.cell
        spins = self.spins.reshape(-1, *cell.shape, cell.n_site, 3)
        out[...] = spins.transpose(0, 4, 5, 1, 2, 3)


def _tables(of, order):
    """Return neighbours (numbers in ``order``), couplings, on-site matrices and fields of every spin."""
    links, n_site = of.links, of.system.cell.n_site
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    neighbour = of.neighbour[order]
    n_link = neighbour.shape[1]
    coupling = np.zeros((n_site, n_link, 3, 3))
    for site in range(n_site):
        mine = links.matrix[links.start[site] : links.start[site + 1]]
        coupling[site, : len(mine)] = mine
    site = order % n_site
    wide = np.ascontiguousarray(coupling.transpose(0, 2, 1, 3)).reshape(n_site, 3, 3 * n_link)
    centred = links.onsite - np.eye(3) * middle(links.onsite)[:, None, None]
    return place[np.maximum(neighbour, 0)], wide[site], centred[site], np.array(links.field)[site][:, :, None]
