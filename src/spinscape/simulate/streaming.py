"""Spin waves at any number of wave vectors, block by block, in bounded memory."""

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.spiral import SpiralStructure
from .modes import REGULARISATION, blocks_of, modes
from .quadratic import quadratic_form
from .spiral import spiral_form, spiral_modes

MEMORY = 64_000_000
"""Bytes that a block of wave vectors may take, by default."""
_GENERIC = np.array([[0.1432, 0.2718, 0.3819], [-0.3217, 0.1193, 0.4473]])
"""Wave vectors of no symmetry: an element of D that is zero at all of them is zero everywhere."""


def q_blocks(q, n_block):
    """Yield wave vectors in blocks of at most ``n_block`` rows.

    Parameters
    ----------
    q : (n_q, 3) array, or iterable of (n, 3) arrays
        An array that is mapped from a file is read as it goes.
    n_block : int

    Yields
    ------
    (n, 3) float64
    """
    pieces = [q] if hasattr(q, "shape") else q
    for piece in pieces:
        check_shape("q", piece, ("n_q", 3), hint="One row (h, k, l) for each wave vector.")
        for start in range(0, len(piece), n_block):
            yield np.asarray(piece[start : start + n_block], dtype=np.float64)


def bytes_for_q(model, structure):
    """Return an estimate of the memory that one wave vector takes, in bytes.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure

    Returns
    -------
    int
    """
    spiral = isinstance(structure, SpiralStructure)
    n = model.crystal.n_site if spiral else structure.n_sublattice
    n_directed = (
        (2 * model.bonds.n_bond + model.onsite.n_onsite + 8 * model.biquadratic.n_bond) * n // model.crystal.n_site
    )
    # D_k, D_0 and D, the phases of the bonds with what they are made of; vectors, amplitudes and S^αβ; Ewald sums.
    form = 64 * n * n * (model.n_parameter + 3) + 56 * n_directed
    dipoles = 64 * n * n * (model.n_parameter + 15) if model.dipolar.n_row else 0
    # A spiral solves three wave vectors for each Q, and merges what they give.
    return 3 * (form + 3 * dipoles + 900 * n + 200) if spiral else form + dipoles + 600 * n + 200


def stream_modes(model, structure, q, theta, conditions=None, *, memory=MEMORY, regularisation=REGULARISATION):
    """Yield the spin waves at many wave vectors, block by block.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure
    q : (n_q, 3) array, or iterable of (n, 3) arrays, r.l.u. of the chemical cell
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional
    memory : int
        Bytes that a block may take; what the consumer keeps comes on top.
    regularisation : float
        See :func:`spinscape.simulate.modes.solve`.

    Yields
    ------
    start : int
        Number of the block's first wave vector.
    Modes
        Of the block. The numbers do not depend on where blocks begin and end.

    Raises
    ------
    UnstableError
        Where the structure is not stable at a wave vector of the block.
    """
    spiral = isinstance(structure, SpiralStructure)
    form_at, solved = (spiral_form, spiral_modes) if spiral else (quadratic_form, modes)
    n_block = int(memory) // bytes_for_q(model, structure)
    if n_block < 1:
        raise ConfigError(
            "one wave vector takes more memory than there is",
            where="memory",
            expected=f"at least {bytes_for_q(model, structure)} bytes",
            got=memory,
        )
    blocks = blocks_of(form_at(model, structure, _GENERIC, conditions))
    start = 0
    for points in q_blocks(q, n_block):
        form = form_at(model, structure, points, conditions)
        found = solved(form, theta, blocks=blocks, regularisation=regularisation)
        # Before the consumer's turn: its block would else stand beside the form.
        del form
        yield start, found
        start += len(points)
        del found
