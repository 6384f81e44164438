"""The crystal, and perhaps the magnetic structure, of a CIF that a study names."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import ConfigError, SpinscapeError


def data_folder():
    """Return the folder that data files are read from, or None: that of the variable SPINSCAPE_DATA."""
    name = os.environ.get("SPINSCAPE_DATA")
    return Path(name) if name else None


def located_file(declared):
    """Return the file of a ``crystal:`` section as :func:`~spinscape.experiment.fetch.locate` finds it.

    Parameters
    ----------
    declared : CrystalFileSection

    Raises
    ------
    ConfigError
        Where there is no such file below the data folder, or it is not the declared one.
    """
    from ..experiment.fetch import locate

    try:
        return locate(declared.file, data_folder=data_folder(), sha256=declared.sha256)
    except SpinscapeError as error:
        raise ConfigError(
            error.what,
            where=f"crystal.file: {declared.file[:200]}",
            expected=error.expected,
            got=error.got,
            fix=error.fix,
        ) from None


def read_crystal_file(declared):
    """Return what a CIF says.

    Parameters
    ----------
    declared : CrystalFileSection

    Returns
    -------
    Crystal
    MagneticStructure or None
        None where the file is not a magnetic CIF.
    """
    found = located_file(declared)
    return _read(found.path, found.sha256, declared.model_dump_json())


@lru_cache(maxsize=8)
def _read(path, sha256, text):
    from ..hamiltonian.magnetic_cif import read_mcif
    from ..lattice.cif import MagneticIon, read_cif
    from ..lattice.cif_file import read_block
    from .model_sections import CrystalFileSection

    declared = CrystalFileSection.model_validate_json(text)
    ions = {name: MagneticIon(one.ion, _spin(declared, one), _g(one)) for name, one in declared.magnetic_ions.items()}
    options = {name: getattr(declared, name) for name in ("block", "assume_full_occupancy", "allow_disorder_elsewhere")}
    try:
        content = read_block(path, block=declared.block)
        if not any(tag.startswith("_space_group_symop_magn_operation") for tag in content.columns):
            _check_plain(declared)
            return read_cif(path, ions, **options), None
        if declared.parent_cell:
            options |= {"space_group": declared.space_group}
        return read_mcif(path, ions, parent_cell=declared.parent_cell, **options)
    except SpinscapeError as error:
        raise error.located("crystal") from None


def with_file_sums(study):
    """Return a study that names the sha256 of the file that its crystal is read from.

    So that what depends on the crystal (the model, the names of points) changes with the file's content.
    """
    if not hasattr(study.crystal, "file"):
        return study
    found = located_file(study.crystal)
    return study.model_copy(update={"crystal": study.crystal.model_copy(update={"sha256": found.sha256})})


def _check_plain(declared):
    if declared.parent_cell or declared.space_group is not None:
        raise ConfigError(
            "a CIF without magnetic operations has no parent cell",
            where="parent_cell",
            expected="false, and no space_group",
            got=f"parent_cell {declared.parent_cell}, space_group {declared.space_group}",
            fix="leave both out, or name a magnetic CIF",
        )


def _spin(declared, ion):
    return 1.0 if declared.unit_spins else ion.spin


def _g(ion):
    return np.eye(3) * ion.g if np.isscalar(ion.g) else np.array(ion.g)
