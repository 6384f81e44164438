"""Stage ``model``: from the sections of a study to the symmetry-expanded table."""

import json

from ..config.build_model import build_model
from ..config.model_sections import ModelSections
from ..store.files import write_whole
from .model_file import CONTRACT


def run(section, output):
    """Build the model and write it.

    Parameters
    ----------
    section : dict
        ``build.model_section``: crystal, couplings, hamiltonian, structure.
    output : str or Path
        JSON file of ``Model.to_dict`` and, under ``structure``, ``MagneticStructure.to_dict`` or null.
    """
    model, structure = build_model(ModelSections.model_validate(section))
    document = {
        "contract": CONTRACT,
        **model.to_dict(),
        "structure": None if structure is None else structure.to_dict(),
    }
    write_whole(output, json.dumps(document))
