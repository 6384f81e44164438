"""From the model sections of a study to the crystal, the table of the Hamiltonian and the magnetic structure."""

import numpy as np

from ..errors import ConfigError
from .axes import vectors


def build_crystal(study):
    """Return the crystal with every site of every orbit."""
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
        return symmetry.crystal_from_sites(vectors(study), sites)
    return symmetry.crystal_from_space_group(vectors(study), declared.space_group, sites)


def build_structure(study, crystal):
    """Return the declared magnetic structure with site indices of the crystal; None where none is declared."""
    from ..hamiltonian.model import MagneticStructure

    if study.structure is None:
        return None
    moments = study.structure.moments
    site = [site_index(crystal, m.site, m.index, where=f"structure.moments.{k}") for k, m in enumerate(moments)]
    structure = MagneticStructure(
        np.array(study.structure.magnetic_cell),
        np.array(site),
        np.array([m.cell for m in moments]),
        np.array([m.direction for m in moments]),
    )
    volume = abs(round(float(np.linalg.det(structure.magnetic_cell))))
    if volume == 0 or len(moments) != volume * crystal.n_site:
        raise ConfigError(
            "the moments do not fill the magnetic cell",
            where="structure.moments",
            expected=f"{volume * crystal.n_site} moments ({volume} chemical cells of {crystal.n_site} sites)",
            got=f"{len(moments)} moments",
            fix="list each site of each chemical cell of the magnetic cell once",
        )
    if np.any(np.linalg.norm(structure.direction, axis=1) < 0.5):
        raise ConfigError("a moment has no direction", where="structure.moments", expected="a vector that is not zero")
    return structure


def site_index(crystal, label, index, *, where):
    """Return the index in the crystal of the ``index``-th site of the orbit ``label``."""
    members = [k for k, name in enumerate(crystal.labels) if name == label]
    if index >= len(members):
        raise ConfigError(
            f"site {label} has only {len(members)} positions",
            where=where,
            expected=f"index below {len(members)}",
            got=index,
        )
    return members[index]


def build_model(study):
    """Return the model and the magnetic structure of a study (or of its model sections alone).

    Returns
    -------
    Model, MagneticStructure or None
    """
    from .terms import build_terms

    crystal = build_crystal(study)
    return build_terms(study, crystal), build_structure(study, crystal)
