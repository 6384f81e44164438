"""Which magnetic structure a point of the grid has: as declared, relaxed, or the ground state of its own couplings."""

from typing import NamedTuple

from ..errors import UnstableError
from ..hamiltonian.structures import GroundStateSearch, Structure
from .own_state import own_ground_state
from .spiral_relaxation import relaxed
from .stability import check_structure


class PointStructure(NamedTuple):
    """A structure and where it comes from: ``"declared"``, ``"relaxed"`` or ``"own"``."""

    structure: Structure
    origin: str


class StructureRule:
    """How the structure of a point is found.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure, SpiralStructure or GroundStateSearch
        As declared; a search gives every point a ground state of its own.
    conditions : Conditions
    relax : bool
        Let the declared structure come to rest in its magnetic cell, a spiral at its axis.
    unstable : GroundStateSearch, optional
        Where the structure is not stable, search for the ground state; without it such a point is an error.
    check : bool
        Look for instabilities in the whole zone, whatever wave vectors are asked for.
    """

    def __init__(self, model, structure, conditions, *, relax=False, unstable=None, check=True):
        self.model, self.structure, self.conditions = model, structure, conditions
        self.relax, self.unstable, self.check = relax, unstable, check

    def at(self, theta, stream_key):
        """Return the :class:`PointStructure` at couplings θ (n_parameter,), meV.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        stream_key : StreamKey
            Of the searches for ground states.

        Raises
        ------
        UnstableError
            Names Q and the eigenvalue, or the spin that is not at rest.
        """
        if isinstance(self.structure, GroundStateSearch):
            return self.own(theta, stream_key, self.structure)
        try:
            return self._declared(theta)
        except UnstableError:
            if self.unstable is None:
                raise
        return self.own(theta, stream_key, self.unstable)

    def own(self, theta, stream_key, search):
        """Return the ground state that a search finds, checked like any other."""
        how = {"max_cell": search.max_cell, "n_start": search.n_start, "stream_key": stream_key}
        if search.magnetic_cell is not None:
            how["magnetic_cell"] = search.magnetic_cell
        found = own_ground_state(self.model, theta, self.conditions, **how)
        return PointStructure(self._checked(found, theta), "own")

    def _declared(self, theta):
        if not self.relax:
            return PointStructure(self._checked(self.structure, theta), "declared")
        found = relaxed(self.model, self.structure, theta, self.conditions)
        return PointStructure(self._checked(found, theta), "relaxed")

    def _checked(self, structure, theta):
        if self.check:
            check_structure(self.model, structure, theta, self.conditions)
        return structure
