"""From the model sections of a study to the crystal, the table of the Hamiltonian and the magnetic structure."""

import numpy as np

from .axes import vectors
from .crystal_file import read_crystal_file


def build_crystal(study):
    """Return the crystal with every site of every orbit."""
    return _crystal_and_found(study)[0]


def build_structure(study, crystal, found=None):
    """Return the declared magnetic structure with site indices of the crystal; None where none is declared.

    Parameters
    ----------
    study : ModelSections
    crystal : Crystal
    found : MagneticStructure, optional
        That of the file the crystal was read from.

    Returns
    -------
    MagneticStructure, SpiralStructure, GroundStateSearch or None
    """
    return None if study.structure is None else study.structure.build(crystal, found)


def site_labels(study):
    """Return the labels of the orbits of a study's crystal."""
    declared = study.crystal
    if hasattr(declared, "file"):
        return list(dict.fromkeys(build_crystal(study).labels))
    return [site.label for site in declared.sites]


def _crystal_and_found(study):
    """Return the crystal, and the structure of its file where that has one."""
    if hasattr(study.crystal, "file"):
        return read_crystal_file(study.crystal)
    from ..lattice import symmetry

    declared = study.crystal
    sites = [
        symmetry.SiteSpec(
            label=site.label,
            ion=site.ion,
            position=site.position,
            spin=1.0 if declared.unit_spins else site.spin,
            g=np.eye(3) * site.g if np.isscalar(site.g) else np.array(site.g),
            kind=site.kind,
            axis=site.axis,
        )
        for site in declared.sites
    ]
    if declared.space_group is None:
        return symmetry.crystal_from_sites(vectors(study), sites), None
    return symmetry.crystal_from_space_group(vectors(study), declared.space_group, sites), None


def build_model(study):
    """Return the model and the magnetic structure of a study (or of its model sections alone).

    Returns
    -------
    Model
    MagneticStructure, SpiralStructure, GroundStateSearch or None
    """
    from .terms import build_terms

    crystal, found = _crystal_and_found(study)
    return build_terms(study, crystal), build_structure(study, crystal, found)
