"""Where the ice rule holds, second and third neighbours of a pyrochlore say the same: J2 and J3 enter as J2 + 3 J3."""

import numpy as np

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.terms import BondTerm
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.simplices import simplices
from spinscape.lattice.supercell import supercell
from spinscape.observables.charges import Charges

from ..unit.observables.test_charges import ice_state, pyrochlore

NAMES = ("J2", "J3")


def bonds(model, cell, name):
    """Pairs of spins of one coupling's bonds over a supercell, (n_bond, 2)."""
    table, n_site = model.bonds, len(model.crystal.positions)
    place = {tuple(int(x) for x in c): k for k, c in enumerate(cell.cells)}
    shape, out = np.max(cell.cells, axis=0).astype(int) + 1, []
    for k in np.flatnonzero(table.parameter == NAMES.index(name)):
        for c, home in place.items():
            there = place[tuple(int(x) for x in (np.array(c) + table.offset[k]) % shape)]
            out.append((home * n_site + table.site_i[k], there * n_site + table.site_j[k]))
    return np.array(out)


def ice_of(charges, rng, n_loop=30):
    """A random state of the ice rule: loops of spins that follow each other head to tail are flipped."""
    state, homes = ice_state(charges).astype(int), {}
    for t, corners in enumerate(charges.corners):
        for spin in corners:
            homes.setdefault(int(spin), []).append(t)
    for _ in range(n_loop):
        here, seen, walk = int(rng.integers(len(charges.corners))), {}, []
        while here not in seen:
            seen[here] = len(walk)
            outward = state[charges.corners[here]] * charges.sign[here] > 0
            spin = int(rng.choice(charges.corners[here][outward]))
            walk.append(spin)
            here = next(t for t in homes[spin] if t != here)
        state[walk[seen[here] :]] *= -1
    assert np.all(charges.of(state) == 0)
    return state


def test_second_and_third_neighbours_add_up_to_a_constant():
    crystal = pyrochlore()
    shells = (("J2", "2"), ("J3", "3a"))
    rows = [BondTerm("heisenberg", terms.heisenberg(n, NAMES), shell_bond(crystal, s)) for n, s in shells]
    model = model_from_terms(crystal, NAMES, rows)
    cell = supercell((2, 2, 2), n_site=16)
    charges = Charges(crystal, simplices(crystal), cell)
    rng = np.random.default_rng(1)
    axis = np.tile(crystal.axis, (cell.n_cell, 1))
    sums, energies = [], []
    pairs = {name: bonds(model, cell, name) for name in NAMES}
    for _ in range(6):
        ice = ice_of(charges, rng)
        spins = ice[:, None] * axis
        product = {n: np.sum(ice[p[:, 0]] * ice[p[:, 1]]) for n, p in pairs.items()}
        energies.append([np.sum(spins[p[:, 0]] * spins[p[:, 1]]) for p in pairs.values()])
        sums.append(product["J2"] + product["J3"])
    energies = np.array(energies)
    assert np.ptp(sums) == 0
    assert np.ptp(energies[:, 0]) > 1.0
    # E3 = 3 E2 + a constant, so that J2 E2 + J3 E3 = (J2 + 3 J3) E2 + a constant.
    np.testing.assert_allclose(np.ptp(energies[:, 1] - 3.0 * energies[:, 0]), 0.0, atol=1e-9)
