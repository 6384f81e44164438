"""Many Ising models of one system at once, on a GPU where there is one."""

import numpy as np
import torch

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.zeeman import zeeman_field
from ..kernels.ising_torch import fields_of, flips
from ..observables.thermodynamics import beta_from_temperature
from .ice_table import ice_table
from .spin_system import SpinSystem

__all__ = ["IsingBatch"]


class IsingBatch:
    """The Ising spins of one system at many couplings, moved together by single flips without rejections.

    Parameters
    ----------
    system : SpinSystem
        Without vacancies. The couplings of all pairs are held: 4 MB a model of 1,024 spins.
    theta : (n_model, n_parameter) float64, meV
        The same couplings may stand there several times.
    conditions : Conditions
        Its temperature is not used.
    seed : int
    device : str or torch.device, optional
        The GPU where there is one.
    dtype : torch.dtype
        Of the local fields, which are computed anew in every :meth:`run`.
    """

    def __init__(self, system: SpinSystem, theta, conditions: Conditions, seed, *, device=None, dtype=torch.float32):
        if not np.all(system.occupied):
            raise ConfigError("models with vacancies cannot be batched", where="vacancies", fix="use the ice engine")
        self.system, self.theta = system, np.atleast_2d(np.asarray(theta, dtype=np.float64))
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        table, along = ice_table(system, slab_moves=False), system.axis * system.lengths[:, None]
        field = np.tile(np.einsum("ia,ia->i", zeeman_field(system.model, conditions), along), system.cell.n_cell)
        place = {"device": self.device, "dtype": dtype}
        source = _pair_source(system.cell)
        self._couplings = torch.stack([torch.as_tensor(table.rows(one).ravel()[source], **place) for one in self.theta])
        self._field = torch.as_tensor(field, **place).expand(len(self.theta), -1)
        self._generator = torch.Generator(self.device).manual_seed(int(seed))
        shape = (len(self.theta), system.n_spin)
        up = torch.rand(shape, generator=self._generator, device=self.device) < 0.5
        self._spins = torch.where(up, 1.0, -1.0).to(dtype)

    @property
    def sigma(self):
        """Ising variables of every model, (n_model, n_spin) int8."""
        return self._spins.to("cpu", torch.int8).numpy()

    def set_sigma(self, sigma):
        """Take other Ising variables, (n_model, n_spin) of +1 and −1."""
        self._spins = torch.as_tensor(np.asarray(sigma), device=self.device, dtype=self._spins.dtype).clone()

    @property
    def energies(self):
        """Energy of every model, (n_model,) meV, up to terms that no flip changes."""
        local = fields_of(self._couplings, self._spins, 2.0 * self._field)
        return 0.5 * torch.sum(self._spins * local, dim=1).double().cpu().numpy()

    def run(self, temperature, n_sweep):
        """Make sweeps (one try for each spin on the average) at temperatures; return the flips, (n_model,) int64.

        Parameters
        ----------
        temperature : float or (n_model,) float64, K
        n_sweep : int
        """
        beta = np.broadcast_to([beta_from_temperature(t) for t in np.atleast_1d(temperature)], len(self.theta))
        beta = torch.as_tensor(beta.copy(), device=self.device, dtype=self._spins.dtype)
        local = fields_of(self._couplings, self._spins, self._field)
        n_try = n_sweep * self.system.n_spin
        return flips(self._couplings, beta, self._spins, local, n_try, self._generator).cpu().numpy()


def _pair_source(cell):
    """Return where the coupling of each pair stands in rows (n_site * n_spin), (n_spin, n_spin) int64."""
    moved = cell.cell_index(cell.cells[None] - cell.cells[:, None])
    site = np.arange(cell.n_site)
    at = (site[None, :, None, None] * cell.n_cell + moved[:, None, :, None]) * cell.n_site + site
    return at.reshape(cell.n_spin, cell.n_spin)
