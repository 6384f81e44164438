"""What the Ising spins of one system and their couplings look like to the kernels: made once for a geometry.

One :class:`IceTable` serves all points of a grid and all replicas: couplings enter by a contraction.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.dipole_sums import commensurate_waves, dipole_couplings
from ..kernels.ice_flips import BLOCK
from ..kernels.long_range import wave_energy
from ..kernels.simd32 import WIDE
from ..lattice.crystal import read_only
from ..lattice.supercell import Supercell
from .ice_graph import IceGraph, ice_graph
from .places import Places, places
from .slabs import Slabs, slabs
from .spin_system import SpinSystem

_LARGEST = 2.0**29
"""Largest sum of couplings, in units of the kernels: twice it, and twice a coupling, are 32-bit integers."""


@dataclass(frozen=True, eq=False)
class DipoleEnergy:
    """The dipole energy of Ising spins in double precision, by the waves of the supercell: :func:`dipole_energy`.

    Parameters
    ----------
    wave : (2, n_half, n_cell) float64
        Cosine and sine of each wave of a pair (q, -q).
    form : (n_half, 2 * n_site, 2 * n_site) float64
    """

    wave: np.ndarray
    form: np.ndarray

    def __call__(self, sigma):
        """Return ½ Σ σ_i D_ij σ_j of σ, (n_spin,) float32."""
        n_half, size, _ = self.form.shape
        return wave_energy(self.wave, self.form, sigma, np.empty((n_half, 2, size // 2)), np.empty(size))


def dipole_energy(cell: Supercell, dipole) -> DipoleEnergy | None:
    """Return what computes the dipole energy of Ising spins from their couplings (n_site, n_spin), or None of None."""
    if dipole is None:
        return None
    waves = commensurate_waves(cell)
    turns = waves @ cell.cells.T.astype(np.float64)
    keep, weight = _half(waves)
    angle = 2.0 * np.pi * (turns - np.round(turns))
    cosine, sine = np.cos(angle), np.sin(angle)
    rows = dipole.reshape(cell.n_site, cell.n_cell, cell.n_site)
    real, imaginary = np.einsum("qc,icj->qij", cosine[keep], rows), np.einsum("qc,icj->qij", sine[keep], rows)
    scale = (weight / cell.n_cell)[:, None, None]
    # Σ_RR' σ_i(R) D_ij(R' - R) σ_j(R') with D(q) = Σ_R D(R) exp(iqR).
    form = np.concatenate(
        [np.concatenate([real, imaginary], axis=2), np.concatenate([-imaginary, real], axis=2)], axis=1
    )
    return DipoleEnergy(np.stack([cosine[keep], sine[keep]]), scale * form)


def _half(waves):
    """Return one wave of each pair (q, -q) and how many it stands for."""
    whole = np.round((waves - np.floor(waves + 1e-9)) * 1e6).astype(np.int64) % 1_000_000
    index = {tuple(row): n for n, row in enumerate(whole.tolist())}
    partner = np.array([index[tuple(row)] for row in ((-whole) % 1_000_000).tolist()])
    keep = np.flatnonzero(np.arange(len(waves)) <= partner)
    return keep, np.where(partner[keep] == keep, 1.0, 2.0)


@dataclass(frozen=True, eq=False)
class IceTable:
    """Couplings of Ising spins by strength 1, and where the spins stand. :func:`ice_table` makes it.

    Parameters
    ----------
    system : SpinSystem
    places : Places
    link : (n_link,) int64
        Place of each link, from either end, in rows (n_site * n_spin).
    link_unit : (n_parameter, n_link) float64
        S_i S_j e_i·M·e_j.
    pair : (2, n_pair, n_cell) int32
        Spins of each link met once.
    pair_unit : (n_parameter, n_pair) float64
    dipole : (n_site, n_spin) float64, 1/Å³, or None
        Dipoles of strength 1, those of a spin with its own images included.
    dipole_unit : (n_parameter,) float64
    dipole_energy : DipoleEnergy or None
    constant : (n_parameter,) float64
        Energy that no flip changes: on-site and biquadratic terms.
    graph : IceGraph or None
    no_graph : str
        Why there is none.
    slabs : Slabs or None
    """

    system: SpinSystem
    places: Places
    link: np.ndarray
    link_unit: np.ndarray
    pair: np.ndarray
    pair_unit: np.ndarray
    dipole: np.ndarray | None
    dipole_unit: np.ndarray
    dipole_energy: DipoleEnergy | None
    constant: np.ndarray
    graph: IceGraph | None
    no_graph: str
    slabs: Slabs | None

    def __post_init__(self):
        for name in ("link", "link_unit", "pair", "pair_unit", "dipole", "dipole_unit", "constant"):
            array = getattr(self, name)
            object.__setattr__(self, name, array if array is None else read_only(array, array.dtype))

    def rows(self, theta):
        """Return J_ij from each site of the first cell to every other spin, (n_site, n_spin) meV."""
        theta = np.asarray(theta, dtype=np.float64)
        n_site, n_spin = self.system.cell.n_site, self.system.n_spin
        check_shape("theta", theta, (len(self.link_unit),))
        out = np.bincount(self.link, weights=theta @ self.link_unit, minlength=n_site * n_spin).reshape(n_site, n_spin)
        if self.dipole is not None:
            out = out + float(theta @ self.dipole_unit) * self.dipole
        out[np.arange(n_site), np.arange(n_site)] = 0.0
        return out

    def quantised(self, theta, field):
        """Return the table of the kernels, the field and the energy of one unit.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        field : (n_site,) float64, meV
            h in −h σ.

        Returns
        -------
        rows : (width * n_cell * width,) int32
            2 J.
        field : (n_site,) int64
        unit : float, meV
        """
        rows = self.rows(theta)
        largest = float((np.abs(rows).sum(axis=1) + np.abs(field)).max())
        if not np.isfinite(largest):
            raise ConfigError("couplings and field are not finite", where="theta", got=np.asarray(theta).tolist())
        # A power of two, so that what is exact in binary stays so.
        scale = 2.0 ** np.floor(np.log2(_LARGEST / largest)) if largest > 0 else 1.0
        whole = 2 * np.round(rows * scale).astype(np.int64)
        place = self.places
        n_cell = len(place.tiles)
        out = np.zeros((place.width, n_cell * place.width), dtype=np.int32)
        out[: len(place.source), place.of_spin] = whole.ravel()[place.source]
        return out.ravel(), np.round(field * scale).astype(np.int64), 1.0 / scale


def ice_table(system: SpinSystem, *, demagnetisation=None, slab_moves=True) -> IceTable:
    """Return the :class:`IceTable` of a system of Ising spins; raise :class:`ConfigError` for spins of other kinds.

    Parameters
    ----------
    system : SpinSystem
    demagnetisation : (3, 3) float64, optional
        As in :func:`spinscape.hamiltonian.dipole_sums.dipole_couplings`.
    slab_moves : bool
        Make what slab moves need, where no site is vacant.

    Returns
    -------
    IceTable
    """
    if set(system.kind) != {"ising"}:
        raise ConfigError(
            "these moves are for Ising spins",
            where="crystal.sites",
            expected="kind: ising on every site",
            got=", ".join(sorted(set(system.kind))),
        )
    table, along = system.table, system.axis * system.lengths[:, None]
    source, target = table.source, table.target
    unit = np.einsum("kaxy,ax,ay->ka", table.unit, along[source], along[target])
    cell = system.cell
    link = source * cell.n_spin + cell.site_index(target, table.offset)
    once = _met_once(source, target, table.offset)
    first, second = cell.bond_ends(source[once], target[once], table.offset[once])
    dipole = _dipole_rows(system, along, demagnetisation)
    graph, no_graph = None, ""
    try:
        graph = ice_graph(system)
    except ConfigError as error:
        no_graph = str(error)
    place = places(cell, wide=WIDE, block=BLOCK)
    return IceTable(
        system,
        place,
        link,
        unit,
        np.stack([first, second]).astype(np.int32),
        unit[:, once],
        dipole,
        np.bincount(system.model.dipolar.parameter, system.model.dipolar.factor, system.model.n_parameter),
        dipole_energy(cell, dipole),
        _constant(system, along),
        graph,
        no_graph,
        slabs(system, place) if slab_moves and np.all(system.occupied) else None,
    )


def _met_once(source, target, offset):
    """Return which links to keep so that each bond is there from one end."""
    here = np.column_stack([source, target, offset]).tolist()
    back = np.column_stack([target, source, -offset]).tolist()
    return np.array([a < b for a, b in zip(here, back, strict=True)], dtype=bool)


def _dipole_rows(system, along, demagnetisation):
    if not system.model.dipolar.n_row:
        return None
    crystal = system.model.crystal
    tensor = dipole_couplings(crystal, system.cell, demagnetisation=demagnetisation)
    moment = np.einsum("iab,ib->ia", crystal.g, along)
    return np.einsum("icjab,ia,jb->icj", tensor, moment, moment).reshape(crystal.n_site, -1)


def _constant(system, along):
    """Return the energy of each coupling that no flip changes, (n_parameter,)."""
    table, cell = system.table, system.cell
    there = system.occupied.reshape(cell.n_cell, cell.n_site)
    onsite = np.einsum("ksab,sa,sb->ks", table.onsite_unit, along, along) @ there.sum(axis=0)
    source = table.square_source
    product = np.einsum("lab,la,lb->l", table.square_turn, along[source], along[table.square_target])
    first, second = cell.bond_ends(source, table.square_target, table.square_offset)
    both = (system.occupied[first] & system.occupied[second]).sum(axis=1)
    return onsite + 0.5 * table.square_unit @ (product**2 * both) + table.constant_unit * cell.n_cell
