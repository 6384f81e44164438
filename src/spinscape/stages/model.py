"""Stage ``model``: from the sections of a study to the symmetry-expanded table."""

import json
from pathlib import Path

from ..config.build import build_model
from ..config.schema import ModelSections
from .model_file import CONTRACT


def run(section, output):
    """Build the model and write it.

    Parameters
    ----------
    section : dict
        ``build.model_section``: crystal, couplings, hamiltonian, structure.
    output : str or Path
        JSON file of ``Model.to_dict`` and, under ``structure``, ``MagneticStructure.to_dict``.
    """
    model, structure = build_model(ModelSections.model_validate(section))
    document = {"contract": CONTRACT, **model.to_dict(), "structure": structure.to_dict()}
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document))
