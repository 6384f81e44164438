"""How a store of points lies in Zarr: one layout for work in progress and for sealed files."""

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from ..errors import StoreError, check_shape
from .contracts import DIAGNOSTICS_WIDTH, MESSAGE_WIDTH, SIMULATIONS, StoreHeader, check_contract, check_study

TEXT_WIDTH = {"message": MESSAGE_WIDTH, "diagnostics": DIAGNOSTICS_WIDTH}


def create_arrays(store, header, *, rows_per_chunk, attributes=None):
    """Create the group, its arrays and their metadata, with θ and the coordinates filled in.

    Parameters
    ----------
    store : zarr Store, empty
    header : StoreHeader
    rows_per_chunk : int
        Points in a chunk of ``state``, ``message`` and ``diagnostics``: 1 while several processes write,
        all once the file is sealed. Results always have one point per chunk.
    attributes : dict, optional
        More attributes of the group.

    Returns
    -------
    zarr.Group
    """
    n = header.n_point
    group = zarr.create_group(store, zarr_format=3, attributes={**header.to_attributes(), **(attributes or {})})
    _filled(group, "theta", header.theta, ("point", "parameter"), "meV")
    for name, coordinate in header.coordinates.items():
        values = np.array(coordinate["values"], dtype=np.float64)
        _filled(group, name, values, coordinate["dims"], coordinate["unit"])
    _empty(group, "state", (n,), (rows_per_chunk,), "int8", ("point",), "")
    for name, width in TEXT_WIDTH.items():
        _empty(group, name, (n, width), (rows_per_chunk, width), "uint8", ("point", f"{name}_byte"), "")
    for name, spec in header.template.items():
        shape = tuple(spec["shape"])
        _empty(group, name, (n, *shape), (1, *shape), spec["dtype"], ("point", *spec["dims"]), spec["unit"])
    return group


def _filled(group, name, values, dims, unit):
    array = group.create_array(
        name, shape=values.shape, chunks=values.shape, dtype="float64", dimension_names=dims, attributes={"unit": unit}
    )
    array[...] = values


def _empty(group, name, shape, chunks, dtype, dims, unit):
    group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=0,
        dimension_names=dims,
        attributes={"unit": unit},
        # The sum comes last: blosc itself reads a truncated chunk without complaint.
        compressors=(BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"), Crc32cCodec()),
    )


def read_header(group, *, where, study=None):
    """Return the header of a stored group, checked against the contract and the arrays that are there.

    Parameters
    ----------
    group : zarr.Group
    where : str
        Name of the file, for errors.
    study : str, optional
        Study that the file must belong to.
    """
    attributes = dict(group.attrs)
    check_contract(attributes.get("contract"), SIMULATIONS, where=where)
    check_study(attributes.get("study"), study, where=where)
    try:
        arrays, coordinates = attributes["arrays"], attributes["coordinates"]
        values = {
            name: {"dims": c["dims"], "values": _array(group, name, where)[...].tolist(), "unit": c["unit"]}
            for name, c in coordinates.items()
        }
        template = {n: {**spec, "coords": {c: values[c] for c in spec["coords"]}} for n, spec in arrays.items()}
        names = ("study", "parameter_names", "point_ids", "result_codes", "origin", "settings")
        header = StoreHeader(
            **{name: attributes[name] for name in names},
            theta=_array(group, "theta", where)[...],
            template=template,
            replica=attributes.get("replica", ()),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            "the file lacks what its contract demands",
            where=where,
            expected=SIMULATIONS,
            got=f"{type(error).__name__}: {error}",
            fix="make the file again",
        ) from None
    _check_arrays(group, header, where)
    return header


def _array(group, name, where):
    try:
        return group[name]
    except KeyError:
        raise StoreError(
            f"the array {name!r} is missing", where=where, expected=SIMULATIONS, fix="make the file again"
        ) from None
    except ValueError as error:
        raise StoreError(
            f"the array {name!r} is not readable", where=where, got=str(error), fix="make the file again"
        ) from None


def _check_arrays(group, header, where):
    """Raise :class:`StoreError` unless every declared array is there with its shape and type."""
    n = header.n_point
    declared = {name: ((n, *spec["shape"]), spec["dtype"]) for name, spec in header.template.items()}
    declared |= {name: ((n, width), "uint8") for name, width in TEXT_WIDTH.items()}
    for name, (shape, dtype) in {"state": ((n,), "int8"), **declared}.items():
        array = _array(group, name, where)
        check_shape(f"{where}: {name}", array, shape)
        if array.dtype != np.dtype(dtype):
            raise StoreError("an array has the wrong type", where=f"{where}: {name}", expected=dtype, got=array.dtype)


def text_row(text, name):
    """Return a text as a row of bytes, cut to the width of its column, (width,) uint8.

    >>> text_row("no", "message")[:3].tolist()
    [110, 111, 0]
    """
    width = TEXT_WIDTH[name]
    # Cut between characters, not inside one.
    data = text.encode()[:width].decode(errors="ignore").encode()
    row = np.zeros(width, dtype=np.uint8)
    row[: len(data)] = np.frombuffer(data, dtype=np.uint8)
    return row


def row_text(row):
    """Return the text of a row of bytes.

    >>> row_text(text_row("no", "message"))
    'no'
    """
    return bytes(row).rstrip(b"\0").decode()
