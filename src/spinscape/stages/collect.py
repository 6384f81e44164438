"""Stage ``collect``: sealed batches of one study become one index, checked to fit together exactly."""

import json
import os
from pathlib import Path

from ..errors import StoreError
from ..store.contracts import COLLECTION, differences
from ..store.read import open_batch
from ..store.write import storing
from .plan import write_if_changed


def run(batches, output):
    """Check that sealed files fit together and write their index.

    Parameters
    ----------
    batches : list of str or Path
        Files ``….zarr.zip`` of one study.
    output : str or Path
        ``collect/index.json``; it names the files relative to itself.

    Returns
    -------
    dict
        The index.

    Raises
    ------
    StoreError
        Where a file is unreadable, differs in contract, study, couplings, arrays, coordinates (bitwise) or settings,
        or holds a point that another one holds too.
    """
    if not batches:
        raise StoreError("there is nothing to collect", where=str(output), expected="at least one sealed batch")
    output = Path(output)
    first, owner, entries, codes = None, {}, [], set()
    for path in map(Path, batches):
        with open_batch(path) as batch:
            first = batch.header if first is None else first
            _check_fits(batch.header, first, path, batches[0])
            _check_new_points(batch.header, owner, path)
            codes.add(batch.header.origin.get("code") or "")
            entries.append(_entry(path, output.parent, batch))
    index = _index(first, entries, sorted(codes - {""}))
    with storing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_if_changed(output, json.dumps(index, ensure_ascii=False, indent=1) + "\n")
    return index


def _entry(path, folder, batch):
    return {
        "path": Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix(),
        "key": batch.header.key,
        "n_point": batch.header.n_point,
        "codes": batch.code_counts(),
        "bytes": path.stat().st_size,
    }


def _index(header, entries, codes):
    return {
        "contract": COLLECTION,
        "study": header.study,
        "parameter_names": list(header.parameter_names),
        "arrays": {name: spec["shape"] for name, spec in header.template.items()},
        "n_point": sum(entry["n_point"] for entry in entries),
        "codes": {name: sum(entry["codes"][name] for entry in entries) for name in header.result_codes},
        "bytes": sum(entry["bytes"] for entry in entries),
        "code": codes,
        "batches": entries,
    }


def _check_fits(header, first, path, first_path):
    for name, (expected, got) in differences(first, header).items():
        long = name == "arrays and coordinates"
        raise StoreError(
            f"two batches differ in their {name}",
            where=str(path),
            expected=f"as in {first_path}" if long else f"{expected} as in {first_path}",
            got="other arrays, or coordinates that differ in at least one bit" if long else got,
            fix="simulate all batches of a study with the same settings",
        )


def _check_new_points(header, owner, path):
    for point in header.point_ids:
        if point in owner:
            raise StoreError(
                "a point stands in two batches",
                where=str(path),
                got=f"point {point}, also in {owner[point]}",
                fix="collect only the batches of the present plan",
            )
        owner[point] = path
