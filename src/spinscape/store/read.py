"""Reading: sealed batches one by one, and a whole study as one stream of points."""

import json
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import zarr
from zarr.storage import ZipStore

from ..errors import StoreError
from .contracts import COLLECTION, check_contract, check_study
from .layout import read_header, row_text

DAMAGE = (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile)


class Batch:
    """A sealed file of simulated points, open for reading. Close it, or use it in a ``with``.

    Attributes
    ----------
    path : Path
    header : StoreHeader
        Study, parameter names, point ids, θ, template, coordinates, origin.
    state : (n_point,) int8
    """

    def __init__(self, path, store, group, study):
        self.path, self._store = Path(path), store
        self.header = read_header(group, where=str(path), study=study)
        self.provenance = dict(group.attrs.get("provenance", {}))
        self._group = group
        self._arrays = {name: group[name] for name in self.header.template}
        self.state = group["state"][...]
        self._check_results()

    def _check_results(self):
        """Raise :class:`StoreError` where a point that counts as done lacks a chunk: Zarr would read it as zeros."""
        with zipfile.ZipFile(self.path) as archive:
            names = set(archive.namelist())
        for name, spec in self.header.template.items():
            tail = "/0" * len(spec["shape"])
            for index in np.flatnonzero(self.done):
                if f"{name}/c/{index}{tail}" not in names:
                    raise StoreError(
                        "a point that counts as done has no data",
                        where=f"{self.path}: {name}, point {index}",
                        fix="delete the file and run the workflow again",
                    )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Close the file."""
        self._store.close()

    @property
    def done(self):
        """Where arrays are there, (n_point,) bool: of what did not equilibrate too."""
        return np.isin(self.state, self.header.states_with_arrays)

    def code_counts(self):
        """Return the number of points of each result code."""
        return {name: int(np.sum(self.state == number)) for name, number in self.header.result_codes.items()}

    def message(self, index):
        """Return why a point has no arrays (empty where it has)."""
        return row_text(self._group["message"][index])

    def diagnostics(self, index):
        """Return what the simulator noted about a point."""
        text = row_text(self._group["diagnostics"][index])
        return json.loads(text) if text else {}

    def read(self, name, index):
        """Return one array of one point, of the template's shape and type."""
        return self.read_many(name, [index])[0]

    def read_many(self, name, indices):
        """Return one array of several points, in the order asked, (n, ...)."""
        spec = self.header.template.get(name)
        if spec is None:
            raise StoreError("no such array", where=str(self.path), expected=sorted(self.header.template), got=name)
        indices = np.asarray(indices, dtype=np.int64)
        absent = indices[~self.done[indices]]
        if absent.size:
            point = int(absent[0])
            raise StoreError(
                "this point has no result",
                where=f"{self.path}: point {point}",
                got=self.message(point) or f"state {self.state[point]}",
                fix="read points whose state is done",
            )
        out = np.empty((len(indices), *spec["shape"]), dtype=spec["dtype"])
        for row, index in enumerate(indices):
            try:
                out[row] = self._arrays[name][int(index)]
            except DAMAGE as error:
                raise _unreadable(f"{self.path}: {name}, point {index}", error) from error
        return out


def open_batch(path, *, study=None):
    """Open a sealed file of simulated points.

    Parameters
    ----------
    path : str or Path
    study : str, optional
        Study that the file must belong to.

    Returns
    -------
    Batch

    Raises
    ------
    StoreError
        Where the file is absent, truncated, of another contract or another study, or lacks an array.
    """
    store = None
    try:
        store = ZipStore(path, mode="r", read_only=True)
        return Batch(path, store, zarr.open_group(store, mode="r"), study)
    except DAMAGE as error:
        _close(store)
        raise _unreadable(str(path), error) from error
    except Exception:
        _close(store)
        raise


def _close(store):
    if store is not None and store._is_open:
        store.close()


def _unreadable(where, error):
    return StoreError(
        "a stored file cannot be read: it is absent, truncated or damaged",
        where=where,
        got=f"{type(error).__name__}: {error}",
        fix="delete the file and run the workflow again",
    )


class StudyStore:
    """All simulated points of a study, streamed from their sealed files.

    Points are ordered by id, so that their order does not depend on how they were dealt into batches. At most
    ``max_open`` files are open at once, and no array is held.

    Parameters
    ----------
    index : str or Path
        ``collect/index.json``.
    study : str, optional
        Study that it must belong to.
    include_all : bool
        Also count points without arrays (unstable, failed); reading one of those is an error.
    replicas : bool
        Also count the second and further runs of points that were simulated several times.
    max_open : int

    Attributes
    ----------
    parameter_names : tuple of str
    theta : (n_point, n_parameter) float64, meV
    state : (n_point,) int8
    ids : tuple of str
    replica : (n_point,) int64
        Which run of its couplings each point is.
    mask : (n_total,) bool
        Over all points that are counted or failed, in the order of ids: True where arrays are there.
    template, coordinates : dict
        As in :class:`~spinscape.store.contracts.StoreHeader`.
    """

    def __init__(self, index, *, study=None, include_all=False, replicas=False, max_open=64):
        self.path, self.max_open = Path(index), max_open
        self.index = read_index(index, study=study)
        self._files = [self.path.parent / entry["path"] for entry in self.index["batches"]]
        self._open = OrderedDict()
        headers, states = [], []
        for k in range(len(self._files)):
            batch = self._batch(k)
            headers.append(batch.header)
            states.append(batch.state)
        self._fill(headers, states, include_all, replicas)

    def _fill(self, headers, states, include_all, replicas):
        first = headers[0]
        self.study, self.parameter_names = first.study, first.parameter_names
        self.template, self.coordinates, self.result_codes = first.template, first.coordinates, first.result_codes
        ids = np.array([point for header in headers for point in header.point_ids])
        replica = np.concatenate([header.replica for header in headers])
        order = np.argsort(ids, kind="stable")
        order = order if replicas else order[replica[order] == 0]
        places = np.array([(k, row) for k, header in enumerate(headers) for row in range(header.n_point)])
        state = np.concatenate(states)[order]
        self.mask = np.isin(state, first.states_with_arrays)
        chosen = np.ones(len(order), dtype=bool) if include_all else self.mask
        self.ids = tuple(ids[order][chosen].tolist())
        self.replica = replica[order][chosen]
        self.theta = np.concatenate([header.theta for header in headers])[order][chosen]
        self.state = state[chosen]
        self._places = places[order][chosen]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Close all files; reading opens them again."""
        while self._open:
            self._open.popitem()[1].close()

    @property
    def n_point(self):
        """Number of points that can be read (all points where ``include_all`` was asked)."""
        return len(self.ids)

    def _batch(self, k):
        """Return an open file, closing the one that was used longest ago where there are too many."""
        if k not in self._open:
            while len(self._open) >= self.max_open:
                self._open.popitem(last=False)[1].close()
            batch = open_batch(self._files[k], study=self.index["study"])
            self._check(k, batch)
            self._open[k] = batch
        self._open.move_to_end(k)
        return self._open[k]

    def _check(self, k, batch):
        """Raise :class:`StoreError` unless a file is still the one that was collected."""
        expected, got = self.index["batches"][k]["key"], batch.header.key
        if expected != got:
            batch.close()
            raise StoreError(
                "a file is not the one that was collected",
                where=str(batch.path),
                expected=expected,
                got=got,
                fix="run the stage collect again",
            )

    def cpu_seconds(self):
        """Return the CPU seconds that the jobs of all files took, or None where one does not say so."""
        records = [self._batch(k).provenance for k in range(len(self._files))]
        try:
            return sum(float(r["seconds"]["cpu_of_rank_0"]) * int(r["n_rank"]) for r in records)
        except (KeyError, TypeError, ValueError):
            return None

    def read(self, name, index):
        """Return one array of one point."""
        return self.read_many(name, [index])[0]

    def diagnostics(self, index):
        """Return what the simulator noted about a point."""
        file, row = self._places[index]
        return self._batch(int(file)).diagnostics(int(row))

    def read_many(self, name, indices):
        """Return one array of several points, in the order asked, (n, ...); each file is visited once."""
        indices = np.asarray(indices, dtype=np.int64)
        if name not in self.template:
            raise StoreError("no such array", where=str(self.path), expected=sorted(self.template), got=name)
        spec = self.template[name]
        out = np.empty((len(indices), *spec["shape"]), dtype=spec["dtype"])
        files, rows = self._places[indices].reshape(-1, 2).T
        for k in np.unique(files):
            wanted = np.flatnonzero(files == k)
            out[wanted] = self._batch(k).read_many(name, rows[wanted])
        return out


def read_index(path, *, study=None):
    """Return the index of a collection as plain values, checked against its contract."""
    try:
        index = json.loads(Path(path).read_text())
        contract = index["contract"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(str(path), error) from None
    check_contract(contract, COLLECTION, where=str(path))
    check_study(index.get("study"), study, where=str(path))
    batches = index.get("batches")
    if not isinstance(batches, list) or not batches or not all({"path", "key"} <= set(entry) for entry in batches):
        raise StoreError("the index lists no batches", where=str(path), fix="run the stage collect again")
    return index
