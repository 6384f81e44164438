"""Stage ``model``: from the sections of a study to the symmetry-expanded table."""

import json
from pathlib import Path

CONTRACT = "model/1"


def run(section, output):
    """Build the model and write it.

    Parameters
    ----------
    section : dict
        ``build.model_section``: crystal, couplings, hamiltonian, structure.
    output : str or Path
        JSON file of ``Model.to_dict`` and, under ``structure``, ``MagneticStructure.to_dict``.
    """
    from ..config.build import build_model
    from ..config.schema import ModelSections

    model, structure = build_model(ModelSections.model_validate(section))
    document = {"contract": CONTRACT, **model.to_dict(), "structure": structure.to_dict()}
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document))


def read(path):
    """Return the model and the magnetic structure of a model file."""
    from ..errors import StoreError
    from ..hamiltonian.model import MagneticStructure, Model

    try:
        document = json.loads(Path(path).read_text())
        contract = document.pop("contract", None)
        structure = document.pop("structure", None)
    except (OSError, ValueError, AttributeError) as error:
        raise StoreError(
            "the model file cannot be read", where=str(path), got=str(error), fix="run the stage again"
        ) from None
    if contract != CONTRACT or structure is None:
        raise StoreError(
            "not a model file", where=str(path), expected=CONTRACT, got=contract, fix="run the stage again"
        )
    return Model.from_dict(document), MagneticStructure.from_dict(structure)
