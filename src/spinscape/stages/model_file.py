"""The file that the stage ``model`` writes and every later stage reads."""

import json
from pathlib import Path

from ..errors import SpinscapeError, StoreError
from ..hamiltonian.model import Model
from ..hamiltonian.structures import structure_from_dict

CONTRACT = "model/1"


def read_model(path):
    """Return the model and the magnetic structure of a model file.

    Returns
    -------
    Model
    MagneticStructure, SpiralStructure, GroundStateSearch or None
    """
    try:
        document = json.loads(Path(path).read_text())
        contract = document.pop("contract", None)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise StoreError(
            "the model file cannot be read", where=str(path), got=str(error), fix="run the stage model again"
        ) from None
    if contract != CONTRACT:
        raise StoreError(
            "not a model file of this version", where=str(path), expected=CONTRACT, got=contract, fix="make it again"
        )
    try:
        structure = document.pop("structure")
        return Model.from_dict(document), None if structure is None else structure_from_dict(structure)
    except (KeyError, TypeError, ValueError, SpinscapeError) as error:
        raise StoreError(
            "the model file lacks what its contract demands",
            where=str(path),
            expected=CONTRACT,
            got=f"{type(error).__name__}: {error}",
            fix="run the stage model again",
        ) from error
