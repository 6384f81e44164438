"""HDF5 files from strangers: what they hold stands in the files themselves."""

import h5py

from ..errors import DataError


def own_item(group, name, where):
    """Return a member of a group, or None; links to other files, and arrays whose numbers lie elsewhere, are refused.

    Parameters
    ----------
    group : h5py.Group
    name : str
        With ``/`` between the names of groups.
    where : str
        The file, for the error.
    """
    here = group
    for part in name.split("/"):
        link = here.get(part, getlink=True) if isinstance(here, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise _elsewhere(where, name, f"a link to {link.filename}")
        here = here.get(part) if link is not None else None
    if isinstance(here, h5py.Dataset) and (here.external or here.is_virtual):
        raise _elsewhere(where, name, "numbers in another file")
    return here


def _elsewhere(where, name, got):
    return DataError(
        "a data file holds a link to another file", where=f"{where}: {name}", expected="numbers in the file itself",
        got=got, fix="copy the arrays into one file",
    )  # fmt: skip
